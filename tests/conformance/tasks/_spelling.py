"""Exit reasons, in the words of the recording and as Python errors.

A process of Elixir exits, raises or throws; a task of ours raises:

===============  ============================================================
Elixir           ours
===============  ============================================================
``exit(R)``      raises `Exit`
``raise`` M      raises `RuntimeError`
``throw`` V      raises `Thrown`
===============  ============================================================

An exit with the reason ``normal`` is no failure to whom the process is linked to. Where any
error of ours would be one, such a task returns its `Exit`.
"""

from __future__ import annotations

from collections.abc import Iterator

from trio_foundation.tasks import TaskTimeout, TooManyTasks

from ._format import Json, Script

__all__ = ["KILLED", "NORMAL", "Exit", "Thrown", "error_of", "exit_of", "reason_of"]

NORMAL = "normal"
KILLED = "killed"


class Exit(Exception):
    """A task exits, for a recorded reason."""

    def __init__(self, reason: Json) -> None:
        super().__init__(reason)
        self.reason = reason


class Thrown(Exception):
    """A task throws a recorded value that nobody catches."""

    def __init__(self, value: Json) -> None:
        super().__init__(value)
        self.value = value


def error_of(script: Script) -> Exception:
    """Return the error that a task ends with that does not end well."""
    match script.do:
        case "exit":
            return Exit(script.value)
        case "raise":
            return RuntimeError(script.value)
        case _:
            return Thrown(script.value)


def reason_of(error: Exception) -> Json:
    """Return the reason that a consumer is told for an error of a task."""
    match error:
        case Exit():
            return error.reason
        case RuntimeError():
            return ["error", str(error)]
        case Thrown():
            return ["nocatch", error.value]
        case TaskTimeout():
            return "timeout"
        case _:
            return f"not a recorded reason: {error!r}"


def exit_of(error: Exception) -> Json:
    """Return the reason that a caller exits with, for what came out of its map.

    Raises:
        Exception: The same, if there is no such reason.
    """
    match [*_leaves(error)]:
        case [TaskTimeout()]:
            return ["timeout", "stream"]
        case [TooManyTasks()]:
            return ["error", "max_children"]
        case [Exit() | RuntimeError() | Thrown() as leaf]:
            return reason_of(leaf)
        case _:
            raise error


def _leaves(error: Exception) -> Iterator[Exception]:
    inner: tuple[Exception, ...] | None = getattr(error, "exceptions", None)
    if inner is None:
        yield error
    for each in inner or ():
        yield from _leaves(each)
