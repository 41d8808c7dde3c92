"""What a supervisor reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..telemetry import Event
from ._exit import Exit
from ._rules._words import ExitReason

__all__ = [
    "ChildEvent",
    "ChildExited",
    "ChildIgnored",
    "ChildReady",
    "ChildRestarting",
    "ChildStarted",
    "ChildStopping",
    "ChildUnstopped",
    "SupervisionEvent",
    "SupervisorStarted",
    "SupervisorStopped",
    "SupervisorWouldFail",
]


@attrs.frozen(kw_only=True)
class SupervisionEvent(Event):
    """The base of the events of supervisors: subscribe to it for all."""

    supervisor: str
    """The supervisor's path, as ``app/web``."""


@attrs.frozen(kw_only=True)
class ChildEvent(SupervisionEvent):
    """The base of the events of one child."""

    child: str
    """The child's name."""

    incarnation: int
    """Which start of the child; the first is 1."""


@final
@attrs.frozen(kw_only=True)
class ChildStarted(ChildEvent):
    """A child was started; it may not be ready yet."""

    name: ClassVar[str] = "foundation.supervision.child_started"


@final
@attrs.frozen(kw_only=True)
class ChildReady(ChildEvent):
    """A child is ready."""

    name: ClassVar[str] = "foundation.supervision.child_ready"

    after: float = attrs.field(repr="{:.4g}".format)
    """How long that took, in seconds."""


@final
@attrs.frozen(kw_only=True)
class ChildIgnored(ChildEvent):
    """A child raised `IgnoreChild`."""

    name: ClassVar[str] = "foundation.supervision.child_ignored"

    reason: str
    """Why, as it said."""


@final
@attrs.frozen(kw_only=True)
class ChildExited(ChildEvent):
    """An incarnation of a child has ended."""

    name: ClassVar[str] = "foundation.supervision.child_exited"

    reason: ExitReason
    """In which way; see `Exit.reason`."""

    exit: Exit = attrs.field(repr=str)
    """All that is known of it."""

    @property
    def severity(self) -> int:
        """The level to log it at: a warning if something went wrong."""
        if self.reason in {"crashed", "unresponsive"} or self.exit.error is not None:
            return logging.WARNING
        return logging.INFO


@final
@attrs.frozen(kw_only=True)
class ChildRestarting(ChildEvent):
    """A restart of a child is due after *delay*; its siblings come along by the strategy.

    It is not made if by then the limit is spent, or the supervisor ends.
    """

    name: ClassVar[str] = "foundation.supervision.child_restarting"

    delay: float = attrs.field(repr="{:.4g}".format)
    """In how many seconds, by its backoff."""

    attempt: int
    """How many restarts in a row came before."""


@final
@attrs.frozen(kw_only=True)
class ChildStopping(ChildEvent):
    """A supervisor begins to stop a child."""

    name: ClassVar[str] = "foundation.supervision.child_stopping"

    cause: str
    """What for: ``stop_child``, the strategy of a group restart, or how the supervisor ends."""


@final
@attrs.frozen(kw_only=True)
class ChildUnstopped(ChildEvent):
    """A child was cancelled, its time for cleaning up is over, and it still runs.

    A Trio task cannot be killed: the supervisor waits on.
    """

    name: ClassVar[str] = "foundation.supervision.child_unstopped"
    level: ClassVar[int] = logging.ERROR

    after: float = attrs.field(repr="{:.4g}".format)
    """How long ago it was cancelled, in seconds."""

    stack: str
    """Where it is, as the text of a traceback."""


@final
@attrs.frozen(kw_only=True)
class SupervisorStarted(SupervisionEvent):
    """A supervisor has started its first children; its body runs now."""

    name: ClassVar[str] = "foundation.supervision.supervisor_started"


@final
@attrs.frozen(kw_only=True)
class SupervisorStopped(SupervisionEvent):
    """A supervisor has ended, and none of its children is left."""

    name: ClassVar[str] = "foundation.supervision.supervisor_stopped"

    reason: str
    """``finished`` (its block ended), ``shutdown``, ``auto_shutdown``, ``failed`` (see
    `SupervisorFailed`), ``hurried`` or ``interrupted`` (by a KeyboardInterrupt and the like)."""


@final
@attrs.frozen(kw_only=True)
class SupervisorWouldFail(SupervisionEvent):
    """A supervisor has passed its limit, and goes on since a flag is off.

    See `trio_foundation.flags`, ``use_strict_supervision``.
    """

    name: ClassVar[str] = "foundation.supervision.supervisor_would_fail"
    level: ClassVar[int] = logging.WARNING

    child: str
    """The child that went over the limit."""

    max_restarts: int
    """The limit: so many restarts..."""

    within: float
    """... in so many seconds."""
