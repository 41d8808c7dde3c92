"""Tests of which attempt a restart is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from trio_foundation.supervision._rules import next_attempt

# How long each incarnation was ready before it failed; None for one that never was.
LIVES = st.lists(st.none() | st.floats(min_value=0.0, max_value=100.0), max_size=30)

SECONDS = st.floats(min_value=0.1, max_value=100.0) | st.just(math.inf)


# What a reader should know


@pytest.mark.parametrize(
    ("ready_for", "attempt"),
    [(None, 4), (0.0, 4), (59.9, 4), (60.0, 0), (1e9, 0)],
    ids=["never ready", "ready for a moment", "not long enough", "just enough", "for ages"],
)
def test_the_count_begins_anew_once_the_child_was_ready_long_enough(
    ready_for: float | None, attempt: int
) -> None:
    assert next_attempt(4, ready_for=ready_for, reset_after=60.0) == attempt


def test_a_count_that_never_begins_anew_grows_for_ever() -> None:
    assert next_attempt(10**6, ready_for=1e12, reset_after=math.inf) == 10**6


def test_the_first_attempt_is_the_first_whatever_came_before_it() -> None:
    assert next_attempt(0, ready_for=None, reset_after=60.0) == 0
    assert next_attempt(0, ready_for=1.0, reset_after=60.0) == 0


# The promise itself


@given(LIVES, SECONDS)
def test_the_attempt_is_the_number_of_failures_since_the_last_long_life(
    lives: list[float | None], reset_after: float
) -> None:
    attempt = 0
    for number, ready_for in enumerate(lives):
        attempt = next_attempt(attempt, ready_for=ready_for, reset_after=reset_after)
        long = [
            then
            for then, life in enumerate(lives[: number + 1])
            if life is not None and life >= reset_after
        ]
        assert attempt == number - max(long, default=0)
        attempt += 1
