"""So many at once, and no more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, TypeAlias, TypeVar, TypeVarTuple, final, get_args

import attrs
import trio
from trio.lowlevel import Abort, Task, disable_ki_protection, enable_ki_protection

from .._base import awaitable_of, check_async_fn, check_choice, check_count, check_name
from ._by_run import of_this_run
from ._family_errors import BulkheadFull

__all__ = ["Bulkhead", "BulkheadStatistics", "WaitingOrder"]

A = TypeVarTuple("A")
R = TypeVar("R")

WaitingOrder: TypeAlias = Literal["fifo", "lifo"]
"""Who of those that wait goes first: ``fifo``, who has waited longest; ``lifo``, who came last.

Under too much load, ``lifo`` still serves the newest in time; the others wait till cancelled.
"""


@final
@attrs.frozen(kw_only=True)
class BulkheadStatistics:
    """The figures of a bulkhead.

    Example:
        >>> Bulkhead(10).statistics().limit
        10
    """

    limit: int
    """How many may run at once."""

    running: int
    """How many run now; for a while more than *limit*, if that was lowered."""

    waiting: int
    """How many wait now."""

    max_waiting: int | float
    """How many may wait."""

    peak: int
    """The most that have run at once."""

    admitted: int
    """How many were let in."""

    rejected: int
    """How many were turned away."""


@final
class Bulkhead:
    """A number of slots, each held for a `call` or a block ``async with bulkhead:``.

    A block within a block takes a second slot; if all who hold one wait for another, they wait for
    ever. It may be made outside of Trio; each Trio run has its own slots. With a
    `trio.CapacityLimiter` any number may wait, in one order.

    Args:
        limit: How many may run at once, at least 1.
        max_waiting: How many more may wait, `math.inf` for any number; others are turned away.
        order: Who of those that wait goes first.
        name: What errors call it.

    Raises:
        BulkheadFull: On entering the block, if there is no slot, and no room to wait for one.
        TypeError: *limit* or *max_waiting* is no whole number.
        ValueError: One of them is too small, or *order* is unknown.

    Cancellation:
        Who is cancelled while waiting takes no slot. Entering the block is a checkpoint, leaving it
        is none.

    Example:
        >>> import trio
        >>> async def main():
        ...     database = Bulkhead(1, name="database")
        ...     async with database:
        ...         try:
        ...             async with database:
        ...                 pass
        ...         except BulkheadFull as error:
        ...             print(error)
        >>> trio.run(main)
        bulkhead 'database' is full: 1 run at once, and none may wait
    """

    __slots__ = ("__weakref__", "_limit", "_max_waiting", "_name", "_order")

    def __init__(
        self,
        limit: int,
        *,
        max_waiting: int | float = 0,
        order: WaitingOrder = "fifo",
        name: str = "bulkhead",
    ) -> None:
        self._limit = check_count("limit", limit, least=1)
        self._max_waiting = check_count("max_waiting", max_waiting, allow_inf=True)
        check_choice("order", order, get_args(WaitingOrder))
        self._order: WaitingOrder = order
        self._name = check_name("name", name)

    def __repr__(self) -> str:
        return f"<Bulkhead {self._name!r}: {self._slots().running} of {self._limit} run>"

    @property
    def name(self) -> str:
        """What errors call it."""
        return self._name

    @property
    def limit(self) -> int:
        """How many may run at once."""
        return self._limit

    @enable_ki_protection
    def resize(self, limit: int) -> None:
        """Change how many may run at once; call it in the Trio thread.

        Those who wait get new slots. If there are fewer, nobody is disturbed, and nobody let in
        until enough have left.

        Args:
            limit: How many from now on, at least 1.

        Raises:
            TypeError: *limit* is no whole number.
            ValueError: *limit* is below 1.

        Example:
            >>> bulkhead = Bulkhead(1)
            >>> bulkhead.resize(10)
            >>> bulkhead.limit
            10
        """
        self._limit = check_count("limit", limit, least=1)
        self._slots().admit_waiting(self._limit, self._order)

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function in a slot.

        Args:
            async_fn: The function.
            *args: Its positional arguments; bind keyword arguments with `functools.partial`.

        Returns:
            What it returned.

        Raises:
            BulkheadFull: There is no slot, and no room to wait for one.
            TypeError: *async_fn* is no async function.

        Cancellation:
            Ends the wait for a slot, or goes into the function; the slot is given back.

        Example:
            >>> import trio
            >>> async def main():
            ...     database = Bulkhead(10, max_waiting=5, name="database")
            ...     print(await database.call(trio.sleep, 0))
            >>> trio.run(main)
            None
        """
        check_async_fn("call", async_fn, args)
        return await self._call(async_fn, args)

    def statistics(self) -> BulkheadStatistics:
        """Return the figures of this Trio run now."""
        slots = self._slots()
        return BulkheadStatistics(
            limit=self._limit,
            running=slots.running,
            waiting=len(slots.waiting),
            max_waiting=self._max_waiting,
            peak=slots.peak,
            admitted=slots.admitted,
            rejected=slots.rejected,
        )

    @enable_ki_protection
    async def __aenter__(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        slots = self._slots()
        if slots.running < self._limit:
            slots.admit()
            await trio.lowlevel.cancel_shielded_checkpoint()
        elif len(slots.waiting) < self._max_waiting:
            await slots.wait()
        else:
            slots.rejected += 1
            error = BulkheadFull(self._name, self._limit, len(slots.waiting))
            # Whoever is turned away, and comes again and again, lets others finish.
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise error

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        slots = self._slots()
        if slots.running:  # else its run was torn apart, and this is the garbage collection
            slots.running -= 1
            slots.admit_waiting(self._limit, self._order)

    # In an unprotected frame, a KeyboardInterrupt between the block and its end loses the slot.
    @enable_ki_protection
    async def _call(self, async_fn: Callable[..., Awaitable[R]], args: tuple[object, ...]) -> R:
        async with self:
            return await _run(async_fn, args)

    def _slots(self) -> _Slots:
        return of_this_run(self, _Slots)


@final
class _Slots:
    """The slots in one Trio run; none is free while somebody waits, and who is woken has one."""

    __slots__ = ("admitted", "peak", "rejected", "running", "waiting")

    def __init__(self) -> None:
        self.waiting: OrderedDict[Task, None] = OrderedDict()
        self.running = self.peak = self.admitted = self.rejected = 0

    def admit(self) -> None:
        self.running += 1
        self.admitted += 1
        self.peak = max(self.peak, self.running)

    def admit_waiting(self, limit: int, order: WaitingOrder) -> None:
        while self.waiting and self.running < limit:
            task, _ = self.waiting.popitem(last=order == "lifo")
            self.admit()
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Wait for a slot."""
        task = trio.lowlevel.current_task()
        self.waiting[task] = None

        def leave(_: object) -> Abort:
            del self.waiting[task]
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)


@disable_ki_protection
async def _run(async_fn: Callable[..., Awaitable[R]], args: tuple[object, ...]) -> R:
    """Run the user's function, which a KeyboardInterrupt may reach."""
    work = async_fn(*args)
    try:
        return await work
    except TypeError:
        awaitable_of("call", async_fn, work, args)
        raise
