"""The errors of processes; two of the same facts are equal."""

from __future__ import annotations

import math
import shlex
import signal
from typing import final

from .._base import FoundationError, seconds_in_words

__all__ = ["ProcessFailed", "ProcessKilled", "ProcessNotStarted", "describe_end"]

# In characters; the field has all of it.
_COMMAND_SHOWN = 200


class _ProcessError(FoundationError):
    command: tuple[str, ...]
    """The program and its arguments."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


@final
class ProcessNotStarted(_ProcessError):
    """A process could not be started, by the `OSError` in ``__cause__``.

    It is itself the cause of a `ChildStartFailed`.

    Example:
        >>> print(ProcessNotStarted(("gunzpi", "log.gz"), "/var", "No such file or directory"))
        'gunzpi log.gz' could not be started in directory '/var': No such file or directory
    """

    cwd: str | None
    """The directory that it was to run in; None is that of this program."""

    why: str
    """What the operating system says, and what that means here."""

    def __init__(self, command: tuple[str, ...], cwd: str | None, why: str) -> None:
        super().__init__(command, cwd, why)
        self.command = command
        self.cwd = cwd
        self.why = why

    def __str__(self) -> str:
        where = "" if self.cwd is None else f" in directory {self.cwd!r}"
        return f"{_shown(self.command)} could not be started{where}: {self.why}"


@final
class ProcessFailed(_ProcessError):
    """A process ended by itself, and not as it should: its child has crashed.

    It had an exit code other than 0, was ended by a signal, or was not ready yet. The last lines of
    its stderr are in a note too.

    Example:
        >>> print(ProcessFailed(("gunzip", "log"), 7, 1, ("gunzip: log: unknown suffix",)))
        'gunzip log' (pid 7) ended with exit code 1; the last line of its stderr is \
'gunzip: log: unknown suffix'
        >>> print(ProcessFailed(("dump",), 8, -11, ()))
        'dump' (pid 8) was ended by SIGSEGV; it wrote nothing to stderr: subscribe to ProcessOutput \
to see its stdout
    """

    pid: int
    """The number that it had."""

    returncode: int
    """Its exit code; below 0 the number of the signal, as -11 for SIGSEGV."""

    stderr: tuple[str, ...]
    """The last lines of its stderr: at most 20, of at most 500 bytes each."""

    was_ready: bool
    """Whether it was ready before."""

    def __init__(
        self,
        command: tuple[str, ...],
        pid: int,
        returncode: int,
        stderr: tuple[str, ...],
        was_ready: bool = True,
    ) -> None:
        super().__init__(command, pid, returncode, stderr, was_ready)
        self.command = command
        self.pid = pid
        self.returncode = returncode
        self.stderr = stderr
        self.was_ready = was_ready
        if len(stderr) > 1:
            self.add_note("The last lines of its stderr:\n" + "\n".join(f"  {x}" for x in stderr))

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it, as ``SIGSEGV``; None if it exited."""
        return describe_end(self.returncode) if self.returncode < 0 else None

    def __str__(self) -> str:
        how = "was ended by" if self.returncode < 0 else "ended with"
        late = "" if self.was_ready else " before it was ready: no line of it met ready_when"
        last = next((line for line in reversed(self.stderr) if line.strip()), None)
        told = (
            "it wrote nothing to stderr: subscribe to ProcessOutput to see its stdout"
            if last is None
            else f"the last line of its stderr is {last!r}"
        )
        end = describe_end(self.returncode)
        return f"{_shown(self.command)} (pid {self.pid}) {how} {end}{late}; {told}"


@final
class ProcessKilled(_ProcessError):
    """A process did not end when it was told to, so it was killed, with its whole group.

    The reason of its `Exit` is ``stopped`` all the same.

    Example:
        >>> print(ProcessKilled(("redis-server",), 7, 5.0, 5.0))
        'redis-server' (pid 7) did not end within 5 s of SIGTERM and was killed: raise grace=, or \
see what it does at its end
        >>> print(ProcessKilled(("redis-server",), 7, 0.5, 5.0))
        'redis-server' (pid 7) was killed 0.5 s after SIGTERM, though its grace is 5 s: a \
supervisor above had no time left
    """

    pid: int
    """The number that it had."""

    after: float
    """How long it was given, in seconds."""

    grace: float
    """How long it should have been given, in seconds."""

    def __init__(self, command: tuple[str, ...], pid: int, after: float, grace: float) -> None:
        super().__init__(command, pid, after, grace)
        self.command = command
        self.pid = pid
        self.after = after
        self.grace = grace

    def __str__(self) -> str:
        who, after = f"{_shown(self.command)} (pid {self.pid})", seconds_in_words(self.after)
        if self.after < self.grace:
            grace = "endless" if self.grace == math.inf else seconds_in_words(self.grace)
            return (
                f"{who} was killed {after} after SIGTERM, though its grace is {grace}: a "
                "supervisor above had no time left"
            )
        return (
            f"{who} did not end within {after} of SIGTERM and was killed: raise grace=, or see "
            "what it does at its end"
        )


def describe_end(returncode: int) -> str:
    """Return how a process ended, in words.

    Example:
        >>> describe_end(2), describe_end(-9), describe_end(-64_000)
        ('exit code 2', 'SIGKILL', 'signal 64000')
    """
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def _shown(command: tuple[str, ...]) -> str:
    text = shlex.join(command)
    return repr(text if len(text) <= _COMMAND_SHOWN else f"{text[:_COMMAND_SHOWN]}...")
