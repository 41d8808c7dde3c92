"""Which task is a child's own: the one in which a supervisor runs its function.

The tasks that the function starts, and the loop of a supervisor within, run in the child's context
as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary

import trio

from ..supervision import Child, current_child

__all__ = ["Reach", "living_tasks"]


class Reach:
    """Tells the own tasks of children; is shown each task once, parents first."""

    def __init__(self) -> None:
        self._known = WeakKeyDictionary[Child[Any], int]()
        """The incarnation seen last."""

    def path_of(self, task: trio.lowlevel.Task) -> str | None:
        """Return the path of the child whose own task this is."""
        child = _child_in(task.context)
        if child is None or not task.name.endswith(f"/{child.name}"):
            return None
        if self._known.get(child) == child.incarnation:
            return None  # the child has started it, and given it its own name
        self._known[child] = child.incarnation
        return task.name


def living_tasks() -> Iterator[trio.lowlevel.Task]:
    """Yield all tasks, parents first, siblings by name."""
    root = trio.lowlevel.current_root_task()
    queue = [] if root is None else [root]
    while queue:
        task = queue.pop()
        yield task
        for nursery in task.child_nurseries:
            # A set of tasks has another order each time, and what follows is to be the same.
            queue += sorted(nursery.child_tasks, key=lambda task: task.name, reverse=True)


def _child_in(context: Context) -> Child[Any] | None:
    # A context that a task is running in cannot be entered, and a copy of it can.
    return context.copy().run(_current_child)


def _current_child() -> Child[Any] | None:
    try:
        return current_child()
    except RuntimeError:
        return None
