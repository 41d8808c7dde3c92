"""From the error at the top down to the child to blame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ..supervision import ChildStartFailed, Exit, RestartLimitReached
from ._rules import Crashed, GaveUp, Level, NotStarted, failure_report

__all__ = ["is_failure", "report_of_error", "report_of_exit"]

Failure: TypeAlias = RestartLimitReached | ChildStartFailed


def is_failure(exit: Exit) -> bool:
    """Return whether an end is a failure, even if a signal came before it was over."""
    return exit.reason in {"crashed", "unresponsive"} or isinstance(exit.error, Failure)


def report_of_exit(exit: Exit) -> str:
    if isinstance(exit.error, Failure):
        return report_of_error(exit.error)
    return failure_report([Crashed(exit=str(exit))], exit.traceback)


def report_of_error(error: Failure) -> str:
    failures = list(_downwards(error))
    levels = [_level(failure) for failure in reversed(failures)]
    return failure_report(levels, _last_traceback(failures[-1]))


def _downwards(error: BaseException | None) -> Iterator[Failure]:
    """Yield a failure, the one below that caused it, and so on."""
    while isinstance(error, Failure):
        yield error
        error = error.__cause__


def _level(failure: Failure) -> Level:
    if isinstance(failure, ChildStartFailed):
        return NotStarted(supervisor=failure.supervisor, child=failure.child)
    return GaveUp(
        supervisor=failure.supervisor,
        child=failure.child,
        max_restarts=failure.max_restarts,
        within=failure.within,
        failed=tuple(exit.child for exit in failure.exits),
        exits=tuple(str(exit) for exit in failure.exits),
        is_return=bool(failure.exits) and failure.exits[-1].reason == "returned",
    )


def _last_traceback(failure: Failure) -> str:
    if isinstance(failure, RestartLimitReached) and failure.exits:
        return failure.exits[-1].traceback
    error = failure.__cause__
    if error is None:
        return ""
    # An exit is what knows how to leave our own lines out.
    return Exit(
        child="", incarnation=1, reason="crashed", error=error, started_at=0.0, ended_at=0.0
    ).traceback
