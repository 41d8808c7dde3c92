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
    listed = (path for path in Path("/proc").iterdir() if path.name.isdecimal())
    return {
        int(path.name)
        for path in listed
        if stat_of(path)[1:2] == [str(os.getpid())]
        and "multiprocessing.resource_tracker" not in text_of(path / "cmdline")
    }


def stat_of(process: Path) -> list[str]:
    """Return its state, its parent, and what else the system tells of it; nothing once gone."""
    return text_of(process / "stat").rpartition(")")[2].split()


def text_of(file: Path) -> str:
    """Return what is in a file of the system: nothing if its process is gone."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def runs(pid: int) -> bool:
    """Return whether a process runs that need not be ours."""
    stat = stat_of(Path(f"/proc/{pid}"))
    return bool(stat) and stat[0] not in "ZX"


@contextmanager
def hearing(*event_types: type[Event]) -> Generator[list[Event]]:
    heard: list[Event] = []
    with subscribe(heard.append, *(event_types or (ProcessEvent,))):
        yield heard
