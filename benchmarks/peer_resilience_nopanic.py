"""How a breaker and a retry compare with those of nopanic, which finds out where it runs."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from ._runner import Finding, Plan
from .bench_resilience import (
    Call,
    calls_of,
    fetch,
    guard_beside,
    rejection_beside,
    rejections_of,
    retry_beside,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    class CircuitBreaker:
        """As much of it as is used here, for where nopanic is not installed."""

        def __call__(self, fn: Call) -> Call:
            """Guard a function."""
            ...

        def force_open(self) -> None:
            """Reject all calls."""

    class CircuitOpen(Exception):
        """As much of it as is used here, for where nopanic is not installed."""

    def nopanic_retry(*, attempts: int) -> Callable[[Call], Call]:
        """Have a function tried again."""
        ...

else:
    from nopanic import CircuitBreaker, CircuitOpen, retry as nopanic_retry

__all__ = ["BENCHMARKS"]

NOPANIC = f"nopanic {importlib.metadata.version('nopanic')}"


async def calls(count: int) -> None:
    """Call so many times."""
    await calls_of(CircuitBreaker()(fetch), count)


async def rejections(count: int) -> None:
    """Be rejected so many times."""
    breaker = CircuitBreaker()
    breaker.force_open()
    await rejections_of(breaker(fetch), CircuitOpen, count)


async def retries(count: int) -> None:
    """Retry what succeeds at once."""
    await calls_of(nopanic_retry(attempts=3)(fetch), count)


def guard_beside_nopanic(plan: Plan) -> Finding:
    """How much longer does a guard take than a call through a breaker of nopanic?"""
    return guard_beside(plan, NOPANIC, calls)


def rejection_beside_nopanic(plan: Plan) -> Finding:
    """How much longer does a rejection take than that of nopanic?"""
    return rejection_beside(plan, NOPANIC, rejections)


def retry_beside_nopanic(plan: Plan) -> Finding:
    """How much longer does `retry` take than a function that nopanic has decorated?"""
    return retry_beside(plan, NOPANIC, retries)


BENCHMARKS = (guard_beside_nopanic, rejection_beside_nopanic, retry_beside_nopanic)
