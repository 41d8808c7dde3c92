"""Checks of functions, made before the first is called: what that does stays done."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from types import FunctionType
from typing import Any, NoReturn, TypeVar, cast

from ..._base import name_of

__all__ = ["check_completed", "check_operations", "count_taken"]

R = TypeVar("R")

_NOT_LISTS: tuple[type, ...] = (str, bytes)
"""Sequences of their letters."""


def check_operations(
    caller: str, operations: Iterable[Callable[[], Awaitable[R]]]
) -> tuple[Callable[[], Awaitable[R]], ...]:
    """Refuse what is no list of async functions without arguments; close coroutines in it.

    Returns:
        The operations.

    Raises:
        TypeError: For *caller*, as users write it.

    Example:
        >>> async def deposit(amount): ...
        >>> check_operations("execute", [deposit])
        Traceback (most recent call last):
        TypeError: execute calls its operations without arguments, but deposit, at index 0, takes \
some: write functools.partial(deposit, ...)
    """
    # What is a list is most often one; to ask for an `Iterable` takes longer than all the rest.
    given: object = operations
    if type(given) is not list and (
        not isinstance(given, Iterable) or isinstance(given, _NOT_LISTS)
    ):
        _refuse_all(caller, given)
    found = tuple(operations)
    for operation in found:
        # Of most functions it is seen at once whether they need arguments.
        if type(operation) is FunctionType:
            if operation.__code__.co_argcount > len(operation.__defaults__ or ()):
                _refuse_arguments(caller, operation, found.index(operation))
        elif not callable(operation):
            _refuse(caller, found)
    return found


def _refuse_all(caller: str, operations: object) -> NoReturn:
    write = ""
    if inspect.iscoroutine(operations):
        operations.close()
        write = f": write {caller}([functools.partial({operations.__name__}, ...)])"
    elif callable(operations):
        write = f": write {caller}([{name_of(operations)}])"
    raise TypeError(f"{caller} takes a list of async functions, not {operations!r}{write}")


def _refuse_arguments(caller: str, operation: object, index: int) -> NoReturn:
    name = name_of(operation)
    raise TypeError(
        f"{caller} calls its operations without arguments, but {name}, at index {index}, takes "
        f"some: write functools.partial({name}, ...)"
    )


def _refuse(caller: str, operations: tuple[object, ...]) -> NoReturn:
    index, wrong = next((i, one) for i, one in enumerate(operations) if not callable(one))
    write = ""
    if inspect.iscoroutine(wrong):
        write = f": write functools.partial({wrong.__name__}, ...), not {wrong.__name__}(...)"
    elif isinstance(wrong, tuple) and wrong:
        write = f": write functools.partial({name_of(cast('Any', wrong)[0])}, ...)"
    for one in operations:
        if inspect.iscoroutine(one):
            one.close()  # or Python would warn that it was never awaited
    raise TypeError(f"{caller} takes async functions, but at index {index} got {wrong!r}{write}")


def check_completed(completed: list[R]) -> list[R]:
    """Refuse what is no empty list.

    Returns:
        The list.

    Raises:
        TypeError: It is no list.
        ValueError: There is something in it.

    Example:
        >>> check_completed(["of another batch"])
        Traceback (most recent call last):
        ValueError: completed must be an empty list, not ['of another batch']
    """
    given: object = completed
    if not isinstance(given, list):
        raise TypeError(f"completed must be an empty list, not {given!r}")
    if completed:
        raise ValueError(f"completed must be an empty list, not {completed!r}")
    return completed


def count_taken(what: str, function: Callable[..., object], told: tuple[str, ...]) -> int:
    """Return how many of *told*, named in words, a function requires; ``*args`` takes all.

    Raises:
        TypeError: It, *what*, is no async function, or requires more.

    Example:
        >>> async def release(seat): ...
        >>> count_taken("the undo of 'seat'", release, ("the result", "the fate"))
        1
        >>> async def release(seat, fate, reason): ...
        >>> count_taken("the undo of 'seat'", release, ("the result", "the fate"))
        Traceback (most recent call last):
        TypeError: the undo of 'seat' is called with at most the result and the fate, but release \
takes 3 arguments: write functools.partial(release, ...)
    """
    _check_callable(what, function)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some callables written in C have no signature
        return 0
    required = 0
    for one in parameters:
        if one.kind is one.VAR_POSITIONAL:
            return len(told)
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD:
            required += 1 if one.kind is not one.KEYWORD_ONLY else len(told) + 1
    if required > len(told):
        name = name_of(function)
        raise TypeError(
            f"{what} is called with at most {' and '.join(told)}, but {name} takes "
            f"{len(parameters)} arguments: write functools.partial({name}, ...)"
        )
    return required


def _check_callable(what: str, function: object) -> None:
    if inspect.iscoroutine(function):
        name = function.__name__
        function.close()  # or Python would warn that it was never awaited
        raise TypeError(
            f"{what} is an async function, but got a coroutine: write "
            f"functools.partial({name}, ...), not {name}(...)"
        )
    if not callable(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} is an async function, but got {function!r}")
