"""Which fault is due when, and to whom. No Trio in here, and no clock."""

from __future__ import annotations

from ._course import Chance, Course
from ._fault import Fault, FaultKind, InjectedCrash, error_of, is_meant

__all__ = ["Chance", "Course", "Fault", "FaultKind", "InjectedCrash", "error_of", "is_meant"]
