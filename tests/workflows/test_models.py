"""The promises, tried on batches and sagas that Hypothesis makes up."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock

from trio_foundation.workflows import (
    Saga,
    SagaFailed,
    SagaStep,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsFull,
    open_serial_operations,
)

from ._things import Failure, assert_lawful

# Batches


@attrs.frozen
class Work:
    """A batch to execute, and when its caller comes and how long that waits."""

    key: str
    comes: int
    takes: list[int]
    patience: int
    fails_at: int | None


WORK = st.builds(
    Work,
    key=st.sampled_from(["x", "y"]),
    comes=st.integers(0, 6),
    takes=st.lists(st.integers(0, 3), max_size=3),
    patience=st.integers(0, 9),
    fails_at=st.none() | st.integers(0, 2),
)


class Watch:
    """Executes batches, and asserts that they do not get in each other's way."""

    def __init__(self, serial: SerialOperations) -> None:
        self.serial = serial
        self.holder: dict[str, object] = {}
        self.arrived: list[Work] = []
        self.began: list[Work] = []

    async def execute(self, work: Work) -> None:
        await trio.sleep(work.comes)
        places = range(len(work.takes))
        done: list[int] = []
        todo = [partial(self.operate, work, place, done) for place in places]
        with trio.move_on_after(work.patience), suppress(SerialOperationsFull):
            self.arrived.append(work)
            try:
                assert await self.serial.execute(todo, key=work.key) == [*places]
            except SerialOperationFailed as failed:
                assert (failed.index, failed.completed) == (work.fails_at, done)  # noqa: PT017

    async def operate(self, work: Work, place: int, done: list[int]) -> int:
        assert self.holder.setdefault(work.key, work) is work
        assert done == [*range(place)]
        if not place:
            self.began.append(work)
        try:
            await trio.sleep(work.takes[place])
            if place == work.fails_at:
                raise Failure
        finally:
            del self.holder[work.key]
        done.append(place)
        return place


@given(batches=st.lists(WORK, max_size=12), capacity=st.integers(0, 4))
def test_batches_of_a_key_never_overlap_and_keep_their_order(
    batches: list[Work], capacity: int
) -> None:
    async def main() -> None:
        async with open_serial_operations(name="s", capacity=capacity) as serial:
            watch = Watch(serial)
            async with trio.open_nursery() as nursery:
                for work in batches:
                    nursery.start_soon(watch.execute, work)
            figures = assert_lawful(serial)
        assert figures.running == figures.waiting == figures.closed == 0
        assert figures.batches + figures.rejected == len(batches)
        for key in "xy":
            began = [id(work) for work in watch.began if work.key == key]
            arrived = [id(work) for work in watch.arrived if work.key == key]
            assert began == [each for each in arrived if each in began]

    trio.run(main, clock=MockClock(autojump_threshold=0))


# Sagas


@attrs.frozen
class Act:
    """A step to do, and what becomes of it and of its undo."""

    takes: int
    fails: bool
    undo: str


STAGES = st.lists(
    st.lists(
        st.builds(
            Act,
            takes=st.integers(0, 3),
            fails=st.booleans(),
            undo=st.sampled_from(["", "", "raises", "hangs"]),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=4,
)


class Story:
    """A saga, and what has happened in it."""

    def __init__(self, stages: list[list[Act]]) -> None:
        self.saga = Saga("s", undo_timeout=10.0)
        self.acts: dict[str, Act] = {}
        self.fates: dict[str, str] = {}
        self.undone: list[str] = []
        for stage in stages:
            self.saga.parallel(*[self.step(act) for act in stage])

    def step(self, act: Act) -> SagaStep:
        name = f"step {len(self.acts)}"
        self.acts[name] = act
        return SagaStep(name, partial(self.do, name), partial(self.undo, name))

    async def do(self, name: str) -> str:
        act = self.acts[name]
        self.fates[name] = "unknown"
        await trio.sleep(act.takes)
        self.fates[name] = "not_done" if act.fails else "done"
        if act.fails:
            raise Failure(name)
        return name

    async def undo(self, name: str, result: Any, fate: str) -> None:
        assert fate == self.fates[name]
        assert result == (name if fate == "done" else None)
        self.undone.append(name)
        if self.acts[name].undo == "raises":
            raise Failure(f"undo {name}")
        await trio.sleep(1_000 if self.acts[name].undo == "hangs" else 1)

    async def run(self) -> SagaFailed | None:
        """Run it, and return how it failed."""
        try:
            result = await self.saga.run()
        except SagaFailed as failed:
            return failed
        assert dict(result.results) == {name: name for name in self.acts}
        assert not self.undone
        return None

    def check(self, failed: SagaFailed | None) -> None:
        """Assert that all was undone that had begun, and that nothing else was."""
        assert self.undone == [name for name in reversed(self.acts) if name in self.fates]
        bad = [name for name in self.undone if self.acts[name].undo]
        if failed is None:
            assert not bad
            return
        assert set(failed.undone) == set(self.undone) - set(bad)
        assert len(failed.undo_errors) == len(bad)
        assert failed.fates == {name: self.fates.get(name, "not_done") for name in self.acts}


@given(stages=STAGES, patience=st.integers(0, 12) | st.just(1_000))
def test_a_saga_comes_to_its_end_or_all_that_has_begun_is_undone(
    stages: list[list[Act]], patience: int
) -> None:
    async def main() -> None:
        story = Story(stages)
        failed: SagaFailed | None = None
        with trio.move_on_after(patience) as scope:
            failed = await story.run()
        if failed is not None or scope.cancelled_caught:
            story.check(failed)

    trio.run(main, clock=MockClock(autojump_threshold=0))
