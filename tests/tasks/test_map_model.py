"""Maps beside a model of them, over random times, failures, limits, consumers and ends.

No result is lost or doubled, whenever it is all cancelled, and nothing happens at another time
than the model says.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock

from trio_foundation.tasks import (
    Failed,
    Limit,
    TaskSupervisor,
    TaskTimeout,
    open_task_supervisor,
)

from ._model import Course, Kind, Plan, course_of
from ._things import Failure, leaves_of

# Times are whole seconds and a fraction that no other time has, so that no two are the same.


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(0, 9))
    whole = st.integers(0, 6)
    return Plan(
        seconds=tuple(draw(whole) + 2.0 ** -(4 + item) for item in range(count)),
        fails=draw(st.frozensets(st.integers(0, 8))),
        timeout=draw(st.one_of(st.just(math.inf), st.integers(1, 6).map(lambda s: s + 2.0**-28))),
        limit=draw(st.one_of(st.integers(1, 5), st.just(math.inf))),
        limits={
            time + 0.375 + 2.0**-26: limit
            for time, limit in draw(
                st.dictionaries(st.integers(0, 12), st.integers(1, 5), max_size=3)
            ).items()
        },
        buffer=draw(st.one_of(st.integers(0, 4), st.just(math.inf))),
        ordered=draw(st.booleans()),
        pause=draw(st.sampled_from([0.0, 0.0, 1.0, 3.0])) + draw(st.sampled_from([0, 2.0**-20])),
        left_at=draw(
            st.one_of(st.just(math.inf), st.integers(0, 20).map(lambda s: s + 0.625 + 2.0**-27))
        ),
    )


KINDS: dict[type[Exception], Kind] = {Failure: "failed", TaskTimeout: "timed out"}


ERRORS = {kind: error for error, kind in KINDS.items()}


def kind_of(result: Any) -> Kind:
    return KINDS[type(result.error)] if isinstance(result, Failed) else "ok"


@attrs.define
class Played:
    """A map that does as it is planned, and notes what happens."""

    plan: Plan
    course: Course = attrs.field(factory=Course)
    pulled: int = 0
    error: BaseException | None = None

    async def do(self, item: int) -> None:
        assert item not in self.course.started
        self.course.started[item] = trio.current_time()
        try:
            await trio.sleep(self.plan.seconds[item])
        except trio.Cancelled:
            self.course.cancelled[item] = trio.current_time()
            raise
        self.course.ended[item] = trio.current_time()
        if item in self.plan.fails:
            raise Failure(item)

    def plain(self) -> Generator[int]:
        for item in range(len(self.plan.seconds)):
            self.pulled += 1
            ahead = self.pulled - len(self.course.received)
            self.course.pulled_ahead = max(self.course.pulled_ahead, ahead)
            yield item

    async def slow(self) -> AsyncGenerator[int]:
        for item in self.plain():
            await trio.lowlevel.checkpoint()
            yield item

    def options(self, limit: Limit) -> dict[str, Any]:
        timeout = None if self.plan.timeout == math.inf else self.plan.timeout
        return {"limit": limit, "timeout": timeout, "ordered": self.plan.ordered}

    async def stream(self, tasks: TaskSupervisor, items: Any, **options: Any) -> None:
        stream: Any = tasks.open_map
        async with stream(self.do, items, buffer=self.plan.buffer, **options) as results:
            async for result in results:
                item = result.item if hasattr(result, "item") else len(self.course.received)
                self.course.received.append((item, kind_of(result), trio.current_time()))
                if self.plan.pause:
                    await trio.sleep(self.plan.pause)

    async def gather(self, tasks: TaskSupervisor, items: Any, **options: Any) -> None:
        gather: Any = tasks.parallel_map
        for result in await gather(self.do, items, **options):
            item = result.item if hasattr(result, "item") else len(self.course.received)
            self.course.received.append((item, kind_of(result), trio.current_time()))


def play(plan: Plan, *, kind: str, way: str, on_error: str = "collect") -> Played:
    """Run a map, and return what has happened."""
    played = Played(plan)

    async def change(limit: Limit) -> None:
        for time, value in sorted(plan.limits.items()):
            await trio.sleep_until(time)
            limit.value = value

    async def main() -> None:
        limit = Limit(plan.limit)
        items = getattr(played, kind)()
        run: Callable[..., Any] = getattr(played, way)
        async with open_task_supervisor() as tasks, trio.open_nursery() as nursery:
            nursery.start_soon(change, limit)
            with trio.CancelScope(deadline=plan.left_at):
                try:
                    await run(tasks, items, on_error=on_error, **played.options(limit))
                except (Failure, TaskTimeout, ExceptionGroup) as error:
                    played.error = error
            assert tasks.running == 0
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return played


def assert_alike(seen: Course, expected: Course) -> None:
    """Assert that the same was received, at the same times.

    Items that start together also time out together, and then any may come first.
    """
    ends = [*expected.ended.values(), *expected.cancelled.values()]
    if len(set(ends)) == len(ends):
        assert seen.received == expected.received
    assert [time for *_, time in seen.received] == [time for *_, time in expected.received]
    assert len({item for item, *_ in seen.received}) == len(seen.received)


each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])


@each_kind
@given(plan=plans())
def test_results_are_handed_out_as_the_model_says(kind: str, plan: Plan) -> None:
    expected = course_of(plan)
    seen = play(plan, kind=kind, way="stream").course
    assert seen.started == expected.started
    assert (seen.ended, seen.cancelled) == (expected.ended, expected.cancelled)
    assert_alike(seen, expected)
    # One more may be on its way to the consumer, which has not noted it yet.
    assert seen.pulled_ahead <= expected.pulled_ahead + 1


@each_kind
@given(plan=plans())
def test_results_are_gathered_as_the_model_says(kind: str, plan: Plan) -> None:
    plan = attrs.evolve(plan, pause=0.0, buffer=math.inf)
    expected = course_of(plan)
    seen = play(plan, kind=kind, way="gather").course
    assert seen.started == expected.started
    assert (seen.ended, seen.cancelled) == (expected.ended, expected.cancelled)
    if len(expected.received) < len(plan.seconds):
        assert seen.received == []
        return
    at = max([0.0, *(time for *_, time in expected.received)])
    gathered = [(item, kind, at) for item, kind, _ in expected.received]
    assert_alike(seen, attrs.evolve(expected, received=gathered))


@each_kind
@pytest.mark.parametrize("way", ["stream", "gather"])
@given(plan=plans())
def test_an_error_that_is_raised_ends_it_as_the_model_says(kind: str, way: str, plan: Plan) -> None:
    if way == "gather":
        plan = attrs.evolve(plan, pause=0.0, buffer=math.inf)
    course = course_of(plan)
    bad = {
        time: item
        for item, time in (course.ended | course.cancelled).items()
        if time != plan.left_at and plan.kind_of(item) != "ok"
    }
    seen = play(plan, kind=kind, way=way, on_error="raise")
    if not bad:
        assert seen.error is None
        assert seen.course.started == course.started
        return
    at = min(bad)
    expected = course_of(attrs.evolve(plan, left_at=at))
    assert seen.error is not None
    assert {type(leaf) for leaf in leaves_of(seen.error)} == {ERRORS[plan.kind_of(bad[at])]}
    assert seen.course.started == expected.started
    assert seen.course.ended.keys() | seen.course.cancelled.keys() == seen.course.started.keys()
    assert expected.ended.keys() - seen.course.ended.keys() <= {bad[at]}
    assert len(seen.course.received) == (0 if way == "gather" else len(expected.received))


# Several consumers, each of which may lose its patience, or leave for good


@attrs.frozen
class Consumer:
    """Who receives."""

    patience: float
    """How long it waits for a result, before it tries again."""
    pause: float
    leaves_at: float

    async def consume(self, results: trio.abc.ReceiveChannel[Any], received: list[Any]) -> None:
        with trio.CancelScope(deadline=self.leaves_at):
            while True:
                with trio.move_on_after(self.patience):
                    try:
                        received.append((await results.receive()).item)
                    except trio.EndOfChannel:
                        return
                await trio.sleep(self.pause)


times = st.integers(0, 8).map(lambda quarters: quarters / 4)


@each_kind
@given(
    plan=plans(),
    consumers=st.lists(
        st.builds(Consumer, times.map(lambda s: s + 0.25), times, times.map(lambda s: 4 * s)),
        max_size=4,
    ),
)
def test_whoever_receives_and_leaves_nothing_is_lost_or_doubled(
    kind: str, plan: Plan, consumers: list[Consumer]
) -> None:
    played = Played(attrs.evolve(plan, timeout=math.inf, left_at=math.inf))
    received: list[list[int]] = [[] for _ in range(len(consumers) + 1)]

    async def main() -> None:
        items = getattr(played, kind)()
        async with open_task_supervisor() as tasks:
            async with tasks.open_map(
                played.do, items, limit=plan.limit, buffer=plan.buffer, ordered=plan.ordered
            ) as results:
                async with trio.open_nursery() as nursery:
                    for consumer, into in zip(consumers, received, strict=False):
                        nursery.start_soon(consumer.consume, results, into)
                received[-1] += [result.item async for result in results]

    trio.run(main, clock=MockClock(autojump_threshold=0))
    everything = list(range(len(plan.seconds)))
    assert sorted(item for one in received for item in one) == everything
    assert sorted(played.course.ended) == everything
    if plan.ordered:
        assert all(one == sorted(one) for one in received)
