"""The block that owns tasks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Literal, TypeVar, TypeVarTuple, Unpack, final, overload

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock, check_async_fn, check_count, check_name, name_of
from ._attempts import Caller
from ._gather import gather
from ._groups import alone
from ._limit import Limit
from ._options import MapOptions, OnError, Progress, buffer_of
from ._owner import Owner
from ._plan import Plan
from ._results import Failed, Ok
from ._stream import MapBlock
from ._task import Task
from ._where import RunIn
from ._work import Work

__all__ = ["TaskSupervisor", "nearest", "open_task_supervisor"]

T = TypeVar("T")
R = TypeVar("R")
A = TypeVarTuple("A")


@final
class TaskSupervisor:
    """Owns tasks, none of which outlives its block; what `open_task_supervisor` gives.

    Example:
        >>> import trio, trio.testing
        >>> async def main():
        ...     async with open_task_supervisor() as tasks:
        ...         task = tasks.start_soon(trio.sleep, 1)
        ...         print(tasks.running)
        ...     print(tasks.running, task.done)
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        1
        0 True
    """

    __slots__ = ("__weakref__", "_owner")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def __repr__(self) -> str:
        state = f"runs {self.running} tasks" if self.is_open else "closed"
        return f"<TaskSupervisor {self.name!r} {state}>"

    @property
    def name(self) -> str:
        """What it is called, in errors and events."""
        return self._owner.name

    @property
    def max_tasks(self) -> float:
        """How many tasks it may run at once."""
        return self._owner.max_tasks

    @property
    def running(self) -> int:
        """How many tasks it runs, those of its maps included."""
        return self._owner.running

    @property
    def is_open(self) -> bool:
        """Whether it takes work."""
        return self._owner.is_open

    @enable_ki_protection
    def start_soon(self, async_fn: Callable[[*A], Awaitable[R]], /, *args: *A) -> Task[R]:
        """Start a task, which ends with this block at the latest.

        Args:
            async_fn: The async function.
            *args: Its positional arguments; bind keyword arguments with `functools.partial`.

        Returns:
            The task, to ask for its outcome or to cancel.

        Raises:
            TypeError: *async_fn* cannot be an async function.
            TaskSupervisorNotRunning: The block has ended.
            TooManyTasks: It runs *max_tasks* already.

        Emits:
            TaskStarted, TaskFinished.

        Example:
            >>> import trio
            >>> async def add(a, b):
            ...     return a + b
            >>> async def main():
            ...     async with open_task_supervisor() as tasks:
            ...         task = tasks.start_soon(add, 1, 2)
            ...         print((await task.outcome()).unwrap())
            >>> trio.run(main)
            3
        """
        check_async_fn("start_soon", async_fn, args)
        work: Work[R] = Work(name_of(async_fn), async_fn, args)
        self._owner.start_work(work.run, self._owner, name=work.name)
        return Task(work)

    @overload
    async def parallel_map(
        self,
        async_fn: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["collect"] = "collect",
        run_in: Literal["task"] = "task",
        **options: Unpack[MapOptions],
    ) -> list[Ok[T, R] | Failed[T]]: ...
    @overload
    async def parallel_map(
        self,
        async_fn: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["raise"],
        run_in: Literal["task"] = "task",
        **options: Unpack[MapOptions],
    ) -> list[R]: ...
    @overload
    async def parallel_map(
        self,
        function: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["collect"] = "collect",
        run_in: Literal["thread", "process"],
        **options: Unpack[MapOptions],
    ) -> list[Ok[T, R] | Failed[T]]: ...
    @overload
    async def parallel_map(
        self,
        function: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["raise"],
        run_in: Literal["thread", "process"],
        **options: Unpack[MapOptions],
    ) -> list[R]: ...
    async def parallel_map(  # noqa: PLR0913  keywords, with defaults
        self,
        async_fn: Callable[[Any], Any],
        items: Iterable[Any] | AsyncIterable[Any],
        /,
        *,
        limit: float | Limit | None = None,
        timeout: float | None = None,
        ordered: bool = True,
        on_error: OnError = "collect",
        run_in: RunIn = "task",
        retry: Caller | None = None,
        on_progress: Progress | None = None,
    ) -> list[Any]:
        """Do as `parallel_map`, with this supervisor and the same arguments, *timeout* in seconds.

        Returns:
            The results.

        Raises:
            BaseException: As `parallel_map`.

        Cancellation:
            As `parallel_map`.

        Emits:
            TaskStarted, TaskFinished.

        Example:
            >>> import trio
            >>> async def double(item):
            ...     return 2 * item
            >>> async def main():
            ...     async with open_task_supervisor() as tasks:
            ...         print(await tasks.parallel_map(double, [1, 2], on_error="raise"))
            >>> trio.run(main)
            [2, 4]
        """
        plan = Plan(
            "parallel_map",
            async_fn,
            items,
            limit=limit,
            timeout=timeout,
            ordered=ordered,
            on_error=on_error,
            run_in=run_in,
            retry=retry,
            on_progress=on_progress,
        )
        await trio.lowlevel.checkpoint_if_cancelled()
        return await gather(self._owner, plan)

    @overload
    def open_map(
        self,
        async_fn: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["collect"] = "collect",
        run_in: Literal["task"] = "task",
        buffer: float | None = None,
        **options: Unpack[MapOptions],
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Ok[T, R] | Failed[T]]]: ...
    @overload
    def open_map(
        self,
        async_fn: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["raise"],
        run_in: Literal["task"] = "task",
        buffer: float | None = None,
        **options: Unpack[MapOptions],
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[R]]: ...
    @overload
    def open_map(
        self,
        function: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["collect"] = "collect",
        run_in: Literal["thread", "process"],
        buffer: float | None = None,
        **options: Unpack[MapOptions],
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Ok[T, R] | Failed[T]]]: ...
    @overload
    def open_map(
        self,
        function: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        on_error: Literal["raise"],
        run_in: Literal["thread", "process"],
        buffer: float | None = None,
        **options: Unpack[MapOptions],
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[R]]: ...
    def open_map(  # noqa: PLR0913  keywords, with defaults
        self,
        async_fn: Callable[[Any], Any],
        items: Iterable[Any] | AsyncIterable[Any],
        /,
        *,
        limit: float | Limit | None = None,
        timeout: float | None = None,
        ordered: bool = True,
        on_error: OnError = "collect",
        run_in: RunIn = "task",
        buffer: float | None = None,
        retry: Caller | None = None,
        on_progress: Progress | None = None,
    ) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Any]]:
        """Do as `open_map`, with this supervisor and the same arguments, *timeout* in seconds.

        Returns:
            The block, for ``async with``; it gives a channel of results to its body.

        Raises:
            BaseException: As `open_map`.

        Cancellation:
            As `open_map`.

        Emits:
            TaskStarted, TaskFinished.

        Example:
            >>> import trio
            >>> async def double(item):
            ...     return 2 * item
            >>> async def main():
            ...     async with open_task_supervisor() as tasks:
            ...         async with tasks.open_map(double, [1, 2]) as results:
            ...             print([result.unwrap() async for result in results])
            >>> trio.run(main)
            [2, 4]
        """
        plan = Plan(
            "open_map",
            async_fn,
            items,
            limit=limit,
            timeout=timeout,
            ordered=ordered,
            on_error=on_error,
            run_in=run_in,
            retry=retry,
            on_progress=on_progress,
        )
        self._owner.check_open()
        return MapBlock(self._owner, plan, buffer_of(buffer, plan.limit))


@attrs.frozen
class _Around:
    """The supervisors around a task, innermost first."""

    tasks: TaskSupervisor
    others: _Around | None


_around: ContextVar[_Around | None] = ContextVar("trio_foundation.tasks", default=None)


def nearest() -> TaskSupervisor | None:
    """Return the innermost open supervisor."""
    found = _around.get()
    while found is not None and not found.tasks.is_open:
        found = found.others
    return None if found is None else found.tasks


def open_task_supervisor(
    *, name: str = "tasks", max_tasks: float = math.inf
) -> AbstractAsyncContextManager[TaskSupervisor]:
    """Open a block that owns tasks.

    When its body ends, the block waits for the tasks; if the body raises, they are cancelled. A
    task that fails hurts neither the body nor the others.

    Inside, and in tasks started there, `parallel_map`, `open_map` and `random_search` find the
    nearest block.

    Args:
        name: What it is called, in errors and events.
        max_tasks: How many tasks it may run at once, those of its maps included.

    Returns:
        The block, for ``async with``; it gives a `TaskSupervisor` to its body.

    Raises:
        TypeError: *name* is no string, or *max_tasks* no number.
        ValueError: *max_tasks* is below 1.

    Cancellation:
        While it waits, cancels the tasks and waits for them to end.

    Example:
        >>> import trio, trio.testing
        >>> async def fetch(page):
        ...     await trio.sleep(1)
        ...     return f"page {page}"
        >>> async def main():
        ...     async with open_task_supervisor() as tasks:
        ...         for result in await tasks.parallel_map(fetch, [1, 2], limit=2):
        ...             print(result.unwrap())
        ...     print(trio.current_time())
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        page 1
        page 2
        1.0
    """
    check_name("name", name)
    check_count("max_tasks", max_tasks, least=1, allow_inf=True)
    return _Block(name, max_tasks)


@final
class _Block(AsyncBlock[TaskSupervisor]):
    opens = "a task supervisor"

    def __init__(self, name: str, max_tasks: float) -> None:
        self._name = name
        self._max_tasks = max_tasks
        self._manager = trio.open_nursery(strict_exception_groups=True)
        self._nursery: trio.Nursery | None = None
        self._owner: Owner | None = None
        self._tasks: TaskSupervisor | None = None
        self._token: Token[_Around | None] | None = None

    @enable_ki_protection
    async def __aenter__(self) -> TaskSupervisor:
        if self._nursery is not None:
            raise RuntimeError(
                "the block of tasks is entered once: call open_task_supervisor() again"
            )
        self._nursery = await self._manager.__aenter__()
        self._owner = Owner(self._nursery, self._name, self._max_tasks)
        self._tasks = TaskSupervisor(self._owner)
        self._token = _around.set(_Around(self._tasks, _around.get()))
        return self._tasks

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        assert self._nursery is not None
        assert self._owner is not None
        assert self._token is not None
        with suppress(ValueError):  # it is left in another context, as a fixture may be
            _around.reset(self._token)
        if exc is not None:
            self._nursery.cancel_scope.cancel(reason="the body of the block of tasks has failed")
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # nothing but an interrupt gets out of a task
            error = alone(group)
            raise error from None
        finally:
            self._owner.close()
        if exc is None and self._owner.was_cancelled:
            await trio.lowlevel.checkpoint_if_cancelled()  # a nursery would raise it
        return False
