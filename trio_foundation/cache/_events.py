"""What the room reports."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, final

import attrs

from ..telemetry import Event
from ._rules import MissReason, RemovalCause

__all__ = [
    "CacheEvent",
    "CacheHit",
    "CacheMissed",
    "CachePut",
    "CacheRemoved",
    "RemovalCallbackFailed",
    "StaleServed",
]


@attrs.frozen(kw_only=True)
class CacheEvent(Event):
    """The base class of caches' events.

    Example:
        >>> CacheHit(cache="users", key="alice").key
        'alice'
    """

    level: ClassVar[int] = logging.DEBUG

    cache: str
    """The cache's name."""

    key: Any
    """The key."""


@final
@attrs.frozen(kw_only=True)
class CacheHit(CacheEvent):
    """A value was there."""

    name: ClassVar[str] = "foundation.cache.hit"


@final
@attrs.frozen(kw_only=True)
class CacheMissed(CacheEvent):
    """There was no value, or it had expired."""

    name: ClassVar[str] = "foundation.cache.missed"

    reason: MissReason
    """Which of the two."""


@final
@attrs.frozen(kw_only=True)
class CachePut(CacheEvent):
    """A value was put in, by a load or by hand."""

    name: ClassVar[str] = "foundation.cache.put"

    ttl: float
    """How long it is good for, in seconds; with *jitter*, at most."""


@final
@attrs.frozen(kw_only=True)
class CacheRemoved(CacheEvent):
    """A value is no longer in the cache."""

    name: ClassVar[str] = "foundation.cache.removed"

    cause: RemovalCause
    """Why."""


@final
@attrs.frozen(kw_only=True)
class StaleServed(CacheEvent):
    """An expired value was given out, for want of a better one."""

    name: ClassVar[str] = "foundation.cache.stale_served"
    level: ClassVar[int] = logging.INFO

    error: str
    """Type and text of the load's error; empty while it is under way."""


@final
@attrs.frozen(kw_only=True)
class RemovalCallbackFailed(CacheEvent):
    """*on_removal* raised. If nobody listens to this event, it is logged as an error."""

    name: ClassVar[str] = "foundation.cache.removal_callback_failed"
    level: ClassVar[int] = logging.ERROR

    cause: RemovalCause
    """Why the value was removed."""

    error: str
    """The error's type and text."""

    traceback: str = attrs.field(repr=False)
    """Where it was raised, as text."""
