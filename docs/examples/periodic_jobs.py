"""Periodic jobs: at an interval with jitter, never two at once, started again after a crash.

It prints what happens in twenty minutes: a backup leaves out a turn, and a report crashes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable

import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.supervision import ChildRestarting, child, open_supervisor
from trio_foundation.telemetry import subscribe


def say(what: object) -> None:
    """Say it, and when."""
    print(f"{trio.current_time() / 60:5.1f} min  {what}")


async def every(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    """Do a job once in each interval, up to a tenth late; leave out turns that are missed."""
    while True:
        turn = trio.current_time() // seconds + 1
        await trio.sleep_until(seconds * (turn + random.uniform(0, 0.1)))
        await job()


async def backup() -> None:
    """Take longer than there is time for."""
    say("backup begins")
    await trio.sleep(300)
    say("backup ends")


async def report() -> None:
    """Print a report; at every third turn the printer is on fire."""
    if trio.current_time() // 180 % 3 == 0:
        raise OSError("the printer is on fire")
    say("report")


async def main() -> None:
    """Run both, and say when one is to be started again."""
    logging.basicConfig(level=logging.ERROR)  # or each crash is told with its traceback
    backups = child(every, 240, backup, name="backup")
    later = Backoff(initial=60.0, maximum=600.0)
    reports = child(every, 180, report, name="report", backoff=later)
    with subscribe(say, ChildRestarting):
        async with open_supervisor([backups, reports]):
            await trio.sleep(1200)


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
