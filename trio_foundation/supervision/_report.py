"""What is logged without being asked for: that something went wrong.

A crash that is mended in silence hides the fault. All else is told by events only.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, final

import attrs
import trio

from ..telemetry import Event, emit, wanted
from ._errors import SupervisorFailed
from ._events import ChildUnstopped
from ._exit import Exit

if TYPE_CHECKING:  # an incarnation reports, and a report is about an incarnation
    from ._incarnation import Incarnation

__all__ = ["report_exit", "report_unstopped", "say", "stack_of", "tell"]

_logger = logging.getLogger("trio_foundation.supervision")


@final
@attrs.frozen
class _Traceback:
    """Made into text only when written."""

    exit: Exit

    def __str__(self) -> str:
        return self.exit.traceback.rstrip()


def tell(event: Event, interrupt: Callable[[BaseException], None]) -> None:
    """Emit an event; give *interrupt* what a handler raises that is no Exception."""
    try:
        emit(event)
    except BaseException as error:  # noqa: BLE001  see above
        interrupt(error)


def say(
    level: int,
    message: str,
    *args: object,
    exc_info: bool = False,
    extra: Mapping[str, object] | None = None,
) -> None:
    """Write to the log, which may be broken."""
    with suppress(Exception):
        _logger.log(level, message, *args, exc_info=exc_info, extra=extra)


def report_exit(supervisor: str, exit: Exit) -> None:
    """Log an end that was no good end.

    A supervisor that gave up is one, though the level above takes it for a shutdown.
    """
    extra = {"supervisor": supervisor, "child": exit.child, "exit": exit}
    if exit.reason == "shutdown" and not isinstance(exit.error, SupervisorFailed):
        say(logging.INFO, "%s: %s", supervisor, exit, extra=extra)
    else:
        say(logging.WARNING, "%s: %s\n%s", supervisor, exit, _Traceback(exit), extra=extra)


def report_unstopped(run: Incarnation, after: float) -> None:
    """Report a child that still runs, *after* seconds since it was cancelled."""
    entry = run.entry
    stack = ""
    with suppress(Exception):  # a frame may hold anything
        stack = stack_of(run.task).rstrip()
    say(
        logging.ERROR,
        "%s: child %r (incarnation %d) still runs %.3g s after it was cancelled; it is here:\n%s",
        entry.path,
        entry.name,
        run.number,
        after,
        stack,
    )
    if wanted(ChildUnstopped):
        tell(
            ChildUnstopped(
                supervisor=entry.path,
                child=entry.name,
                incarnation=run.number,
                after=after,
                stack=stack,
            ),
            run.keeper.interrupt,
        )


def stack_of(task: trio.lowlevel.Task | None) -> str:
    """Return where a task is, as the text of a traceback."""
    if task is None:
        return ""
    frames = list(task.iter_await_frames())
    theirs = [(frame, line) for frame, line in frames if not _is_of_library(frame)]
    return "".join(traceback.StackSummary.extract(iter(theirs or frames)).format())


def _is_of_library(frame: FrameType) -> bool:
    package, _, _ = str(frame.f_globals.get("__name__", "")).partition(".")
    return package in {"trio", "trio_foundation"}
