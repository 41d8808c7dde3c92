"""A guarded block in the caller's own task."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import final

import trio
from trio.lowlevel import enable_ki_protection

from ._cancelled import is_by_deadline, is_only_cancelled
from ._core import Core
from ._flight import Flight
from ._this_run import this_run

__all__ = ["Guard"]


@final
class Guard(Flight, AbstractAsyncContextManager[None]):
    """What `CircuitBreaker.guard` returns."""

    __slots__ = ("_core", "_is_entered")

    def __init__(self, core: Core) -> None:
        self.scope = None
        self.is_probe = self.is_slow = self.is_over = False
        self.ended_by = None
        self._core = core
        self._is_entered = False

    @enable_ki_protection
    async def __aenter__(self) -> None:
        if self._is_entered:
            raise RuntimeError("a guard is entered once: write breaker.guard() again")
        self._is_entered = True
        core = self._core
        run = this_run()
        now = run.clock.current_time()
        if not core.is_clear(now):
            now = await core.clear(run, now)
        core.book(self, run, now)
        if self.is_probe and core.probe_timeout is not None:
            self.scope = trio.CancelScope(relative_deadline=core.probe_timeout)
        elif core.cancel_in_flight:
            self.scope = trio.CancelScope()
        else:
            return
        self.scope.__enter__()
        if self.ended_by is not None:  # it has tripped already
            self.scope.cancel()

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        core = self._core
        left = exc if self.scope is None else self._leave(self.scope, exc)
        if left is None:
            core.end_well(self)
        elif is_only_cancelled(left):
            core.end_cancelled(self, by_deadline=is_by_deadline(left))
        else:
            core.end_by_error(self, left)
        if left is exc:
            return False
        assert left is not None
        context = left.__context__
        try:
            raise left
        finally:
            left.__context__ = context
            del left, exc  # its traceback holds this frame, and it may be what the group held

    def _leave(self, scope: trio.CancelScope, exc: BaseException | None) -> BaseException | None:
        """Leave the scope; return what is left of the error, or raise `BreakerOpen`."""
        left = exc
        try:
            if scope.__exit__(None if exc is None else type(exc), exc, None):
                left = None
        except BaseException as rest:  # noqa: BLE001  a group, less what was the scope's
            left = rest
        if scope.cancelled_caught and left is None:
            self._core.end(self, "failure" if self.ended_by is None else "cancelled")
            raise self._core.broken_off() from None
        try:
            return left
        finally:
            del left, exc  # as above
