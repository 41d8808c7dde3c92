"""What each Trio run has for itself: a guard made at import serves several, even two at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from trio.lowlevel import RunVar, in_trio_run

__all__ = ["of_this_run"]

T = TypeVar("T")

_things: RunVar[WeakKeyDictionary[object, Any]] = RunVar("trio_foundation.resilience")


def of_this_run(owner: object, make: Callable[[], T]) -> T:
    """Return what *owner* has in this Trio run, made if need be; it goes with its owner."""
    if not in_trio_run():
        return make()
    try:
        things = _things.get()
    except LookupError:
        things = WeakKeyDictionary[object, Any]()
        _things.set(things)
    thing: T | None = things.get(owner)
    if thing is None:
        thing = things[owner] = make()
    return thing
