"""How long a fault may last before a supervisor gives up, on virtual time."""

from __future__ import annotations

import logging

import attrs
import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.supervision import RestartLimitReached, child, open_supervisor

ATTEMPT = 0.125  # how long the child takes to find out that it cannot work, in seconds


@attrs.frozen
class Setting:
    """A limit, and how restarts are put off."""

    max_restarts: int
    within: float
    backoff: Backoff | None = None

    def __str__(self) -> str:
        kind = "at once" if self.backoff is None else "backoff"
        return f"{self.max_restarts:2} in {self.within:2g} s, {kind}"


async def poll(repaired_at: float) -> None:
    """Fail until the fault is repaired."""
    await trio.sleep(ATTEMPT)
    if trio.current_time() < repaired_at:
        raise ConnectionError("no route to host")
    await trio.sleep_forever()


async def outcome(setting: Setting, fault: float) -> str:
    """Return what becomes of a child whose fault lasts so long, in seconds."""
    began = trio.current_time()
    spec = child(poll, began + fault, backoff=setting.backoff)
    try:
        async with open_supervisor(
            [spec], max_restarts=setting.max_restarts, within=setting.within
        ) as tree:
            await trio.sleep(fault + 60)
            return f"lives, {tree.children['poll'].restarts} restarts"
    except RestartLimitReached:
        return f"gives up at {trio.current_time() - began:.1f} s"


async def main() -> None:
    """Print a table."""
    logging.disable()  # each crash and each end is expected here
    backoff = Backoff(initial=0.5, factor=2.0, maximum=10.0, jitter=0.0)
    settings = [
        Setting(max_restarts=3, within=5.0),
        Setting(max_restarts=20, within=5.0),
        Setting(max_restarts=3, within=5.0, backoff=backoff),
        Setting(max_restarts=8, within=60.0, backoff=backoff),
    ]
    faults = (2.0, 20.0, 200.0)
    print("limit, restarts    ", *(f"fault of {fault:g} s".ljust(18) for fault in faults))
    for setting in settings:
        outcomes = [await outcome(setting, fault) for fault in faults]
        print(f"{setting!s:19}", *(one.ljust(18) for one in outcomes))


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
