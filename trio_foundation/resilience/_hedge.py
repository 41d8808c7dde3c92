"""Not waiting for the slowest."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeGuard, TypeVar, TypeVarTuple, final

import outcome
import trio

from .._base import (
    awaitable_of,
    check_async_fn,
    check_count,
    check_seconds,
    name_of,
    written,
)
from ..telemetry import emit, wanted
from ._cancelled import is_only_cancelled
from ._family_events import HedgedCallFailed
from ._rules import leaves_of
from ._rules._retrying import matches

__all__ = ["Hedge", "hedge"]

A = TypeVarTuple("A")
R = TypeVar("R")


async def hedge(
    async_fn: Callable[[*A], Awaitable[R]], *args: *A, after: float, max_extra: int = 1
) -> R:
    """Call an async function, and call it again beside itself if it takes long.

    The first that succeeds wins; the others are cancelled, and have ended when this returns. Only
    for what may safely be called twice.

    If the first fails before another was called, its error comes out. If one fails beside others,
    they decide; if all fail, the error of the first comes out, with the others in its notes.

    Each call runs in a task of its own, with the caller's context variables but none of its locks.

    Args:
        async_fn: The function.
        *args: Its positional arguments; bind keyword arguments with `functools.partial`.
        after: After how many seconds without an answer it is called once more; about what 95 of 100
            calls take.
        max_extra: How many such calls at most, 1 or more.

    Returns:
        What the first that succeeded returned.

    Raises:
        TypeError: *async_fn* is no async function, or a number is none.
        ValueError: *after* or *max_extra* is out of its range.

    Cancellation:
        Goes into all calls, and comes out when they have ended, with what errors they raise then,
        as from a nursery. Always a checkpoint.

    Emits:
        HedgedCallFailed: For each call whose error does not come out.

    Example:
        >>> import trio
        >>> speeds = iter([60.0, 0.0])
        >>> async def ask(item):
        ...     await trio.sleep(next(speeds))
        ...     return f"price of {item}"
        >>> async def main():
        ...     print(await hedge(ask, "apples", after=0.01))
        >>> trio.run(main)
        price of apples
    """
    check_async_fn("hedge", async_fn, args)
    check_seconds("after", after)
    check_count("max_extra", max_extra, least=1)
    name = name_of(async_fn)
    race: Race[R] = Race(name)
    trouble: BaseException | None = None
    try:
        # Strict, so that there is always one group around what the calls raise.
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for extra in range(max_extra + 1):
                race.running += 1
                nursery.start_soon(
                    race.run, async_fn, args, extra, name=f"hedge {extra + 1} of {name}"
                )
                with trio.move_on_after(after if extra < max_extra else math.inf):
                    await race.decided.wait()
                if race.decided.is_set():
                    break
            nursery.cancel_scope.cancel(reason="another try of the same hedge has won")
    except BaseException as error:  # noqa: BLE001  raised below, out of this block
        trouble = error
    try:
        return race.conclude(trouble)
    finally:
        del trouble  # its traceback holds this frame


@final
class Hedge:
    """`hedge` with options kept: a step of a `Pipeline`.

    Its options are those of `hedge`; *after* is in seconds.

    Raises:
        TypeError: A number is none.
        ValueError: It is out of its range.

    Example:
        >>> import trio
        >>> async def ask(item):
        ...     return f"price of {item}"
        >>> async def main():
        ...     print(await Hedge(after=0.2).call(ask, "apples"))
        >>> trio.run(main)
        price of apples
    """

    __slots__ = ("_after", "_max_extra")

    def __init__(self, *, after: float, max_extra: int = 1) -> None:
        self._after = check_seconds("after", after)
        self._max_extra = check_count("max_extra", max_extra, least=1)

    def __repr__(self) -> str:
        return f"Hedge(after={self._after!r}, max_extra={self._max_extra!r})"

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function as `hedge` does.

        Returns:
            What the first that succeeded returned.

        Cancellation:
            As in `hedge`.
        """
        return await hedge(async_fn, *args, after=self._after, max_extra=self._max_extra)


@final
class Race(Generic[R]):
    """Several calls of the same function, of which one is enough."""

    __slots__ = ("_errors", "_name", "decided", "running", "winner")

    def __init__(self, name: str) -> None:
        self._name = name
        self._errors: dict[int, Exception] = {}
        self.decided = trio.Event()  # somebody has won, or nobody is left
        self.running = 0
        self.winner: outcome.Value[R] | None = None

    async def run(
        self, async_fn: Callable[..., Awaitable[R]], args: tuple[object, ...], extra: int
    ) -> None:
        """Be one of them."""
        try:
            value = await awaitable_of("hedge", async_fn, async_fn(*args), args)
        except Exception as error:
            if self._is_callers_cancellation() or not is_mere_error(error):
                raise
            self._lose(error, extra)
        except BaseExceptionGroup as group:
            cancelled, rest = group.split(trio.Cancelled)
            if self.winner is None or cancelled is None or not is_mere_error(rest):
                raise
            # A loser that failed when it was cancelled is still just a loser.
            self._lose(rest, extra)
            raise cancelled from None
        else:
            if self.winner is None:
                self.winner = outcome.Value(value)
            self.decided.set()

    def _is_callers_cancellation(self) -> bool:
        return self.winner is None and trio.current_effective_deadline() == -math.inf

    def _lose(self, error: Exception, extra: int) -> None:
        self._errors[extra] = error
        self.running -= 1
        if not self.running:
            self.decided.set()

    def conclude(self, trouble: BaseException | None) -> R:
        """Return what the winner did, or raise *trouble* or the error of the first."""
        error = None if trouble is None else alone(trouble)
        try:
            if error is not None:
                self._tell()
                raise error
            if self.winner is not None:
                self._tell()
                return self.winner.unwrap()
            error = self._first_error()
            raise error
        finally:
            # The traceback of an error holds this frame, which shall not hold the error.
            del error, trouble
            self._errors.clear()

    def _first_error(self) -> Exception:
        """Return the error of the first, with the others in its notes."""
        first = self._errors.pop(0)
        with suppress(Exception):  # an error may refuse to be changed
            for other in self._errors.values():
                note = f"another call of the hedge failed too: {written(other)}"
                if other is not first and note not in getattr(first, "__notes__", ()):
                    first.add_note(note)
        return first

    def _tell(self) -> None:
        if self._errors and wanted(HedgedCallFailed):
            for extra, error in self._errors.items():
                emit(HedgedCallFailed(what=self._name, extra=extra, error=written(error)))


def is_mere_error(error: BaseException | None) -> TypeGuard[Exception]:
    """Return whether an error says only that this call has failed."""
    return isinstance(error, Exception) and matches(
        error, Exception, never=(trio.TrioInternalError,)
    )


def alone(error: BaseException) -> BaseException:
    """Return what is alone in a group, or one of many cancellations; else the error."""
    if is_only_cancelled(error):
        return next(leaves_of(error))
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return inner[0] if len(inner) == 1 else error
