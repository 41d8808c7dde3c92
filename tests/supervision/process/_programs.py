"""Small programs to be supervised, and what the system says of processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from trio_foundation.supervision import ProcessEvent
from trio_foundation.telemetry import Event, subscribe

WAIT = "print('ready', flush=True); import time; time.sleep(1000)"

# A process that does not end when it is told to.
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"


def python(code: str) -> list[str]:
    """Return the command of a Python program that starts as fast as it can."""
    return [sys.executable, "-I", "-S", "-u", "-c", code]


def children() -> set[int]:
    """Return the processes that this one has started and not collected, zombies included.

    The tracker that `multiprocessing` starts once, for other tests, is not one of them.
    """
    pids = {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }
    return {pid for pid in pids if "multiprocessing.resource_tracker" not in command_line(pid)}


def command_line(pid: int) -> str:
    """Return what the process was started with: nothing for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def runs(pid: int) -> bool:
    """Return whether a process runs that need not be ours."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@contextmanager
def hearing(*event_types: type[Event]) -> Generator[list[Event]]:
    heard: list[Event] = []
    with subscribe(heard.append, *(event_types or (ProcessEvent,))):
        yield heard
