"""One home for every name.

What tracebacks print, pickles store and the documentation links to is where users import it from.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from types import FunctionType
from typing import Any

__all__ = ["give_home"]


def give_home(namespace: dict[str, Any]) -> None:
    """Make the classes and functions that a door exports say that they live there.

    Each door calls it last, with its ``globals()``. What comes from outside its package is left
    alone.

    Example:
        >>> from trio_foundation import Backoff
        >>> Backoff.__module__
        'trio_foundation'
    """
    home: str = namespace["__name__"]
    for name in namespace["__all__"]:
        _move(namespace[name], home)


def _move(thing: object, home: str) -> None:
    if not isinstance(thing, (type, FunctionType)) or not thing.__module__.startswith(f"{home}."):
        return
    if isinstance(thing, type):
        _evaluate_annotations(thing)
        for member in list(vars(thing).values()):
            inner = getattr(member, "__func__", member)  # of static and class methods
            # `doctest` runs the examples of those methods that live where their class does.
            # What only has a second name in the class is not moved.
            if getattr(inner, "__qualname__", "").startswith(f"{thing.__qualname__}."):
                _move(inner, home)
    thing.__module__ = home


def _evaluate_annotations(cls: type) -> None:
    # `typing.get_type_hints` looks up names in the module where the class says it lives, and
    # the door does not have them all; those imported for type checkers cannot be had at all.
    with suppress(NameError):
        cls.__annotations__ = inspect.get_annotations(cls, eval_str=True)
