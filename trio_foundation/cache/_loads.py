"""Loading what is missing, once for all who ask."""

from __future__ import annotations

from typing import Generic, TypeVar, final

from trio.lowlevel import TrioToken, checkpoint

from ._core import Core
from ._errors import CircularLoad, LoadFailed
from ._flight import Failed, Flight, GivenUp, Load, Loaded, call_load
from ._names import told
from ._rules import Entry

__all__ = ["Loads"]

K = TypeVar("K")
V = TypeVar("V")


@final
class Loads(Generic[K, V]):
    """The loads of one cache."""

    __slots__ = ("_core", "_flights", "_token", "begun", "failed")

    def __init__(self, core: Core[K, V]) -> None:
        self._core = core
        self._flights: dict[K, Flight[K, V]] = {}
        self._token: TrioToken | None = None
        """Their run."""
        self.begun = self.failed = 0

    def __len__(self) -> int:
        return len(self._flights)

    def detach(self, key: K) -> None:
        """Keep no load of a key, and forget its error."""
        if self._flights:
            flight = self._flights.pop(key, None)
            if flight is not None:
                flight.is_detached = True
        if self._core.failures:
            self._core.failures.forget(key)

    def detach_all(self) -> None:
        """Keep no load."""
        for flight in self._flights.values():
            flight.is_detached = True
        self._flights.clear()

    async def load(self, key: K, load: Load[V], ttl: float | None) -> V:
        """Load a value, or wait for another's load of it."""
        while True:
            answer = self._look_again(key)
            if answer is not None:
                return answer.value
            flight = self._flights.get(key)
            if flight is None or flight.is_over:
                flight = self._new_flight(key)
                return await self._lead(flight, load, ttl)
            if flight.needs_me():
                raise CircularLoad(self._core.name, key)
            outcome = await flight.wait()
            if isinstance(outcome, Loaded):
                return outcome.value
            if isinstance(outcome, Failed):
                raise LoadFailed(self._core.name, key, told(outcome.error)) from outcome.error
            if outcome is None and not flight.is_detached:
                return await self._lead(flight, load, ttl)
            flight.end(GivenUp())

    def _look_again(self, key: K) -> Loaded[V] | None:
        """Return what may be given out at once, though no hit."""
        core = self._core
        now = core.moment()
        if core.token is not self._token:
            # Whoever was loading in another run is not there any more.
            self._flights, self._token = {}, core.token
        entry = core.find(key)
        if entry is not None and entry.deadline > now:
            return Loaded(entry.value)  # it has come while this caller was being woken
        if entry is not None and not core.may_be_served(entry, now):
            entry = None
        error = None if core.failures is None else core.failures.find(key, now)
        if error is not None and entry is None:
            raise LoadFailed(core.name, key, told(error)) from error
        if entry is not None and (error is not None or key in self._flights):
            return Loaded(core.serve(entry, error))
        return None

    def _new_flight(self, key: K) -> Flight[K, V]:
        flight: Flight[K, V] = Flight(key)
        self._flights[key] = flight
        return flight

    async def _lead(self, flight: Flight[K, V], load: Load[V], ttl: float | None) -> V:
        outer = flight.enter()
        try:
            await checkpoint()  # there may be none in the load
            self.begun += 1
            value = await call_load(load)
        except Exception as error:
            self.failed += 1
            flight.end(Failed(error))  # first, for what the methods of the key may raise
            stale = self._note_failure(flight, error)
            self._land(flight)
            if stale is None:
                raise
            return self._core.serve(stale, error)
        except BaseException:
            if flight.is_detached or not flight.pass_on():
                flight.end(GivenUp())
                self._land(flight)
            raise
        finally:
            flight.leave(outer)
        # First too, and for what *on_removal* may raise: nobody else is to load it for that.
        flight.end(Loaded(value))
        self._land(flight)
        if not flight.is_detached:
            self._core.store(flight.key, value, ttl)
        return value

    def _note_failure(self, flight: Flight[K, V], error: Exception) -> Entry[K, V] | None:
        """Remember an error, if wanted; return what may be served instead."""
        core = self._core
        if flight.is_detached:
            return None
        now = core.moment()
        if core.failures is not None:
            core.failures.note(flight.key, error, now)
        entry = core.find(flight.key)
        return None if entry is None or not core.may_be_served(entry, now) else entry

    def _land(self, flight: Flight[K, V]) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
