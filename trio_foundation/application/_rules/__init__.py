"""What an application decides, without a clock, a signal or a task."""

from __future__ import annotations

from ._failures import Crashed, GaveUp, Level, NotStarted, failure_report
from ._running import Place, Straggler, hurry_report
from ._stages import (
    Ended,
    Exited,
    Failed,
    Forced,
    Hurrying,
    Orderly,
    Running,
    Stage,
    Stopping,
    after_grace,
    after_signal,
    code_of_exit,
    exit_code,
)

__all__ = [
    "Crashed",
    "Ended",
    "Exited",
    "Failed",
    "Forced",
    "GaveUp",
    "Hurrying",
    "Level",
    "NotStarted",
    "Orderly",
    "Place",
    "Running",
    "Stage",
    "Stopping",
    "Straggler",
    "after_grace",
    "after_signal",
    "code_of_exit",
    "exit_code",
    "failure_report",
    "hurry_report",
]
