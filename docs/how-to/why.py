"""A poller that gets nonsense now and then: what is told of it, and where."""

from __future__ import annotations

import logging

import trio
import trio.testing

from trio_foundation.supervision import (
    ChildExited,
    ChildRestarting,
    RestartLimitReached,
    child,
    open_supervisor,
)
from trio_foundation.telemetry import log_events, subscribe

answers = iter(["1.5", "nan?", "2.5", ""])


async def poll() -> None:
    """Read a price every second."""
    while True:
        await trio.sleep(1)
        print("price", float(next(answers)))


def count(exited: ChildExited) -> None:
    """Look at the error itself; this is the place for a metric, or an alarm."""
    print("event:", type(exited.exit.error).__name__, "after", exited.exit.ran_for, "s")


async def main() -> None:
    """Look while the program runs, and after it has given up."""
    logging.getLogger("trio_foundation").setLevel(logging.INFO)
    try:
        with subscribe(count, ChildExited), log_events(None, ChildExited, ChildRestarting):
            async with open_supervisor([child(poll)], name="app", max_restarts=1) as app:
                await trio.sleep(2.5)
                picture = app.snapshot()
                print(picture)
                print("its last exit:", picture.children[0].last_exit)
                await trio.sleep_forever()
    except RestartLimitReached as gave_up:
        print(gave_up)
        for exit in gave_up.exits:
            print("   ", exit)


if __name__ == "__main__":
    logging.basicConfig(format="%(name)s %(levelname)s: %(message)s")  # to stderr
    # On virtual time, the seconds take no time.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
