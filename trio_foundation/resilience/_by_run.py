"""What each Trio run has for itself.

A guard is often made when a module is imported, and then used in one Trio run after the other,
or by two at the same time in two threads. But the tasks that wait in its line are of one run, and
the times it remembers are by one clock. So they are kept with the run. What is left of a run that
was torn apart then troubles no other one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from trio.lowlevel import RunVar, in_trio_run

__all__ = ["of_this_run"]

T = TypeVar("T")

_things: RunVar[WeakKeyDictionary[object, Any]] = RunVar("trio_foundation.resilience")


def of_this_run(owner: object, make: Callable[[], T]) -> T:
    """Return what somebody has in the Trio run that this is; it is made when first asked for.

    Args:
        owner: Whose it is. What it has is forgotten when nobody holds the owner any more.
        make: What makes it. Outside of any Trio run it is made, and not kept.
    """
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
