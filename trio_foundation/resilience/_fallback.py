"""The second best answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple, cast, final, overload

import trio

from .._base import awaitable_of, check_async_fn, mistake, name_of
from ._rules._retrying import Errors, check_errors, matches

__all__ = ["Fallback", "fallback"]

A = TypeVarTuple("A")
R = TypeVar("R")
F = TypeVar("F")


@overload
async def fallback(
    async_fn: Callable[[*A], Awaitable[R]],
    *args: *A,
    otherwise: Callable[[*A], Awaitable[F]],
    on: Errors = Exception,
) -> R | F: ...
@overload
async def fallback(
    async_fn: Callable[[*A], Awaitable[R]], *args: *A, otherwise: F, on: Errors = Exception
) -> R | F: ...
async def fallback(
    async_fn: Callable[[*A], Awaitable[Any]], *args: *A, otherwise: Any, on: Errors = Exception
) -> Any:
    """Call an async function, and if it fails answer with something else.

    Args:
        async_fn: The function.
        *args: Its positional arguments.
        otherwise: Another async function, called with the same arguments; or, if it cannot be
            called, the answer itself. If it fails too, its error comes out, with the first as its
            ``__context__``.
        on: Which `Errors` are answered; a cancellation never is.

    Returns:
        What the function returned, or the second best.

    Raises:
        TypeError: *async_fn* or *otherwise* is no async function, or *on* is no `Errors`.

    Cancellation:
        Goes into the function that runs, and calls no other. A checkpoint if it answers with a
        value, else only as far as the functions are.

    Example:
        >>> import trio
        >>> async def ask(item):
        ...     raise ConnectionError("no route")
        >>> async def remember(item):
        ...     return f"yesterday's price of {item}"
        >>> async def main():
        ...     print(await fallback(ask, "apples", otherwise=remember, on=OSError))
        ...     print(await fallback(ask, "apples", otherwise=None))
        >>> trio.run(main)
        yesterday's price of apples
        None
    """
    check_async_fn("fallback", async_fn, args)
    _check_otherwise(otherwise)
    check_errors("on", on)
    try:
        return await awaitable_of("fallback", async_fn, async_fn(*args), args)
    except Exception as error:
        if not matches(error, on, never=(trio.TrioInternalError,)):
            raise
        if not callable(otherwise):
            await trio.lowlevel.checkpoint()  # noqa: ASYNC120
            return otherwise
        # Here, and not after the block, so that an error of the other one tells of this one.
        return await _second_best(otherwise, args)  # noqa: ASYNC120


@final
class Fallback:
    """`fallback` with options kept: a step of a `Pipeline`.

    Args:
        otherwise: The second best; to type checkers, of the same type as the first.
        on: Which `Errors` are answered.

    Raises:
        TypeError: *otherwise* cannot be an async function, or *on* is no `Errors`.

    Example:
        >>> import trio
        >>> async def ask(item):
        ...     raise ConnectionError("no route")
        >>> async def main():
        ...     print(await Fallback("unknown").call(ask, "apples"))
        >>> trio.run(main)
        unknown
    """

    __slots__ = ("_on", "_otherwise")

    def __init__(self, otherwise: object, *, on: Errors = Exception) -> None:
        _check_otherwise(otherwise)
        check_errors("on", on)
        self._otherwise = otherwise
        self._on: Errors = on

    def __repr__(self) -> str:
        return f"Fallback({self._otherwise!r})"

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function as `fallback` does.

        Returns:
            What the function returned, or the second best.

        Cancellation:
            As in `fallback`.
        """
        return cast("R", await fallback(async_fn, *args, otherwise=self._otherwise, on=self._on))


def _check_otherwise(otherwise: object) -> None:
    if inspect.iscoroutine(otherwise):
        name = otherwise.__name__
        otherwise.close()  # or Python would warn that it was never awaited
        raise TypeError(
            f"otherwise takes an async function, but got a coroutine: write otherwise={name}, and "
            "it is called with the arguments of the function that failed"
        )
    if inspect.isasyncgenfunction(otherwise):
        check_async_fn("otherwise", otherwise)


def _second_best(otherwise: Callable[..., object], args: tuple[object, ...]) -> Awaitable[object]:
    answer: object = otherwise(*args)
    if inspect.isawaitable(answer):
        return answer
    raise mistake(
        f"otherwise takes an async function or a value that cannot be called, but "
        f"{name_of(otherwise)} returned {answer!r} at once: make it `async def`"
    )
