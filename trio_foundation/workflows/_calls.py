"""Calls of users' functions; cancellations, and the errors beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TypeVar, TypeVarTuple, cast

import trio
from trio.lowlevel import disable_ki_protection

__all__ = [
    "call_users",
    "is_internal",
    "leaves_of",
    "note",
    "split_cancelled",
    "was_cut_off",
    "without_shell",
]

A = TypeVarTuple("A")
R = TypeVar("R")


@disable_ki_protection
async def call_users(async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
    """Return what a user's function returns; a KeyboardInterrupt may reach it anywhere."""
    return await async_fn(*args)


def split_cancelled(
    error: BaseException,
) -> tuple[BaseException | None, BaseException | None]:
    """Return the cancellations in an error and the rest, or None; the very object if all of it."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if not _within(error):
        return None, error
    group = cast("BaseExceptionGroup[BaseException]", error)
    cancelled, rest = group.split(trio.Cancelled)
    if cancelled is None:
        return None, error
    return (error, None) if rest is None else (cancelled, rest)


def without_shell(error: BaseException) -> BaseException:
    """Return the only error in a group, however deep; a group of several as it is."""
    while len(inner := _within(error)) == 1:
        error = inner[0]
    return error


def note(error: BaseException, text: str) -> None:
    """Put a note on an error, if it takes one."""
    with suppress(Exception):
        error.add_note(text)


def is_internal(error: BaseException) -> bool:
    """Return whether an error, or one within, says that Trio itself is broken."""
    return any(isinstance(leaf, trio.TrioInternalError) for leaf in leaves_of(error))


def was_cut_off(error: BaseException, seen: set[int]) -> bool:
    """Return whether an error is, or came of, a cancellation, an interrupt or a lack of time.

    It did not come of those in *seen*, by id, which were being handled before; those looked at are
    added.
    """
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        inner = _within(one)
        is_slow = isinstance(one, (trio.TooSlowError, TimeoutError))
        if is_slow or not (inner or isinstance(one, Exception)):
            return True
        todo += [*inner, one.__cause__, one.__context__]
    return False


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a group, however deep; any other error itself."""
    inner = _within(error)
    if not inner:
        yield error
    for one in inner:
        yield from leaves_of(one)


def _within(error: BaseException) -> tuple[BaseException, ...]:
    """Return the errors of a group; of no group, none."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()
