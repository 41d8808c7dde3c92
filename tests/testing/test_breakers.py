"""Tests of a breaker that rejects calls at random."""

from __future__ import annotations

import random

import pytest
import trio

from trio_foundation.resilience import BreakerOpen, CircuitBreaker
from trio_foundation.testing import rejecting


async def rejected_of(breaker: CircuitBreaker, calls: int) -> list[int]:
    rejected: list[int] = []
    for number in range(calls):
        try:
            await breaker.call(trio.lowlevel.checkpoint)
        except BreakerOpen:
            rejected.append(number)
    return rejected


async def test_about_the_share_of_calls_is_rejected_and_with_one_seed_the_same_ones() -> None:
    runs: list[list[int]] = []
    for _ in range(2):
        breaker = CircuitBreaker("b")
        with rejecting(breaker, share=0.25, rng=random.Random(7)):
            runs.append(await rejected_of(breaker, 400))
    assert runs[0] == runs[1]
    assert 70 < len(runs[0]) < 130


@pytest.mark.parametrize(("share", "rejected"), [(0.0, 0), (1.0, 5)])
async def test_at_the_ends_it_is_none_or_all(share: float, rejected: int) -> None:
    breaker = CircuitBreaker("b")
    with rejecting(breaker, share=share, rng=random.Random(1)):
        assert len(await rejected_of(breaker, 5)) == rejected


async def test_it_ends_with_the_block_and_leaves_the_breaker_as_it_was() -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    with rejecting(breaker, share=1.0, rng=random.Random(1)):
        await rejected_of(breaker, 5)
    assert await rejected_of(breaker, 5) == []
    assert breaker.state == "closed"
    assert breaker.statistics().failed == 0


def test_a_share_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^share must be from 0 to 1, not 1\.5$"):
        rejecting(CircuitBreaker("b"), share=1.5, rng=random.Random(1))
