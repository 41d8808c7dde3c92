"""What a coordinator keeps for one receiver; no change is seen half done."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Literal, final

import outcome
import trio
from trio.lowlevel import Abort, Task

from ..resilience import CircuitBreaker, RateLimiter
from ..telemetry import emit, wanted
from ._delivery import DeadLetter, DeadLetterReason, Parcel
from ._errors import CoordinatorClosed, ReceiverNotFound
from ._events import BufferDrained, MessageBuffered, MessageDelivered
from ._rules import Buffer
from ._statistics import ReceiverStatistics, Tally
from ._terms import Terms

__all__ = ["Lane"]


@final
class Lane:
    """The way to one receiver; *on_change* is called when it may have come to rest."""

    __slots__ = (
        "_began_at",
        "_delivered_since",
        "_doubtful",
        "_line",
        "_naps",
        "_on_change",
        "_terms",
        "agent_id",
        "breaker",
        "buffer",
        "ended_by",
        "in_flight",
        "in_hand",
        "keys",
        "last_number",
        "limiter",
        "paused_until",
        "tally",
        "workers",
    )

    def __init__(
        self,
        agent_id: str,
        breaker: CircuitBreaker,
        terms: Terms,
        on_change: Callable[[Lane], None],
    ) -> None:
        self.agent_id: str = agent_id
        self.breaker: CircuitBreaker = breaker
        self.buffer: Buffer[Parcel] = Buffer(terms.buffer_capacity)
        self.tally: Tally = Tally()
        self.limiter: RateLimiter | None = terms.make_limiter()
        self.last_number: int = 0
        self.in_flight: int = 0
        """Messages on their way that do not come back to the buffer."""
        self.in_hand: int = 0
        """Those of the buffer that are on their way."""
        self.paused_until: float = -math.inf
        """Until when, in seconds, no message of the buffer is tried again."""
        self.workers: int = 0
        """Tasks that deliver from the buffer."""
        self.ended_by: Literal["gone", "closed"] | None = None
        """Why the buffer takes nothing any more."""
        self.keys: dict[str, int] = {}
        """Numbers of the messages in the buffer, by key."""
        self._doubtful: dict[str, Parcel] = {}
        # Messages with keys that failed, and may have been handled.
        self._line: dict[Task, Parcel] = {}
        # Who waits for room in the buffer.
        self._naps: dict[trio.CancelScope, None] = {}
        self._terms = terms
        self._on_change = on_change
        self._began_at: float | None = None
        # When the first of those in the buffer began to wait, until it was told that none does.
        self._delivered_since = 0

    # Coming in

    @property
    def is_clear(self) -> bool:
        """Whether a message may go straight to the receiver."""
        if self.buffer.held or self._line:
            return False
        return self.breaker.state in {"closed", "half_open", "disabled"}

    def accept(self, parcel: Parcel) -> None:
        """Number a message; one sent again keeps its number."""
        self.tally.messages += 1
        before = None if parcel.key is None else self._doubtful.pop(parcel.key, None)
        if before is None:
            self.last_number += 1
            parcel.sequence = self.last_number
        else:
            parcel.sequence = before.sequence
            parcel.attempt = before.attempt + before.is_sent
            parcel.is_redelivery = True

    @property
    def has_room(self) -> bool:
        if self._line:
            return False
        return self._terms.overflow == "drop_oldest" or not self.buffer.is_full

    def put(self, parcel: Parcel) -> int:
        """Buffer a message; return its number there, or that of one with its key."""
        number = self._join(parcel)
        if number is not None:
            return number
        dropped = self._add(parcel)
        letters = [] if dropped is None else [self._count_dead(dropped, "overflow")]
        try:
            self._tell_buffered(parcel)
        finally:
            self._terms.bury(letters)
        return parcel.sequence

    def _join(self, parcel: Parcel) -> int | None:
        """Have one that waits under the same key stand for a message."""
        number = None if parcel.key is None else self.keys.get(parcel.key)
        if number is not None:  # both were on their way at once
            self.tally.messages -= 1
            self.doubt(parcel)
        return number

    def _add(self, parcel: Parcel) -> Parcel | None:
        if not self.buffer.held:
            self._began_at = trio.current_time()
            self._delivered_since = 0
        was_full = self.buffer.is_full
        dropped = self.buffer.add(parcel)
        if was_full and dropped is None:
            self.in_flight += 1  # the one in hand, which is not to come back
        if parcel.key is not None:
            self.keys[parcel.key] = parcel.sequence
        return dropped

    def _tell_buffered(self, parcel: Parcel) -> None:
        if wanted(MessageBuffered):
            emit(
                MessageBuffered(
                    coordinator=self._terms.name,
                    agent=self.agent_id,
                    sequence=parcel.sequence,
                    buffered=self.buffer.held,
                    state=self.breaker.state,
                )
            )

    async def wait_for_room(self, parcel: Parcel) -> int:
        """Wait for room for a message; if cancelled, it is on its way until it lands."""
        task = trio.lowlevel.current_task()
        self._line[task] = parcel
        self.in_flight += 1

        def leave(_: object) -> Abort:
            del self._line[task]
            return Abort.SUCCEEDED

        number: int = await trio.lowlevel.wait_task_rescheduled(leave)
        return number

    def _let_in(self) -> None:
        while self._line and not self.buffer.is_full:
            task, parcel = next(iter(self._line.items()))
            del self._line[task]
            self.in_flight -= 1
            number = self._join(parcel)
            if number is None:
                self._add(parcel)
            trio.lowlevel.reschedule(task, outcome.Value(number or parcel.sequence))
            if number is None:
                self._tell_buffered(parcel)

    # Going out

    def note_sent(self, parcel: Parcel) -> None:
        """Note that the breaker let an attempt through."""
        parcel.is_sent = True
        if parcel.attempt > 1:
            self.tally.redelivered += 1

    def tell_delivered(self, parcel: Parcel, *, was_buffered: bool) -> None:
        if wanted(MessageDelivered):
            emit(
                MessageDelivered(
                    coordinator=self._terms.name,
                    agent=self.agent_id,
                    sequence=parcel.sequence,
                    attempt=parcel.attempt,
                    was_buffered=was_buffered,
                    after=trio.current_time() - parcel.accepted_at,
                )
            )

    def note_failed(self, parcel: Parcel) -> None:
        """Note that the sender is told."""
        self.tally.failed += 1
        self.doubt(parcel)

    def note_cancelled(self, parcel: Parcel) -> None:
        self.tally.cancelled += 1
        self.doubt(parcel)

    def doubt(self, parcel: Parcel) -> None:
        """Remember one that may have been handled, in case it is sent again."""
        if parcel.key is not None and parcel.outcome == "unknown":
            self._doubtful[parcel.key] = parcel
            if len(self._doubtful) > self.buffer.capacity:
                del self._doubtful[next(iter(self._doubtful))]

    def land(self) -> None:
        """Note that a message is not on its way any more."""
        self.in_flight -= 1
        if self._naps:
            self.wake()
        if self.ended_by is not None:
            self._on_change(self)

    def take(self) -> Parcel:
        parcel = self.buffer.take()
        self.in_hand += 1
        self._recall(parcel)
        return parcel

    def settle(self, parcel: Parcel) -> None:
        self._leave_hand(parcel)
        self._delivered_since += 1
        self.tally.delivered += 1
        try:
            self.tell_delivered(parcel, was_buffered=True)
        finally:
            self._after_removal()

    def refuse(self, parcel: Parcel) -> None:
        """Note that the receiver refused one in hand."""
        self._leave_hand(parcel)
        self._bury([parcel], "refused")

    def give_back(self, parcel: Parcel, *, is_news: bool = True) -> None:
        """Put one in hand back to the head if it can; *is_news* if another task may fare better."""
        self.in_hand -= 1
        if self.buffer.give_back(parcel):
            if is_news:
                self.wake()
            return
        self.in_flight -= 1
        self._bury([parcel], self.ended_by or "overflow")

    def _leave_hand(self, parcel: Parcel) -> None:
        self.in_hand -= 1
        if not self.buffer.settle(parcel):
            self.in_flight -= 1  # it was not to come back
        self._forget_key(parcel)

    def _forget_key(self, parcel: Parcel) -> None:
        if parcel.key is not None and self.keys.get(parcel.key) == parcel.sequence:
            del self.keys[parcel.key]

    def expire(self) -> None:
        old = self.buffer.expire(trio.current_time(), self._terms.max_age)
        if old:
            self._bury(old, "expired")

    def _bury(self, parcels: list[Parcel], reason: DeadLetterReason) -> None:
        # All are counted before anybody is told of one, and may look at the figures.
        letters = [self._count_dead(parcel, reason) for parcel in parcels]
        try:
            self._terms.bury(letters)
        finally:
            self._after_removal()

    def _count_dead(self, parcel: Parcel, reason: DeadLetterReason) -> DeadLetter:
        counter = "overflowed" if reason == "overflow" else reason
        setattr(self.tally, counter, getattr(self.tally, counter) + 1)
        self._forget_key(parcel)
        self._recall(parcel)
        self.doubt(parcel)
        return parcel.dead(reason)

    def _recall(self, parcel: Parcel) -> None:
        """Note that one was in doubt, if one with its key was on its way meanwhile."""
        if parcel.key is not None and self._doubtful.pop(parcel.key, None) is not None:
            parcel.is_redelivery = True

    def _after_removal(self) -> None:
        self._let_in()
        self.wake()
        if self.buffer.held:
            return
        self._on_change(self)
        began_at, self._began_at = self._began_at, None
        if began_at is not None and self.ended_by is None and wanted(BufferDrained):
            emit(
                BufferDrained(
                    coordinator=self._terms.name,
                    agent=self.agent_id,
                    delivered=self._delivered_since,
                    after=trio.current_time() - began_at,
                )
            )

    # Waiting

    async def nap(self, wait: Callable[[], Awaitable[object]]) -> bool:
        """Wait for something, news, or until a message is too old; return whether it came."""
        with trio.CancelScope(deadline=self.buffer.expires_at(self._terms.max_age)) as scope:
            self._naps[scope] = None
            try:
                await wait()
            finally:
                del self._naps[scope]
        return not scope.cancelled_caught

    def wake(self) -> None:
        """Have those who deliver from the buffer look again."""
        for scope in self._naps:
            scope.cancel(reason="there is something new on the way to a receiver")

    # The end

    def give_up(self) -> None:
        """Hand out what waits; the receiver is not there, but may be again."""
        self._hand_out("gone")

    def end(self, reason: Literal["gone", "closed"]) -> None:
        """Hand out what waits, and take in no more."""
        self.ended_by = reason
        self.in_flight += self.buffer.let_go()
        self._hand_out(reason)

    def take_back(self) -> list[DeadLetter]:
        """Return what waits, and take in no more."""
        self.ended_by = "closed"
        letters: list[DeadLetter] = []
        for parcel in self.buffer.empty():
            self.tally.returned += 1
            self._forget_key(parcel)
            self._recall(parcel)
            letters.append(parcel.dead("closed"))
        self._turn_away(CoordinatorClosed)
        self._on_change(self)
        return letters

    def _hand_out(self, reason: Literal["gone", "closed"]) -> None:
        letters = [self._count_dead(parcel, reason) for parcel in self.buffer.empty()]
        self._turn_away(CoordinatorClosed if reason == "closed" else ReceiverNotFound)
        self.wake()
        self._on_change(self)
        self._terms.bury(letters)

    def _turn_away(self, error: type[CoordinatorClosed | ReceiverNotFound]) -> None:
        line, self._line = self._line, {}
        for task, parcel in line.items():
            self.in_flight -= 1
            self.note_failed(parcel)
            refusal = error(self.agent_id, parcel.outcome)
            trio.lowlevel.reschedule(task, outcome.Error(refusal))

    @property
    def is_at_rest(self) -> bool:
        return not self.buffer.held and not self.in_flight

    def statistics(self) -> ReceiverStatistics:
        return ReceiverStatistics(
            **self.tally.figures(),
            buffered=self.buffer.held,
            in_flight=self.in_flight,
            state=self.breaker.state,
            peak=self.buffer.peak,
        )
