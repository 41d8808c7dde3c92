"""How a breaker compares with that of circuitbreaker, which knows no event loop."""

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

    class CircuitBreaker:
        """As much of it as is used here, for where circuitbreaker is not installed."""

        def __init__(
            self, failure_threshold: int, recovery_timeout: float, *, name: str
        ) -> None: ...

        def __call__(self, wrapped: Call) -> Call:
            """Guard a function."""
            ...

    class CircuitBreakerError(Exception):
        """As much of it as is used here, for where circuitbreaker is not installed."""

else:
    from circuitbreaker import CircuitBreaker, CircuitBreakerError

__all__ = ["BENCHMARKS"]

CIRCUITBREAKER = f"circuitbreaker {importlib.metadata.version('circuitbreaker')}"


async def calls(count: int) -> None:
    """Call so many times."""
    await calls_of(CircuitBreaker(1, LONG, name="prices")(fetch), count)


async def rejections(count: int) -> None:
    """Be rejected so many times."""
    breaker = CircuitBreaker(1, LONG, name="prices")
    await fail(breaker)
    await rejections_of(breaker(fetch), CircuitBreakerError, count)


async def fail(breaker: CircuitBreaker) -> None:
    """Have it open."""
    try:
        await breaker(fetch_badly)()
    except OSError:
        return


def guard_beside_circuitbreaker(plan: Plan) -> Finding:
    """How much longer does a guard take than a call through a breaker of circuitbreaker?"""
    return guard_beside(plan, CIRCUITBREAKER, calls)


def rejection_beside_circuitbreaker(plan: Plan) -> Finding:
    """How much longer does a rejection take than that of circuitbreaker?"""
    return rejection_beside(plan, CIRCUITBREAKER, rejections)


BENCHMARKS = (guard_beside_circuitbreaker, rejection_beside_circuitbreaker)
