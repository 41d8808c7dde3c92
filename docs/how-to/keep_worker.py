"""Keeps worker.py running until it has done three jobs, and tells what happens."""

from __future__ import annotations

import logging
import sys

import trio

from trio_foundation.supervision import (
    ProcessEvent,
    ProcessExited,
    ProcessOutput,
    ProcessOverdue,
    RestartLimitReached,
    open_supervisor,
    process_child,
)
from trio_foundation.telemetry import subscribe

enough = trio.Event()


def tell(event: ProcessEvent) -> None:
    """Print what the process writes, and how it ends."""
    match event:
        case ProcessOutput():
            print(f"{event.stream}: {event.line}")
            if event.line == "job 3 is done":
                enough.set()
        case ProcessOverdue():
            print(f"no end {event.after:.1f} s after SIGTERM: SIGKILL")
        case ProcessExited():
            print("ended:", event.end)
        case _:
            pass


async def main(mode: str) -> None:
    """Keep the worker running, and start it again once if it fails."""
    logging.basicConfig(level=logging.CRITICAL)  # the errors are printed below
    worker = process_child(
        [sys.executable, "worker.py", mode],
        name="worker",
        grace=0.5,
        ready_when="listening",
        ready_within=30,
    )
    tree = open_supervisor([worker], name="app", max_restarts=1)
    with subscribe(tell, ProcessEvent):
        try:
            async with tree as running:
                print(running.children["worker"].state)
                await enough.wait()
            print(running.children["worker"].last_exit)
        except RestartLimitReached as error:
            print(error)
            print(error.__cause__)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
