"""What runs in a task of `TaskSupervisor.start_soon`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from ._errors import TaskCancelled
from ._frames import is_of_callers, without_callers
from ._owner import Owner
from ._results import Failed, Ok

__all__ = ["Work"]

R = TypeVar("R")

_LOG = logging.getLogger("trio_foundation.tasks")


@final
class Work(Generic[R]):
    """A function on its way, and then what became of it."""

    __slots__ = (
        "__weakref__",
        "_args",
        "_asking",
        "_async_fn",
        "_ended",
        "_task",
        "_was_asked",
        "name",
        "result",
        "scope",
    )

    def __init__(
        self, name: str, async_fn: Callable[..., Awaitable[R]], args: tuple[Any, ...]
    ) -> None:
        self.name: str = name
        self.scope: trio.CancelScope = trio.CancelScope()
        self.result: Ok[tuple[Any, ...], R] | Failed[tuple[Any, ...]] | None = None
        """What became of it; None while it runs."""
        self._async_fn: Callable[..., Awaitable[R]] | None = async_fn
        self._args = args
        self._ended = trio.Event()
        self._task: trio.lowlevel.Task | None = None
        self._asking = 0
        self._was_asked = False

    def __del__(self) -> None:
        self.report()

    @enable_ki_protection
    async def run(self, owner: Owner) -> None:
        """Be the task; only an interrupt goes up."""
        begun = trio.current_time()
        self._task = trio.lowlevel.current_task()
        if owner.audience.is_there:
            owner.tell_started(self.name, None)
        async_fn, self._async_fn = self._async_fn, None
        assert async_fn is not None
        try:
            self.result = await _outcome(self.name, self.scope, async_fn, self._args)
        finally:
            self._end(owner, begun)
            del self  # an error may keep this frame

    async def wait(self) -> Ok[tuple[Any, ...], R] | Failed[tuple[Any, ...]]:
        """Wait for its end; return what became of it."""
        if self._task is trio.lowlevel.current_task():
            raise RuntimeError(f"task {self.name} cannot wait for its own end: ask in another one")
        self._asking += 1
        try:
            await self._ended.wait()
        finally:
            self._asking -= 1
        self._was_asked = True
        assert self.result is not None
        return self.result

    def report(self) -> None:
        """Log its error, unless somebody asked, or asks."""
        if self._was_asked or self._asking:
            return
        self._was_asked = True
        if isinstance(self.result, Failed):
            error = self.result.error
            if not isinstance(error, TaskCancelled):
                _LOG.error("task %s failed, and nobody asked why", self.name, exc_info=error)

    def _end(self, owner: Owner, begun: float) -> None:
        if self.result is None:  # an interrupt goes up
            self.result = Failed(self._args, TaskCancelled(self.name))
        self._task = None
        self._ended.set()
        owner.running -= 1
        if isinstance(self.result, Failed):
            owner.note_failed(self)
            if isinstance(self.result.error, TaskCancelled) and not self.scope.cancel_called:
                owner.was_cancelled = True
        if owner.audience.is_there:
            owner.tell_finished(self.name, None, self.result, begun)


async def _outcome(
    name: str,
    scope: trio.CancelScope,
    async_fn: Callable[..., Awaitable[R]],
    args: tuple[Any, ...],
) -> Ok[tuple[Any, ...], R] | Failed[tuple[Any, ...]]:
    try:
        with scope:
            return Ok(args, await _call(async_fn, args))
    except trio.Cancelled:
        pass  # with its supervisor, which knows
    except BaseExceptionGroup as group:
        rest = group.split(trio.Cancelled)[1]
        if isinstance(rest, ExceptionGroup):
            return Failed(args, without_callers(cast("ExceptionGroup[Exception]", rest)))
        if rest is not None:
            raise
    except Exception as error:  # noqa: BLE001  whoever asks gets it
        if isinstance(error, TypeError) and is_of_callers(error):
            return Failed(args, _not_called(name, error))
        return Failed(args, without_callers(error))
    return Failed(args, TaskCancelled(name))


def _not_called(name: str, error: TypeError) -> TypeError:
    return TypeError(
        f"{name} must be an async function that takes these arguments: {error}; bind keyword "
        f"arguments with functools.partial, and call a plain function by trio.to_thread.run_sync"
    )


@disable_ki_protection
async def _call(async_fn: Callable[..., Awaitable[R]], args: tuple[Any, ...]) -> R:
    return await async_fn(*args)
