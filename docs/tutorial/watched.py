"""The service, and beside it a child that tells what happens."""

from __future__ import annotations

import kv_7
import trio

from trio_foundation.resilience import StateChanged
from trio_foundation.supervision import ChildExited, ChildReady, ChildSpec, child, subtree
from trio_foundation.telemetry import log_events


async def watch() -> None:
    """Log some kinds of events; without any named, it would be all."""
    with log_events(None, ChildExited, ChildReady, StateChanged):
        await trio.sleep_forever()


def tree() -> ChildSpec:
    """Return the service, watched: who is started first sees all that follows."""
    return subtree([child(watch), kv_7.tree()], name="watched")
