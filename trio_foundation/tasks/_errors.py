"""What tasks and maps raise, or hand back."""

from __future__ import annotations

from typing import final

import trio

from .._base import FoundationError, seconds_in_words

__all__ = ["TaskCancelled", "TaskSupervisorNotRunning", "TaskTimeout", "TooManyTasks"]


@final
class TaskSupervisorNotRunning(FoundationError):
    """No task supervisor is open to own the task.

    Example:
        >>> print(TaskSupervisorNotRunning())
        no TaskSupervisor is running here: open one with open_task_supervisor()
        >>> print(TaskSupervisorNotRunning("thumbnails"))
        task supervisor 'thumbnails' has closed: what it runs has to end inside its block
    """

    name: str | None
    """The name of the closed one, if there was one."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        if self.name is None:
            return "no TaskSupervisor is running here: open one with open_task_supervisor()"
        return f"task supervisor {self.name!r} has closed: what it runs has to end inside its block"


@final
class TooManyTasks(FoundationError):
    """A task supervisor runs as many tasks as it may.

    Example:
        >>> print(TooManyTasks("thumbnails", 10))
        task supervisor 'thumbnails' may not run more than 10 at once: raise its max_tasks, or \
lower the limit of its maps
    """

    name: str
    """The supervisor's name."""

    max_tasks: float
    """How many it may run."""

    def __init__(self, name: str, max_tasks: float) -> None:
        super().__init__(name, max_tasks)
        self.name = name
        self.max_tasks = max_tasks

    def __str__(self) -> str:
        return (
            f"task supervisor {self.name!r} may not run more than {self.max_tasks} at once: raise "
            "its max_tasks, or lower the limit of its maps"
        )


@final
class TaskTimeout(FoundationError, trio.TooSlowError):
    """An item took longer than it was given, and was cancelled.

    Example:
        >>> print(TaskTimeout("fetch", 2.0))
        fetch took longer than 2 s
    """

    name: str
    """The function's name."""

    seconds: float
    """How long it was given, in seconds."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, seconds)
        self.name = name
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.name} took longer than {seconds_in_words(self.seconds)}"


@final
class TaskCancelled(FoundationError):
    """A task was cancelled, by `Task.cancel` or with its supervisor.

    Example:
        >>> print(TaskCancelled("fetch"))
        task fetch was cancelled
    """

    name: str
    """The task's name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"task {self.name} was cancelled"
