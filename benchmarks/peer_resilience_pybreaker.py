"""How a breaker compares with that of pybreaker, which guards a block on Trio, not a call."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import TYPE_CHECKING

from ._runner import Finding, Plan
from .bench_resilience import (
    LONG,
    calls_of,
    fetch,
    guard_beside,
    rejection_beside,
    rejections_of,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    class CircuitBreaker:
        """As much of it as is used here, for where pybreaker is not installed."""

        def __init__(self, fail_max: int, reset_timeout: float) -> None: ...

        def calling(self) -> AbstractContextManager[None]:
            """Guard a block."""
            ...

        def open(self) -> bool:
            """Reject all calls."""
            ...

    class CircuitBreakerError(Exception):
        """As much of it as is used here, for where pybreaker is not installed."""

else:
    from pybreaker import CircuitBreaker, CircuitBreakerError

__all__ = ["BENCHMARKS"]

PYBREAKER = f"pybreaker {importlib.metadata.version('pybreaker')}"


async def fetch_guarded(breaker: CircuitBreaker) -> int:
    """Call in a guarded block; its ``call_async`` needs Tornado."""
    with breaker.calling():
        return await fetch()


async def calls(count: int) -> None:
    """Call so many times."""
    await calls_of(partial(fetch_guarded, CircuitBreaker(1, LONG)), count)


async def rejections(count: int) -> None:
    """Be rejected so many times."""
    breaker = CircuitBreaker(1, LONG)
    breaker.open()
    await rejections_of(partial(fetch_guarded, breaker), CircuitBreakerError, count)


def guard_beside_pybreaker(plan: Plan) -> Finding:
    """How much longer does a guard take than one by pybreaker?"""
    return guard_beside(plan, PYBREAKER, calls)


def rejection_beside_pybreaker(plan: Plan) -> Finding:
    """How much longer does a rejection take than that of pybreaker?"""
    return rejection_beside(plan, PYBREAKER, rejections)


BENCHMARKS = (guard_beside_pybreaker, rejection_beside_pybreaker)
