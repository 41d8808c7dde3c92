"""One root for every error of ours.

A caller that wants to tell our failures from everybody else's needs one name to
catch. Every error of every room derives from it, and nothing else does.
"""

from __future__ import annotations

__all__ = ["FoundationError"]


class FoundationError(Exception):
    """The root of every error that this library raises for something that happened.

    Misuse is not among them: a wrong argument is a `TypeError` or a `ValueError`,
    a call in the wrong place a `RuntimeError`, as everywhere in Python.

    Example:
        >>> class PrinterOnFire(FoundationError):
        ...     pass
        >>> try:
        ...     raise PrinterOnFire("printer 3 is on fire")
        ... except FoundationError as error:
        ...     print(error)
        printer 3 is on fire
    """
