"""Who owns tasks, and counts them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, final
from weakref import WeakSet

import trio
from trio.lowlevel import enable_ki_protection

from .._base import told
from ..telemetry import Audience, emit
from ._errors import TaskCancelled, TaskSupervisorNotRunning, TaskTimeout, TooManyTasks
from ._events import FinishedAs, TaskFinished, TaskStarted
from ._results import Failed, Ok

__all__ = ["Owner"]


class _Reporting(Protocol):
    def report(self) -> None: ...


@final
class Owner:
    """The tasks of a block."""

    __slots__ = ("_failed", "_nursery", "audience", "max_tasks", "name", "running", "was_cancelled")

    def __init__(self, nursery: trio.Nursery, name: str, max_tasks: float) -> None:
        self.name: str = name
        self.max_tasks: float = max_tasks
        self.running: int = 0
        self.was_cancelled: bool = False
        """Whether a task has ended by the block's cancellation."""
        self.audience: Audience = Audience(TaskStarted, TaskFinished)
        self._nursery: trio.Nursery | None = nursery
        self._failed: WeakSet[_Reporting] = WeakSet()

    @property
    def is_open(self) -> bool:
        """Whether it takes work."""
        return self._nursery is not None

    def check_open(self) -> None:
        """Raise if the block takes no work."""
        if self._nursery is None:
            raise TaskSupervisorNotRunning(self.name)

    def start_soon(
        self, async_fn: Callable[..., Awaitable[object]], *args: object, name: str
    ) -> None:
        """Start a task in the block."""
        self.check_open()
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError(
                "a task is started in the thread of its Trio run: from another one, write "
                "trio.from_thread.run_sync(tasks.start_soon, ...)"
            )
        assert self._nursery is not None
        try:
            self._nursery.start_soon(async_fn, *args, name=name)
        except RuntimeError:
            raise TaskSupervisorNotRunning(self.name) from None  # its last task has just ended

    @enable_ki_protection
    def start_work(
        self, async_fn: Callable[..., Awaitable[object]], *args: object, name: str
    ) -> None:
        """Start a task that counts itself out of *running*."""
        self._check_room()
        self.start_soon(async_fn, *args, name=name)
        self.running += 1

    @enable_ki_protection
    def start_in(
        self,
        nursery: trio.Nursery,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        name: str,
    ) -> None:
        """Start such a task in another nursery."""
        self._check_room()
        nursery.start_soon(async_fn, *args, name=name)
        self.running += 1

    def stand_in(self, ended: trio.Event, end: Callable[[], None]) -> None:
        """Keep the block open until a map elsewhere has *ended*; *end* it with the block."""
        self.start_soon(_stand_in, ended, end, name="a map")

    def _check_room(self) -> None:
        if self.running >= self.max_tasks:
            raise TooManyTasks(self.name, self.max_tasks)

    def note_failed(self, task: _Reporting) -> None:
        """Have its error logged at the end, if nobody asks."""
        self._failed.add(task)

    def close(self) -> None:
        """Take no more work; log the errors that nobody has asked for."""
        self._nursery = None
        for task in tuple(self._failed):
            task.report()

    def tell_started(self, task: str, index: int | None) -> None:
        """Emit that a task has started."""
        emit(TaskStarted(supervisor=self.name, task=task, index=index))

    def tell_finished(
        self, task: str, index: int | None, result: Ok[Any, Any] | Failed[Any], begun: float
    ) -> None:
        """Emit how a task has ended."""
        error = "" if isinstance(result, Ok) else told(result.error)
        self._tell(task, index, _how(result), error, begun)

    def tell_cancelled(self, task: str, index: int | None, begun: float) -> None:
        """Emit that a task was cancelled."""
        self._tell(task, index, "cancelled", "", begun)

    def _tell(
        self, task: str, index: int | None, how: FinishedAs, error: str, begun: float
    ) -> None:
        emit(
            TaskFinished(
                supervisor=self.name,
                task=task,
                index=index,
                result=how,
                after=trio.current_time() - begun,
                error=error,
            )
        )


async def _stand_in(ended: trio.Event, end: Callable[[], None]) -> None:
    try:
        await ended.wait()
    except trio.Cancelled:
        end()
        with trio.CancelScope(shield=True):  # what runs there cannot be abandoned
            await ended.wait()


def _how(result: Ok[Any, Any] | Failed[Any]) -> FinishedAs:
    if isinstance(result, Ok):
        return "ok"
    if isinstance(result.error, TaskTimeout):
        return "timed_out"
    return "cancelled" if isinstance(result.error, TaskCancelled) else "failed"
