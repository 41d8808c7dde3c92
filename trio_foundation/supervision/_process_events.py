"""What is reported of processes, apart from restarts: it may be a thousand lines a second."""

from __future__ import annotations

import logging
from typing import ClassVar, Literal, final

import attrs

from ..telemetry import Event
from ._process_errors import describe_end

__all__ = ["ProcessEvent", "ProcessExited", "ProcessOutput", "ProcessOverdue", "ProcessStarted"]


@attrs.frozen(kw_only=True)
class ProcessEvent(Event):
    """The base of the events of processes: subscribe to it for all."""

    supervisor: str
    """The supervisor's path, as ``app/web``."""

    child: str
    """The child's name."""

    incarnation: int
    """Which start of the child; the first is 1."""

    pid: int
    """The process's number."""


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
    """Without its newline; bytes that are no UTF-8 are replaced by ``U+FFFD``."""

    goes_on: bool = False
    """Whether the line, longer than 65,536 bytes, goes on in the next event of the stream."""


@final
@attrs.frozen(kw_only=True)
class ProcessOverdue(ProcessEvent):
    """A process did not end when it was told to, and is killed now, with its whole group."""

    name: ClassVar[str] = "foundation.supervision.process_overdue"
    level: ClassVar[int] = logging.WARNING

    after: float = attrs.field(repr="{:.4g}".format)
    """How long ago it was sent SIGTERM, in seconds."""


@final
@attrs.frozen(kw_only=True)
class ProcessExited(ProcessEvent):
    """A process has ended, and all that it wrote was told."""

    name: ClassVar[str] = "foundation.supervision.process_exited"

    returncode: int
    """Its exit code; below 0 the number of the signal, as -11 for SIGSEGV; 255 if not known, since
    something else in this program has collected it."""

    was_told: bool
    """Whether it was sent SIGTERM or SIGKILL before."""

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
