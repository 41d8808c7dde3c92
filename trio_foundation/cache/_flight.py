"""One load, and all who wait for it.

When many ask for what is not there, one of them loads it, in its own task: no task is started
for it, so nothing outlives whoever asked. If that one is cancelled, the next in the line takes over.

A load that waits for itself would wait for ever. So the context of a load knows which loads it is
part of, and each load knows which others it needs.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import FunctionType
from typing import Any, Generic, TypeAlias, TypeVar, final

import attrs
from trio.lowlevel import ParkingLot, disable_ki_protection

from .._base import fits, name_of

__all__ = ["Failed", "Flight", "GivenUp", "Load", "Loaded", "call_load", "without_arguments"]

K = TypeVar("K")
V = TypeVar("V")

Load: TypeAlias = Callable[[], Awaitable[V]]
"""How something is loaded, when its arguments are bound."""


@final
@attrs.frozen
class Loaded(Generic[V]):
    """It has come."""

    value: V


@final
@attrs.frozen
class Failed:
    """It could not be loaded."""

    error: Exception


@final
@attrs.frozen
class GivenUp:
    """Nobody loads it any more, and whoever waits has to ask again."""


_under_way: ContextVar[tuple[AnyFlight, ...]] = ContextVar("trio_foundation.cache", default=())


@final
class Flight(Generic[K, V]):
    """A load of one key that is under way."""

    __slots__ = ("_line", "_needs", "is_detached", "key", "outcome")

    def __init__(self, key: K) -> None:
        self.key = key
        self.outcome: Loaded[V] | Failed | GivenUp | None = None
        self.is_detached = False
        """Whether what it brings is out of date, as the key was deleted or put since."""
        self._line = ParkingLot()
        self._needs: list[AnyFlight] = []
        """The flights that somebody waits for on its behalf."""

    def enter(self) -> tuple[AnyFlight, ...]:
        """Let what is called from now on be part of this load; return what it was part of."""
        outer = _under_way.get()
        if outer:
            outer[-1]._needs.append(self)  # noqa: SLF001  another one of us
        _under_way.set((*outer, self))
        return outer

    def leave(self, outer: tuple[AnyFlight, ...]) -> None:
        """Undo what *enter* did."""
        # Not by a token: those who are torn down may be so in another context.
        _under_way.set(outer)
        if outer:
            outer[-1]._needs.remove(self)  # noqa: SLF001

    def needs_me(self) -> bool:
        """Return whether it waits, also by way of others, for a load that the caller is part of."""
        mine = _under_way.get()
        seen: set[AnyFlight] = set()
        rest: list[AnyFlight] = [self] if mine else []
        while rest:
            flight = rest.pop()
            if flight in mine:
                return True
            if flight not in seen:
                seen.add(flight)
                rest += flight._needs  # noqa: SLF001
        return False

    async def wait(self) -> Loaded[V] | Failed | GivenUp | None:
        """Wait for what comes of it; with None, the caller is to load it from now on."""
        outer = _under_way.get()
        if outer:
            outer[-1]._needs.append(self)  # noqa: SLF001
        try:
            await self._line.park()
        finally:
            if outer:
                outer[-1]._needs.remove(self)  # noqa: SLF001
        return self.outcome

    def pass_on(self) -> bool:
        """Have the next in the line load it; return whether there is one."""
        # Whoever is cancelled has left the line, so the one that is woken does run.
        return bool(self._line.unpark())

    def end(self, outcome: Loaded[V] | Failed | GivenUp) -> None:
        """Tell all who wait what has come of it."""
        self.outcome = outcome
        self._line.unpark_all()


AnyFlight: TypeAlias = Flight[Any, Any]


def without_arguments(load: Callable[..., Awaitable[V]], key: object) -> Load[V]:
    """Return how to load a key: a function that cannot be called without arguments takes it."""
    # Most loads are written on the spot, and for them there is a quick way to find out.
    if isinstance(load, FunctionType):
        code = load.__code__
        if not (code.co_argcount or code.co_kwonlyargcount):
            return load
    return load if fits(load) else partial(load, key)


@disable_ki_protection
async def call_load(load: Load[V]) -> V:
    """Await what a load returns, if it can be awaited."""
    awaitable = load()
    if not inspect.isawaitable(awaitable):
        raise TypeError(
            f"get_or_load takes an async function, but {name_of(load)} returned {awaitable!r}"
        )
    return await awaitable
