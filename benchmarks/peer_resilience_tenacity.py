"""How a retry compares with that of tenacity, which is told to sleep by Trio.

It has no breaker, and looks at no deadline: between two attempts it sleeps into it.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import trio

from ._runner import Finding, Plan
from .bench_resilience import Call, calls_of, fetch, retry_beside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    class stop_after_attempt:  # noqa: N801  # tenacity calls it so
        """As much of it as is used here, for where tenacity is not installed."""

        def __init__(self, max_attempt_number: int) -> None: ...

    def tenacity_retry(
        *, stop: stop_after_attempt, sleep: Callable[[float], Awaitable[None]]
    ) -> Callable[[Call], Call]:
        """Have a function tried again."""
        ...

else:
    from tenacity import retry as tenacity_retry, stop_after_attempt

__all__ = ["BENCHMARKS"]

TENACITY = f"tenacity {importlib.metadata.version('tenacity')}"


async def retries(count: int) -> None:
    """Retry what succeeds at once."""
    await calls_of(tenacity_retry(stop=stop_after_attempt(3), sleep=trio.sleep)(fetch), count)


def retry_beside_tenacity(plan: Plan) -> Finding:
    """How much longer does `retry` take than a function that tenacity has decorated?"""
    return retry_beside(plan, TENACITY, retries)


BENCHMARKS = (retry_beside_tenacity,)
