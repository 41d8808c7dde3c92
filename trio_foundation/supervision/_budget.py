"""Whether a restart is made, when, and what is said of it."""

from __future__ import annotations

import logging
import random
from collections import deque
from typing import final

import attrs
import trio

from .._base import Backoff, is_flag_set
from ..telemetry import wanted
from ._entry import Entry
from ._errors import RestartLimitReached
from ._events import ChildRestarting, SupervisorWouldFail
from ._exit import Exit
from ._incarnation import Incarnation
from ._report import say, tell
from ._rules import RestartWindow, next_attempt

__all__ = ["Budget"]

_DEFAULT_BACKOFF = Backoff()

_EXITS_KEPT = 100


@final
@attrs.define(eq=False)
class Budget:
    """The restarts of one supervisor: how many are left, and how long each is put off."""

    window: RestartWindow
    rng: random.Random | None = None
    is_strict: bool = attrs.field(init=False, default=True)
    _spent_on: deque[Exit] = attrs.field(init=False, factory=lambda: deque(maxlen=_EXITS_KEPT))

    def open(self) -> None:
        """Read the flag, for the whole life of the supervisor."""
        self.is_strict = is_flag_set("use_strict_supervision")

    def plan(self, run: Incarnation) -> float:
        """Tell of a restart; return how long it is put off, in seconds."""
        entry = run.entry
        exit = run.exit
        assert exit is not None
        backoff = entry.spec.backoff
        if not self.is_strict and self.window.count(exit.ended_at) >= self.window.max_restarts:
            backoff = backoff or _DEFAULT_BACKOFF  # without a limit there has to be a brake
        attempt = next_attempt(
            entry.attempt,
            ready_for=None if run.ready_at is None else exit.ended_at - run.ready_at,
            reset_after=(backoff or _DEFAULT_BACKOFF).reset_after,
        )
        delay = 0.0 if backoff is None else backoff.delay(attempt, self.rng)
        entry.attempt = attempt + 1
        if wanted(ChildRestarting):
            tell(
                ChildRestarting(
                    supervisor=entry.path,
                    child=entry.name,
                    incarnation=entry.incarnations + 1,
                    delay=delay,
                    attempt=attempt,
                ),
                entry.keeper.interrupt,
            )
        return delay

    def admit(self, entry: Entry) -> RestartLimitReached | None:
        """Count a restart; return an error if it is one too many."""
        now = trio.current_time()
        if self.window.admit(now):
            if entry.last_exit is not None:
                self._spent_on.append(entry.last_exit)
            return None
        if self.is_strict:
            return self._limit_reached(entry, now)
        self._would_fail(entry)
        return None

    def _limit_reached(self, entry: Entry, now: float) -> RestartLimitReached:
        window = self.window
        counted = window.count(now)
        spent_on = list(self._spent_on)[-counted:] if counted else []
        if entry.last_exit is not None:
            spent_on.append(entry.last_exit)
        failure = RestartLimitReached(
            entry.path,
            entry.name,
            window.max_restarts,
            window.within,
            tuple(spent_on[-_EXITS_KEPT:]),
        )
        exit = entry.last_exit
        if exit is not None and exit.error is not None:
            failure.__cause__ = exit.error
            failure.add_note(
                f"child {exit.child!r} (incarnation {exit.incarnation}) ended by:\n"
                f"{exit.traceback.rstrip()}"
            )
        return failure

    def _would_fail(self, entry: Entry) -> None:
        window = self.window
        say(
            logging.WARNING,
            "%s: child %r passed the limit of %d restarts in %g s; it is restarted all the same, "
            "since use_strict_supervision is off",
            entry.path,
            entry.name,
            window.max_restarts,
            window.within,
        )
        if wanted(SupervisorWouldFail):
            tell(
                SupervisorWouldFail(
                    supervisor=entry.path,
                    child=entry.name,
                    max_restarts=window.max_restarts,
                    within=window.within,
                ),
                entry.keeper.interrupt,
            )
