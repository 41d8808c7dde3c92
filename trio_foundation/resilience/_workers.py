"""Tasks for guarded calls, some of them there before the call comes.

To wake a task takes less than to start one. Only a block of breakers keeps some, as it cancels them
at its end.
"""

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
        """Do it; nothing is raised."""
        ...


@final
class Workers:
    """The tasks of a nursery that do jobs, each in the context of whoever has it done.

    *spare* of them wait for a job at most, and only those whose last one came to its end: else
    something may be left behind in the task.
    """

    __slots__ = ("_idle", "_nowhere", "_spare", "nursery")

    def __init__(self, nursery: trio.Nursery, *, spare: int = 0) -> None:
        self.nursery = nursery
        self._spare = spare
        self._idle: dict[_Worker, None] = {}
        self._nowhere = Context()
        """Where they wait, so that no caller's variables are kept."""

    def start(self, job: Job, name: str) -> None:
        """Have a job done; a `RuntimeError` says that the nursery is closed to new arrivals."""
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
