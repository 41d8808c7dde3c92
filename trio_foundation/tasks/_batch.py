"""A map at work."""

from __future__ import annotations

import math
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from contextvars import copy_context
from typing import Any, Literal, TypeAlias, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import told
from ._attempts import Attempt, Misused, check_that_it_was_called
from ._errors import TaskSupervisorNotRunning, TooManyTasks
from ._frames import without_callers
from ._owner import Owner
from ._plan import Plan
from ._results import Failed, Ok
from ._rules import Pace

__all__ = ["Batch", "Put"]

Put: TypeAlias = Callable[[int, Any], object]
"""Takes the number of an item, and its result."""

_TURN = 32
"""How many items are taken before other tasks get their turn."""


@final
class Batch:
    """Pulls items while there is room, and has each worked on.

    A few workers pull a plain iterable. An async one may hold a cancel scope open from one item to
    the next, so one task alone pulls it, and starts another for each item.

    It runs in its caller's task; a stand-in among its owner's has it cancelled with those, and
    waited for by the block. At most *buffer* results wait to be taken.
    """

    def __init__(self, owner: Owner, plan: Plan, put: Put, *, buffer: float) -> None:
        self.error: Exception | None = None
        """What has ended the map early, and is no item's."""
        self.closing_error: Exception | None = None
        """What an async input raised when it was cancelled or closed."""
        self._owner = owner
        self._plan = plan
        self._put = put if plan.on_progress is None else self._put_and_tell
        self._just_put = put
        self._done = 0
        self._pace = Pace(limit=plan.limit.value, buffer=buffer)
        self._context = copy_context()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._attempt: Attempt
        self._source: Iterator[Any] | None = None
        self._begun_all = trio.Event()
        self._room = trio.lowlevel.ParkingLot()
        owner.stand_in(self._ended, self._end_with_owner)

    @enable_ki_protection
    async def run(self) -> None:
        """Work on all items; raise as a nursery does."""
        try:
            with self._scope:
                async with self._plan.place as way:
                    await self._run(self._plan.attempt_with(way))
        finally:
            self._pace.end()
            self._owner.running -= self._pace.workers  # of those that an interrupt has hit
            self._ended.set()
            self._put = self._just_put = _ignore  # who puts results somewhere knows us
            self._source = self._nursery = None
            self._plan.forget_items()

    def cancel(self, reason: str) -> None:
        """Cancel what runs, and begin nothing more."""
        self._scope.cancel(reason=reason)

    def take(self) -> None:
        """Note that the consumer has taken a result."""
        self._pace.take()
        self._room.unpark()

    async def raise_error(self) -> None:
        """Raise what has ended the map early, once."""
        if isinstance(self.error, TaskSupervisorNotRunning):
            await trio.lowlevel.checkpoint_if_cancelled()  # that comes of the same, and first
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # whose traceback has this frame

    async def _run(self, attempt: Attempt) -> None:
        with self._plan.limit.telling(self._note_limit):
            self._note_limit()  # which may have changed since the map was called for
            # A group in any run, also in one that would have a single error come without.
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                self._nursery = nursery
                self._attempt = attempt
                if isinstance(self._plan.items, AsyncIterable):
                    nursery.start_soon(self._feed, self._plan.items, name=self._plan.name)
                else:
                    self._open(self._plan.items)
                try:
                    await self._begun_all.wait()
                finally:  # once cancelled nothing more begins, whatever the items make of that
                    self._pace.end()
                    self._room.unpark_all()

    def _note_limit(self) -> None:
        self._pace.set_limit(self._plan.limit.value)
        self._room.unpark_all()
        self._start_worker()

    def _end_input(self, error: Exception | None = None) -> Literal[False]:
        """Note that there are no more items."""
        if not self._pace.has_ended:
            self._pace.end()
            self.error = self.error or error
            self._room.unpark_all()
        return False

    def _end_all(self) -> None:
        """Let the nursery end."""
        self._pace.end()
        self._begun_all.set()

    def _fail(self, error: BaseException | None) -> None:
        """End it all with an error that is no item's."""
        assert isinstance(error, Exception)
        self.error = self.error or error
        self._scope.cancel(reason=f"the map has failed: {type(error).__name__}")

    def _end_with_owner(self) -> None:
        self._fail(TaskSupervisorNotRunning(self._owner.name))

    def _put_and_tell(self, number: int, result: object) -> None:
        if self._scope.cancel_called:
            return  # it has failed, and told so
        self._just_put(number, result)
        self._done += 1
        tell = self._plan.on_progress
        assert tell is not None
        try:
            tell(self._done, self._plan.total)
        except Exception as error:  # noqa: BLE001  raised by the map
            self._fail(error)

    # A plain iterable

    def _open(self, items: Iterable[Any]) -> None:
        try:
            self._source = iter(items)
        except Exception as error:  # noqa: BLE001  raised when the rest, nothing, has ended
            self._end_input(error)
        else:
            self._start_next(self._source)
        if not self._pace.workers:
            self._end_all()

    def _start_worker(self) -> None:
        """Start a worker if there is room; if the supervisor has none, the others do the work."""
        if self._source is not None and self._pace.wants_worker:
            with suppress(TooManyTasks):
                self._start(self._work, self._source)

    def _start_next(self, source: Iterator[Any]) -> None:
        """Start the next worker, in a task of the map, where the input may be looked at."""
        if not self._pace.wants_worker:
            return
        try:
            self._start(self._work, source)
        except TooManyTasks as error:
            if self._has_more(source):
                self._fail(error)

    def _has_more(self, source: Iterator[Any]) -> bool:
        """Return whether there is one more item; it is lost."""
        try:
            next(source)
        except StopIteration:
            return self._end_input()
        except Exception as error:  # noqa: BLE001  raised when the rest has ended
            return self._end_input(error)
        return True

    async def _work(self, source: Iterator[Any]) -> None:
        try:
            await trio.lowlevel.checkpoint_if_cancelled()  # or it would begin its first item
            while await self._work_a_turn(source):
                await trio.lowlevel.checkpoint()
        except Misused as misused:
            self._fail(misused.__cause__)
        finally:
            self._leave()

    # All in one function: another call, or another coroutine, is a tenth of the work on an item.
    async def _work_a_turn(self, source: Iterator[Any]) -> bool:  # noqa: C901, PLR0915
        """Work on some items; return whether there may be more."""
        pace, put, attempt = self._pace, self._put, self._attempt
        audience, collects = self._owner.audience, self._plan.collects
        result: Any = None
        try:
            for _ in range(_TURN):
                while pace.begun >= pace.most_begun:
                    await self._room.park()
                if pace.workers > pace.limit:
                    return False
                try:
                    item = next(source)
                except StopIteration:
                    return self._end_input()
                except Exception as error:  # noqa: BLE001  raised when the rest has ended
                    return self._end_input(error)
                number = pace.begun
                pace.begun += 1
                if pace.workers < pace.limit:
                    self._start_next(source)
                if audience.is_there:
                    result = await self._do_aloud(number, item)
                else:
                    try:
                        value = await attempt(item)
                        result = Ok(item, value) if collects else value
                    except Exception as error:
                        self._check(number, error)
                        if not collects:
                            raise
                        result = Failed(item, without_callers(error))
                        await trio.lowlevel.checkpoint_if_cancelled()  # or the next would begin
                put(number, result)
            return True
        finally:
            item = value = result = None  # an error may keep this frame
            put = _ignore

    # An async iterable
    #
    # A generator may be suspended within a cancel scope or a nursery of its own. Then whatever
    # its task awaits is within that, too; so the task awaits nothing that could be cancelled
    # thereby, and hands such a cancellation to the generator, whose it is.

    async def _feed(self, items: AsyncIterable[Any]) -> None:
        try:
            source = aiter(items)
            async with _closing(source):
                await self._feed_from(source)
        except Exception as error:  # noqa: BLE001  raised when the rest has ended
            self._note_input_error(error)
        finally:
            self._end_all()

    def _note_input_error(self, error: Exception) -> None:
        if trio.current_effective_deadline() > -math.inf:
            self._end_input(error)
        elif self.error is None:
            self.closing_error = error
        else:
            self.error.add_note(f"and then the input raised {told(error)}")

    async def _feed_from(self, source: AsyncIterator[Any]) -> None:
        pace = self._pace
        while await self._has_room():
            try:
                item = await _next_of(source)
            except StopAsyncIteration:
                return
            if not await self._has_room():  # any more: the limit was lowered meanwhile
                return
            number = pace.begun
            pace.begun += 1
            try:
                self._start(self._do_one, number, item)
            except TooManyTasks as error:
                self._fail(error)

    async def _has_room(self) -> bool:
        """Wait for room; return whether the map goes on."""
        with trio.CancelScope(shield=True):
            if not self._pace.begun % _TURN:
                await trio.lowlevel.checkpoint()
            while not self._pace.wants_worker and not self._pace.has_ended:
                await self._room.park()
        return not self._pace.has_ended

    async def _do_one(self, number: int, item: object) -> None:
        try:
            await trio.lowlevel.checkpoint_if_cancelled()  # or it would begin
            do = self._do_aloud if self._owner.audience.is_there else self._do
            self._put(number, await do(number, item))
        except Misused as misused:
            self._fail(misused.__cause__)
        finally:
            self._leave()

    # A task, and an item

    @enable_ki_protection
    def _start(self, *work: Any) -> None:
        async_fn, *args = work
        assert self._nursery is not None
        # In the context of the map, whoever has made room for the task.
        self._context.run(
            self._owner.start_in, self._nursery, async_fn, *args, name=self._plan.name
        )
        self._pace.workers += 1

    @enable_ki_protection
    def _leave(self) -> None:
        self._owner.running -= 1
        self._pace.workers -= 1
        if self._source is not None and not self._pace.workers:
            self._end_all()
        self._room.unpark()

    async def _do(self, number: int, item: object) -> Any:  # noqa: ANN401
        """Work on an item; return what is handed out."""
        try:
            value = await self._attempt(item)
        except Exception as error:
            self._check(number, error)
            if not self._plan.collects:
                raise
            return Failed(item, without_callers(error))
        return Ok(item, value) if self._plan.collects else value

    def _check(self, number: int, error: Exception) -> None:
        check_that_it_was_called(self._plan.name, error)
        if not self._plan.collects:  # else the item is told beside it
            error.add_note(f"item {number} of a map of {self._plan.name}")

    async def _do_aloud(self, number: int, item: object) -> Any:  # noqa: ANN401
        owner, name = self._owner, self._plan.name
        begun = trio.current_time()
        owner.tell_started(name, number)
        result: Any = None
        try:
            result = await self._do(number, item)
        except BaseException as error:
            if isinstance(error, Exception):
                owner.tell_finished(name, number, Failed(item, error), begun)
            else:
                owner.tell_cancelled(name, number, begun)
            raise
        else:
            told_of = result if self._plan.collects else Ok(item, result)
            owner.tell_finished(name, number, told_of, begun)
            return result
        finally:
            result = told_of = None  # an error may keep this frame


def _closing(source: AsyncIterator[Any]) -> AbstractAsyncContextManager[Any]:
    """Return a block that closes an async input, if that can be closed."""
    closable: Any = source
    return aclosing(closable) if hasattr(source, "aclose") else nullcontext()


def _ignore(number: int, result: object) -> None:
    """Take a result that nobody wants."""


async def _next_of(source: AsyncIterator[Any]) -> Any:  # noqa: ANN401
    """Return the next item; a cancellation is raised in the input, where it stands."""
    throw: Callable[[BaseException], Awaitable[Any]] | None = getattr(source, "athrow", None)
    if throw is not None and trio.current_effective_deadline() == -math.inf:
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled as cancelled:
            return await throw(cancelled)
    return await anext(source)
