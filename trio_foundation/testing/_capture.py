"""Waiting for what a program tells, and looking at it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar, final, overload

import attrs
import trio
from trio.lowlevel import ParkingLot, enable_ki_protection

from ..telemetry import Event, subscribe

__all__ = ["CapturedEvents", "ExpectedEvent", "capture_events", "listed"]

EventT = TypeVar("EventT", bound=Event)
EventT1 = TypeVar("EventT1", bound=Event)
EventT2 = TypeVar("EventT2", bound=Event)
EventT3 = TypeVar("EventT3", bound=Event)
EventT_co = TypeVar("EventT_co", bound=Event, covariant=True)

ExpectedEvent = type[Event] | tuple[type[Event], Mapping[str, object]]
"""An event that a test expects: its class, or that and the values of some fields."""

# A failure shows so many events, the last ones.
SHOWN = 40


@overload
def capture_events() -> AbstractContextManager[CapturedEvents[Event]]: ...
@overload
def capture_events(
    event_type_1: type[EventT1], event_type_2: type[EventT2], /
) -> AbstractContextManager[CapturedEvents[EventT1 | EventT2]]: ...
@overload
def capture_events(
    event_type_1: type[EventT1], event_type_2: type[EventT2], event_type_3: type[EventT3], /
) -> AbstractContextManager[CapturedEvents[EventT1 | EventT2 | EventT3]]: ...
@overload
def capture_events(
    *event_types: type[EventT],
) -> AbstractContextManager[CapturedEvents[EventT]]: ...
def capture_events(*event_types: type[Event]) -> AbstractContextManager[CapturedEvents[Any]]:
    """Capture the events of some types, in order, until the block ends.

    All are kept, also after the block: if there are millions, name the types you look for.

    Args:
        *event_types: Their classes, subclasses included; with none, all events.

    Returns:
        The block, for ``with ... as events``; *events* is a `CapturedEvents`.

    Raises:
        TypeError: A type that is no event class.
        RuntimeError: Outside a Trio run.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import ChildExited, open_supervisor
        >>> async def main():
        ...     with capture_events(ChildExited) as events:
        ...         async with open_supervisor() as sup:
        ...             sup.start_soon(trio.sleep, 0, name="nap", restart="temporary")
        ...             nap = await events.wait_for(ChildExited)
        ...     print(nap.child, nap.reason, len(events))
        >>> trio.run(main)
        nap returned 1
    """
    return _capture(event_types)


@contextmanager
def _capture(event_types: tuple[type[Event], ...]) -> Generator[CapturedEvents[Any]]:
    record = _Record()
    try:
        with subscribe(record.note, *event_types):
            yield CapturedEvents(record)
    finally:
        record.end()


@attrs.define(eq=False)
class _Captured:
    """One event."""

    event: Any
    was_waited_for: bool = False


@attrs.define(eq=False)
class _Record:
    """What was told so far."""

    captured: list[_Captured] = attrs.field(factory=list[_Captured])
    ended: bool = False
    waiting: ParkingLot = attrs.field(factory=ParkingLot)

    def note(self, event: Event) -> None:
        """Add an event; wake those who wait."""
        self.captured.append(_Captured(event))
        self.waiting.unpark_all()

    def end(self) -> None:
        """Wake those who wait: no more will come."""
        self.ended = True
        if self.waiting:  # else there may be no run any more
            self.waiting.unpark_all()

    @enable_ki_protection
    def take(
        self, event_type: type[EventT], predicate: Callable[[EventT], object] | None
    ) -> EventT | None:
        """Return the next match, each once."""
        for captured in self.captured:
            event = captured.event
            if captured.was_waited_for or not isinstance(event, event_type):
                continue
            if predicate is None or predicate(event):
                captured.was_waited_for = True
                return event
        return None


@final
class CapturedEvents(Sequence[EventT_co], Generic[EventT_co]):
    """The events of a block, in order: a sequence, made by `capture_events`.

    Example:
        >>> import trio
        >>> from trio_foundation.cache import Cache, CacheHit, CacheMissed, CachePut
        >>> async def main():
        ...     with capture_events() as events:
        ...         cache = Cache()
        ...         cache.get("a")
        ...         cache.put("a", 1)
        ...         cache.get("a")
        ...     events.assert_sequence(CacheMissed, CacheHit)
        ...     print(len(events), [put.name for put in events.of(CachePut)])
        >>> trio.run(main)
        3 ['foundation.cache.put']
    """

    def __init__(self, record: _Record) -> None:
        self._record = record

    def __repr__(self) -> str:
        return f"<CapturedEvents: {len(self)}>"

    @overload
    def __getitem__(self, index: int) -> EventT_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[EventT_co]: ...
    def __getitem__(self, index: int | slice) -> EventT_co | list[EventT_co]:
        if isinstance(index, slice):
            return [captured.event for captured in self._record.captured[index]]
        event: EventT_co = self._record.captured[index].event
        return event

    def __len__(self) -> int:
        return len(self._record.captured)

    def of(self, event_type: type[EventT]) -> list[EventT]:
        """Return the events of one type, subclasses included, in order.

        Args:
            event_type: Their class.

        Example:
            >>> import trio
            >>> from trio_foundation.cache import Cache, CacheMissed
            >>> async def main():
            ...     with capture_events() as events:
            ...         Cache().get("a")
            ...     print(events.of(CacheMissed)[0].reason)
            >>> trio.run(main)
            not_found
        """
        return [event for event in self if isinstance(event, event_type)]

    async def wait_for(
        self, event_type: type[EventT], predicate: Callable[[EventT], object] | None = None
    ) -> EventT:
        """Wait for an event, or return one that was told before.

        Each is returned once: the next call goes on to the next that matches.

        Args:
            event_type: Its class; a subclass will do.
            predicate: A plain function: whether an event is the one; by default any is.

        Returns:
            The first match not returned before.

        Raises:
            AssertionError: The block has ended without one; shows the last 40 there were.
            TypeError: *event_type* is no event class.

        Cancellation:
            The event can still be waited for.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import ChildReady, open_supervisor
            >>> async def main():
            ...     with capture_events(ChildReady) as events:
            ...         async with open_supervisor() as sup:
            ...             for name in ("a", "b"):
            ...                 sup.start_soon(trio.sleep_forever, name=name)
            ...             ready = await events.wait_for(ChildReady, lambda e: e.child == "b")
            ...     print(ready.child)
            >>> trio.run(main)
            b
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not (isinstance(event_type, type) and issubclass(event_type, Event)):
            raise TypeError(
                f"wait_for takes the class of an event, such as ChildExited, not {event_type!r}"
            )
        found = self._record.take(event_type, predicate)
        if found is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return found
        while not self._record.ended:
            await self._record.waiting.park()
            found = self._record.take(event_type, predicate)
            if found is not None:
                return found
        such = "" if predicate is None else " that satisfies the predicate"
        raise AssertionError(
            f"waited for a {event_type.__name__}{such}, but the block has ended without one more: "
            f"each is returned once\n{listed(self)}"
        )

    def assert_sequence(self, *expected: ExpectedEvent) -> None:
        """Assert that some events were told in this order; others may be in between.

        Args:
            *expected: Each a class, or a tuple of a class and the values of some fields.

        Raises:
            AssertionError: They were not; shows the first missing, and the last 40 there were.
            TypeError: One is neither, or names an unknown field.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import ChildExited, ChildStarted, open_supervisor
            >>> async def main():
            ...     with capture_events() as events:
            ...         async with open_supervisor() as sup:
            ...             await sup.start(trio.sleep_forever, name="web")
            ...     events.assert_sequence(
            ...         (ChildStarted, {"child": "web"}),
            ...         (ChildExited, {"child": "web", "reason": "stopped"}),
            ...     )
            >>> trio.run(main)
        """
        wanted = [_Expected.read(one) for one in expected]
        place = 0
        for number, one in enumerate(wanted):
            following = (n for n in range(place, len(self)) if one.fits(self[n]))
            found = next(following, None)
            if found is None:
                raise AssertionError(_told_of_missing(wanted, number, place, self))
            place = found + 1


@attrs.frozen
class _Expected:
    """What an event has to be."""

    event_type: type[Event]
    fields: Mapping[str, object]

    @classmethod
    def read(cls, expected: ExpectedEvent) -> _Expected:
        """Return what a user has written, checked."""
        nothing: Mapping[str, object] = {}
        event_type, fields = expected if isinstance(expected, tuple) else (expected, nothing)
        if not (isinstance(event_type, type) and issubclass(event_type, Event)):
            raise TypeError(
                "assert_sequence takes classes of events, or tuples such as "
                f'(ChildExited, {{"child": "web"}}), not {expected!r}'
            )
        known = [field.name for field in attrs.fields(event_type)]
        for name in fields:
            if name not in known and not hasattr(event_type, name):
                raise TypeError(
                    f"{event_type.__name__} has no field {name!r}: it has {', '.join(known)}"
                )
        return cls(event_type, fields)

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.event_type.__name__}({fields})"

    def fits(self, event: Event) -> bool:
        return isinstance(event, self.event_type) and all(
            getattr(event, name, _ABSENT) == value for name, value in self.fields.items()
        )


_ABSENT: Any = object()


def _told_of_missing(
    wanted: Sequence[_Expected], number: int, place: int, events: Sequence[Event]
) -> str:
    after = f" after #{place - 1}" if place else ""
    order = ", ".join(str(one) for one in wanted)
    return f"expected {order}, in this order; there is no {wanted[number]}{after}\n{listed(events)}"


def listed(events: Iterable[Event]) -> str:
    """Return the last events for a message, one a line."""
    lines = [f"    #{number}: {event!r}" for number, event in enumerate(events)]
    if not lines:
        return "no event was captured"
    left_out = len(lines) - SHOWN
    shown = lines if left_out <= 0 else [f"    ({left_out} before them)", *lines[-SHOWN:]]
    return "\n".join(["captured were", *shown])
