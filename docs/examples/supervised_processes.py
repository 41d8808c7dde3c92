"""A web server and a flaky job, each a process of its own, are kept running and listened to."""

from __future__ import annotations

import logging
import sys

import trio

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ProcessExited,
    ProcessOutput,
    ProcessStarted,
    open_supervisor,
    process_child,
)
from trio_foundation.telemetry import subscribe

# Any programs will do; these are Python's, so that the example needs nothing else. With -u they
# do not hold back what they write into a pipe.
SERVER = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
JOB = [sys.executable, "-u", "-c", "print('working'); raise SystemExit('out of paper')"]


def tell(event: ProcessStarted | ProcessOutput | ProcessExited) -> None:
    """Print what the processes do and write."""
    match event:
        case ProcessStarted():
            print(f"{event.child} is started, incarnation {event.incarnation}")
        case ProcessOutput():
            print(f"{event.child} writes to {event.stream}: {event.line}")
        case ProcessExited():
            print(f"{event.child} has ended: {event.end}")


async def main() -> None:
    """Let the job crash twice beside the server, then stop both."""
    logging.basicConfig(level=logging.ERROR)  # or each crash is told a second time
    server = process_child(SERVER, name="server", ready_when="Serving HTTP", ready_within=30)
    job = process_child(JOB, name="job", backoff=Backoff(initial=0.2))
    with subscribe(tell, ProcessStarted, ProcessOutput, ProcessExited):
        async with open_supervisor([server, job], max_restarts=10) as tree:
            with tree.children["job"].monitor() as exits:
                for _ in range(2):
                    exit = await exits.receive()
                    print(f"its child {exit.reason}")
            print(tree.snapshot())


if __name__ == "__main__":
    trio.run(main)
