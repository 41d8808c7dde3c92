"""Exit reasons, in the words of the recording and as Python errors.

An Erlang process ends with a reason, which is a term; a child of ours returns or raises.
What a reason means for a restart is decided by the library, from the error alone:

=======================  =========================
reason                   a child of ours
=======================  =========================
normal                   returns
shutdown, {shutdown, X}  raises `ShutdownChild`
killed, from outside     raises `Killed`
any other                raises `Crash`
=======================  =========================
"""

from __future__ import annotations

from trio_foundation.supervision import ChildStartFailed, ShutdownChild

from .._recordings import is_list
from ._format import Json

__all__ = ["KILLED", "NORMAL", "SHUTDOWN", "Crash", "Killed", "end_with", "is_orderly", "reason_of"]

NORMAL = "normal"
SHUTDOWN = "shutdown"
KILLED = "killed"


class Crash(Exception):
    """A child failed, for a recorded reason."""

    def __init__(self, reason: Json) -> None:
        super().__init__(reason)
        self.reason = reason


class Killed(Exception):
    """A child was killed from outside: for a supervisor, a crash like any other."""


def is_orderly(reason: Json) -> bool:
    """Return whether a reason is no failure."""
    return reason in (NORMAL, SHUTDOWN) or (is_list(reason) and reason[:1] == [SHUTDOWN])


def end_with(reason: Json) -> None:
    """Return or raise, so that the calling child ends with a reason."""
    if reason == NORMAL:
        return
    if reason == KILLED:
        raise Killed
    if is_orderly(reason):
        raise ShutdownChild(reason)
    raise Crash(reason)


def reason_of(error: BaseException | None) -> Json:
    """Return the reason that an error stands for.

    A supervisor whose child failed to start has itself failed to start, with a reason
    that names the child and holds the child's own.
    """
    match error:
        case Crash() | ShutdownChild():
            return error.reason
        case Killed():
            return KILLED
        case ChildStartFailed():
            reason = reason_of(error.__cause__)
            return [SHUTDOWN, ["failed_to_start_child", error.child, reason]]
        case _:
            return f"not a recorded reason: {error!r}"
