"""What a breaker asks of its Trio run, once a call: to find the run takes longer than the rest."""

from __future__ import annotations

from typing import final

import trio
from trio.lowlevel import RunVar, current_clock

from ..telemetry import Audience
from ._events import CallRejected, CallSucceeded

__all__ = ["ThisRun", "this_run"]


@final
class ThisRun:
    """The clock of a run, and who listens in it."""

    __slots__ = ("clock", "rejected", "succeeded")

    def __init__(self) -> None:
        self.clock: trio.abc.Clock = current_clock()
        """What `trio.current_time` asks."""
        self.rejected = Audience(CallRejected)
        self.succeeded = Audience(CallSucceeded)


_this_run: RunVar[ThisRun] = RunVar("trio_foundation.resilience.this_run")


def this_run() -> ThisRun:
    """Return what is asked of this Trio run."""
    try:
        return _this_run.get()
    except LookupError:
        run = ThisRun()
        _this_run.set(run)
        return run
