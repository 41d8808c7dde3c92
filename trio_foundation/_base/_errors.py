"""One root for every error of ours."""

from __future__ import annotations

__all__ = ["FoundationError"]


class FoundationError(Exception):
    """The root of every error that this library raises for something that happened.

    Not of misuse: a wrong argument is a `TypeError` or a `ValueError`, a call in the wrong place a
    `RuntimeError`.

    Example:
        >>> class PrinterOnFire(FoundationError):
        ...     pass
        >>> try:
        ...     raise PrinterOnFire("printer 3 is on fire")
        ... except FoundationError as error:
        ...     print(error)
        printer 3 is on fire
    """
