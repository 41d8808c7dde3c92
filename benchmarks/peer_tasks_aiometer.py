"""How a map compares with that of aiometer."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from ._runner import Finding, Plan
from .bench_tasks import LIMIT, job_of, map_beside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    async def run_on_each(
        async_fn: Callable[[int], Awaitable[int]], args: Sequence[int], *, max_at_once: int
    ) -> None:
        """Call a function with each of some arguments, and keep nothing."""

else:
    from aiometer import run_on_each

__all__ = ["BENCHMARKS"]

AIOMETER = f"aiometer {importlib.metadata.version('aiometer')}"


async def map_theirs(count: int) -> None:
    """Call the function with each item; it keeps no results, which suits it best."""
    await run_on_each(job_of, range(count), max_at_once=LIMIT)


def map_beside_aiometer(plan: Plan) -> Finding:
    """How many times as fast as `aiometer.run_on_each` is `parallel_map`?"""
    return map_beside(plan, AIOMETER, map_theirs)


BENCHMARKS = (map_beside_aiometer,)
