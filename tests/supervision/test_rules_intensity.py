"""Tests of the restart limit.

The first half is the behaviour a reader should know, one sentence a test. The second half is
the promise itself, tried on histories that Hypothesis makes up.
"""

from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given, strategies as st

from trio_foundation.supervision._rules import RestartWindow

LIMITS = st.tuples(
    st.integers(min_value=0, max_value=5),
    st.floats(min_value=0.1, max_value=100.0) | st.just(math.inf),
)

# Times that never run backwards, with plenty of restarts at the very same moment.
HISTORIES = st.lists(st.just(0.0) | st.floats(min_value=0.0, max_value=50.0)).map(
    lambda gaps: list(accumulate(gaps)),
)


def open_window(limit: tuple[int, float]) -> RestartWindow:
    max_restarts, within = limit
    return RestartWindow(max_restarts=max_restarts, within=within)


# What a reader should know


def test_restarts_are_admitted_up_to_the_limit_and_then_refused() -> None:
    window = RestartWindow(max_restarts=2, within=10.0)
    assert [window.admit(now) for now in (0.0, 1.0, 2.0, 3.0)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("age", "still_counts"),
    [(0.0, True), (9.9, True), (10.0, True), (10.1, False)],
    ids=["same moment", "inside", "on the edge", "outside"],
)
def test_a_restart_counts_until_it_is_older_than_the_window(age: float, still_counts: bool) -> None:
    window = RestartWindow(max_restarts=1, within=10.0)
    window.admit(100.0)
    assert window.count(100.0 + age) == int(still_counts)
    assert window.admit(100.0 + age) is not still_counts


def test_a_refused_restart_does_not_count() -> None:
    window = RestartWindow(max_restarts=1, within=10.0)
    window.admit(0.0)
    assert not window.admit(9.0)
    assert window.admit(10.5)  # would be refused, had the one at 9.0 counted


def test_with_no_restarts_allowed_the_first_failure_is_final() -> None:
    assert not RestartWindow(max_restarts=0, within=10.0).admit(0.0)


def test_an_endless_window_never_forgets() -> None:
    window = RestartWindow(max_restarts=1, within=math.inf)
    window.admit(0.0)
    assert not window.admit(1e12)


def test_a_child_that_fails_for_days_costs_no_memory() -> None:
    window = RestartWindow(max_restarts=3, within=1.0)
    assert all(window.admit(float(now)) for now in range(0, 10_000, 2))
    assert len(window._admitted) <= 3


# The promise itself


@given(LIMITS, HISTORIES)
def test_no_stretch_of_time_holds_more_restarts_than_the_limit(
    limit: tuple[int, float], history: list[float]
) -> None:
    window = open_window(limit)
    admitted = [now for now in history if window.admit(now)]
    for end in admitted:
        stretch = [then for then in admitted if then <= end and end - then <= limit[1]]
        assert len(stretch) <= limit[0]


@given(LIMITS, HISTORIES)
def test_a_restart_is_refused_only_when_the_limit_is_spent(
    limit: tuple[int, float], history: list[float]
) -> None:
    window = open_window(limit)
    admitted: list[float] = []
    for now in history:
        recent = [then for then in admitted if now - then <= limit[1]]
        assert window.count(now) == len(recent)
        if window.admit(now):
            admitted.append(now)
        else:
            assert len(recent) == limit[0]


@given(LIMITS, HISTORIES)
def test_to_ask_for_the_count_changes_no_answer(
    limit: tuple[int, float], history: list[float]
) -> None:
    asked, unasked = open_window(limit), open_window(limit)
    for now in history:
        asked.count(now)
        assert asked.admit(now) == unasked.admit(now)
