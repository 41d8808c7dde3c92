"""The queue with a cap behind mailboxes and servers: a deque, and tasks parked beside it.

Trio's memory channel cannot be counted at every instant, nor drop its oldest message, withdraw one,
or hand over all at once. Every change is a plain function, with no other task in between.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar, final

import outcome
import trio
from trio.lowlevel import Abort, Task, enable_ki_protection

from ._errors import MailboxClosed, MailboxFull
from ._rules import WHEN_FULL, Overflow, UndeliveredReason
from ._statistics import MailboxStatistics

__all__ = ["NOTHING", "Nothing", "Store"]

T = TypeVar("T")


class Nothing(Enum):
    """No message; None may be one."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


@final
class Store(Generic[T]):
    """Messages and senders that wait.

    While senders wait the queue is full; while the receiver waits it is empty.
    """

    __slots__ = (
        "_aside",
        "_closed",
        "_dropped",
        "_loser",
        "_on_dropped",
        "_peak",
        "_received",
        "_rejected",
        "_room",
        "_sent",
        "_slot",
        "_waiting",
        "capacity",
        "name",
        "overflow",
        "queue",
        "receiver",
    )

    def __init__(
        self,
        name: str,
        capacity: int,
        overflow: Overflow,
        on_dropped: Callable[[T, UndeliveredReason], None],
    ) -> None:
        self.name: str = name
        self.capacity: int = capacity
        self.overflow: Overflow = overflow
        self.queue: deque[T] = deque()
        self.receiver: Task | None = None  # parked
        self._loser = WHEN_FULL[overflow]
        self._on_dropped = on_dropped
        self._room = capacity  # below 0 when closed, so that there is one question to ask
        self._slot: T | Nothing = NOTHING  # on its way to a receiver that was parked
        self._waiting: OrderedDict[Task, tuple[T, bool]] | None = None
        self._closed = False
        self._aside = 0  # kept elsewhere, and not received
        self._sent = self._received = self._dropped = self._rejected = self._peak = 0

    # Sending

    @enable_ki_protection
    def put(self, message: T) -> None:
        """Send a message now."""
        receiver = self.receiver
        if receiver is not None:
            trio.lowlevel.reschedule(receiver)  # first: in a wrong thread it raises
            self.receiver = None
            self._slot = message
            self._sent += 1
            self._received += 1
            return
        queue = self.queue
        used = len(queue)
        if used < self._room:
            queue.append(message)
            self._sent += 1
            if used >= self._peak:
                self._peak = used + 1
            return
        self._overflow(message)

    def _overflow(self, message: T) -> None:
        if self._closed:
            raise MailboxClosed(self.name)
        if self._loser == "sender":
            self._rejected += 1
            if self.overflow == "block":
                raise trio.WouldBlock
            raise MailboxFull(self.name, self.capacity)
        self._sent += 1
        self._dropped += 1
        if self._loser == "oldest":
            message, newest = self.queue.popleft(), message
            self.queue.append(newest)
        self._on_dropped(message, "overflow")

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more message."""
        return self.receiver is None and len(self.queue) >= self._room

    @enable_ki_protection
    def submit(self, message: T, task: Task) -> bool:
        """Return whether a message is sent now; if not, its task is in line, and is not woken."""
        if len(self.queue) < self._room or self.overflow != "block" or self._closed:
            self.put(message)
            return True
        self._enqueue(message, task, wakes=False)
        return False

    def _enqueue(self, message: T, task: Task, *, wakes: bool) -> None:
        if self._waiting is None:
            self._waiting = OrderedDict()
        self._waiting[task] = message, wakes

    @enable_ki_protection
    def withdraw(self, task: Task) -> None:
        """Take a task out of the line, if it is there."""
        if self._waiting is not None:
            self._waiting.pop(task, None)

    @enable_ki_protection
    async def send(self, message: T) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.overflow == "block" and self.is_full and not self._closed:
            await self._wait_to_send(message)
            return
        try:
            self.put(message)
        finally:
            # Whoever is refused, and tries again and again, lets others make room.
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _wait_to_send(self, message: T) -> None:
        task = trio.lowlevel.current_task()
        self._enqueue(message, task, wakes=True)

        def abort(_: object) -> Abort:
            self.withdraw(task)
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    # Receiving

    @enable_ki_protection
    def take(self) -> T | Nothing:
        """Receive the oldest message, if there is one."""
        if self._slot is not NOTHING:
            slot, self._slot = self._slot, NOTHING
            return slot
        queue = self.queue
        if not queue:
            return NOTHING
        if self._waiting:
            return self._pop()
        self._received += 1
        return queue.popleft()

    def _pop(self) -> T:
        message = self.queue.popleft()
        self._received += 1
        if self._waiting:
            self._admit_one()
        return message

    def _admit_one(self) -> None:
        assert self._waiting is not None
        task, (message, wakes) = self._waiting.popitem(last=False)
        self.queue.append(message)
        self._sent += 1
        if wakes:
            trio.lowlevel.reschedule(task)

    def peek(self) -> T | Nothing:
        if self._slot is not NOTHING or not self.queue:
            return self._slot
        return self.queue[0]

    def count(self) -> int:
        """Return how many messages can be taken now."""
        return len(self.queue) + (self._slot is not NOTHING)

    @enable_ki_protection
    def take_all(self, most: int | None = None) -> list[T]:
        """Receive all messages, or the *most* oldest."""
        if most is None and not self._waiting:
            messages = list(self.queue)
            self.queue.clear()
            self._received += len(messages)
            return messages
        count = len(self.queue) if most is None else min(most, len(self.queue))
        return [self._pop() for _ in range(count)]

    @enable_ki_protection
    async def park(self) -> None:
        """Wait for a message, which `take` returns, or to be woken without one."""
        assert self.receiver is None
        self.receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self.stop_parking)

    def stop_parking(self, _: object) -> Abort:
        self.receiver = None
        return Abort.SUCCEEDED

    @enable_ki_protection
    def wake(self) -> None:
        """Wake the receiver without a message, if it is parked."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            trio.lowlevel.reschedule(receiver)

    # The end

    @enable_ki_protection
    def dismiss_waiting(self, failure: Callable[[], BaseException]) -> None:
        """Wake all in line, each with a failure of its own."""
        waiting, self._waiting = self._waiting, None
        for task in waiting or ():
            trio.lowlevel.reschedule(task, outcome.Error(failure()))

    @enable_ki_protection
    def flush(self) -> None:
        """Drop all messages, oldest first."""
        interrupt: BaseException | None = None
        while self.queue:
            self._dropped += 1
            try:
                self._on_dropped(self.queue.popleft(), "closed")
            except BaseException as error:  # noqa: BLE001  raised when all are dropped
                interrupt = interrupt or error
        if interrupt is not None:
            raise interrupt

    def set_aside(self) -> None:
        """Count a message that was taken as still waiting."""
        self._received -= 1
        self._aside += 1
        self._peak = max(self._peak, len(self.queue) + self._aside)

    def take_up(self) -> None:
        self._aside -= 1
        self._received += 1

    def give_back(self, message: T) -> None:
        """Put a message set aside before all others."""
        self._aside -= 1
        self.queue.appendleft(message)

    @property
    def aside(self) -> int:
        return self._aside

    @property
    def used(self) -> int:
        """How many messages wait, those set aside included."""
        return len(self.queue) + self._aside

    def count_as_dropped(self) -> None:
        self._received -= 1
        self._dropped += 1

    @enable_ki_protection
    def reclaim(self) -> None:
        """Put back what its receiver will not take."""
        slot, self._slot = self._slot, NOTHING
        if not isinstance(slot, Nothing):
            self._received -= 1
            self.queue.appendleft(slot)

    @enable_ki_protection
    def close(self) -> None:
        """Close for good."""
        if self._closed:
            return
        if self.receiver is not None or self._waiting:
            trio.lowlevel.current_root_task()  # in a wrong thread it raises
        self._closed = True
        self._room = -1
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            trio.lowlevel.reschedule(receiver, outcome.Error(MailboxClosed(self.name)))
        self.dismiss_waiting(lambda: MailboxClosed(self.name))
        self.flush()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def statistics(self) -> MailboxStatistics:
        return MailboxStatistics(
            capacity=self.capacity,
            used=self.used,
            peak=self._peak,
            sent=self._sent,
            received=self._received,
            dropped=self._dropped,
            rejected=self._rejected,
            waiting_senders=len(self._waiting or ()),
        )
