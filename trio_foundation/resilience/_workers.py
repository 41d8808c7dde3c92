"""Tasks for guarded calls, some kept idle: to wake one takes less than to start one."""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import Context, copy_context
from typing import Protocol, final

import trio
from trio.lowlevel import Abort, enable_ki_protection

__all__ = ["Job", "Workers"]


class Job(Protocol):
    """What a worker does."""

    has_result: bool
    """Whether it came to its end."""

    def be_done(self) -> Awaitable[None]:
        """Do it; it raises nothing."""
        ...


@final
class Workers:
    """Tasks of a nursery; at most *spare* stay idle, and only after a job that came to its end."""

    __slots__ = ("_idle", "_nowhere", "_spare", "nursery")

    def __init__(self, nursery: trio.Nursery, *, spare: int = 0) -> None:
        self.nursery = nursery
        self._spare = spare
        self._idle: dict[_Worker, None] = {}
        self._nowhere = Context()
        """Where they wait, keeping no caller's variables."""

    def start(self, job: Job, name: str) -> None:
        """Have a job done, in the caller's context; `RuntimeError` if the nursery is closed."""
        if not self._idle:
            self.nursery.start_soon(self._work, job, name=name)
            return
        worker, _ = self._idle.popitem()
        worker.job = job
        worker.task.name = name
        worker.task.context = copy_context()
        trio.lowlevel.reschedule(worker.task)

    @enable_ki_protection
    async def _work(self, job: Job) -> None:
        worker = _Worker(self._idle)
        while True:
            await job.be_done()
            if not job.has_result or len(self._idle) >= self._spare:
                return
            worker.task.name = "waits for guarded calls"
            worker.task.context = self._nowhere
            self._idle[worker] = None
            del job
            await trio.lowlevel.wait_task_rescheduled(worker.leave)
            job = worker.job
            del worker.job


@final
class _Worker:
    __slots__ = ("_idle", "job", "task")

    job: Job

    def __init__(self, idle: dict[_Worker, None]) -> None:
        self._idle = idle
        self.task = trio.lowlevel.current_task()

    def leave(self, _: object) -> Abort:
        """Wait no more: the block has ended."""
        self._idle.pop(self, None)
        return Abort.SUCCEEDED
