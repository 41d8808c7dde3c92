"""How do I get a batch done?

`parallel_map` puts many items through a function, a few at a time, and returns all results;
`open_map` hands them out one by one. All tasks belong to a block of `open_task_supervisor`, so none
is an orphan.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._attempts import Caller
from ._bar import rich_progress
from ._errors import TaskCancelled, TaskSupervisorNotRunning, TaskTimeout, TooManyTasks
from ._events import FinishedAs, TaskEvent, TaskFinished, TaskStarted
from ._limit import Limit
from ._map import open_map, parallel_map
from ._options import MapOptions, OnError, Progress
from ._results import Failed, Ok, Result
from ._supervisor import TaskSupervisor, open_task_supervisor
from ._task import Task
from ._where import RunIn

__all__ = [
    "Caller",
    "Failed",
    "FinishedAs",
    "Limit",
    "MapOptions",
    "Ok",
    "OnError",
    "Progress",
    "Result",
    "RunIn",
    "Task",
    "TaskCancelled",
    "TaskEvent",
    "TaskFinished",
    "TaskStarted",
    "TaskSupervisor",
    "TaskSupervisorNotRunning",
    "TaskTimeout",
    "TooManyTasks",
    "open_map",
    "open_task_supervisor",
    "parallel_map",
    "rich_progress",
]

_give_home(globals())
