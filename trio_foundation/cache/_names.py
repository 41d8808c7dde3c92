"""Keys and errors, as written in messages and events."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

__all__ = ["told", "written"]

LONGEST: Final = 100


def written(value: object) -> str:
    """Return a key or an argument as Python writes it, cut short, even if its ``repr`` fails.

    Example:
        >>> written("alice"), len(written("a" * 1000))
        ("'alice'", 100)
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  whoever reports must not lose that by it
        return f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def told(error: BaseException) -> str:
    """Return an error's type and text.

    Example:
        >>> told(OSError("no route"))
        'OSError: no route'
    """
    with suppress(Exception):
        if text := str(error):
            return f"{type(error).__name__}: {text}"
    return type(error).__name__
