"""A heap of what comes due; what was called off stays until it is the head, or most are off."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar, final

import attrs

__all__ = ["Appointment", "Timetable", "next_turn"]

SubjectT = TypeVar("SubjectT")


@final
@attrs.define(eq=False)
class Appointment(Generic[SubjectT]):
    """Something that comes due, once or again and again."""

    subject: SubjectT
    due: float
    """When it comes due next, in seconds."""
    every: float | None = None
    """The seconds from one time to the next; None for one time only."""
    is_off: bool = attrs.field(init=False, default=False)


@final
class Timetable(Generic[SubjectT]):
    """Appointments, as they come due.

    Example:
        >>> table = Timetable()
        >>> _ = table.enter("sweep", now=0.0, after=10.0, every=10.0)
        >>> table.next_due
        10.0
        >>> table.pop(25.0), table.pop(25.0)  # it was late once, and is told once
        ((10.0, 'sweep'), None)
        >>> table.next_due
        30.0
    """

    __slots__ = ("_count", "_heap", "_off")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Appointment[SubjectT]]] = []
        self._count = 0  # the order of entry, where times are equal
        self._off = 0

    @property
    def next_due(self) -> float:
        """When the next appointment comes due, in seconds, or infinity."""
        while self._heap and self._heap[0][2].is_off:
            heapq.heappop(self._heap)
            self._off -= 1
        return self._heap[0][0] if self._heap else math.inf

    def enter(
        self, subject: SubjectT, *, now: float, after: float, every: float | None = None
    ) -> Appointment[SubjectT]:
        """Make an appointment at *now* + *after*, and every *every* seconds from then on."""
        appointment = Appointment(subject, now + after, every)
        self._push(appointment)
        return appointment

    def call_off(self, appointment: Appointment[SubjectT]) -> None:
        """Let an appointment never come due."""
        if appointment.is_off:
            return
        appointment.is_off = True
        self._off += 1
        if self._off > 8 and 2 * self._off > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].is_off]
            heapq.heapify(self._heap)
            self._off = 0

    def pop(self, now: float) -> tuple[float, SubjectT] | None:
        """Return when something came due, and what; it repeats after *now*, less times missed."""
        if self.next_due > now or not self._heap:
            return None
        due, _, appointment = heapq.heappop(self._heap)
        if appointment.every is None:
            appointment.is_off = True
        else:
            appointment.due = next_turn(due, appointment.every, now)
            self._push(appointment)
        return due, appointment.subject

    def _push(self, appointment: Appointment[SubjectT]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (appointment.due, self._count, appointment))


def next_turn(due: float, every: float, now: float) -> float:
    """Return the first time after *now* that is whole turns away from *due*, in seconds.

    Example:
        >>> next_turn(10.0, 10.0, 25.0), next_turn(10.0, 10.0, 30.0)
        (30.0, 40.0)
    """
    turns = (now - due) / every
    following = now if math.isinf(turns) else due + every * (math.floor(turns) + 1)
    # Of a tiny turn and a late clock the sum is rounded, and may not be later at all.
    return following if following > now else math.nextafter(now, math.inf)
