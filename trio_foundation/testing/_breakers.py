"""Faults that only show when a breaker is open."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager

from .._base import check_number
from ..resilience import CircuitBreaker

__all__ = ["rejecting"]


def rejecting(
    breaker: CircuitBreaker, *, share: float, rng: random.Random
) -> AbstractContextManager[None]:
    """Let a breaker reject a share of its calls at random, until the block ends.

    The breaker's state does not change; rejected calls are not made.

    Args:
        breaker: The breaker.
        share: The share of calls to reject, from 0 to 1.
        rng: What decides; the same seed rejects the same calls.

    Returns:
        The block, for ``with``.

    Raises:
        ValueError: *share* below 0 or above 1.

    Example:
        >>> import random, trio
        >>> from trio_foundation.resilience import BreakerOpen, CircuitBreaker
        >>> async def main():
        ...     breaker = CircuitBreaker("prices")
        ...     with rejecting(breaker, share=0.5, rng=random.Random(1)):
        ...         for _ in range(10):
        ...             try:
        ...                 await breaker.call(trio.sleep, 0)
        ...             except BreakerOpen:
        ...                 pass
        ...     print(breaker.statistics().rejected)
        >>> trio.run(main)
        6
    """
    check_number("share", share, least=0, most=1)
    return breaker.refuse_when(lambda: rng.random() < share)
