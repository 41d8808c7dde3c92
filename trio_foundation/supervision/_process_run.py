"""One run of a process, from its start until it is collected.

Once it runs everything here is shielded: unread pipes would block it, and uncollected it would stay
as a zombie. One task listens for a stop, and only sends signals.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TypeAlias, assert_never, final

import attrs
import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from ..telemetry import wanted
from ._current import current_child
from ._incarnation import CURRENT, Incarnation
from ._process_errors import ProcessFailed, ProcessKilled, ProcessNotStarted
from ._process_events import (
    ProcessEvent,
    ProcessExited,
    ProcessOutput,
    ProcessOverdue,
    ProcessStarted,
)
from ._report import tell
from ._rules._process import LineCutter, Piece, decode, judge_process

__all__ = ["COLLECTING", "ProcessPlan", "run_process"]

StreamName: TypeAlias = Literal["stdout", "stderr"]

# How long a child may take, in seconds, to collect a process that it has killed.
COLLECTING = 1.0

# When the process has ended, one that has left its group may still hold its pipes, and write.
# What the process itself wrote is in them by then: no more than a pipe holds, in bytes, and
# read when for so many steps of the scheduler there was nothing to read.
_PIPE = 1 << 20
_STEPS = 3

# The exit code of a process that somebody else has collected, so that nobody knows the real one.
_UNKNOWN = 255

_LONGEST_LINE = 65_536
_PORTION = 65_536

# How many lines are told before other tasks have their turn.
_LINES_AT_ONCE = 64

# What an error keeps of stderr.
_LAST_LINES = 20
_LAST_BYTES = 500


@final
@attrs.frozen(kw_only=True)
class ProcessPlan:
    """What to run, and how."""

    command: tuple[str, ...]
    cwd: str | None
    env: tuple[tuple[str, str | None], ...] = attrs.field(repr=False)  # passwords
    ready_when: str | Callable[[str], bool] | None

    def environment(self) -> dict[str, str]:
        """Return the variables that the process gets."""
        variables: dict[str, str | None] = {**os.environ, **dict(self.env)}
        return {name: value for name, value in variables.items() if value is not None}

    @disable_ki_protection
    def is_ready_by(self, line: str) -> bool:
        """Return whether this line says that the process is ready."""
        if isinstance(self.ready_when, str):
            return self.ready_when in line
        return self.ready_when is None or bool(self.ready_when(line))


@enable_ki_protection
async def run_process(plan: ProcessPlan, *, task_status: trio.TaskStatus[int]) -> None:
    """Run a process until it ends or the child is stopped."""
    child = current_child()
    run = CURRENT.get()
    process = await _start(plan)
    run.stop_requested()  # from now on a stop asks first
    grace = max(0.0, round(run.entry.spec.grace - COLLECTING, 9))
    life = _Life(plan, process, run, task_status, grace)
    child.status = f"pid {process.pid}"
    try:
        await life.live()
    finally:
        child.status = None
        await life.bury()
    life.conclude()
    # The task that listens for a stop has swallowed the cancellation, to send its signals.
    await trio.lowlevel.checkpoint_if_cancelled()


async def _start(plan: ProcessPlan) -> trio.Process:
    """Start the process, or raise `ProcessNotStarted`."""
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        _check_sigchld()
        return await trio.lowlevel.open_process(
            plan.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=plan.cwd,
            env=plan.environment(),
            **options,
        )
    except OSError as error:
        # Its traceback shows how threads are run, and nothing else.
        raise ProcessNotStarted(
            plan.command, plan.cwd, _why(plan, error)
        ) from error.with_traceback(None)


def _check_sigchld() -> None:
    if sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        raise ChildProcessError(
            errno.ECHILD,
            "SIGCHLD is ignored, so the system would not tell how it ends: write "
            "signal.signal(signal.SIGCHLD, signal.SIG_DFL) before trio.run",
        )


def _why(plan: ProcessPlan, error: OSError) -> str:
    why = error.strerror or str(error)
    if plan.cwd is not None and error.filename == plan.cwd:
        return f"the directory cannot be entered: {why}"
    if not isinstance(error, FileNotFoundError):
        return why
    found, is_path = _find(plan), os.path.dirname(plan.command[0])
    if found is not None:
        return f"{why}; {found!r} is there, but not the interpreter that its first line names"
    return why if is_path else f"{why}; {plan.command[0]!r} is looked for in PATH"


def _find(plan: ProcessPlan) -> str | None:
    program = plan.command[0]
    if os.path.dirname(program):
        program = os.path.join(plan.cwd or "", program)
        return program if os.path.exists(program) else None
    return shutil.which(program, path=plan.environment().get("PATH"))


@final
@attrs.define(eq=False)
class _Life:
    """A process that runs."""

    plan: ProcessPlan
    process: trio.Process
    run: Incarnation
    task_status: trio.TaskStatus[int]

    grace: float
    """How long it has to end when told to, in seconds."""

    started_at: float = attrs.field(init=False, factory=trio.current_time)
    told_at: float | None = attrs.field(init=False, default=None)
    """When it was told to end."""
    overdue: float | None = attrs.field(init=False, default=None)
    """How long it was given, if that was not enough."""
    is_ready: bool = attrs.field(init=False, default=False)
    returncode: int | None = attrs.field(init=False, default=None)
    is_lost: bool = attrs.field(init=False, default=False)
    """Whether somebody else has collected it."""
    failure: BaseException | None = attrs.field(init=False, default=None)
    """What *ready_when* has raised."""

    _ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    _reads: list[trio.CancelScope] = attrs.field(init=False, factory=list[trio.CancelScope])
    _heard: int = attrs.field(init=False, default=0)
    """Grows with what is read and told."""
    _last: deque[bytes] = attrs.field(init=False, factory=lambda: deque[bytes](maxlen=_LAST_LINES))

    async def live(self) -> None:
        """Go on until the process is collected and all that it wrote is told."""
        if wanted(ProcessStarted):
            self._emit(ProcessStarted, command=self.plan.command)
        if self.plan.ready_when is None:
            self._be_ready()
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_when_told)
                with trio.CancelScope(shield=True):
                    async with trio.open_nursery() as readers:
                        readers.start_soon(self._read, "stdout", self.process.stdout)
                        readers.start_soon(self._read, "stderr", self.process.stderr)
                        await self._collect()
                        await self._hear_out()
                nursery.cancel_scope.cancel(reason="trio_foundation: the process has ended")

    async def bury(self) -> None:
        """Leave nothing behind, not even if `live` has failed half-way."""
        with trio.CancelScope(shield=True):
            if not self._ended.is_set():
                self._kill_group()
            await self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                await trio.aclose_forcefully(stream)

    def conclude(self) -> None:
        """Emit `ProcessExited`, and raise what the end amounts to."""
        returncode = self.returncode
        assert returncode is not None
        if wanted(ProcessExited):
            after = trio.current_time() - self.started_at
            was_told = self.told_at is not None
            self._emit(ProcessExited, returncode=returncode, was_told=was_told, after=after)
        if self.failure is not None:
            raise self.failure
        verdict = judge_process(
            returncode,
            was_ready=self.is_ready,
            was_stopped=self.told_at is not None and self.run.ending == "stopped",
            was_killed=self.overdue is not None,
        )
        match verdict:
            case "normal" | "stopped":
                return
            case "killed":
                assert self.overdue is not None
                raise ProcessKilled(self.plan.command, self.process.pid, self.overdue, self.grace)
            case "failed":
                raise self._failed(returncode)
            case _:
                assert_never(verdict)

    def _failed(self, returncode: int) -> ProcessFailed:
        last = tuple(decode((line, False)) for line in self._last)
        error = ProcessFailed(self.plan.command, self.process.pid, returncode, last, self.is_ready)
        if self.is_lost:
            error.add_note(
                f"How it ended is not known, and {_UNKNOWN} is made up: something else in this "
                "program has collected it, as os.waitpid(-1, ...) does, or SIGCHLD is ignored."
            )
        return error

    # Its end

    async def _collect(self) -> None:
        pidfd = _pidfd(self.process.pid)
        if pidfd is not None:
            try:
                await trio.lowlevel.wait_readable(pidfd)
            finally:
                trio.lowlevel.notify_closing(pidfd)
                os.close(pidfd)
        try:
            returncode = _look(self.process.pid)
        except ChildProcessError:
            self.is_lost, returncode = True, _UNKNOWN
        if returncode is None:
            # Once it is collected, its number may be given to another process. That takes the
            # system a while, and the group is killed in the same moment.
            returncode = await self.process.wait()
        self.returncode = returncode
        self._ended.set()
        self._kill_group()
        await self.process.wait()

    async def _hear_out(self) -> None:
        """Let the pipes be read until they are empty: some process may hold them for ever.

        Counted in seconds, lines would be lost whenever another task keeps the program busy.
        """
        before = -1
        while before != self._heard:
            before = self._heard
            for _ in range(_STEPS):
                await trio.lowlevel.cancel_shielded_checkpoint()
        for scope in self._reads:
            scope.cancel(reason="trio_foundation: the process has ended")

    @enable_ki_protection
    async def _stop_when_told(self) -> None:
        try:
            await self.run.stop_requested().wait()
            await self._terminate()
        except trio.Cancelled:  # run_process raises it again
            if not self._ended.is_set():
                with self.run.cleanup_scope():
                    await self._terminate()
        # It may have ended in this very tick, of which the other task is still to hear.
        await trio.lowlevel.cancel_shielded_checkpoint()
        if not self._ended.is_set():
            self._give_up()

    async def _terminate(self) -> None:
        """Tell the process to end, once; then wait, up to its grace."""
        if self.told_at is None:
            self.told_at = trio.current_time()
            if self.grace > 0:
                self._send_sigterm()
        with trio.CancelScope(deadline=self.told_at + self.grace):
            await self._ended.wait()

    def _give_up(self) -> None:
        assert self.told_at is not None
        self._kill_group()
        if self.grace > 0:  # else it was never given time
            self.overdue = trio.current_time() - self.told_at
            if wanted(ProcessOverdue):
                self._emit(ProcessOverdue, after=self.overdue)

    # Not by methods of trio.Process: they collect a process that has ended, and its group with
    # its number is to be killed first.

    def _send_sigterm(self) -> None:
        if sys.platform == "win32":
            self.process.terminate()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.process.pid, signal.SIGTERM)

    def _kill_group(self) -> None:
        if sys.platform == "win32":
            self.process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    # What it writes

    @enable_ki_protection
    async def _read(self, name: StreamName, stream: trio.abc.ReceiveStream | None) -> None:
        assert stream is not None
        cutter = LineCutter(_LONGEST_LINE)
        left = _PIPE
        with trio.CancelScope() as scope, suppress(trio.BrokenResourceError):
            self._reads.append(scope)
            while data := await stream.receive_some(_PORTION):
                self._heard += 1
                await self._tell(name, cutter.feed(bytes(data)))
                if self._ended.is_set():
                    left -= len(data)
                if left <= 0:
                    break
        await self._tell(name, cutter.end())

    async def _tell(self, name: StreamName, pieces: list[Piece]) -> None:
        if name == "stderr":
            self._last.extend(line[:_LAST_BYTES] for line, _ in pieces[-_LAST_LINES:])
        for number, piece in enumerate(pieces, 1):
            if self.is_ready and not wanted(ProcessOutput):
                return
            self._tell_one(name, decode(piece), goes_on=piece[1])
            if number % _LINES_AT_ONCE == 0:
                self._heard += 1
                await trio.lowlevel.cancel_shielded_checkpoint()

    def _tell_one(self, name: StreamName, line: str, *, goes_on: bool) -> None:
        if wanted(ProcessOutput):
            self._emit(ProcessOutput, stream=name, line=line, goes_on=goes_on)
        if self.is_ready or self.failure is not None:
            return
        try:
            if self.plan.is_ready_by(line):
                self._be_ready()
        except BaseException as error:  # noqa: BLE001  it is raised when the process has ended
            self.failure = error
            self._scope.cancel(reason="trio_foundation: ready_when has raised")

    def _be_ready(self) -> None:
        self.is_ready = True
        self.task_status.started(self.process.pid)

    def _emit(self, event_type: Callable[..., ProcessEvent], **fields: object) -> None:
        entry = self.run.entry
        event = event_type(
            supervisor=entry.path,
            child=entry.name,
            incarnation=self.run.number,
            pid=self.process.pid,
            **fields,
        )
        tell(event, self.run.keeper.interrupt)


def _pidfd(pid: int) -> int | None:
    """Return what is readable once the process has ended, uncollected; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _look(pid: int) -> int | None:
    """Return how a process ended, without collecting it; None if it runs, or nobody can look."""
    if sys.platform != "linux":
        return None
    # ChildProcessError if something else has collected it; subprocess.Popen would say 0.
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
