"""A guarded call in a task of its own, so that one that hangs can be left or ended."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import NoReturn, final

import trio
from trio.lowlevel import Abort, disable_ki_protection, enable_ki_protection

from .._base import awaitable_of
from ._cancelled import is_by_deadline, without_cancelled
from ._core import Core
from ._flight import Flight
from ._rules import leaves_of
from ._watch import note_slow_call, start_watch
from ._workers import Workers

__all__ = ["GuardedCall"]


@final
class GuardedCall(Flight):
    """One call, its task, and the caller that waits for it."""

    __slots__ = (
        "_args",
        "_async_fn",
        "_caller",
        "_core",
        "_error",
        "_group",
        "_raise_cancel",
        "has_result",
        "result",
    )

    result: object
    """What the function returned."""

    def __init__(
        self, core: Core, async_fn: Callable[..., Awaitable[object]], args: tuple[object, ...]
    ) -> None:
        self.scope = None
        self.is_probe = self.is_slow = self.is_over = False
        self.ended_by = None
        self._core = core
        self._async_fn = async_fn
        self._args = args
        self._caller: trio.lowlevel.Task | None = None
        self._raise_cancel: Callable[[], None] | None = None
        self.has_result = False
        self._error: BaseException | None = None
        self._group: BaseException | None = None
        """What the function raised, if both cancellation and error."""

    # In a nursery that is there

    @enable_ki_protection
    async def run_in(self, workers: Workers) -> None:
        """Run it in a nursery, and wait until it has ended."""
        core = self._core
        scope = self.scope = trio.CancelScope()
        if self.is_probe and core.probe_timeout is not None:
            scope.relative_deadline = core.probe_timeout
        if self.ended_by is not None:  # it has tripped already
            scope.cancel()
        try:
            workers.start(self, core.task_name)
        except RuntimeError:  # it is closed to new arrivals
            core.end(self, "cancelled")
            await trio.lowlevel.checkpoint()
            raise core.broken_off("closed_down") from None
        if core.slow_after is not None:
            start_watch(core, workers.nursery)
        self._caller = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._pass_on)

    @enable_ki_protection
    async def be_done(self) -> None:
        """Be the task of the call; it raises nothing."""
        assert self.scope is not None
        try:
            with self.scope:
                self.result = await self._run()
                self.has_result = True
        except BaseException as error:  # noqa: BLE001  the caller gets it
            self._error = without_cancelled(error)
            self.has_result = False
        assert self._caller is not None
        trio.lowlevel.reschedule(self._caller)

    def _pass_on(self, raise_cancel: Callable[[], None]) -> Abort:
        self._raise_cancel = raise_cancel
        assert self.scope is not None
        self.scope.cancel(reason="the caller of a guarded call was cancelled")
        return Abort.FAILED  # it goes on when the task has ended

    # In a nursery of its own

    @enable_ki_protection
    async def run_alone(self) -> None:
        """Run it in a nursery of its own, and wait until it has ended."""
        core = self._core
        try:
            async with trio.open_nursery() as nursery:
                self._start_alone(nursery)
        except BaseException as error:  # noqa: BLE001  raised again
            rest = without_cancelled(error)
            if rest is not None:  # a KeyboardInterrupt, while the caller waited
                core.end(self, "ignored")
                self._error = self._group = None
                try:
                    raise next(leaves_of(rest)) from None
                finally:
                    del rest  # its traceback holds this frame
        if not self.has_result and self._error is None:
            try:
                await trio.lowlevel.checkpoint_if_cancelled()
            except trio.Cancelled as cancelled:
                core.end_cancelled(self, by_deadline=is_by_deadline(cancelled))
                raise

    def _start_alone(self, nursery: trio.Nursery) -> None:
        core = self._core
        scope = self.scope = nursery.cancel_scope
        if self.is_probe and core.probe_timeout is not None:
            scope.deadline = self.admitted_at + core.probe_timeout
        if self.ended_by is not None:  # it has tripped already
            scope.cancel()
        watch = None
        if core.slow_after is not None:
            watch = trio.CancelScope()
            nursery.start_soon(note_slow_call, core, core.slow_after, watch)
        nursery.start_soon(self._main_alone, watch, name=core.task_name)

    @disable_ki_protection
    async def _main_alone(self, watch: trio.CancelScope | None) -> None:
        try:
            work = self._async_fn(*self._args)
            try:
                self.result = await work
            except TypeError:
                self._check(work)
                raise
            self.has_result = True
        except BaseException as error:  # noqa: BLE001  the caller gets it
            self._error = self._less_cancelled(error)
        if watch is not None:
            watch.cancel(reason="the guarded call has ended")

    @disable_ki_protection
    async def _run(self) -> object:
        """Run the guarded function, which a KeyboardInterrupt may reach."""
        work = self._async_fn(*self._args)
        try:
            return await work
        except TypeError:
            self._check(work)
            raise
        except BaseExceptionGroup as group:
            self._less_cancelled(group)
            raise

    def _check(self, work: Awaitable[object]) -> None:
        awaitable_of("call", self._async_fn, work, self._args)

    def _less_cancelled(self, error: BaseException) -> BaseException | None:
        rest = without_cancelled(error)
        if rest is not None and rest is not error:
            self._group = error
        return rest

    # How it ended

    @enable_ki_protection
    def raise_what_came(self) -> NoReturn:
        """Judge a call without a result; raise its error, or the caller's own cancellation."""
        core = self._core
        if self._error is not None:
            self._hand_over(self._error)
        if self._raise_cancel is not None:
            self._leave(self._raise_cancel)
        if self.ended_by is not None:
            core.end(self, "cancelled")
            raise core.broken_off()
        assert self.scope is not None
        if self.scope.cancel_called:
            core.end(self, "failure")
            raise core.broken_off()
        core.end(self, "cancelled")
        raise core.broken_off("closed_down")

    def _hand_over(self, error: BaseException) -> NoReturn:
        group, context = self._group, error.__context__
        self._error = self._group = None  # its traceback is about to hold this frame
        try:
            self._core.end_by_error(self, error)
            if group is not None and trio.current_effective_deadline() == -math.inf:
                error = group  # the caller is cancelled, so what is cancelled in there is its own
            raise error
        finally:
            if context is not None:  # else it comes of what the caller handles, if anything
                error.__context__ = context
            del error, group, context

    def _leave(self, raise_cancel: Callable[[], None]) -> None:
        """Raise the caller's own cancellation."""
        try:
            raise_cancel()
        except BaseException as cancelled:
            self._core.end_cancelled(self, by_deadline=is_by_deadline(cancelled))
            raise
