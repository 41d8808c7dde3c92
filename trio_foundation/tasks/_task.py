"""A task of `TaskSupervisor.start_soon`."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, final

from ._results import Failed, Ok
from ._work import Work

__all__ = ["Task"]

R_co = TypeVar("R_co", covariant=True)


@final
class Task(Generic[R_co]):
    """A task of a `TaskSupervisor`; what `TaskSupervisor.start_soon` returns.

    If it fails, and nobody asks for its `outcome` until the task is forgotten or its supervisor has
    closed, the error is logged, once.

    Example:
        >>> import trio
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def add(a, b):
        ...     return a + b
        >>> async def main():
        ...     async with open_task_supervisor() as tasks:
        ...         task = tasks.start_soon(add, 1, 2)
        ...         print(await task.outcome())
        >>> trio.run(main)
        Ok(item=(1, 2), value=3)
    """

    __slots__ = ("__weakref__", "_work")

    def __init__(self, work: Work[R_co]) -> None:
        self._work = work

    def __repr__(self) -> str:
        result = self._work.result
        state = "runs" if result is None else type(result).__name__.lower()
        return f"<Task {self.name} {state}>"

    @property
    def name(self) -> str:
        """The function's name."""
        return self._work.name

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._work.result is not None

    async def outcome(self) -> Ok[tuple[Any, ...], R_co] | Failed[tuple[Any, ...]]:
        """Wait until it has ended.

        Returns:
            What it returned, as `Ok`, or what it raised, as `Failed`. The item in both is the tuple
            of its arguments.

        Raises:
            RuntimeError: The task itself asks.

        Cancellation:
            Does not touch the task; it can be asked again.

        Example:
            >>> import trio
            >>> from trio_foundation.tasks import open_task_supervisor
            >>> async def main():
            ...     async with open_task_supervisor() as tasks:
            ...         task = tasks.start_soon(trio.sleep_forever)
            ...         task.cancel()
            ...         print((await task.outcome()).error)
            >>> trio.run(main)
            task sleep_forever was cancelled
        """
        return await self._work.wait()

    def cancel(self) -> None:
        """Cancel it, if it has not ended."""
        self._work.scope.cancel(reason=f"task {self.name} was cancelled")
