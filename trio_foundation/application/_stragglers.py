"""Finding what still runs, in Trio's tree of tasks; a task's context tells its child."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from types import FrameType
from typing import Any

import trio

from ..supervision import Child, current_child
from ._rules import Place, Straggler

__all__ = ["find_stragglers"]

_TASKS_SHOWN = 5

_LIBRARY = ("trio", "trio_foundation.supervision", "trio_foundation._waiting", "trio_util")


def find_stragglers() -> list[Straggler]:
    """Return the children that run; not the supervisors, which wait for theirs."""
    tasks: dict[Child[Any], list[trio.lowlevel.Task]] = {}
    root = trio.lowlevel.current_root_task()
    assert root is not None
    for task in _tasks_below(root):
        child = _child_of(task)
        if child is not None:
            tasks.setdefault(child, []).append(task)
    found = (_straggler(child, its) for child, its in tasks.items())
    return [one for one in found if one is not None]


def _tasks_below(root: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    for nursery in root.child_nurseries:
        for task in nursery.child_tasks:
            yield task
            yield from _tasks_below(task)


def _child_of(task: trio.lowlevel.Task) -> Child[Any] | None:
    try:
        return task.context.run(current_child)
    except RuntimeError:  # it belongs to no child, or it is the one that is running
        return None


def _straggler(child: Child[Any], tasks: list[trio.lowlevel.Task]) -> Straggler | None:
    stacks = [stack for stack in map(_stack_of, tasks) if stack]
    if not stacks and child.spec.kind == "supervisor":
        return None
    return Straggler(
        # A child's own task is named after its place in the tree, and was found first.
        path=tasks[0].name,
        incarnation=child.incarnation,
        is_stopping=child.state == "stopping",
        stacks=tuple(stacks[:_TASKS_SHOWN]),
    )


def _stack_of(task: trio.lowlevel.Task) -> tuple[Place, ...]:
    return tuple(
        Place(
            file=frame.f_code.co_filename,
            line=line,
            function=frame.f_code.co_name,
            source=linecache.getline(frame.f_code.co_filename, line).strip(),
        )
        for frame, line in task.iter_await_frames()
        if not _is_of_library(frame)
    )


def _is_of_library(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return any(name == package or name.startswith(f"{package}.") for package in _LIBRARY)
