"""What type checkers have to refuse of tasks; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.tasks import (
    Limit,
    TaskSupervisor,
    open_map,
    open_task_supervisor,
    parallel_map,
)


async def size(page: str) -> int:
    return len(page)


def plain_size(page: str) -> int:
    return len(page)


async def refused(tasks: TaskSupervisor) -> None:
    await parallel_map(size, [1, 2])  # type: ignore[arg-type]
    await parallel_map(plain_size, ["a"])  # type: ignore[arg-type]
    await parallel_map(size, "a", 3)  # type: ignore[call-overload]
    await parallel_map(size, ["a"], on_error="ignore")  # type: ignore[call-overload]
    await parallel_map(size, ["a"], limit="many")  # type: ignore[call-overload]
    await parallel_map(size, ["a"], retry=3)  # type: ignore[call-overload]
    await parallel_map(size, ["a"], buffer=3)  # type: ignore[call-overload]
    open_map(size, [1])  # type: ignore[arg-type]
    open_map(size, ["a"], limits=3)  # type: ignore[call-overload]
    tasks.start_soon(size, 1)  # type: ignore[arg-type]
    tasks.start_soon(plain_size, "a")  # type: ignore[arg-type]
    open_task_supervisor("thumbnails")  # type: ignore[call-arg]
    limit = Limit(2)
    limit.value = "many"  # type: ignore[assignment]
