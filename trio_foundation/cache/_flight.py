"""One load, and all who wait for it.

To find a load that would wait for itself, its context knows which attempts it is part of, and each
attempt which other loads it needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import FunctionType
from typing import Any, Generic, TypeAlias, TypeVar, final

import attrs
from trio.lowlevel import ParkingLot, disable_ki_protection

from .._base import awaitable_of, fits

__all__ = [
    "Failed",
    "Flight",
    "GivenUp",
    "Load",
    "Loaded",
    "call_load",
    "without_arguments",
]

K = TypeVar("K")
V = TypeVar("V")

Load: TypeAlias = Callable[[], Awaitable[V]]
"""A load, its arguments bound."""


@final
@attrs.frozen
class Loaded(Generic[V]):
    """It came."""

    value: V


@final
@attrs.frozen
class Failed:
    """It failed."""

    error: Exception


@final
@attrs.frozen
class GivenUp:
    """Nobody loads it any more: ask again."""


Outcome: TypeAlias = Loaded[V] | Failed | GivenUp


@final
class Attempt:
    """One caller's load of a key."""

    __slots__ = ("needs",)

    def __init__(self) -> None:
        self.needs: list[AnyFlight] = []
        """The flights waited for on its behalf."""


_under_way: ContextVar[tuple[Attempt, ...]] = ContextVar("trio_foundation.cache", default=())


@final
class Flight(Generic[K, V]):
    """A load of one key."""

    __slots__ = ("_answer", "_attempt", "_line", "is_detached", "is_over", "key")

    def __init__(self, key: K) -> None:
        self.key = key
        self.is_over = False
        self.is_detached = False
        """Whether the key was deleted or put since."""
        self._line = ParkingLot()
        self._answer: list[Outcome[V]] = []
        """What those who wait look into; left to them when filled, since an error's traceback
        leads to the flight, and the flight must not lead to the error."""
        self._attempt: Attempt | None = None

    def enter(self) -> tuple[Attempt, ...]:
        """Make what is called from now on part of this load; return what it was part of."""
        outer = _under_way.get()
        if outer:
            outer[-1].needs.append(self)
        self._attempt = Attempt()
        _under_way.set((*outer, self._attempt))
        return outer

    def leave(self, outer: tuple[Attempt, ...]) -> None:
        """Undo `enter`."""
        # Not by a token: those who are torn down may be so in another context.
        _under_way.set(outer)
        self._attempt = None
        if outer:
            outer[-1].needs.remove(self)

    def needs_me(self) -> bool:
        """Return whether it needs, even through others, a load that the caller is part of."""
        mine = _under_way.get()
        seen: set[Attempt] = set()
        rest: list[AnyFlight] = [self] if mine else []
        while rest:
            attempt = rest.pop()._attempt  # noqa: SLF001  another one of us
            if attempt in mine:
                return True
            # Between two callers there is none, and nothing is waited for.
            if attempt is not None and attempt not in seen:
                seen.add(attempt)
                rest += attempt.needs
        return False

    async def wait(self) -> Outcome[V] | None:
        """Return its outcome; None if the caller is to load."""
        answer = self._answer
        outer = _under_way.get()
        if outer:
            outer[-1].needs.append(self)
        try:
            await self._line.park()
        finally:
            if outer:
                outer[-1].needs.remove(self)
        return answer[0] if answer else None

    def pass_on(self) -> bool:
        """Have the next in line load it; return whether there is one."""
        # Whoever is cancelled has left the line, so the one that is woken does run.
        return bool(self._line.unpark())

    def end(self, outcome: Outcome[V]) -> None:
        """Tell all who wait."""
        self.is_over = True
        self._answer.append(outcome)
        self._answer = []
        self._line.unpark_all()


AnyFlight: TypeAlias = Flight[Any, Any]


def without_arguments(load: Callable[..., Awaitable[V]], key: object) -> Load[V]:
    """Return the load, with the key bound if it needs an argument."""
    # Most loads are written on the spot, and for them there is a quick way to find out.
    if isinstance(load, FunctionType):
        code = load.__code__
        if not (code.co_argcount or code.co_kwonlyargcount):
            return load
    return load if fits(load) else partial(load, key)


@disable_ki_protection
async def call_load(load: Load[V]) -> V:
    """Await what a load returns."""
    return await awaitable_of("get_or_load", load, load())
