"""Tests of windows: what counts, for how long, and against a plain list."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, strategies as st

from trio_foundation.resilience._rules import ConsecutiveFailures, CountWindow, TimeWindow, Window

outcomes = st.lists(st.booleans(), max_size=60)


@given(outcomes, st.integers(1, 5))
def test_failures_in_a_row_are_those_at_the_end(history: list[bool], threshold: int) -> None:
    window = ConsecutiveFailures(threshold)
    for number, failed in enumerate(history, 1):
        row = 0
        while row < number and history[number - 1 - row]:
            row += 1
        assert window.record(0.0, failed=failed) == (row >= threshold)
        assert window.counts(0.0) == (row, row)


@given(outcomes, st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.25, 0.3, 0.5, 1.0]))
def test_a_window_of_calls_is_the_end_of_the_list(
    history: list[bool], size: int, minimum: int, rate: float
) -> None:
    window = CountWindow(size, rate=rate, minimum=minimum)
    for number, failed in enumerate(history, 1):
        counted = history[:number][-size:]
        too_much = window.record(0.0, failed=failed)
        assert window.counts(0.0) == (len(counted), sum(counted))
        share = sum(counted) / len(counted)
        assert too_much == (len(counted) >= min(minimum, size) and share >= rate)


@given(st.lists(st.tuples(st.floats(0, 8), st.booleans()), max_size=60))
def test_a_window_of_seconds_is_the_end_of_the_list_within_one_slice(
    history: list[tuple[float, bool]],
) -> None:
    window = TimeWindow(10.0, rate=0.5, minimum=3)
    seen: list[tuple[float, bool]] = []
    now = 0.0
    for pause, failed in history:
        now += pause
        seen.append((now, failed))
        window.record(now, failed=failed)
        total, failures = window.counts(now)
        at_least = [bad for at, bad in seen if at > now - 9.0]
        at_most = [bad for at, bad in seen if at > now - 10.0]
        assert len(at_least) <= total <= len(at_most)
        assert sum(at_least) <= failures <= sum(at_most)


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_share_is_reached_exactly_when_it_is(percent: int) -> None:
    # 7 of 100 were not 0.07, because 0.07 * 100 is more than 7.
    window = CountWindow(100, rate=percent / 100, minimum=100)
    history = [False] * (100 - percent) + [True] * percent
    assert [window.record(0.0, failed=failed) for failed in history] == [False] * 99 + [True]


@pytest.mark.parametrize(
    "new_window",
    [
        partial(ConsecutiveFailures, 3),
        partial(CountWindow, 5, rate=0.5, minimum=3),
        partial(TimeWindow, 5.0, rate=0.5, minimum=3),
    ],
    ids=["in a row", "calls", "seconds"],
)
def test_what_is_cleared_counts_no_more(new_window: Callable[[], Window]) -> None:
    window = new_window()
    for _ in range(2):
        assert not window.record(1.0, failed=True)
    window.clear()
    assert window.counts(1.0) == (0, 0)
    assert [window.record(1.0, failed=True) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("later", [1.0, 1.5, 3.0, 100.0])
def test_what_is_cleared_does_not_come_back_nor_go_twice(later: float) -> None:
    window = TimeWindow(5.0, rate=0.5, minimum=3)
    window.record(1.0, failed=True)
    window.clear()
    window.record(1.0, failed=True)
    window.clear()
    assert window.counts(later) == (0, 0)


def test_a_window_of_seconds_is_as_long_as_it_says() -> None:
    window = TimeWindow(100.0, rate=0.5, minimum=3)
    window.record(5.0, failed=True)
    assert [window.counts(now) for now in (94.9, 99.0, 100.1)] == [(1, 1), (1, 1), (0, 0)]


def test_a_clock_may_begin_long_before_zero() -> None:
    window = TimeWindow(1.0, rate=0.5, minimum=3)
    window.record(-1e6, failed=True)
    assert [window.counts(now) for now in (-1e6, 10.0 - 1e6)] == [(1, 1), (0, 0)]


def test_a_window_of_seconds_holds_the_same_after_years() -> None:
    window = TimeWindow(1.0, rate=0.5, minimum=3)
    for now in (0.0, 1e9, 1e9 + 0.5, 2e15):
        window.record(now, failed=True)
    assert window.counts(2e15) == (1, 1)
    assert window.counts(math.nextafter(2e15, math.inf)) == (1, 1)


def test_a_minimum_above_the_size_of_the_window_is_the_size() -> None:
    window = CountWindow(2, rate=1.0, minimum=10)
    assert [window.record(0.0, failed=True) for _ in range(2)] == [False, True]
