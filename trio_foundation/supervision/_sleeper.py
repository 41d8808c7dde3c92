"""How the loop of a supervisor sleeps: until it is poked, or until something is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import attrs
import trio

from ._incarnation import Incarnation
from ._timers import Timers

__all__ = ["Sleeper"]


@final
@attrs.define(eq=False)
class Sleeper:
    """The sleep of one task. Anybody may poke it; only that task calls the rest."""

    _timers: Timers[Incarnation] = attrs.field(init=False, factory=Timers[Incarnation])
    _parked: trio.lowlevel.Task | None = attrs.field(init=False, default=None)
    _wake_at: float = attrs.field(init=False, default=math.inf)
    _poked: bool = attrs.field(init=False, default=False)

    def poke(self) -> None:
        """Wake the task, or have it look once more before it sleeps."""
        if self._parked is None:
            self._poked = True
        else:
            task, self._parked = self._parked, None
            trio.lowlevel.reschedule(task)

    def set_timer(self, run: Incarnation, due: float) -> None:
        self._timers.set(run, due)
        if due < self._wake_at and self._parked is not None:
            self.poke()

    async def until(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            await self.sleep(math.inf)

    async def sleep(self, wake_at: float) -> None:
        """Sleep until poked, until that time, in seconds, or for a timer."""
        if self._poked:
            self._poked = False
            return
        self._wake_at = min(wake_at, self._timers.next_due)
        if self._wake_at == math.inf:
            await self._park()
        else:
            with trio.CancelScope(deadline=self._wake_at):
                await self._park()
        if len(self._timers):
            self._run_timers()

    async def _park(self) -> None:
        self._parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._unpark)

    def _unpark(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _run_timers(self) -> None:
        now = trio.current_time()
        due: list[Incarnation] = []
        while (run := self._timers.pop_due(now)) is not None:
            due.append(run)  # first all, since one may set its timer anew for this moment
        for run in due:
            run.on_timer(now)
