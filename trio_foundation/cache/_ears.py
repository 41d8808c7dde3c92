"""Who listens to caches in one Trio run."""

from __future__ import annotations

from typing import Final, Protocol, final

from trio.lowlevel import RunVar

from ..telemetry import Audience
from ._events import CacheHit, CacheMissed, CachePut, CacheRemoved, StaleServed

__all__ = ["DEAF", "Ear", "Ears", "ears_of_this_run"]


class Ear(Protocol):
    """Whether anybody listens to an event."""

    @property
    def is_there(self) -> bool: ...


@final
class Nobody:
    """The audience outside Trio."""

    is_there = False


NOBODY: Final = Nobody()


@final
class Ears:
    """Who listens to which event; shared by all caches of a run."""

    __slots__ = ("hit", "missed", "put", "removed", "stale")

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.hit: Ear = NOBODY if is_deaf else Audience(CacheHit)
        self.missed: Ear = NOBODY if is_deaf else Audience(CacheMissed)
        self.put: Ear = NOBODY if is_deaf else Audience(CachePut)
        self.removed: Ear = NOBODY if is_deaf else Audience(CacheRemoved)
        self.stale: Ear = NOBODY if is_deaf else Audience(StaleServed)


DEAF: Final = Ears(is_deaf=True)
"""The ears outside Trio."""

_ears: RunVar[Ears] = RunVar("trio_foundation.cache")


def ears_of_this_run() -> Ears:
    """Return this run's ears."""
    try:
        return _ears.get()
    except LookupError:
        ears = Ears()
        _ears.set(ears)
        return ears
