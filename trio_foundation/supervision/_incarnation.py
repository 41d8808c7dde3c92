"""One run of a child, from its start to its exit.

Its scope is shielded: a cancellation from outside reaches the body of the supervisor first, while
its children still serve it. What the child raises becomes an `Exit`, and never leaves.
"""

from __future__ import annotations

import math
import weakref
from contextvars import ContextVar
from functools import partial
from typing import Protocol, final

import attrs
import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._base import awaitable_of
from .._waiting import State
from ..telemetry import Audience, wanted
from ._entry import Entry
from ._errors import IgnoreChild
from ._events import ChildEvent, ChildExited, ChildIgnored, ChildReady, ChildStopping
from ._exit import Exit
from ._report import report_exit, report_unstopped, tell
from ._rules._words import ExitReason
from ._verdict import Judgement, judge_run

__all__ = ["CURRENT", "Incarnation", "Keeper", "Nested"]

# How many steps of the scheduler a child is given, once its time for cleaning up is over,
# before it is reported: its scopes have to unwind one by one.
_UNWINDING = 10


# Cleanup scopes that were left are swept when there are this many.
_SWEEP = 16


class Keeper(Protocol):
    """What an incarnation needs of the supervisor that keeps it."""

    hurried: bool
    parent: Incarnation | None
    audience: Audience

    @property
    def path(self) -> str: ...

    def note_ready(self, run: Incarnation) -> None: ...

    def note_ended(self, run: Incarnation) -> None: ...

    def interrupt(self, error: BaseException) -> None: ...

    def set_timer(self, run: Incarnation, due: float) -> None: ...


class Nested(Protocol):
    """A supervisor whose block was opened within an incarnation."""

    def hurry(self) -> None: ...


CURRENT: ContextVar[Incarnation] = ContextVar("trio_foundation.supervision.current")


@final
@attrs.define(eq=False, weakref_slot=False)
class Incarnation:
    """One run of one child, and the ``task_status`` that the child is given."""

    entry: Entry
    number: int
    started_at: float

    scope: trio.CancelScope = attrs.field(
        init=False, factory=partial(trio.CancelScope, shield=True)
    )
    task: trio.lowlevel.Task | None = attrs.field(init=False, default=None)
    ready_at: float | None = attrs.field(init=False, default=None)
    ended: bool = attrs.field(init=False, default=False)
    ignored: bool = attrs.field(init=False, default=False)
    exit: Exit | None = attrs.field(init=False, default=None)

    ending: ExitReason | None = attrs.field(init=False, default=None)
    """How the supervisor is ending it."""
    leaving: bool = attrs.field(init=False, default=False)
    """Whether it is being ended, with none to follow."""
    cancelled_at: float | None = attrs.field(init=False, default=None)
    asked_at: float | None = attrs.field(init=False, default=None)
    last_beat: float = attrs.field(init=False, default=0.0)
    nested: set[Nested] | None = attrs.field(init=False, default=None)
    timed: bool = attrs.field(init=False, default=False)
    """Whether it ever had a timer."""
    late: bool = attrs.field(init=False, default=False)
    _stop_event: trio.Event | None = attrs.field(init=False, default=None)
    _cleanups: list[weakref.ref[trio.CancelScope]] | None = attrs.field(init=False, default=None)
    _sweep_at: int = attrs.field(init=False, default=_SWEEP)
    _done: State[Exit | None] | None = attrs.field(init=False, default=None)
    _patience: int = attrs.field(init=False, default=_UNWINDING)

    @property
    def keeper(self) -> Keeper:
        return self.entry.keeper

    # The run itself

    @enable_ki_protection
    async def main(self) -> None:
        self.task = trio.lowlevel.current_task()
        keeper = self.entry.keeper
        raised: BaseException | None = None
        try:
            with self.scope:
                await _call(self)
        except BaseException as error:  # noqa: BLE001  it becomes an exit
            raised = _less_ours(error)
        self.task = None
        try:
            self._finish(raised)
        except BaseException as error:  # noqa: BLE001  a callback's KeyboardInterrupt and the like
            keeper.interrupt(error)
        finally:
            # The error's traceback holds this frame, and this frame would hold the error.
            del raised
            keeper.note_ended(self)

    def _finish(self, raised: BaseException | None) -> None:
        verdict = judge_run(self, raised)
        self.ended = True
        entry = self.entry
        if self.timed:
            entry.keeper.set_timer(self, math.inf)
        exit = self.make_exit(verdict)
        self.exit = entry.last_exit = exit
        if verdict.fatal is not None:
            self.keeper.interrupt(verdict.fatal)
        if entry.on_exit is not None:
            entry.on_exit.call(self.keeper.interrupt, exit)
        self._tell(exit, is_fatal=verdict.fatal is not None)

    def make_exit(self, verdict: Judgement) -> Exit:
        return Exit(
            child=self.entry.name,
            incarnation=self.number,
            reason=verdict.reason,
            error=verdict.error,
            started_at=self.started_at,
            ended_at=trio.current_time(),
        )

    def _tell(self, exit: Exit, *, is_fatal: bool) -> None:
        entry = self.entry
        if self.ignored:
            if wanted(ChildIgnored):
                reason = exit.error.reason if isinstance(exit.error, IgnoreChild) else exit.error
                self._emit(
                    ChildIgnored(
                        supervisor=entry.path,
                        child=entry.name,
                        incarnation=self.number,
                        reason=str(reason),
                    )
                )
            return
        if exit.error is not None and not is_fatal:  # what is fatal goes on up, and is seen
            report_exit(entry.path, exit)
        if entry.keeper.audience.is_there and wanted(ChildExited):
            self._emit(
                ChildExited(
                    supervisor=entry.path,
                    child=entry.name,
                    incarnation=self.number,
                    reason=exit.reason,
                    exit=exit,
                )
            )

    def _emit(self, event: ChildEvent) -> None:
        tell(event, self.keeper.interrupt)

    # Readiness: this object is the child's ``task_status``

    @enable_ki_protection
    def started(self, value: object = None) -> None:
        """Say that the child is ready, once, with a value for whoever started it."""
        if self.ready_at is not None:
            raise RuntimeError(
                f"child {self.entry.name!r} called task_status.started() twice: call it once"
            )
        if self.ended:
            raise RuntimeError(
                f"task_status.started() was called after child {self.entry.name!r} had ended"
            )
        if self.ending is not None:
            # The start was cut short. The child is cancelled, and finds out at its next
            # checkpoint; nobody waits for the value any more.
            return
        self.be_ready(trio.current_time(), value)

    def be_ready(self, now: float, value: object = None) -> None:
        self.ready_at = self.last_beat = now
        entry = self.entry
        keeper = entry.keeper
        entry.value = value
        liveness = entry.spec.liveness
        if liveness is not None or self.timed:
            due = math.inf if liveness is None else now + liveness.patience
            keeper.set_timer(self, due)
        entry.become("running")
        if keeper.audience.is_there and wanted(ChildReady):
            self._emit(
                ChildReady(
                    supervisor=entry.path,
                    child=entry.name,
                    incarnation=self.number,
                    after=now - self.started_at,
                )
            )
        keeper.note_ready(self)

    # Ending it

    @enable_ki_protection
    def stop(self, cause: str, *, ask: bool = True, to_return: bool = False) -> None:
        """Begin to stop the child: ask it if it listens (and *ask*), else cancel it."""
        if self.ended:
            return
        if self.ending is None:
            self._end_as("stopped", cause, leaving=not to_return)
        elif not to_return:
            self.leave()
        if self.cancelled_at is not None:
            return
        grace = self.entry.spec.grace
        if self._stop_event is None or not ask or grace == 0 or self.keeper.hurried:
            self.cancel(cause)
        elif self.asked_at is None:
            self.asked_at = trio.current_time()
            self._stop_event.set()
            self.keeper.set_timer(self, self.asked_at + grace)

    @enable_ki_protection
    def cancel(self, cause: str) -> None:
        """Cancel the child; its cleanup scopes last for its grace from now."""
        if self.ended or self.cancelled_at is not None:
            return
        if self.ending is None:
            self._end_as("stopped", cause, leaving=True)
        now = self.cancelled_at = trio.current_time()
        if self._stop_event is not None:
            self._stop_event.set()
        grace = self.entry.spec.grace
        for reference in self._cleanups or ():
            scope = reference()
            if scope is not None:
                _limit(scope, now + grace)
        self.scope.cancel(reason=f"trio_foundation: {cause}")
        if self.keeper.hurried or grace == 0:
            self.hurry_nested()
        self.keeper.set_timer(self, now + (0.0 if self.keeper.hurried else grace))

    @enable_ki_protection
    def hurry(self) -> None:
        """Cancel the child now, its cleanup scopes too."""
        if self.ended:
            return
        self.stop("hurried", ask=False)
        for reference in self._cleanups or ():
            scope = reference()
            if scope is not None:
                scope.cancel(reason="trio_foundation: no time is left for cleaning up")
        self.hurry_nested()
        if self._patience > 0:
            self.keeper.set_timer(self, trio.current_time())

    def hurry_nested(self) -> None:
        """Hurry the supervisors whose blocks are open within this child."""
        for supervisor in tuple(self.nested or ()):
            supervisor.hurry()

    @property
    def is_overdue(self) -> bool:
        return self._patience < _UNWINDING

    def on_timer(self, now: float) -> None:
        """Do what is due at time *now*, in seconds."""
        spec = self.entry.spec
        if self.ended:
            return
        if self.cancelled_at is not None:
            self._on_overdue(now)
        elif self.asked_at is not None:
            self.cancel("its time to stop by itself is over")
        elif self.ready_at is None:
            self.late = True
            self._cancel_as("crashed", f"not ready within {spec.ready_within:g} seconds")
        elif spec.liveness is not None:
            due = self.last_beat + spec.liveness.patience
            if now < due:
                self.keeper.set_timer(self, due)
                return
            self._cancel_as("unresponsive", f"no beat for {spec.liveness.patience:g} seconds")

    def leave(self) -> None:
        """Note, while it is being ended, that none is to follow after all."""
        if self.ending is None or self.leaving or self.ended:
            return
        self.leaving = True
        entry = self.entry
        if entry.on_state is not None:
            entry.on_state.call(self.keeper.interrupt, entry.state)

    def _cancel_as(self, reason: ExitReason, cause: str) -> None:
        self._end_as(reason, cause, leaving=self.entry.spec.restart == "temporary")
        self.cancel(cause)

    def _end_as(self, reason: ExitReason, cause: str, *, leaving: bool) -> None:
        self.ending = reason
        self.leaving = leaving
        entry = self.entry
        entry.become("stopping")
        if wanted(ChildStopping):
            self._emit(
                ChildStopping(
                    supervisor=entry.path,
                    child=entry.name,
                    incarnation=self.number,
                    cause=cause,
                )
            )

    def _on_overdue(self, now: float) -> None:
        assert self.cancelled_at is not None
        if self._patience == _UNWINDING:
            self.hurry_nested()
        self._patience -= 1
        if self._patience > 0:
            self.keeper.set_timer(self, now)
        elif not self.nested:  # else the supervisor within reports the one to blame
            report_unstopped(self, now - self.cancelled_at)

    # What the child itself asks for

    def stop_requested(self) -> trio.Event:
        if self._stop_event is None:
            self._stop_event = trio.Event()
            if self.ending is not None:
                self._stop_event.set()
        return self._stop_event

    def cleanup_scope(self) -> trio.CancelScope:
        grace = self.entry.spec.grace
        if self.keeper.hurried:
            scope = trio.CancelScope(shield=True, deadline=-math.inf)
        elif self.cancelled_at is not None:
            scope = trio.CancelScope(shield=True, deadline=self.cancelled_at + grace)
        elif self.asked_at is not None:
            scope = trio.CancelScope(shield=True, deadline=self.asked_at + 2 * grace)
        else:
            scope = trio.CancelScope(shield=True, relative_deadline=grace)
        if self._cleanups is None:
            self._cleanups = []
        elif len(self._cleanups) >= self._sweep_at:
            self._cleanups = [kept for kept in self._cleanups if kept() is not None]
            self._sweep_at = 2 * len(self._cleanups) + _SWEEP
        self._cleanups.append(weakref.ref(scope))
        return scope

    def announce(self) -> None:
        if self._done is not None:
            self._done.value = self.exit

    async def wait_done(self) -> Exit:
        if self._done is None:
            self._done = State(self.exit)
        exit = await self._done.wait_value(lambda exit: exit is not None)
        assert exit is not None
        return exit


@disable_ki_protection
async def _call(run: Incarnation) -> None:
    """Call the child's function, where a KeyboardInterrupt may come at any point."""
    spec = run.entry.spec
    work = (
        spec.async_fn(*spec.args, task_status=run)
        if spec.takes_task_status
        else spec.async_fn(*spec.args)
    )
    await awaitable_of("child", spec.async_fn, work, spec.args)


def _less_ours(error: BaseException) -> BaseException:
    """Take the frames of this file off the traceback."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return error if traceback is None else BaseException.with_traceback(error, traceback)


def _limit(scope: trio.CancelScope, deadline: float) -> None:
    if scope.is_relative:  # not entered yet
        scope.relative_deadline = math.inf
    scope.deadline = min(scope.deadline, deadline)
