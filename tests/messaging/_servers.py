"""Servers that do what a test tells them, and callers that a test can watch.

A `Worker` takes orders by its methods and notes in a log what it handled, over all its
incarnations. An `Asked` is a call that another task makes, with what has come of it so far.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Unpack

import trio

from trio_foundation.messaging import CallError, Overflow, Ref, Served, Server, serve
from trio_foundation.supervision import ChildOptions, Exit, current_child

__all__ = [
    "CANCELLED",
    "WAITS",
    "Asked",
    "Crash",
    "Diarist",
    "Refused",
    "Worker",
    "assert_conserved",
    "attempt",
    "cast_and_wait",
    "worker",
]


class Crash(Exception):
    """What workers crash with."""


class Refused(CallError):
    """What workers refuse with."""


class Worker(Server):
    """Does what it is told, and notes it in a log that outlives it."""

    def __init__(self, log: list[str] | None = None) -> None:
        self.log: list[str] = [] if log is None else log

    async def echo(self, value: Any) -> Any:
        """Return the value at once."""
        return value

    async def note(self, line: str) -> str:
        """Write a line into the log."""
        self.log.append(line)
        return line

    async def nap(self, seconds: float, line: str = "nap") -> float:
        """Sleep, and then write a line into the log."""
        await trio.sleep(seconds)
        self.log.append(line)
        return seconds

    async def wait(self, event: trio.Event) -> None:
        """Wait for an event."""
        await event.wait()

    async def crash(self, error: BaseException | None = None) -> None:
        """Raise an error, by default a `Crash`."""
        raise Crash("as told") if error is None else error

    async def refuse(self, error: CallError | None = None) -> None:
        """Refuse the call."""
        raise Refused("as told") if error is None else error

    async def incarnation(self) -> int:
        """Return the number of the incarnation."""
        return current_child().incarnation

    async def finish(self, reason: object = "done") -> str:
        """Shut the server down in good order."""
        self.shutdown(reason)
        return "bye"


class Diarist(Worker):
    """A worker that notes how its incarnations begin and end."""

    async def setup(self) -> None:
        self.log.append("setup")

    async def teardown(self, exit: Exit) -> None:
        self.log.append(f"teardown {exit.reason}")


def worker(
    log: list[str] | None = None,
    *,
    capacity: int = 10,
    overflow: Overflow = "block",
    drain: bool = False,
    **options: Unpack[ChildOptions],
) -> Served[Worker]:
    """Serve a worker, called ``w`` if it is not called otherwise."""
    options.setdefault("name", "w")
    made = partial(Worker, log)
    return serve(made, capacity=capacity, overflow=overflow, drain=drain, **options)


WAITS: Final = "waits"
CANCELLED: Final = "cancelled"


class Asked:
    """A call that another task makes."""

    def __init__(
        self,
        nursery: trio.Nursery,
        ref: Ref[Any],
        method: Any,
        *args: object,
    ) -> None:
        self.answer: Any = WAITS
        """What it returned or raised; `WAITS` before, `CANCELLED` if the caller left."""
        self.at: float | None = None
        """When that was."""
        self.scope = trio.CancelScope()
        nursery.start_soon(self._ask, ref, method, args)

    async def _ask(self, ref: Ref[Any], method: Any, args: tuple[object, ...]) -> None:
        with self.scope:
            self.answer = await attempt(ref, method, *args)
        if self.scope.cancelled_caught:
            self.answer = CANCELLED
        self.at = trio.current_time()

    def leave(self) -> None:
        """Let the caller leave."""
        self.scope.cancel()

    @property
    def kind(self) -> str:
        """The answer, or the name of its class if it is an error."""
        return type(self.answer).__name__ if isinstance(self.answer, Exception) else self.answer


async def attempt(ref: Ref[Any], method: Any, *args: object, **kwargs: object) -> Any:
    """Call, and return what it returns or raises."""
    try:
        return await ref.call(method, *args, **kwargs)
    except Exception as error:  # noqa: BLE001  it is the answer
        return error


async def cast_and_wait(ref: Ref[Any], method: Any, *args: object) -> None:
    """Cast and wait for room, in a form that a nursery can start for all type checkers."""
    await ref.cast_wait(method, *args)


def assert_conserved(ref: Ref[Any]) -> None:
    """Assert that no message has vanished."""
    figures = ref.statistics()
    assert figures.sent == figures.received + figures.dropped + figures.used, figures
