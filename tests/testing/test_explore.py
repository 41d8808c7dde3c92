"""Tests of scenarios that are run in many orders."""

from __future__ import annotations

import importlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from hypothesis import Phase, given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildEvent,
    ChildStartFailed,
    child,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe
from trio_foundation.testing import (
    Fault,
    Faults,
    InjectedCrash,
    explore,
    fault_plans,
    open_storm,
    open_test_supervisor,
)


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep thousands of crashes out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@attrs.define
class Recorder:
    """What happened in each run, and when."""

    runs: list[list[str]] = attrs.field(factory=list[list[str]])

    def note(self, what: object) -> None:
        self.runs[-1].append(f"{trio.current_time():.6f} {what}")

    async def work(self, name: str, lock: trio.Lock) -> None:
        while True:
            await trio.sleep(random.choice([0, 0.1, 0.2]))
            async with lock:
                self.note(name)
                await trio.lowlevel.checkpoint()

    async def tree(self) -> None:
        """Run ten children that get in each other's way."""
        self.runs.append([])
        lock = trio.Lock()
        backoff = Backoff(initial=0.1)
        ten = [
            child(self.work, name, lock, name=name, backoff=backoff, restart="permanent")
            for name in "abcdefghij"
        ]
        tree = subtree(ten[:5], name="left", max_restarts=100)
        with subscribe(self.note, ChildEvent):
            try:
                async with open_test_supervisor([tree, *ten[5:]], name="app"):
                    await trio.sleep(3)
            except ChildStartFailed:
                self.note("failed to start")


RANDOM_FAULTS = Faults().at_random(
    rate=0.01, kinds=["crash", "cancel", "delay", "hang", "starve"], seconds=0.5
)


@pytest.mark.parametrize("faults", [None, RANDOM_FAULTS], ids=["without", "with"])
def test_a_seed_is_the_same_run_again_and_another_is_another(faults: Faults | None) -> None:
    first, second = Recorder(), Recorder()
    explore(first.tree, range(20), faults=faults)
    explore(second.tree, reversed(range(20)), faults=faults)
    assert first.runs == second.runs[::-1]
    assert len({tuple(run) for run in first.runs}) == 20


def test_a_storm_is_the_same_again_too() -> None:
    fired: list[tuple[Fault, ...]] = []
    seen = Recorder()

    async def scenario() -> None:
        seen.runs.append([])
        lock = trio.Lock()
        ten = [child(seen.work, name, lock, name=name) for name in "abcdefghij"]
        async with open_test_supervisor(ten) as sup, open_storm(sup, 3, every=0.1) as faults:
            await trio.sleep(5)
        fired.append(faults.fired)

    explore(scenario, [1, 2, 1])
    assert fired[0] == fired[2]
    assert seen.runs[0] == seen.runs[2] != seen.runs[1]


async def race() -> None:
    """Fail in about half of the orders."""
    order: list[str] = []
    async with trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(note, order, name)
    if order == ["b", "a"]:
        raise error_of_the_race


async def note(order: list[str], name: str) -> None:
    await trio.lowlevel.checkpoint()
    order.append(name)


error_of_the_race = LookupError("b was first")


def test_the_seed_that_fails_is_told_with_the_line_that_has_it_again() -> None:
    error_of_the_race.__notes__ = []
    with pytest.raises(LookupError) as caught:
        explore(race)
    assert caught.value is error_of_the_race
    (told,) = caught.value.__notes__
    line = told.partition("again: ")[2]
    for _ in range(5):
        with pytest.raises(LookupError):
            eval(line, {"explore": explore, "race": race})  # noqa: S307  our own text


def test_the_faults_of_a_run_that_fails_are_told() -> None:
    async def scenario() -> None:
        async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:
            exit = await sup.children["a"].wait_exit()
            assert exit.error is not None
            raise exit.error

    faults = Faults().crash("a", at_checkpoint=1, error=ConnectionError)
    with pytest.raises(ConnectionError) as caught:
        explore(scenario, [7], faults=faults)
    told = "\n".join(caught.value.__notes__)
    assert "explore(scenario, seeds=[7], faults=...)" in told
    assert "[Fault('a', 'crash', at_checkpoint=1, error=ConnectionError)]" in told
    assert faults.fired == ()  # each run has its own


def test_what_it_takes_over_it_gives_back() -> None:
    scheduler: Any = importlib.import_module("trio._core._run")

    def state() -> object:
        return (
            scheduler._ALLOW_DETERMINISTIC_SCHEDULING,
            scheduler._r.getstate(),
            random.getstate(),
        )

    async def fail() -> None:
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING
        await trio.lowlevel.checkpoint()
        raise OSError("mine")

    async def pass_by() -> None:
        await trio.sleep(random.random())

    before = state()
    with pytest.raises(OSError, match="mine"):
        explore(fail)
    assert state() == before
    explore(pass_by, range(3))
    assert state() == before


def test_a_scheduler_that_cannot_be_seeded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING")
    with pytest.raises(
        RuntimeError, match=r"the scheduler of Trio [\d.]+ cannot be seeded: install"
    ):
        explore(trio.lowlevel.checkpoint)


def test_a_run_that_does_not_end_has_failed() -> None:
    async def wait_for_what_never_comes() -> None:
        await trio.Event().wait()

    started = time.perf_counter()
    with pytest.raises(trio.TooSlowError) as caught:
        explore(wait_for_what_never_comes, timeout=86_400)
    assert "seeds=[0]" in caught.value.__notes__[0]
    assert time.perf_counter() - started < 5.0


def test_a_run_in_which_time_stands_still_has_failed() -> None:
    async def run_in_circles() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def scenario() -> None:
        await trio.sleep(5)
        async with open_supervisor([child(run_in_circles)]):
            await trio.sleep(1)

    with pytest.raises(trio.TooSlowError, match="virtual time stood still at 5 s") as caught:
        explore(scenario)
    assert "seeds=[0]" in caught.value.__notes__[0]


def test_a_scenario_may_take_its_time_in_one_instant() -> None:
    async def scenario() -> None:
        for _ in range(10_000):
            await trio.lowlevel.checkpoint()

    explore(scenario, [1])


def test_the_clock_may_be_another() -> None:
    clocks: list[MockClock] = []
    seen: list[float] = []

    def clock() -> MockClock:
        clocks.append(MockClock(rate=1_000.0))
        return clocks[-1]

    async def scenario() -> None:
        await trio.sleep(1)
        assert trio.lowlevel.current_clock() is clocks[-1]
        seen.append(trio.current_time())

    explore(scenario, range(3), clock=clock)
    assert len(clocks) == len(seen) == 3
    assert min(seen) >= 1.0


def test_three_hundred_seeds_of_ten_children_take_less_than_ten_seconds() -> None:
    runs: list[int] = []

    async def work() -> None:
        while True:
            await trio.sleep(0.1)
            await trio.lowlevel.checkpoint()

    async def scenario() -> None:
        ten = [child(work, name=f"w{number}") for number in range(10)]
        async with open_test_supervisor(ten) as sup:
            await trio.sleep(1)
            runs.append(len(sup.children))

    started = time.process_time()
    explore(scenario, faults=Faults().at_random(*(f"w{number}" for number in range(10)), rate=0.01))
    assert time.process_time() - started < 10.0
    assert runs == [10] * 300


async def fragile() -> None:
    """Bear one crash, and not two within a second."""
    crashes: list[float] = []

    async def work() -> None:
        try:
            while True:
                await trio.sleep(0.25)
                await trio.lowlevel.checkpoint()
        except InjectedCrash:
            crashes.append(trio.current_time())
            raise

    async with open_test_supervisor([child(work, name="a"), child(work, name="b")]):
        await trio.sleep(2)
    gaps = [late - early for early, late in pairwise(crashes)]
    assert not any(gap < 1.0 for gap in gaps), crashes


def test_with_hypothesis_a_plan_shrinks_to_what_is_needed() -> None:
    smallest: list[tuple[Fault, ...]] = []

    @settings(max_examples=100, database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
    @given(fault_plans(["a", "b"], size=4, checkpoints=8), st.integers(0, 3))
    def find(plan: tuple[Fault, ...], seed: int) -> None:
        smallest.append(plan)
        explore(fragile, [seed], faults=Faults(plan=plan))

    with pytest.raises(AssertionError):
        find()
    plan = smallest[-1]
    assert [fault.kind for fault in plan] == ["crash", "crash"]
    assert {fault.at_checkpoint for fault in plan} <= {1, 2}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explore(race, []), ValueError, "seeds must not be empty"),
        (lambda: explore(race, [-1]), ValueError, "seed must be 0 or more, not -1"),
        (lambda: explore(race, timeout=0), ValueError, "timeout must be more than 0 seconds"),
        (lambda: explore(race, faults=ANYTHING), TypeError, "faults must be Faults or None"),
        (lambda: explore(race()), TypeError, r"write explore\(race\), not explore\(race\(\)\)"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_is_refused(
    call: Callable[[], None], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


ANYTHING: Any = 7


async def test_within_a_run_it_says_where_it_belongs() -> None:
    scenario: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    with pytest.raises(RuntimeError, match=r"from a plain function, def test_"):
        explore(scenario)


def test_a_fault_for_a_child_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="there are faults for 'joe'"):
        explore(a_tree_that_runs, seeds=range(3), faults=Faults().crash("joe", at_checkpoint=1))


async def a_tree_that_runs() -> None:
    async with open_supervisor([child(trio.sleep_forever, name="worker")]):
        await trio.sleep(1)


def test_faults_for_children_that_there_are_need_not_happen() -> None:
    explore(a_tree_that_runs, seeds=[1], faults=Faults().crash("worker", at_checkpoint=1000))


def test_what_is_nothing_to_await_is_refused() -> None:
    def plain() -> Any:
        return None

    with pytest.raises(TypeError, match=r"plain returned None, .* write `async def plain\(\):`"):
        explore(plain)


def test_a_number_is_no_seeds() -> None:
    with pytest.raises(TypeError, match=r"write seeds=range\(50\), or \[50\]"):
        explore(a_tree_that_runs, seeds=50)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_run_that_ends_after_its_time_has_failed_too() -> None:
    async def deaf() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(200)

    with pytest.raises(trio.TooSlowError):
        explore(deaf, seeds=[0], timeout=100)
