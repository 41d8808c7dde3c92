"""How a retry compares with that of stamina, which has tenacity do it."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from ._runner import Finding, Plan
from .bench_resilience import Call, calls_of, fetch, retry_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    def stamina_retry(*, on: type[Exception]) -> Callable[[Call], Call]:
        """Have a function tried again."""
        ...

else:
    from stamina import retry as stamina_retry

__all__ = ["BENCHMARKS"]

STAMINA = f"stamina {importlib.metadata.version('stamina')}"


async def retries(count: int) -> None:
    """Retry what succeeds at once."""
    await calls_of(stamina_retry(on=Exception)(fetch), count)


def retry_beside_stamina(plan: Plan) -> Finding:
    """How much longer does `retry` take than a function that stamina has decorated?"""
    return retry_beside(plan, STAMINA, retries)


BENCHMARKS = (retry_beside_stamina,)
