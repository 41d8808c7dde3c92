"""Checks of arguments, made where the argument is written.

Each public function refuses nonsense, shows it, and says what to write; what passed is trusted.
*name* is always the argument's name, for the message. Words are made for errors only.
"""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Awaitable, Callable, Sequence
from types import CodeType, CoroutineType
from typing import Any, Literal, NoReturn, TypeVar, overload

from ._names import name_of

__all__ = [
    "awaitable_of",
    "check_async_fn",
    "check_bool",
    "check_choice",
    "check_count",
    "check_name",
    "check_number",
    "check_seconds",
    "fits",
    "is_mistake",
    "is_plain_function",
    "mistake",
]

R = TypeVar("R")

_MISTAKE = "_trio_foundation_mistake"


def check_seconds(
    name: str, value: object, *, above_zero: bool = False, finite: bool = False
) -> float:
    """Return a length of time in seconds, as a float; refuse what is none.

    With *above_zero*, 0 is refused too; with *finite*, `math.inf`.

    Raises:
        TypeError: *value* is no number.
        ValueError: It is negative or NaN, or refused by the options.

    Example:
        >>> check_seconds("grace", 5)
        5.0
        >>> check_seconds("within", math.nan, above_zero=True)
        Traceback (most recent call last):
        ValueError: within must be more than 0 seconds, not nan
    """
    if isinstance(value, (float, int)) and value is not True and value is not False:
        # Written so that NaN, which compares with nothing, fails.
        if (value > 0 or (value == 0 and not above_zero)) and (value < math.inf or not finite):
            return float(value)
        limits = "more than 0 seconds" if above_zero else "0 seconds or more"
        raise ValueError(f"{name} must be {limits}{' and finite' * finite}, not {value!r}")
    raise TypeError(f"{name} must be a number of seconds, not {value!r}")


def check_number(name: str, value: object, *, least: float, most: float = math.inf) -> float:
    """Return a number without a unit, as a float; refuse what is none from *least* to *most*.

    Raises:
        TypeError: *value* is no number.
        ValueError: It is NaN, infinite (whatever *most* is), or outside the limits.

    Example:
        >>> check_number("jitter", 1.5, least=0, most=1)
        Traceback (most recent call last):
        ValueError: jitter must be from 0 to 1, not 1.5
    """
    if isinstance(value, (float, int)) and value is not True and value is not False:
        if least <= value <= most and value != math.inf:
            return float(value)
        limits = (
            f"{least:g} or more and finite" if most == math.inf else f"from {least:g} to {most:g}"
        )
        raise ValueError(f"{name} must be {limits}, not {value!r}")
    raise TypeError(f"{name} must be a number, not {value!r}")


@overload
def check_count(
    name: str, value: object, *, least: int = 0, allow_inf: Literal[False] = False
) -> int: ...
@overload
def check_count(name: str, value: object, *, least: int = 0, allow_inf: Literal[True]) -> float: ...
def check_count(name: str, value: object, *, least: int = 0, allow_inf: bool = False) -> float:
    """Return a whole number; refuse what is none, or below *least*.

    With *allow_inf*, `math.inf` stands for "without a limit".

    Raises:
        TypeError: *value* is no whole number.
        ValueError: It is below *least*.

    Example:
        >>> check_count("max_restarts", 3)
        3
        >>> check_count("max_restarts", -1)
        Traceback (most recent call last):
        ValueError: max_restarts must be 0 or more, not -1
    """
    if isinstance(value, int) and value is not True and value is not False:
        if value >= least:
            return value
        raise ValueError(f"{name} must be {least} or more, not {value!r}")
    if allow_inf and value == math.inf and isinstance(value, float):
        return value
    kind = "a whole number or math.inf" if allow_inf else "a whole number"
    raise TypeError(f"{name} must be {kind}, not {value!r}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of *choices*, as `typing.get_args` gives them for a `typing.Literal`.

    Raises:
        TypeError: *value* is no string.
        ValueError: It is another string.

    Example:
        >>> check_choice("restart", "sometimes", ("permanent", "transient", "temporary"))
        Traceback (most recent call last):
        ValueError: restart must be 'permanent', 'transient' or 'temporary', not 'sometimes'
    """
    if value in choices:
        return
    *others, last = (repr(choice) for choice in choices)
    words = f"{', '.join(others)} or {last}" if others else last
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{name} must be {words}, not {value!r}")


def check_name(name: str, value: object) -> str:
    """Return a name, which is a string and not empty.

    Raises:
        TypeError: *value* is no string.
        ValueError: It is empty.

    Example:
        >>> check_name("name", "")
        Traceback (most recent call last):
        ValueError: name must not be empty
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    return value


def check_bool(name: str, value: object) -> bool:
    """Return a truth value; refuse what is neither `True` nor `False`, 0 and 1 included.

    Raises:
        TypeError: *value* is anything else.

    Example:
        >>> check_bool("significant", 1)
        Traceback (most recent call last):
        TypeError: significant must be True or False, not 1
    """
    if value is True or value is False:
        return value
    raise TypeError(f"{name} must be True or False, not {value!r}")


def check_async_fn(
    caller: str,
    async_fn: object,
    args: tuple[object, ...] = (),
    *,
    before: tuple[object, ...] = (),
) -> None:
    """Refuse what cannot be an async function, and say how the call is written.

    A function that is not ``async`` may still return something to await, so it passes.

    Args:
        caller: What was given *async_fn*, as users write it.
        async_fn: What should be an async function.
        args: The arguments after it.
        before: The arguments before it.

    Raises:
        TypeError: *async_fn* is a coroutine (closed by this), an async generator function, or not
            callable.

    Example:
        >>> async def poll(seconds): ...
        >>> check_async_fn("start_soon", poll)
        >>> check_async_fn("start_soon", poll(10))
        Traceback (most recent call last):
        TypeError: start_soon takes an async function, but got a coroutine: \
write start_soon(poll, 10), not start_soon(poll(10))
    """
    if callable(async_fn):
        code = getattr(async_fn, "__code__", None)
        if code is None or not code.co_flags & inspect.CO_ASYNC_GENERATOR:
            return
    _refuse_async_fn(caller, async_fn, args, before)


def awaitable_of(
    caller: str,
    async_fn: Callable[..., object],
    returned: Awaitable[R],
    args: tuple[object, ...] | None = None,
    *,
    before: tuple[object, ...] = (),
) -> Awaitable[R]:
    """Return what a function has returned; refuse what cannot be awaited.

    It takes some 40 ns. Where that matters, await first, and call this if that raises `TypeError`.

    Args:
        caller: As for `check_async_fn`.
        async_fn: The function.
        returned: What it has returned.
        args: Its arguments, if *caller* was given them; then the error tells of threads.
        before: As for `check_async_fn`.

    Raises:
        TypeError: *returned* cannot be awaited: the function is a plain one.

    Example:
        >>> awaitable_of("call", abs, abs(-3), (-3,))
        Traceback (most recent call last):
        TypeError: call takes an async function, but abs returned 3: write async def, or have it \
run in a thread: call(trio.to_thread.run_sync, abs, -3)
    """
    given: object = returned  # a checker believes that it can be awaited
    if type(given) is not CoroutineType and not inspect.isawaitable(given):
        _refuse_returned(caller, async_fn, given, args, before)
    return returned


def mistake(message: str) -> TypeError:
    """Return an error of whoever calls, which says nothing about what was to be called.

    Example:
        >>> is_mistake(mistake("call takes an async function")), is_mistake(TypeError("3"))
        (True, False)
    """
    error = TypeError(message)
    vars(error)[_MISTAKE] = True  # a class of its own would not read as TypeError
    return error


def is_mistake(error: BaseException) -> bool:
    """Return whether `mistake` has made an error.

    So it is no failure of a guarded service, and will be the same the next time.
    """
    return isinstance(error, TypeError) and _MISTAKE in vars(error)


def is_plain_function(function: object) -> bool:
    """Return whether something can be called, and returns nothing to await.

    Example:
        >>> async def wait(): ...
        >>> is_plain_function(print), is_plain_function(wait), is_plain_function(3)
        (True, False, False)
    """
    call: object = getattr(type(function), "__call__", None)  # noqa: B004
    return callable(function) and not any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, call)
    )


def fits(function: Callable[..., object], *args: object, **kwargs: object) -> bool:
    """Return whether a function, or what it decorates, can be called with these arguments.

    Example:
        >>> async def poll(url, *, seconds=10): ...
        >>> fits(poll, "tcp://prices", seconds=5), fits(poll)
        (True, False)
    """
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # some callables written in C have no signature
        return True
    return True


# Helpers, in order of use


def _refuse_async_fn(
    caller: str, async_fn: object, args: tuple[object, ...], before: tuple[object, ...]
) -> NoReturn:
    expected = f"{caller} takes an async function"
    if inspect.iscoroutine(async_fn):
        name = async_fn.__name__
        inner = _written_arguments(async_fn)
        async_fn.close()  # or Python would warn that it was never awaited
        first, last = [*map(_written, before)], [*map(_written, args)]
        outer = [*first, name, *inner, *last]
        wrong = [*first, f"{name}({', '.join(inner)})", *last]
        raise mistake(
            f"{expected}, but got a coroutine: write {caller}({', '.join(outer)}), "
            f"not {caller}({', '.join(wrong)})"
        )
    if callable(async_fn) or inspect.isasyncgen(async_fn):
        name = getattr(async_fn, "__name__", repr(async_fn))
        raise mistake(
            f"{expected}, but {name} is an async generator: write an async function "
            f"with `async for ... in {name}(...)` in it"
        )
    raise mistake(f"{expected}, but got {async_fn!r}")


def _refuse_returned(
    caller: str,
    async_fn: Callable[..., object],
    returned: object,
    args: tuple[object, ...] | None,
    before: tuple[object, ...],
) -> NoReturn:
    if inspect.isasyncgen(returned):
        _refuse_async_fn(caller, returned, (), ())
    name = name_of(async_fn)
    remedy = "write async def"
    if args is not None:
        # Of a lambda or a partial there is no saying how it was written.
        function = name if hasattr(async_fn, "__name__") and name.isidentifier() else "..."
        inner = ["trio.to_thread.run_sync", function, *map(_written, args)]
        line = ", ".join([*map(_written, before), *inner])
        remedy += f", or have it run in a thread: {caller}({line})"
    # Who comes here by the error of an await is not to read of that too.
    raise mistake(
        f"{caller} takes an async function, but {name} returned {reprlib.repr(returned)}: {remedy}"
    ) from None


def _written_arguments(coroutine: CoroutineType[Any, Any, Any]) -> list[str]:
    """Return the arguments of an unbegun coroutine, as source code."""
    code: CodeType = coroutine.cr_code
    takes_more = code.co_kwonlyargcount or code.co_flags & (
        inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    )
    if coroutine.cr_frame is None or takes_more:
        return ["..."]
    values = coroutine.cr_frame.f_locals
    written = [_written(values.get(name)) for name in code.co_varnames[: code.co_argcount]]
    return ["..."] if "..." in written else written


def _written(value: object) -> str:
    """Return a short plain value as source code, else ``...``."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        text = repr(value)
        if len(text) <= 20:
            return text
    return "..."
