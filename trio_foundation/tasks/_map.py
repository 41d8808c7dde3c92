"""Maps that find their supervisor."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Literal, TypeVar, Unpack, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._base import is_flag_set
from ._attempts import Caller
from ._errors import TaskSupervisorNotRunning
from ._limit import Limit
from ._options import MapOptions, OnError, Progress
from ._results import Failed, Ok
from ._supervisor import TaskSupervisor, nearest, open_task_supervisor
from ._where import RunIn

__all__ = ["open_map", "parallel_map"]

T = TypeVar("T")
R = TypeVar("R")


@overload
async def parallel_map(
    async_fn: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["collect"] = "collect",
    run_in: Literal["task"] = "task",
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> list[Ok[T, R] | Failed[T]]: ...
@overload
async def parallel_map(
    async_fn: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["raise"],
    run_in: Literal["task"] = "task",
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> list[R]: ...
@overload
async def parallel_map(
    function: Callable[[T], R],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["collect"] = "collect",
    run_in: Literal["thread", "process"],
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> list[Ok[T, R] | Failed[T]]: ...
@overload
async def parallel_map(
    function: Callable[[T], R],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["raise"],
    run_in: Literal["thread", "process"],
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> list[R]: ...
@enable_ki_protection
async def parallel_map(  # noqa: PLR0913  keywords, with defaults
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
    tasks: TaskSupervisor | None = None,
) -> list[Any]:
    """Put each item through a function, some at a time, and return all results.

    Args:
        async_fn: The function that each item goes through; a plain one with *run_in*.
        items: Any iterable, pulled as needed; an async one is closed in the end.
        limit: How many items are worked on at once: a number, `math.inf`, or a `Limit`, which can
            be changed meanwhile; by default the number of cores.
        timeout: How long an item may take, in seconds, its retries included, the start of its
            process not. One that takes longer becomes ``Failed(item, TaskTimeout)``.
        ordered: Whether results come in the order of the items, or of their ends.
        on_error: With ``"collect"``, an item's error is its result, a `Failed`. With ``"raise"``,
            the first error cancels the rest, and is raised in a group, as by a nursery.
        run_in: Where the function runs: an async one in a ``"task"``, a plain one in a
            ``"thread"``, which is waited for when cancelled (and may ask
            `trio.from_thread.check_cancelled`), or in a ``"process"``, which is killed. This needs
            ``pip install 'trio-foundation[process]'``, and a function and items that can be pickled
            (with cloudpickle installed, lambdas too).
        retry: What calls the function: a `Retry`, `CircuitBreaker`, `Pipeline` or other `Caller`. A
            `Retry` does not sleep towards *timeout*: the item fails with its last error.
        on_progress: Called after each item with how many are done, and of how many, or None if that
            is not known.
        tasks: Whose tasks these are; by default the nearest open `open_task_supervisor` block's.

    Returns:
        An `Ok` or `Failed` for each item; with ``on_error="raise"``, the values themselves.

    Raises:
        TaskSupervisorNotRunning: There is no task supervisor, or it has closed, or is cancelled
            meanwhile.
        TooManyTasks: The supervisor runs *max_tasks* already; the rest is cancelled.
        TypeError: An argument is of the wrong kind.
        ValueError: An option's value is not allowed.
        ModuleNotFoundError: *run_in* needs a package that is not installed.
        Exception: Bare, what the input raised, when the items before it have ended, or what
            *on_progress* raised, at once.
        BaseExceptionGroup: With ``on_error="raise"``, what the items raised.

    Cancellation:
        Cancels the items that are worked on, and returns no results.

    Emits:
        TaskStarted, TaskFinished.

    Example:
        >>> import trio
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def fetch(page):
        ...     if page == 2:
        ...         raise OSError("gone")
        ...     return f"page {page}"
        >>> async def main():
        ...     async with open_task_supervisor():
        ...         for result in await parallel_map(fetch, [1, 2, 3], limit=2):
        ...             print(result)
        >>> trio.run(main)
        Ok(item=1, value='page 1')
        Failed(item=2, error=OSError('gone'))
        Ok(item=3, value='page 3')
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    found = _supervisor_for(tasks)
    block = open_task_supervisor() if found is None else nullcontext(found)
    if found is None:
        _warn("parallel_map", stacklevel=3)
    own: Any
    async with block as own:
        results: list[Any] = await own.parallel_map(
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
    return results


@overload
def open_map(
    async_fn: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["collect"] = "collect",
    run_in: Literal["task"] = "task",
    buffer: float | None = None,
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Ok[T, R] | Failed[T]]]: ...
@overload
def open_map(
    async_fn: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["raise"],
    run_in: Literal["task"] = "task",
    buffer: float | None = None,
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[R]]: ...
@overload
def open_map(
    function: Callable[[T], R],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["collect"] = "collect",
    run_in: Literal["thread", "process"],
    buffer: float | None = None,
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Ok[T, R] | Failed[T]]]: ...
@overload
def open_map(
    function: Callable[[T], R],
    items: Iterable[T] | AsyncIterable[T],
    /,
    *,
    on_error: Literal["raise"],
    run_in: Literal["thread", "process"],
    buffer: float | None = None,
    tasks: TaskSupervisor | None = None,
    **options: Unpack[MapOptions],
) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[R]]: ...
def open_map(  # noqa: PLR0913  keywords, with defaults
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
    tasks: TaskSupervisor | None = None,
) -> AbstractAsyncContextManager[trio.abc.ReceiveChannel[Any]]:
    """Put each item through a function, some at a time, and hand out results as they come.

    A slow consumer holds the rest back, and so does a slow item at the head of an ordered map. With
    ``buffer=math.inf`` nothing waits.

    Leaving the block cancels what is still worked on, and closes an async input.

    Args:
        async_fn: As for `parallel_map`.
        items: As for `parallel_map`, also infinite; pulled at most *limit* + *buffer* ahead of the
            consumer.
        limit: As for `parallel_map`.
        timeout: As for `parallel_map`, in seconds.
        ordered: As for `parallel_map`.
        on_error: As for `parallel_map`; ``"raise"`` cancels the body too, as in a nursery.
        run_in: As for `parallel_map`.
        buffer: How many results may wait for the consumer; by default *limit* at the start.
        retry: As for `parallel_map`.
        on_progress: As for `parallel_map`.
        tasks: As for `parallel_map`.

    Returns:
        The block, for ``async with``; it gives a `trio.abc.ReceiveChannel` to its body, of `Ok` and
        `Failed`, or with ``on_error="raise"`` of values.

    Raises:
        TaskSupervisorNotRunning: There is no task supervisor, or it has closed; of the channel,
            if it is cancelled meanwhile.
        TooManyTasks: Of the channel, if the supervisor runs *max_tasks* already.
        TypeError, ValueError, ModuleNotFoundError: As `parallel_map`.
        Exception: Of the channel, once: what the input raised, after the results before it, or what
            *on_progress* raised.
        BaseExceptionGroup: With ``on_error="raise"``, of the block, what the items raised.

    Cancellation:
        Of the block, cancels the items that are worked on. A cancelled ``receive`` has taken no
        result.

    Emits:
        TaskStarted, TaskFinished.

    Example:
        >>> import itertools, trio
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def square(number):
        ...     return number ** 2
        >>> async def main():
        ...     async with open_task_supervisor():
        ...         async with open_map(square, itertools.count(), limit=2) as results:
        ...             async for result in results:
        ...                 print(result.item, result.unwrap())
        ...                 if result.item == 2:
        ...                     break
        >>> trio.run(main)
        0 0
        1 1
        2 4
    """
    found: Any = _supervisor_for(tasks)
    if found is None:
        _warn("open_map", stacklevel=3)
        found = _Unsupervised()
    block: AbstractAsyncContextManager[trio.abc.ReceiveChannel[Any]] = found.open_map(
        async_fn,
        items,
        buffer=buffer,
        limit=limit,
        timeout=timeout,
        ordered=ordered,
        on_error=on_error,
        run_in=run_in,
        retry=retry,
        on_progress=on_progress,
    )
    return block


class _Unsupervised:
    """Opens a supervisor for one map."""

    @asynccontextmanager
    async def open_map(self, *args: Any, **options: Any) -> AsyncGenerator[Any]:
        async with open_task_supervisor() as own:
            maps: Any = own
            async with maps.open_map(*args, **options) as results:
                yield results


def _supervisor_for(tasks: TaskSupervisor | None) -> TaskSupervisor | None:
    """Return whose tasks to use; None if nobody's, and that is allowed."""
    found = nearest() if tasks is None else tasks
    if found is None and is_flag_set("use_supervised_tasks_only"):
        raise TaskSupervisorNotRunning
    if found is not None and not isinstance(found, TaskSupervisor):
        raise TypeError(
            f"tasks must be what open_task_supervisor() gives, a TaskSupervisor, not {tasks!r}"
        )
    return found


def _warn(caller: str, *, stacklevel: int) -> None:
    warnings.warn(
        f"{caller} opens a block of its own, since no TaskSupervisor is running here; with "
        "use_supervised_tasks_only this is an error: open one with open_task_supervisor()",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
