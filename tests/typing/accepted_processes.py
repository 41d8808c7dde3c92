"""What type checkers have to accept of processes, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Literal, assert_type

from trio_foundation import Backoff
from trio_foundation.supervision import (
    Child,
    ChildSpec,
    ProcessEvent,
    ProcessExited,
    ProcessFailed,
    ProcessKilled,
    ProcessNotStarted,
    ProcessOutput,
    ProcessOverdue,
    ProcessStarted,
    Supervisor,
    dynamic_subtree,
    open_supervisor,
    process_child,
    subtree,
)
from trio_foundation.telemetry import subscribe


def is_ready(line: str) -> bool:
    return line.startswith("listening")


def are_written_down(environment: dict[str, str], words: list[str], path: Path) -> None:
    assert_type(process_child(["gunzip", "log.gz"]), ChildSpec)
    assert_type(process_child(("gunzip", path)), ChildSpec)
    assert_type(process_child(words), ChildSpec)
    assert_type(process_child([path]), ChildSpec)
    process_child(
        ["serve", "--port", "8080"],
        name="web",
        restart="transient",
        grace=math.inf,
        significant=True,
        ready_within=5,
        ready_when="listening",
        backoff=Backoff(initial=0.1),
        env={"PORT": "8080", "DEBUG": None},
        cwd=path,
    )
    process_child(["serve"], env=environment, cwd="/srv", ready_when=is_ready)
    process_child(["serve"], env=os.environ, ready_when=lambda line: line == "ready")
    subtree([process_child(["serve"])], name="inner")
    dynamic_subtree(name="jobs")


async def are_supervised(supervisor: Supervisor) -> None:
    process: Child[int] = await supervisor.start_child(process_child(["serve"]))
    assert_type(process.value, int)
    async with open_supervisor([process_child(["serve"])]) as inner:
        assert_type(inner, Supervisor)


def are_heard(event: ProcessEvent) -> None:
    assert_type((event.supervisor, event.child), tuple[str, str])
    assert_type((event.incarnation, event.pid), tuple[int, int])
    match event:
        case ProcessStarted():
            assert_type(event.command, tuple[str, ...])
        case ProcessOutput():
            assert_type(event.stream, Literal["stdout", "stderr"])
            assert_type((event.line, event.goes_on), tuple[str, bool])
        case ProcessOverdue():
            assert_type(event.after, float)
        case ProcessExited():
            assert_type((event.returncode, event.end), tuple[int, str])
            assert_type((event.was_told, event.after), tuple[bool, float])
        case _:
            pass


def listens(output: ProcessOutput) -> None: ...


def subscribes() -> None:
    with subscribe(listens, ProcessOutput), subscribe(are_heard, ProcessEvent):
        pass


def fail(error: BaseException | None) -> None:
    match error:
        case ProcessFailed():
            assert_type(error.stderr, tuple[str, ...])
            assert_type((error.returncode, error.signal), tuple[int, str | None])
            assert_type((error.command, error.pid), tuple[tuple[str, ...], int])
            assert_type(error.was_ready, bool)
        case ProcessKilled():
            assert_type((error.after, error.grace), tuple[float, float])
        case ProcessNotStarted():
            assert_type((error.cwd, error.why), tuple[str | None, str])
        case _:
            pass
