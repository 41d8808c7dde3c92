"""Which tasks there are, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import trio

__all__ = ["running_tasks", "whereabouts"]


def running_tasks() -> Iterator[trio.lowlevel.Task]:
    """Yield all tasks of this run, system tasks included."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        for nursery in task.child_nurseries:
            waiting += nursery.child_tasks


def whereabouts(task: trio.lowlevel.Task) -> str:
    """Return a task's name, and its innermost line that is not Trio's own."""
    place = ""
    if getattr(task.coro, "cr_frame", None) is None:
        return f"{task.name}: ended"  # Trio would look into the frame
    for frame, line in task.iter_await_frames():
        if not place or not _is_of_trio(frame.f_globals):
            code = frame.f_code
            place = f'File "{code.co_filename}", line {line}, in {code.co_qualname}'
    return f"{task.name}: {place}"


def _is_of_trio(names: dict[str, Any]) -> bool:
    return str(names.get("__name__", "")).partition(".")[0] == "trio"
