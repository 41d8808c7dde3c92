"""What a breaker knows and tells; it tells last, as whoever listens may call the breaker."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Literal, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import told
from .._waiting import State
from ..telemetry import emit, wanted
from ._asked import Asked
from ._errors import BreakerOpen, RejectedBy
from ._events import (
    CallFailedThrough,
    CallRejected,
    CallSucceeded,
    ProbeStarted,
    SlowCall,
    StaleResult,
    StateChanged,
)
from ._flight import Flight
from ._rules import Change, Circuit, Judge, Verdict, asked_pause
from ._statistics import BreakerStatistics
from ._this_run import ThisRun

__all__ = ["Core"]


@final
class Core:
    """The state of one breaker, and its figures."""

    __slots__ = (
        "_calls",
        "_cancelled",
        "_changed",
        "_failed",
        "_flights",
        "_ignored",
        "_keeps_flights",
        "_rejected",
        "_slow",
        "_slow_line",
        "_stale",
        "_succeeded",
        "cancel_in_flight",
        "circuit",
        "has_health",
        "is_probing",
        "judge",
        "last_error",
        "listeners",
        "name",
        "on_open",
        "probe_timeout",
        "refusers",
        "slow_after",
        "task_name",
        "watch",
    )

    def __init__(  # noqa: PLR0913  it is made in one place
        self,
        name: str,
        circuit: Circuit,
        judge: Judge,
        *,
        slow_after: float | None,
        probe_timeout: float | None,
        cancel_in_flight: bool,
        has_health: bool,
    ) -> None:
        self.name = name
        self.task_name = f"call {name}"
        self.circuit = circuit
        self.judge = judge
        self.slow_after = slow_after
        self.probe_timeout = probe_timeout
        self.cancel_in_flight = cancel_in_flight
        self.has_health = has_health
        """Whether no user's call is a probe."""
        self.last_error: BaseException | None = None
        self.on_open: Callable[[], None] | None = None
        self.watch: trio.CancelScope | None = None
        """What ends the task that watches for slow calls."""
        self.is_probing = False
        """Whether a task tries whether it may close."""
        self._calls = 0
        self._succeeded = self._failed = self._ignored = 0
        self._cancelled = self._stale = self._rejected = self._slow = 0
        self._keeps_flights = cancel_in_flight or slow_after is not None
        self._flights: dict[Flight, None] = {}
        """The calls under way, if they may be broken off or become slow."""
        self._slow_line: deque[Flight] = deque()
        """Those that may still become slow, oldest first."""
        self._changed: State[int] | None = None
        self.refusers = Asked[[], bool]()
        """Who is asked before each call whether it is rejected."""
        self.listeners = Asked[[StateChanged], None]()
        """Who is told of each change."""

    # Letting calls through

    @enable_ki_protection
    def is_clear(self, now: float) -> bool:
        """Return whether a call may be let through at *now* without more ado."""
        if self._slow_line:
            self.touch(now)
        return (
            self.circuit.state == "closed"
            and not self.refusers.functions
            and trio.current_effective_deadline() > now
        )

    @enable_ki_protection
    async def clear(self, run: ThisRun, now: float) -> float:
        """Return when to `book` a call, in seconds, or raise why not."""
        while True:
            refusal = self.refusal(now)
            if refusal is not None:
                try:
                    await trio.lowlevel.checkpoint()
                    self._note_rejection(run, refusal)
                    raise refusal
                finally:
                    del refusal  # its traceback holds this frame
            # While a task does not wait, Trio does not notice that a deadline passes.
            if trio.current_effective_deadline() > now:
                return now
            await trio.lowlevel.checkpoint()
            now = run.clock.current_time()

    def refusal(self, now: float, *, is_own: bool = False) -> BreakerOpen | None:
        """Return the error of a rejected call; *is_own*: of the breaker's own probe."""
        self.touch(now)
        circuit = self.circuit
        # Who is asked may change the state, so that is looked at afterwards.
        if (is_own or self._has_room_for_users()) and circuit.has_room:
            return None
        return BreakerOpen(self.name, circuit.state, circuit.retry_after(now), self.last_error)

    def _has_room_for_users(self) -> bool:
        if self.refusers.functions and any(refuses() for refuses in self.refusers):
            return False
        return not self.has_health or self.circuit.state != "half_open"

    def _note_rejection(self, run: ThisRun, refusal: BreakerOpen) -> None:
        self._rejected += 1
        if run.rejected.is_there:
            after = refusal.retry_after
            emit(CallRejected(breaker=self.name, state=refusal.state, retry_after=after))

    def book(self, flight: Flight, run: ThisRun, now: float) -> None:
        """Let a cleared call through."""
        self._calls += 1
        flight.run = run
        flight.admitted_at = now
        flight.generation = self.circuit.admit()
        if self._keeps_flights:
            self._flights[flight] = None
            if self.slow_after is not None:
                self._slow_line.append(flight)
        if self.circuit.state == "half_open":
            self._book_probe(flight)

    def _book_probe(self, flight: Flight) -> None:
        flight.is_probe = True
        if wanted(ProbeStarted):
            try:
                emit(ProbeStarted(breaker=self.name))
            except BaseException:  # what is no Exception goes through telemetry
                self.end(flight, "cancelled")
                raise

    def broken_off(self, state: RejectedBy | None = None) -> BreakerOpen:
        """Return the error of a call that the breaker ended."""
        circuit = self.circuit
        retry_after = circuit.retry_after(trio.current_time())
        return BreakerOpen(self.name, state or circuit.state, retry_after, self.last_error)

    # How they end

    @enable_ki_protection
    def end_by_result(self, flight: Flight, result: object) -> None:
        """Note that a call has returned."""
        if self.judge.result_is_failure is None or not self._is_to_be_judged(flight):
            self.end_well(flight)
            return
        try:
            verdict = self.judge.of_result(result)
        except BaseException:
            self.end(flight, "ignored")
            raise
        self.end(flight, verdict)

    @enable_ki_protection
    def end_well(self, flight: Flight) -> None:
        """Note that a call has succeeded; the short way, if nothing else has happened."""
        now = flight.run.clock.current_time()
        # In the state that let it through no open time can be over.
        if (
            flight.is_over
            or flight.is_slow
            or flight.generation != self.circuit.generation
            or (self._slow_line and self._slow_at(self._slow_line[0]) <= now)
        ):
            self.end(flight, "success")
            return
        flight.is_over = True
        if self._keeps_flights:
            self._forget(flight)
        self._succeed(flight, now)

    @enable_ki_protection
    def end_by_error(self, flight: Flight, error: BaseException) -> None:
        """Note that a call has raised."""
        verdict: Verdict = "ignored"
        try:
            if self._is_to_be_judged(flight):
                verdict = self._judged(error)
        finally:  # what the user's judge raises goes up; the call says nothing then
            self.end(flight, verdict, error)

    def _judged(self, error: BaseException) -> Verdict:
        traceback, context = error.__traceback__, error.__context__
        try:
            raise error  # noqa: TRY301  a judge that raises has it as its context then
        except BaseException:  # noqa: BLE001  it is judged
            error.with_traceback(traceback).__context__ = context
            return self.judge.of_error(error)

    @enable_ki_protection
    def end_cancelled(self, flight: Flight, *, by_deadline: bool) -> None:
        """Note that the caller has left: by a deadline a failure, if *slow_after* is over."""
        waited = flight.run.clock.current_time() - flight.admitted_at
        is_failure = by_deadline and (self.slow_after is None or waited >= self.slow_after)
        self.end(flight, "failure" if is_failure else "cancelled")

    def _is_to_be_judged(self, flight: Flight) -> bool:
        return not flight.is_slow and flight.generation == self.circuit.generation

    @enable_ki_protection
    def end(
        self,
        flight: Flight,
        verdict: Verdict | Literal["cancelled"],
        error: BaseException | None = None,
    ) -> None:
        """Note how a call has ended, once."""
        if flight.is_over:
            return
        now = flight.run.clock.current_time()
        try:
            if self._slow_line or now >= self.circuit.until:
                self.touch(now)
        finally:
            self._land(flight, verdict, error, now)

    def _land(
        self,
        flight: Flight,
        verdict: Verdict | Literal["cancelled"],
        error: BaseException | None,
        now: float,
    ) -> None:
        flight.is_over = True
        if self._keeps_flights:
            self._forget(flight)
        if flight.is_slow:
            self._failed += 1
        elif verdict == "cancelled":
            self._cancelled += 1
            self._apply(self.circuit.settle(flight.generation, "ignored", now))
        elif flight.generation == self.circuit.generation:
            self._count(flight, verdict, error, now)
        else:
            self._stale += 1
            if wanted(StaleResult):
                emit(StaleResult(breaker=self.name, after=now - flight.admitted_at))

    def _forget(self, flight: Flight) -> None:
        del self._flights[flight]
        if self._slow_line and self._slow_line[0] is flight:
            self._slow_line.popleft()
        if self.watch is not None and not self._flights:
            self.watch.cancel(reason="no guarded call is under way")
            self.watch = None

    def _count(
        self, flight: Flight, verdict: Verdict, error: BaseException | None, now: float
    ) -> None:
        if verdict == "success":
            self._succeed(flight, now)
        elif verdict == "failure":
            self._fail(flight, error, now)
        else:
            self._ignored += 1
            self._apply(self.circuit.settle(flight.generation, verdict, now))

    def _succeed(self, flight: Flight, now: float) -> None:
        self._succeeded += 1
        change = self.circuit.settle(flight.generation, "success", now)
        if change is not None:
            self._apply(change)
        if flight.run.succeeded.is_there:
            emit(CallSucceeded(breaker=self.name, after=now - flight.admitted_at))

    def _fail(self, flight: Flight, error: BaseException | None, now: float) -> None:
        self._failed += 1
        self.last_error = error
        open_for: float | None = None
        try:
            open_for = None if error is None else asked_pause(error)
            if open_for == math.inf:
                open_for = None  # nothing is open for ever
        finally:  # to ask an error is to run code of the user's
            self._apply(self.circuit.settle(flight.generation, "failure", now, open_for=open_for))
        if wanted(CallFailedThrough):
            after = now - flight.admitted_at
            emit(CallFailedThrough(breaker=self.name, after=after, error=told(error)))

    # Time passes

    @enable_ki_protection
    def touch(self, now: float) -> None:
        """Do what has come due at a time, in seconds."""
        if now >= self.circuit.until:
            self._apply(self.circuit.touch(now))
        line = self._slow_line
        while line and (line[0].is_over or self._slow_at(line[0]) <= now):
            flight = line.popleft()
            if not flight.is_over:
                self._note_slow(flight, now)

    def _slow_at(self, flight: Flight) -> float:
        assert self.slow_after is not None
        return flight.admitted_at + self.slow_after

    def _note_slow(self, flight: Flight, now: float) -> None:
        self._slow += 1
        if flight.generation == self.circuit.generation:  # an earlier state's decides nothing
            flight.is_slow = True
            self.last_error = None
            self._apply(self.circuit.settle(flight.generation, "failure", now))
        if wanted(SlowCall):
            emit(SlowCall(breaker=self.name, after=now - flight.admitted_at))

    @property
    def next_due(self) -> float | None:
        """When the next call becomes slow, in seconds; None if none is under way."""
        line = self._slow_line
        while line and line[0].is_over:
            line.popleft()
        return self._slow_at(line[0]) if line else None

    # Changes

    @enable_ki_protection
    def change(self, verb: Callable[[float], Change | None]) -> None:
        """Do as ordered."""
        now = trio.current_time()
        self.touch(now)
        change = verb(now)
        if self.circuit.state == "closed":
            self.last_error = None  # also if it was closed before
        self._apply(change)

    def _apply(self, change: Change | None) -> None:
        if change is None:
            return
        if change.new == "closed":
            self.last_error = None
        elif change.new in {"open", "forced_open"} and self.cancel_in_flight:
            self._break_off()
        if self._changed is not None:
            self._changed.value = self.circuit.generation
        if change.new == "open" and self.on_open is not None:
            self.on_open()
        event = StateChanged(breaker=self.name, old=change.old, new=change.new, cause=change.cause)
        for listener in self.listeners:
            listener(event)
        if wanted(StateChanged):
            emit(event)

    def _break_off(self) -> None:
        for flight in self._flights:
            flight.ended_by = "breaker"
            if flight.scope is not None:
                flight.scope.cancel(reason=f"breaker {self.name!r} has opened")

    async def wait_change(self) -> None:
        """Wait until the state changes, or is to be looked at again."""
        if self._changed is None:
            self._changed = State(self.circuit.generation)
        seen = self._changed.value
        with trio.CancelScope(deadline=self.circuit.until):
            await self._changed.wait_value(lambda generation: generation != seen)

    # What is shown

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        ended = self._succeeded + self._failed + self._ignored + self._cancelled + self._stale
        return self._calls - ended

    def statistics(self) -> BreakerStatistics:
        now = trio.current_time()
        self.touch(now)
        counted, failures = self.circuit.counts(now)
        return BreakerStatistics(
            state=self.circuit.state,
            calls=self._calls,
            in_flight=self.in_flight,
            opened_at=self.circuit.opened_at,
            retry_after=self.circuit.retry_after(now),
            counted=counted,
            counted_failures=failures,
            succeeded=self._succeeded,
            failed=self._failed,
            ignored=self._ignored,
            cancelled=self._cancelled,
            stale=self._stale,
            rejected=self._rejected,
            slow=self._slow,
        )
