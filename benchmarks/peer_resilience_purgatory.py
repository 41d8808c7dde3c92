"""How a breaker compares with that of purgatory, whose state may be kept elsewhere."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from ._runner import Finding, Plan
from .bench_resilience import (
    LONG,
    Call,
    calls_of,
    fetch,
    fetch_badly,
    guard_beside,
    rejection_beside,
    rejections_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    class AsyncCircuitBreakerFactory:
        """As much of it as is used here, for where purgatory is not installed."""

        def __init__(self, default_threshold: int, default_ttl: float) -> None: ...

        def __call__(self, circuit: str) -> Callable[[Call], Call]:
            """Guard a function by the breaker of that name."""
            ...

    class OpenedState(Exception):
        """As much of it as is used here, for where purgatory is not installed."""

else:
    from purgatory import AsyncCircuitBreakerFactory
    from purgatory.domain.model import OpenedState

__all__ = ["BENCHMARKS"]

PURGATORY = f"purgatory {importlib.metadata.version('purgatory')}"


async def calls(count: int) -> None:
    """Call so many times."""
    await calls_of(AsyncCircuitBreakerFactory(1, LONG)("prices")(fetch), count)


async def rejections(count: int) -> None:
    """Be rejected so many times."""
    breakers = AsyncCircuitBreakerFactory(1, LONG)
    await fail(breakers)
    await rejections_of(breakers("prices")(fetch), OpenedState, count)


async def fail(breakers: AsyncCircuitBreakerFactory) -> None:
    """Have it open."""
    try:
        await breakers("prices")(fetch_badly)()
    except OSError:
        return


def guard_beside_purgatory(plan: Plan) -> Finding:
    """How much longer does a guard take than a call through a breaker of purgatory?"""
    return guard_beside(plan, PURGATORY, calls)


def rejection_beside_purgatory(plan: Plan) -> Finding:
    """How much longer does a rejection take than that of purgatory?

    It raises the same error object each time, whose traceback grows with each of them.
    """
    return rejection_beside(plan, PURGATORY, rejections)


BENCHMARKS = (guard_beside_purgatory, rejection_beside_purgatory)
