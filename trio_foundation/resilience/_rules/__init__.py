"""What is decided about calls, without a task and without a clock."""

from __future__ import annotations

from ._circuit import NEXT, BreakerState, Cause, Change, Circuit, Verdict
from ._leaves import asked_pause, leaves_of
from ._verdicts import Counts, ErrorTypes, Judge
from ._windows import ConsecutiveFailures, CountWindow, TimeWindow, Window

__all__ = [
    "NEXT",
    "BreakerState",
    "Cause",
    "Change",
    "Circuit",
    "ConsecutiveFailures",
    "CountWindow",
    "Counts",
    "ErrorTypes",
    "Judge",
    "TimeWindow",
    "Verdict",
    "Window",
    "asked_pause",
    "leaves_of",
]
