"""The options of a cache."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, final

import attrs
from trio.abc import Clock

from .._base import check_count, check_name, check_number, check_seconds, is_plain_function
from ._rules import RemovalCause

__all__ = ["CacheOptions", "Options", "TellsTime"]

K = TypeVar("K")
V = TypeVar("V")

TellsTime: TypeAlias = Callable[[], float] | Clock
"""A function such as `time.monotonic`, or a Trio clock."""


class CacheOptions(TypedDict, total=False):
    """The keyword arguments of `Cache` and `cached`; described in `Cache`.

    Example:
        >>> options: CacheOptions = {"max_size": 1_000, "ttl": 60.0}
    """

    max_size: int
    """How many entries there may be."""

    ttl: float
    """How long a value is good for, in seconds."""

    name: str
    """Its name, in errors and events."""

    clock: TellsTime | None
    """What tells the time; None for the Trio run."""

    jitter: float
    """The share by which times are shortened at random."""

    stale_for: float
    """How long an expired value may be given out, in seconds."""

    negative_ttl: float | None
    """How long a load's error is remembered, in seconds."""

    on_removal: Callable[[Any, Any, RemovalCause], object] | None
    """A function of key, value and cause of what is removed."""

    rng: random.Random | None
    """Where the jitter comes from."""


@final
@attrs.frozen(kw_only=True)
class Options(Generic[K, V]):
    """The options of a cache, checked."""

    max_size: int = 100_000
    ttl: float = math.inf
    name: str = "cache"
    clock: TellsTime | None = None
    jitter: float = 0.0
    stale_for: float = 0.0
    negative_ttl: float | None = None
    on_removal: Callable[[K, V, RemovalCause], object] | None = None
    rng: random.Random | None = None

    def __attrs_post_init__(self) -> None:
        check_count("max_size", self.max_size, least=1)
        check_seconds("ttl", self.ttl, above_zero=True)
        check_name("name", self.name)
        check_number("jitter", self.jitter, least=0, most=1)
        check_seconds("stale_for", self.stale_for)
        if self.negative_ttl is not None:
            check_seconds("negative_ttl", self.negative_ttl, above_zero=True)
        self._check_things()

    def deadline(self, now: float, ttl: float) -> float:
        """Return when a value put in now expires."""
        if ttl == math.inf:
            return math.inf  # at whatever time: before the first run it is minus infinity
        if self.jitter:
            draw = random.random if self.rng is None else self.rng.random  # noqa: S311
            ttl *= 1.0 - self.jitter * draw()
        return now + ttl

    def _check_things(self) -> None:
        if not (self.clock is None or isinstance(self.clock, Clock) or callable(self.clock)):
            raise TypeError(
                f"clock must be a function without arguments that returns seconds, not "
                f"{self.clock!r}: write clock=time.monotonic"
            )
        if self.on_removal is not None and not is_plain_function(self.on_removal):
            raise TypeError(
                f"on_removal must be a plain function of key, value and cause, not "
                f"{self.on_removal!r}"
            )
        if self.rng is not None and not isinstance(self.rng, random.Random):  # noqa: S311
            raise TypeError(f"rng must be a random.Random, not {self.rng!r}")
