"""A program to supervise. It works until SIGTERM, or is ``deaf`` to that, or ``fails`` by itself."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType


def end(signum: int, frame: FrameType | None) -> None:
    """Say goodbye and exit; that the exit code is 3 means nothing to whoever stops us."""
    print("goodbye", flush=True)
    sys.exit(3)


def main(mode: str) -> None:
    """Do three jobs, and wait for more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else end)
    print("listening", flush=True)
    for job in (1, 2, 3):
        time.sleep(0.1)
        print("job", job, "is done", flush=True)
        if mode == "fails":
            time.sleep(0.1)
            sys.exit("out of paper")
    time.sleep(1000)


if __name__ == "__main__":
    main(sys.argv[1])
