"""What is logged without being asked for: that something went wrong.

A crash that is silently mended hides the fault, so it goes to the log as it does in
Erlang. Everything else is told by events only.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, final

import attrs
import trio

from ..telemetry import emit, wanted
from ._events import ChildUnstopped
from ._exit import Exit

if TYPE_CHECKING:  # an incarnation reports, and a report is about an incarnation
    from ._incarnation import Incarnation

__all__ = ["report_exit", "report_unstopped", "stack_of"]

_logger = logging.getLogger("trio_foundation.supervision")


@final
@attrs.frozen
class _Traceback:
    """Made into text only by a handler that writes it."""

    exit: Exit

    def __str__(self) -> str:
        return self.exit.traceback.rstrip()


def report_exit(supervisor: str, exit: Exit) -> None:
    """Log an end that was no good end; an orderly shutdown is none of those."""
    if exit.reason == "shutdown":
        _logger.info("%s: %s", supervisor, exit)
    else:
        _logger.warning("%s: %s\n%s", supervisor, exit, _Traceback(exit))


def report_unstopped(run: Incarnation, after: float) -> None:
    """Log and emit that a child still runs, *after* seconds since it was cancelled."""
    entry = run.entry
    stack = stack_of(run.task)
    _logger.error(
        "%s: child %r (incarnation %d) still runs %.4g s after it was cancelled; it is here:\n%s",
        entry.path,
        entry.name,
        run.number,
        after,
        stack,
    )
    if wanted(ChildUnstopped):
        emit(
            ChildUnstopped(
                supervisor=entry.path,
                child=entry.name,
                incarnation=run.number,
                after=after,
                stack=stack,
            )
        )


def stack_of(task: trio.lowlevel.Task | None) -> str:
    """Return where a task is, as the text of a traceback."""
    if task is None:
        return ""
    frames = list(task.iter_await_frames())
    return "".join(traceback.StackSummary.extract(iter(frames)).format())
