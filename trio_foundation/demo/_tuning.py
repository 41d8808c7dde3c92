"""How many files should be in a batch?

Many small ones have to be stored, one by one; a large one keeps the others waiting at the end. So
it is tried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from ..search import IntUniform, SearchSpace, random_search
from ..tasks import open_task_supervisor
from ._sending import make_batches, send_all
from ._system import Settings, open_system

__all__ = ["LARGEST", "find_batch_size"]

LARGEST = 8  # of the batches that are tried
SAMPLE = 32  # files
TRIALS = 6
PATIENCE = 2.0  # seconds


async def find_batch_size(settings: Settings, files: Sequence[Path]) -> int:
    """Return the best batch size, from trials with a sample of the files."""
    sample = files[:: 1 + len(files) // SAMPLE]
    undisturbed = attrs.evolve(settings, crash_rate=0.0)

    async def files_per_second(params: dict[str, int]) -> float:
        """Count the sample in a system of its own, with an empty cache."""
        async with open_system(undisturbed) as system:
            began_at = trio.current_time()
            await send_all(system, make_batches(sample, params["batch_size"]))
            return len(sample) / (trio.current_time() - began_at)

    space, size = SearchSpace(batch_size=IntUniform(1, LARGEST)), LARGEST // 2
    async with open_task_supervisor(name="trials"):
        with trio.move_on_after(PATIENCE):
            found = await random_search(
                space, files_per_second, iterations=TRIALS, parallelism=1, seed=settings.seed
            )
            if found.best is not None:
                size = found.best.params["batch_size"]
    return size
