"""What is decided about messages, without tasks or clock."""

from __future__ import annotations

from ._overflow import WHEN_FULL, Overflow, UndeliveredReason
from ._states import Row, Table, faults
from ._timetable import Appointment, Timetable

__all__ = [
    "WHEN_FULL",
    "Appointment",
    "Overflow",
    "Row",
    "Table",
    "Timetable",
    "UndeliveredReason",
    "faults",
]
