"""Operations and steps that a test can watch, and cancellations at every step of a run."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.workflows import SerialOperations, SerialStatistics

__all__ = [
    "CANCELLED",
    "WAITS",
    "CancelAfter",
    "Execution",
    "Failure",
    "Log",
    "TornApart",
    "assert_lawful",
    "at_every_step",
    "leaves_of",
]

WAITS: Final = "waits"
CANCELLED: Final = "cancelled"

Operation = Callable[[], Coroutine[Any, Any, Any]]


class Failure(Exception):
    """What operations fail with."""


class Log(list[Any]):
    """What happened, in order."""

    def op(
        self, name: str, *, seconds: float = 0.0, error: BaseException | None = None
    ) -> Operation:
        """Return an operation that notes when it begins and ends, and returns its name."""

        async def operation() -> str:
            self.append(f"{name}(")
            await trio.sleep(seconds)
            if error is not None:
                raise error
            self.append(f"{name})")
            return name

        return operation

    def ops(self, names: str, **options: Any) -> list[Operation]:
        """Return an operation for each word."""
        return [self.op(name, **options) for name in names.split()]

    def undo(
        self, name: str, *, seconds: float = 0.0, error: BaseException | None = None
    ) -> Callable[[Any, Any], Coroutine[Any, Any, None]]:
        """Return an undo that notes what it is told."""

        async def undo(result: Any, fate: Any) -> None:
            self.append((name, result, fate))
            await trio.sleep(seconds)
            if error is not None:
                raise error

        return undo


class Execution:
    """A batch that another task executes."""

    def __init__(
        self,
        nursery: trio.Nursery,
        serial: SerialOperations,
        operations: list[Any],
        tx_id: object = None,
        key: Any = None,
        deadline: float = float("inf"),
    ) -> None:
        self.answer: Any = WAITS
        """What was returned or raised; `WAITS` before, `CANCELLED` if the caller was."""
        self.scope = trio.CancelScope(deadline=deadline)
        self._execute = partial(serial.execute, operations, tx_id, key=key)
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            try:
                self.answer = await self._execute()
            except Exception as error:  # noqa: BLE001  it is the answer
                self.answer = error
        if self.scope.cancelled_caught:
            self.answer = CANCELLED

    async def cancel(self) -> None:
        """Cancel the caller, and wait until it has left."""
        self.scope.cancel()
        await wait_all_tasks_blocked()


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, or the error itself."""
    found = getattr(error, "exceptions", None)
    return [error] if found is None else [leaf for one in found for leaf in leaves_of(one)]


def assert_lawful(serial: SerialOperations) -> SerialStatistics:
    """Assert that no batch has vanished, and return the figures."""
    seen = serial.statistics()
    ended = seen.done + seen.failed + seen.cancelled + seen.closed
    assert seen.batches == ended + seen.running + seen.waiting, seen
    return seen


class TornApart(trio.abc.Clock):
    """A clock that fails when all tasks wait, and so ends the run."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return 0.0

    def deadline_to_sleep_time(self, deadline: float) -> float:
        raise ZeroDivisionError


@attrs.define(eq=False)
class CancelAfter(trio.abc.Instrument):
    """Cancels a scope after so many steps of any tasks."""

    due: int
    scope: trio.CancelScope | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None:
            return
        self.due -= 1
        if self.due == 0:
            self.scope.cancel()


def at_every_step(program: Callable[[CancelAfter], Awaitable[None]]) -> int:
    """Run a program again and again, and cancel it a step later each time, until it ends before.

    Return how many steps there were.
    """
    for due in itertools.count(1):
        instrument = CancelAfter(due)
        trio.run(
            program,
            instrument,
            clock=MockClock(autojump_threshold=0),
            instruments=[instrument],
        )
        if instrument.due > 0:
            return due
    raise AssertionError
