"""Supervisors held against a plain model, in random programs on a clock that jumps.

A program is a list of steps: children end, in many ways and two at the same moment; starts
are made to fail; orders are given; time passes. After each step the supervisor has settled,
and it has to be where the model is: the same children in the same order, in the same states
and incarnations, and everything in between done in the same order.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    AutoShutdown,
    Child,
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    DynamicSupervisor,
    IgnoreChild,
    RestartLimitReached,
    Strategy,
    Supervisor,
    SupervisorClosed,
    SupervisorFailed,
    TooManyChildren,
    open_dynamic_supervisor,
    open_supervisor,
)

from ._plain_model import BACKOFF, WITHIN, Model, Plan
from ._puppets import Crash, Diary, Puppet

Step: TypeAlias = tuple[Any, ...]

PULLS: dict[str, Callable[[Puppet], None]] = {
    "return": Puppet.finish,
    "shutdown": Puppet.shut_down,
    "crash": Puppet.crash,
}


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep thousands of crashes out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# Programs

# Which child; counted round and round among those that come into question.
WHICH = st.integers(0, 9)
NAMES = st.sampled_from("abcde")
HOW = st.sampled_from(["return", "shutdown", "crash", "crash", "crash"])
REFUSALS = st.lists(st.sampled_from(["crash", "crash", "ignore"]), max_size=3).map(tuple)
FEW_REFUSALS = st.just(()) | st.just(()) | REFUSALS

RESTARTS = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
PLANS = st.builds(Plan, RESTARTS, st.booleans(), FEW_REFUSALS)
FIRST_PLANS = st.builds(
    Plan, RESTARTS, st.booleans(), st.sampled_from([()] * 18 + [("ignore",), ("crash",)])
)
FAMILIES = st.dictionaries(NAMES, FIRST_PLANS, min_size=1)

ORDERS = st.one_of(
    st.tuples(st.just("stop"), WHICH),
    st.tuples(st.just("restart"), WHICH),
    st.tuples(st.just("restart"), WHICH),
    st.tuples(st.just("delete"), WHICH),
    st.tuples(st.just("start"), WHICH, PLANS),
    st.tuples(st.just("start_soon"), WHICH, PLANS),
)
DYNAMIC_ORDERS = st.one_of(
    st.tuples(st.just("stop"), WHICH),
    st.tuples(st.just("start"), WHICH, PLANS),
    st.tuples(st.just("start_soon"), WHICH, PLANS),
)

# Halves, so that sums are exact and several things come due at the same moment.
SECONDS = st.integers(1, 24).map(lambda halves: halves / 2)


def steps(orders: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    step = st.one_of(
        st.tuples(st.just("end"), WHICH, HOW),
        st.tuples(st.just("end"), WHICH, HOW),
        st.tuples(st.just("end both"), WHICH, HOW, WHICH, HOW),
        st.tuples(st.just("refuse"), WHICH, REFUSALS),
        st.tuples(st.just("order"), orders),
        st.tuples(st.just("end and order"), WHICH, HOW, orders),
        st.tuples(st.just("sleep"), SECONDS),
        st.tuples(st.just("sleep"), SECONDS),
    )
    return st.lists(step, min_size=10, max_size=40)


# The stage on which a program is played


@attrs.define(eq=False)
class Stage:
    """A supervisor of puppets beside its model."""

    model: Model
    diary: Diary = attrs.field(factory=Diary)
    puppets: dict[str, Puppet] = attrs.field(factory=dict[str, Puppet])
    sup: Any = None
    failure: SupervisorFailed | None = None
    is_over: bool = False

    async def play(self, plans: dict[str, Plan], program: list[Step]) -> None:
        self.model.boot(plans)
        specs = [self.spec(name, plan) for name, plan in plans.items()]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.supervise, specs)
            await self.settle_and_compare()
            for step in program:
                if self.model.over is not None:
                    break
                await self.perform(*step)
            await self.leave()
        assert self.sup is None or self.sup.count_children().active == 0

    async def supervise(self, specs: list[Any]) -> None:
        model = self.model
        if model.dynamic:
            opened: Any = open_dynamic_supervisor(
                max_restarts=model.max_restarts, within=WITHIN, max_children=model.max_children
            )
        else:
            opened = open_supervisor(
                specs,
                strategy=model.strategy,
                max_restarts=model.max_restarts,
                within=WITHIN,
                auto_shutdown=model.auto_shutdown,
            )
        try:
            async with opened as self.sup:
                await trio.sleep_forever()
        except SupervisorFailed as failure:
            self.failure = failure
        self.is_over = True

    async def leave(self) -> None:
        """Shut the supervisor down, if it has not ended by itself."""
        if self.model.over is None:
            self.model.end("shutdown")
            self.sup.shutdown()
            await wait_all_tasks_blocked()
            self.compare_lines(self.diary.take())
        assert self.is_over

    def spec(self, name: str, plan: Plan) -> Any:
        puppet = self.puppets[name] = Puppet(name, self.diary)
        self.refuse(name, plan.refusals)
        return puppet.spec(
            restart=plan.restart,
            backoff=BACKOFF if plan.backs_off else None,
            significant=plan.significant,
        )

    # Steps

    async def perform(self, what: str, *args: Any) -> None:
        play: Callable[..., Awaitable[None]] = getattr(self, f"play_{what.replace(' ', '_')}")
        await play(*args)

    async def play_end(self, which: int, how: str) -> None:
        name = self.pull(which, how)
        if name is not None:
            self.model.ends(name, how)
            await self.settle_and_compare()

    async def play_end_both(self, which: int, how: str, other: int, other_how: str) -> None:
        one = self.pull(which, how)
        pulled = {one: how, self.pull(other, other_how, but=one): other_how}
        await wait_all_tasks_blocked()
        # Which of two tasks runs first is for the scheduler to say.
        for _, line in self.diary.lines[: len(pulled.keys() - {None})]:
            self.model.ends(line[1:], pulled[line[1:]])
        await self.settle_and_compare()

    async def play_refuse(self, which: int, refusals: tuple[str, ...]) -> None:
        if self.model.kids:
            kid = self.model.kids[which % len(self.model.kids)]
            kid.refusals = list(refusals)
            self.refuse(kid.name, refusals)

    async def play_order(self, order: Step) -> None:
        order = self.named(*order)
        answer = await self.give(*order)
        assert answer == getattr(self.model, f"order_{order[0]}")(*order[1:])
        await self.settle_and_compare()

    async def play_end_and_order(self, which: int, how: str, order: Step) -> None:
        # The order is in the queue before the end is.
        order = self.named(*order)
        name = self.pull(which, how)
        if name is None:
            return
        answer = await self.give(*order)
        self.model.ends(name, how)
        expected = getattr(self.model, f"order_{order[0]}")(*order[1:])
        await self.settle_and_compare()
        if answer == "SupervisorClosed":  # of a dynamic one that gave up during the start
            assert (self.model.dynamic, self.model.over) == (True, "failed")
        else:
            assert answer == expected

    async def play_sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.model.advance(seconds)
        await self.settle_and_compare()

    # Strings, refusals and orders

    def pull(self, which: int, how: str, *, but: str | None = None) -> str | None:
        """Let one of the puppets end that run, if any does; return its name."""
        running = [kid.name for kid in self.model.kids if kid.state == "running"]
        running = [name for name in running if name != but]
        if not running:
            return None
        name = running[which % len(running)]
        PULLS[how](self.puppets[name])
        return name

    def refuse(self, name: str, refusals: tuple[str, ...]) -> None:
        errors = {"crash": Crash, "ignore": IgnoreChild}
        self.puppets[name].refusals = [errors[what](what) for what in refusals]

    def named(self, verb: str, which: int, *plan: Plan) -> Step:
        """Return an order with the name of a child that it has some sense for, if there is one."""
        kids = self.model.kids
        there = [kid.name for kid in kids if kid.at_rest or verb == "stop"]
        free = [name for name in "abcde" if name not in {kid.name for kid in kids}]
        names = [*(free if plan else there), "a"]
        return verb, names[which % len(names)], *plan

    async def give(self, verb: str, name: str, *plan: Plan) -> str:
        kept = dict(self.puppets)
        try:
            answer: Any = await self.call(verb, name, *plan)
        except (ChildExists, ChildRunning) as refused:
            self.puppets = kept
            return f"{type(refused).__name__} {refused.state}"
        except (ChildNotFound, ChildStartFailed, SupervisorClosed, TooManyChildren) as refused:
            self.puppets = kept
            return type(refused).__name__
        if verb == "stop":
            return "nothing ran" if answer is None else "stopped"
        return f"{verb} done"

    async def call(self, verb: str, name: str, *plan: Plan) -> object:
        sup: Any = self.sup
        if verb == "start":
            return await sup.start_child(self.spec(name, *plan))
        if verb == "start_soon":
            spec = self.spec(name, *plan)
            return sup.start_soon(
                spec.async_fn, name=name, restart=spec.restart, backoff=spec.backoff
            )
        if verb == "delete":
            return sup.delete_child(name)
        return await getattr(sup, f"{verb}_child")(name)

    # Comparing

    async def settle_and_compare(self) -> None:
        await wait_all_tasks_blocked()
        self.model.settle()
        self.compare_lines(self.diary.take())
        assert self.is_over is (self.model.over is not None)
        if self.model.over is None:
            self.compare_children()
        else:
            self.compare_failure()

    def compare_lines(self, lines: list[str]) -> None:
        expected, self.model.lines = self.model.lines, []
        if self.model.dynamic:  # they run beside one another, in no order
            lines, expected = sorted(lines), sorted(expected)
        assert lines == expected

    def compare_children(self) -> None:
        sup: Supervisor | DynamicSupervisor = self.sup
        kids = self.model.kids
        assert [picture_of(one) for one in sup.children.values()] == [
            (kid.name, kid.state, kid.incarnation, kid.restarts) for kid in kids
        ]
        counts = sup.count_children()
        active = sum(kid.state == "running" for kid in kids)
        assert (counts.specs, counts.active) == (len(kids), active)
        assert sup.snapshot().restarts == self.model.counted()

    def compare_failure(self) -> None:
        expected = {
            "failed": RestartLimitReached,
            "start failed": ChildStartFailed,
            "auto_shutdown": type(None),
        }
        assert type(self.failure) is expected[str(self.model.over)]
        if isinstance(self.failure, RestartLimitReached) and not self.model.dynamic:
            exits = [(exit.child, exit.incarnation) for exit in self.failure.exits]
            assert exits == self.model.exits
            assert self.failure.child == exits[-1][0]


def picture_of(one: Child[Any]) -> tuple[str, str, int, int]:
    return one.name, one.state, one.incarnation, one.restarts


def play(model: Model, plans: dict[str, Plan], program: list[Step]) -> None:
    trio.run(Stage(model).play, plans, program, clock=MockClock(autojump_threshold=0))


def made_significant(plans: dict[str, Plan]) -> dict[str, Plan]:
    return {
        name: attrs.evolve(plan, significant=plan.restart != "permanent")
        for name, plan in plans.items()
    }


# The promise


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@settings(max_examples=2 * settings().max_examples)
@given(
    plans=FAMILIES,
    max_restarts=st.integers(0, 6),
    program=steps(ORDERS),
)
def test_a_supervisor_is_where_its_model_is(
    strategy: Strategy, plans: dict[str, Plan], max_restarts: int, program: list[Step]
) -> None:
    play(Model(strategy, max_restarts), plans, program)


@given(
    strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    auto_shutdown=st.sampled_from(["any_significant", "all_significant"]),
    plans=FAMILIES.map(made_significant),
    program=steps(ORDERS),
)
def test_so_it_is_with_significant_children(
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    plans: dict[str, Plan],
    program: list[Step],
) -> None:
    play(Model(strategy, 6, auto_shutdown), plans, program)


@given(
    max_restarts=st.integers(0, 6),
    max_children=st.integers(1, 5),
    first=st.lists(DYNAMIC_ORDERS, min_size=3),
    program=steps(DYNAMIC_ORDERS),
)
def test_so_it_is_with_a_dynamic_supervisor(
    max_restarts: int, max_children: int, first: list[Step], program: list[Step]
) -> None:
    model = Model(max_restarts=max_restarts, dynamic=True, max_children=max_children)
    play(model, {}, [*(("order", order) for order in first), *program])
