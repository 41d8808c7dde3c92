"""What is reported of children that are processes.

They are a family of their own: who listens for restarts did not ask for what a process writes,
which may be a thousand lines a second.
"""

from __future__ import annotations

import logging
from typing import ClassVar, Literal, final

import attrs

from ..telemetry import Event
from ._process_errors import describe_end

__all__ = ["ProcessEvent", "ProcessExited", "ProcessOutput", "ProcessOverdue", "ProcessStarted"]


@attrs.frozen(kw_only=True)
class ProcessEvent(Event):
    """What the events of processes have in common; subscribe to it to hear them all."""

    supervisor: str
    """The path of the supervisor, from the outermost one: ``app/web``."""

    child: str
    """The name of the child."""

    incarnation: int
    """Which start of the child the event belongs to; the first is 1."""

    pid: int
    """The number of the process."""


@final
@attrs.frozen(kw_only=True)
class ProcessStarted(ProcessEvent):
    """A process runs; it may not be ready yet."""

    name: ClassVar[str] = "foundation.supervision.process_started"

    command: tuple[str, ...]
    """The program and its arguments."""


@final
@attrs.frozen(kw_only=True)
class ProcessOutput(ProcessEvent):
    """A process has written a line, or a piece of a very long one."""

    name: ClassVar[str] = "foundation.supervision.process_output"

    stream: Literal["stdout", "stderr"]
    """Where it was written to."""

    line: str
    """The line without its newline. Bytes that are no UTF-8 are replaced by ``U+FFFD``."""

    goes_on: bool = False
    """Whether the line goes on in the next event of the stream: it is longer than 65,536
    bytes."""


@final
@attrs.frozen(kw_only=True)
class ProcessOverdue(ProcessEvent):
    """A process did not end when it was told to, and is killed now, with its whole group."""

    name: ClassVar[str] = "foundation.supervision.process_overdue"
    level: ClassVar[int] = logging.WARNING

    after: float = attrs.field(repr="{:.4g}".format)
    """How long ago it was told, by SIGTERM, in seconds."""


@final
@attrs.frozen(kw_only=True)
class ProcessExited(ProcessEvent):
    """A process has ended, and all that it wrote was told."""

    name: ClassVar[str] = "foundation.supervision.process_exited"

    returncode: int
    """Its exit code; below 0 the number of the signal that ended it, as -11 for SIGSEGV; 255 if
    that is not known, since something else in this program has collected it."""

    was_told: bool
    """Whether it was sent SIGTERM or SIGKILL before it ended."""

    after: float = attrs.field(repr="{:.4g}".format)
    """How long it ran, in seconds."""

    @property
    def end(self) -> str:
        """How it ended, in words: ``exit code 1``, ``SIGSEGV``."""
        return describe_end(self.returncode)

    @property
    def severity(self) -> int:
        """The level to log it at: a warning if it failed by itself."""
        if self.returncode != 0 and not self.was_told:
            return logging.WARNING
        return logging.INFO
