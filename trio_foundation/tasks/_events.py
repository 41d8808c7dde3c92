"""What the room reports."""

from __future__ import annotations

import logging
from typing import ClassVar, Literal, TypeAlias, final

import attrs

from ..telemetry import Event

__all__ = ["FinishedAs", "TaskEvent", "TaskFinished", "TaskStarted"]

FinishedAs: TypeAlias = Literal["ok", "failed", "timed_out", "cancelled"]
"""How a task has ended."""


@attrs.frozen(kw_only=True)
class TaskEvent(Event):
    """The base class of events of tasks and of the items of a map.

    Example:
        >>> TaskStarted(supervisor="tasks", task="fetch", index=None).task
        'fetch'
    """

    supervisor: str
    """The name of the task supervisor."""

    task: str
    """The name of the task, or of the function of a map."""

    index: int | None
    """Which item of a map it is, from 0; None for a task."""


@final
@attrs.frozen(kw_only=True)
class TaskStarted(TaskEvent):
    """A task has started, or the work on an item."""

    name: ClassVar[str] = "foundation.tasks.task_started"
    level: ClassVar[int] = logging.DEBUG


@final
@attrs.frozen(kw_only=True)
class TaskFinished(TaskEvent):
    """A task has ended, or the work on an item."""

    name: ClassVar[str] = "foundation.tasks.task_finished"
    level: ClassVar[int] = logging.DEBUG

    result: FinishedAs
    """How."""

    after: float
    """How long it took, in seconds."""

    error: str
    """The error's type and text; empty if there was none."""
