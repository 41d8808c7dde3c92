"""How functions, errors and times are written in messages and events."""

from __future__ import annotations

import functools

__all__ = ["name_of", "seconds_in_words", "told", "written"]


def name_of(function: object) -> str:
    """Return the name of a function, also of a `functools.partial`.

    Example:
        >>> name_of(functools.partial(print, 1))
        'print'
    """
    while isinstance(function, functools.partial):
        function = function.func
    name: object = getattr(function, "__name__", None)
    return name if isinstance(name, str) and name else type(function).__name__


def seconds_in_words(seconds: float) -> str:
    """Return a time for people: to three digits, or to whole seconds.

    Example:
        >>> seconds_in_words(0.12345), seconds_in_words(86400.4), seconds_in_words(1e-7)
        ('0.123 s', '86400 s', '1e-07 s')
    """
    return f"{seconds:.0f} s" if seconds >= 1000 else f"{seconds:.3g} s"


def told(error: BaseException | None) -> str:
    """Return an error's type and text; only its type if its text fails.

    Example:
        >>> told(OSError("no route")), told(None)
        ('OSError: no route', '')
    """
    if error is None:
        return ""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  whoever reports an error must not lose it by that
        return type(error).__name__


def written(error: BaseException) -> str:
    """Return an error as Python writes it; only its class if that fails.

    Example:
        >>> written(OSError("no route"))
        "OSError('no route')"
    """
    try:
        return repr(error)
    except Exception:  # noqa: BLE001  whoever reports an error must not lose it by that
        return f"<{type(error).__name__}>"
