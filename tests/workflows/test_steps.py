"""Tests of batches and sagas that are cancelled at one step of the run after the other.

The steps are those of all tasks, so the cancellation comes also in the very tick in which a turn
is passed on, a step ends, or an undo begins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from trio_foundation.telemetry import subscribe
from trio_foundation.workflows import (
    BatchFinished,
    Saga,
    SagaFailed,
    SagaStep,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    StepFinished,
    open_serial_operations,
)

from ._things import (
    CANCELLED,
    WAITS,
    CancelAfter,
    Execution,
    Failure,
    assert_lawful,
    at_every_step,
    leaves_of,
)

# Operations and steps


async def at_once() -> str:
    return "at once"


async def slow() -> str:
    await trio.sleep(1)
    return "slow"


async def shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(1)


async def swallow() -> str:
    try:
        await trio.sleep(1)
    except trio.Cancelled:  # noqa: ASYNC103  it should not
        return "swallowed"  # noqa: ASYNC104
    return "slept"


async def untidy() -> None:
    try:
        await trio.sleep(1)
    finally:
        raise Failure("clean-up")


async def family() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        nursery.start_soon(slow)


async def untidy_family() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        nursery.start_soon(untidy)


WORK: list[Callable[[], Awaitable[Any]]] = [
    at_once,
    slow,
    shielded,
    swallow,
    untidy,
    family,
    untidy_family,
]
each_work = pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)


class OneAtATime:
    """Asserts that there is never another operation of the same key."""

    def __init__(self) -> None:
        self.running: set[str] = set()

    async def do(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        assert key not in self.running
        self.running.add(key)
        try:
            return await work()
        finally:
            self.running.remove(key)


@each_work
def test_a_batch_cancelled_at_any_step_leaves_its_line_to_the_others(
    work: Callable[[], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        one = OneAtATime()
        told: list[BatchFinished] = []
        operation = partial(one.do, "x", work)
        with subscribe(told.append, BatchFinished):
            async with (
                open_serial_operations(name="s") as serial,
                trio.open_nursery() as nursery,
            ):
                Execution(nursery, serial, [operation], key="x")
                with trio.CancelScope() as scope:
                    instrument.scope = scope
                    with suppress(SerialOperationFailed):
                        try:
                            await serial.execute([operation, operation], "t", key="x")
                        except* Failure:  # beside a cancellation, which goes on
                            pass
                instrument.scope = None
                assert await serial.execute([at_once], key="x") == ["at once"]
        figures = assert_lawful(serial)
        assert (figures.running, figures.waiting, figures.batches) == (0, 0, 3)
        assert len(told) == 3
        assert not serial._parked
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


@each_work
def test_a_block_that_is_cancelled_at_any_step_answers_its_callers(
    work: Callable[[], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        one = OneAtATime()
        serial: SerialOperations | None = None
        calls: list[Execution] = []
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with open_serial_operations(name="s") as serial:
                    instrument.scope = scope
                    calls = [
                        Execution(nursery, serial, 2 * [partial(one.do, "x", work)], key="x")
                        for _ in range(3)
                    ]
                    await trio.sleep(3)
            instrument.scope = None
        for call in calls:
            assert call.answer not in [WAITS, CANCELLED]
            ends = (list, SerialOperationFailed, SerialOperationsClosed)
            assert isinstance(call.answer, ends)
        assert serial is not None
        assert assert_lawful(serial).running == 0
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


# Sagas


def saga_of(work: Callable[[], Awaitable[Any]], undone: list[Any]) -> Saga:
    """Return a saga of four steps, two of them side by side; the last one fails."""

    def undo(name: str) -> Any:
        async def undo(result: Any, fate: str) -> None:
            await trio.sleep(1)
            undone.append((name, fate))

        return undo

    async def fail() -> None:
        raise Failure

    saga = Saga("s").step("a", work, undo("a"))
    saga.parallel(SagaStep("b", work, undo("b")), SagaStep("c", slow, undo("c")))
    return saga.step("d", fail, undo("d"))


@each_work
def test_a_saga_cancelled_at_any_step_undoes_what_has_begun_and_nothing_else(
    work: Callable[[], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        undone: list[Any] = []
        begun: list[StepFinished] = []
        with subscribe(begun.append, StepFinished), trio.CancelScope() as scope:
            instrument.scope = scope
            try:
                await saga_of(work, undone).run()
            except* (Failure, SagaFailed) as group:
                leaves = leaves_of(group)
                assert {type(leaf) for leaf in leaves} <= {Failure, SagaFailed}
            else:
                raise AssertionError
        instrument.scope = None
        fates = {one.step: one.fate for one in begun}
        assert undone == [(name, fates[name]) for name in sorted(fates, reverse=True)]
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


@each_work
def test_the_undos_of_a_saga_are_cut_off_by_nobody_else(
    work: Callable[[], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        undone: list[str] = []

        async def undo(name: str) -> None:
            with suppress(Failure, BaseExceptionGroup):
                await work()
            await trio.lowlevel.checkpoint()
            undone.append(name)

        async def fail() -> None:
            raise Failure

        saga = Saga("s").step("a", at_once, partial(undo, "a"))
        saga.step("b", fail, partial(undo, "b"))
        with trio.CancelScope() as scope:
            instrument.scope = scope
            with pytest.raises(SagaFailed, match="undone: b, a"):
                await saga.run()
        instrument.scope = None
        assert undone in ([], ["a"], ["b", "a"])
        if not scope.cancelled_caught:
            assert undone == ["b", "a"]

    at_every_step(program)
