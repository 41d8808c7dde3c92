"""Batches of operations, one at a time, each in the task of whoever executes it."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextvars import ContextVar
from typing import NoReturn, TypeVar, final

import attrs
import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    disable_ki_protection,
    enable_ki_protection,
    in_trio_run,
)

from .._base import Backoff, check_count, told
from ..telemetry import Audience, emit
from ._calls import is_internal, note, split_cancelled
from ._errors import (
    BatchDeadlock,
    SerialOperationFailed,
    SerialOperationsClosed,
    SerialOperationsFull,
)
from ._events import BatchFinished, BatchOutcome
from ._rules import (
    Batch,
    Line,
    Lines,
    RetryOn,
    check_completed,
    check_operations,
    check_retry_on,
    delay_before_next,
)

__all__ = ["SerialOperations", "SerialStatistics"]

R = TypeVar("R")

_BACKOFF = Backoff()

_current: ContextVar[Batch | None] = ContextVar("trio_foundation.workflows.batch", default=None)


@final
@attrs.frozen(kw_only=True)
class SerialStatistics:
    """The figures of serial operations, at one moment.

    Always ``batches == done + failed + cancelled + closed + running + waiting``; refused batches
    are not counted.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_serial_operations(name="ledger") as serial:
        ...         await serial.execute([trio.lowlevel.checkpoint])
        ...         print(serial.statistics().done)
        >>> trio.run(main)
        1
    """

    capacity: int
    """How many batches may wait."""

    waiting: int
    """How many wait."""

    running: int
    """How many run, each of another key."""

    batches: int
    """How many there have been."""

    done: int
    """How many were completed."""

    failed: int
    """How many had an operation that raised."""

    cancelled: int
    """How many were cancelled, waiting or running."""

    closed: int
    """How many the end of the block ended."""

    rejected: int
    """How many were refused with `SerialOperationsFull`."""


@final
class SerialOperations:
    """Batches of operations, one at a time for each key; what `open_serial_operations` gives.

    Example:
        >>> import trio
        >>> from functools import partial
        >>> balance = {"alice": 100}
        >>> async def withdraw(name, amount):
        ...     before = balance[name]
        ...     await trio.sleep(0)  # here others would come in between
        ...     balance[name] = before - amount
        >>> async def main():
        ...     async with open_serial_operations(name="ledger") as serial:
        ...         async with trio.open_nursery() as nursery:
        ...             for amount in (10, 20):
        ...                 batch = [partial(withdraw, "alice", amount)]
        ...                 nursery.start_soon(partial(serial.execute, batch, key="alice"))
        >>> trio.run(main)
        >>> balance
        {'alice': 70}
    """

    __slots__ = (
        "__weakref__",
        "_audience",
        "_batches",
        "_capacity",
        "_done",
        "_idle",
        "_is_closed",
        "_is_stopped",
        "_lines",
        "_name",
        "_not_done",
        "_parked",
        "_rejected",
        "_token",
    )

    def __init__(self, name: str, capacity: int) -> None:
        self._name = name
        self._capacity = capacity
        self._lines = Lines()
        self._parked: dict[Batch, Task] = {}
        self._batches = self._done = self._rejected = 0
        self._not_done: Counter[BatchOutcome] = Counter()
        self._is_closed = False  # no batch is begun any more, but for parts of others
        self._is_stopped = False  # no operation is
        self._idle = trio.Event()  # set when closed and nothing runs
        self._audience = Audience(BatchFinished)
        self._token = trio.lowlevel.current_trio_token()

    def __repr__(self) -> str:
        lines = self._lines
        return f"<SerialOperations {self._name!r}: {len(lines)} run, {lines.waiting} wait>"

    @property
    def name(self) -> str:
        """What they are called."""
        return self._name

    @enable_ki_protection
    async def execute(  # noqa: C901, PLR0915  each call from here is a tenth of what it costs
        self,
        operations: Iterable[Callable[[], Awaitable[R]]],
        tx_id: object = None,
        *,
        key: Hashable = None,
        completed: list[R] | None = None,
    ) -> list[R]:
        """Run the operations of a batch, one after the other, when it is their turn.

        Batches of one key run one at a time, in the order in which they come. **Nothing is rolled
        back**: an operation that was done stays done.

        The operations run in the caller's task. Within one, and in nurseries that it opens, a batch
        of another key may be executed; one of the same key is a `BatchDeadlock`.

        Args:
            operations: Async functions without arguments; bind those with `functools.partial`. With
                none, this only waits for its turn.
            tx_id: What the batch is called, in errors and events; by default the serial operations'
                name and a number.
            key: What the batch is about: batches of other keys do not wait for it. None is a key
                like any other.
            completed: An empty list to which each result is added at once, for whoever is
                cancelled. It is also what is returned, and the *completed* of an error.

        Returns:
            What the operations returned, in their order.

        Raises:
            SerialOperationFailed: One of them raised; those after it are not begun.
            SerialOperationsFull: *capacity* batches wait already.
            SerialOperationsClosed: The block has ended, or its body failed while this ran.
            BatchDeadlock: It would wait for a batch within whose operation it is executed.
            TypeError: An operation is no async function without arguments, *key* cannot be
                hashed, or *completed* is no list.
            ValueError: *completed* is not empty.

        Cancellation:
            A batch that waits never runs. Of one that runs, the operation in hand is cancelled as
            any call is (it may have done half, unless it shields itself), and those after it are
            not begun. What those before it returned is in *completed*; a note on the
            `trio.Cancelled` and the event have their number.

        Emits:
            BatchFinished: When the batch has ended, done or not.

        Example:
            >>> import trio
            >>> async def send():
            ...     return "sent"
            >>> async def main():
            ...     done = []
            ...     async with open_serial_operations(name="outbox") as serial:
            ...         with trio.move_on_after(0.01):
            ...             await serial.execute([send, trio.sleep_forever, send], completed=done)
            ...     print(done)
            >>> trio.run(main)
            ['sent']
        """
        todo = check_operations("execute", operations)
        results: list[R] = [] if completed is None else check_completed(completed)
        outer = _current.get()
        if outer is not None:
            outer = _that_waits_for_us(outer)
        batch = Batch(self._new_id() if tx_id is None else tx_id, key, outer)
        if self._is_closed and self._has_ended_for(batch):
            await self._refuse(SerialOperationsClosed(self._name, batch.tx_id, []))
        line = self._lines.take(batch)
        if line is not None:
            await self._check_may_wait(batch, line)
        self._batches += 1
        if self._audience.is_there:
            batch.arrived_at = trio.current_time()
        error: BaseException | None = None
        try:
            if line is None:
                await checkpoint()
            else:
                await self._wait(batch, line)
            task = current_task()
            batch.runs_in = (task, len(task.child_nurseries))
            _current.set(batch)
            await self._run(batch, todo, results)
        except BaseException as caught:
            error = caught
            raise
        else:
            return results
        finally:
            _current.set(outer)
            batch.runs_in = None
            if line is None or line.holder is batch:
                self._pass_on(batch)
            if error is None and not self._audience.is_there:
                self._done += 1
            else:
                self._note_end(batch, len(results), len(todo), error)
            del error  # or its own traceback would keep it

    async def execute_with_retry(  # noqa: PLR0913  all but two are named
        self,
        operations: Iterable[Callable[[], Awaitable[R]]],
        tx_id: object = None,
        *,
        attempts: int = 3,
        backoff: Backoff = _BACKOFF,
        retry_on: RetryOn = Exception,
        key: Hashable = None,
        completed: list[R] | None = None,
        rng: random.Random | None = None,
    ) -> list[R]:
        """Execute a batch, and again if an operation fails.

        **Nothing is rolled back, so each attempt begins at the first operation**: give it only
        operations that may be done twice.

        Each attempt waits for its turn; in between, others of the same key may run. If the next
        would not begin before the deadline of a cancel scope around the caller, there is none.

        Args:
            operations: As for `execute`.
            tx_id: As for `execute`; the same in each attempt.
            attempts: How often at most, the first time included.
            backoff: How long to wait between attempts.
            retry_on: Which errors of operations are tried again: a class, or a tuple of them.
            key: As for `execute`.
            completed: As for `execute`; emptied before each further attempt.
            rng: Source of the delays' spread; a seeded one gives the same again.

        Returns:
            What the operations returned in the last attempt.

        Raises:
            SerialOperationFailed: An operation raised what *retry_on* leaves out, or in the last
                attempt (a note says which that was). Its *completed* is of that attempt alone.
            SerialOperationsFull, SerialOperationsClosed, BatchDeadlock: As for `execute`; none is
                tried again.
            TypeError: As for `execute`, or if an option is of the wrong kind.
            ValueError: *attempts* is below 1, or *completed* is not empty.

        Cancellation:
            As for `execute`, in each attempt; between two of them it ends the wait.

        Emits:
            BatchFinished: When an attempt has ended, done or not.

        Example:
            >>> import trio
            >>> answers = iter([OSError("no route"), "sent"])
            >>> async def send():
            ...     answer = next(answers)
            ...     if isinstance(answer, Exception):
            ...         raise answer
            ...     return answer
            >>> async def main():
            ...     async with open_serial_operations(name="outbox") as serial:
            ...         print(await serial.execute_with_retry([send], attempts=2))
            >>> trio.run(main)
            ['sent']
        """
        todo = check_operations("execute_with_retry", operations)
        check_count("attempts", attempts, least=1)
        check_retry_on(retry_on)
        if not isinstance(backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff, not {backoff!r}: write Backoff(initial=1)")
        called = self._new_id() if tx_id is None else tx_id
        attempt = 1
        while True:
            try:
                return await self.execute(todo, called, key=key, completed=completed)
            except SerialOperationFailed as failed:
                if not isinstance(failed.error, retry_on):
                    raise
                delay = delay_before_next(
                    attempt,
                    attempts=attempts,
                    backoff=backoff,
                    rng=rng,
                    now=trio.current_time(),
                    until=trio.current_effective_deadline(),
                )
                if isinstance(delay, str):
                    failed.add_note(delay)
                    raise
            await trio.sleep(delay)
            attempt += 1
            if completed is not None:
                completed.clear()

    def statistics(self) -> SerialStatistics:
        """Return the figures as they are now."""
        return SerialStatistics(
            capacity=self._capacity,
            waiting=self._lines.waiting,
            running=len(self._lines),
            batches=self._batches,
            done=self._done,
            failed=self._not_done["failed"],
            cancelled=self._not_done["cancelled"],
            closed=self._not_done["closed"],
            rejected=self._rejected,
        )

    # What the block does

    async def _end(self, *, has_failed: bool) -> None:
        """Send away the batches that wait; wait for those that run, and those within them."""
        self._is_closed = True
        self._is_stopped = has_failed
        for line, batch in self._lines.all_that_wait():
            if self._has_ended_for(batch):
                self._lines.leave(line, batch)
                self._wake(batch)
        if not len(self._lines) or not self._is_its_run:
            return
        try:
            await self._idle.wait()
        except BaseException as error:
            self._is_stopped = True
            # The body's own error is not to be replaced by a cancellation, which comes again at
            # the next checkpoint.
            if not has_failed or not isinstance(error, trio.Cancelled):
                raise

    def _has_ended_for(self, batch: Batch) -> bool:
        # One that runs is to come to its end, so what its operations execute has to run too.
        return self._is_stopped or not self._lines.is_part_of_a_turn(batch)

    # Turns

    def _new_id(self) -> str:
        return f"{self._name}-{self._batches + self._rejected + 1}"

    async def _check_may_wait(self, batch: Batch, line: Line) -> None:
        """Refuse a batch that may not wait in a line."""
        if batch.outer is not None and self._lines.would_wait_for_ever(line, batch):
            holder = line.holder.tx_id
            await self._refuse(BatchDeadlock(self._name, batch.tx_id, batch.key, holder))
        if self._lines.waiting >= self._capacity:
            self._rejected += 1
            await self._refuse(SerialOperationsFull(self._name, batch.tx_id, self._capacity))

    async def _refuse(self, refusal: Exception) -> NoReturn:
        # Whoever comes again and again lets others finish.
        await checkpoint()
        raise refusal

    async def _wait(self, batch: Batch, line: Line) -> None:
        self._lines.join(line, batch)
        batch.begun_at = math.inf
        self._parked[batch] = current_task()

        def leave(_: object) -> Abort:
            self._lines.leave(line, batch)
            del self._parked[batch]
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)
        batch.begun_at = trio.current_time()
        if line.holder is not batch:
            raise SerialOperationsClosed(self._name, batch.tx_id, [])
        # It may have been cancelled since its turn came, and then it never runs.
        await checkpoint_if_cancelled()

    # A KeyboardInterrupt may come anywhere in here, as in any code of the user's.
    @disable_ki_protection
    async def _run(
        self, batch: Batch, todo: tuple[Callable[[], Awaitable[R]], ...], results: list[R]
    ) -> None:
        for operation in todo:
            if results:
                await checkpoint_if_cancelled()
            if self._is_stopped:
                raise SerialOperationsClosed(self._name, batch.tx_id, results)
            try:
                results.append(await operation())
            except Exception as error:
                if is_internal(error):
                    raise
                index = len(results)
                raise SerialOperationFailed(batch.tx_id, index, results, error) from error

    def _pass_on(self, batch: Batch) -> None:
        following = self._lines.pass_on(batch)
        if following is not None:
            self._wake(following)
        elif self._is_closed and not len(self._lines) and self._is_its_run:
            self._idle.set()

    def _wake(self, batch: Batch) -> None:
        task = self._parked.pop(batch)
        if self._is_its_run:
            trio.lowlevel.reschedule(task)

    @property
    def _is_its_run(self) -> bool:
        """Whether this is no call of the garbage collector after the run."""
        return in_trio_run() and trio.lowlevel.current_trio_token() is self._token

    # Telling

    def _note_end(
        self, batch: Batch, completed: int, operations: int, error: BaseException | None
    ) -> None:
        if error is None:
            outcome: BatchOutcome = "done"
            self._done += 1
        else:
            outcome = _outcome_of(error)
            self._not_done[outcome] += 1
            if outcome == "cancelled" and batch.begun_at != math.inf:
                note(error, f"batch {batch.tx_id!r}: {completed} of {operations} completed")
        if not self._audience.is_there:
            return
        now = trio.current_time()
        arrived_at = max(batch.arrived_at, self._audience.since)  # before, nobody looked
        begun_at = min(max(batch.begun_at, arrived_at), now)
        emit(
            BatchFinished(
                serial=self._name,
                tx_id=batch.tx_id,
                key=batch.key,
                outcome=outcome,
                completed=completed,
                operations=operations,
                queued_for=begun_at - arrived_at,
                ran_for=now - begun_at,
                error=told(error),
            )
        )


def _that_waits_for_us(batch: Batch | None) -> Batch | None:
    """Return the innermost of a batch and those around it that waits for the current task."""
    while batch is not None and not _waits_for_us(batch):
        batch = batch.outer
    return batch


def _waits_for_us(batch: Batch) -> bool:
    """Return whether an operation of a batch cannot end before the current task goes on.

    The context alone does not tell: a task that it started in a nursery outside has it, too.
    """
    if batch.runs_in is None:
        return False
    runner, nurseries = batch.runs_in
    task = current_task()
    if task is runner:
        return True
    while (nursery := task.parent_nursery) is not None:
        task = nursery.parent_task
        if task is runner:
            return nursery in task.child_nurseries[nurseries:]
    return False


def _outcome_of(error: BaseException) -> BatchOutcome:
    if isinstance(error, SerialOperationsClosed):
        return "closed"
    return "failed" if split_cancelled(error)[0] is None else "cancelled"
