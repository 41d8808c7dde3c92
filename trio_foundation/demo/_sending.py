"""Batches of files, and how they are sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..tasks import open_task_supervisor, parallel_map
from ._agents import Batch
from ._counting import CAPABILITIES
from ._system import System

__all__ = ["make_batches", "send_all"]


def make_batches(files: Sequence[Path], size: int) -> list[Batch]:
    """Return files in batches, each for one capability."""
    batches: list[Batch] = []
    for capability in sorted(set(CAPABILITIES.values())):
        some = [path for path in files if CAPABILITIES[path.suffix] == capability]
        for start in range(0, len(some), size):
            key = f"{capability} batch {start // size + 1}"
            batches.append(Batch(key, capability, tuple(some[start : start + size])))
    return sorted(batches, key=lambda batch: batch.files)  # so that nobody waits for the others


async def send_all(
    system: System,
    batches: Sequence[Batch],
    on_progress: Callable[[int, int | None], object] | None = None,
) -> None:
    """Send batches, some at a time; return when all are stored."""
    at_once = 2 * len(system.stores)  # each agent has one in hand, and finds one in its mailbox
    async with open_task_supervisor(name="senders") as senders:
        await parallel_map(
            system.send,
            batches,
            limit=at_once,
            on_error="raise",
            on_progress=on_progress,
            tasks=senders,
        )
    await system.coordinator.drain()  # some may wait in buffers still
