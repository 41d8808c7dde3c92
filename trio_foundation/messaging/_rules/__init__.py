"""What is decided about messages, without a task and without a clock."""

from __future__ import annotations

from ._overflow import WHEN_FULL, Overflow, UndeliveredReason
from ._timetable import Timetable

__all__ = ["WHEN_FULL", "Overflow", "Timetable", "UndeliveredReason"]
