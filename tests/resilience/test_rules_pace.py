"""Tests of the arithmetic of a rate limiter, and of the law that it keeps."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from trio_foundation.resilience._rules._pace import Pace


def test_a_burst_passes_at_once_and_then_one_in_each_interval() -> None:
    pace = Pace(rate=2, per=1.0, burst=3)
    assert [pace.admit(0.0) for _ in range(4)] == [True, True, True, False]
    assert [pace.admit(now) for now in (0.4, 0.5, 0.9, 1.0)] == [False, True, False, True]


def test_one_that_is_refused_does_not_count() -> None:
    pace = Pace(rate=1, per=1.0, burst=1)
    pace.admit(0.0)
    assert not any(pace.admit(0.9) for _ in range(100))
    assert pace.admit(1.0)


def test_after_a_rest_it_is_as_good_as_new() -> None:
    pace = Pace(rate=1, per=1.0, burst=2)
    assert [pace.admit(0.0), pace.admit(0.0), pace.rests_at] == [True, True, 2.0]
    assert [pace.admit(2.0) for _ in range(3)] == [True, True, False]


def test_it_says_how_long_to_wait() -> None:
    pace = Pace(rate=1, per=10.0, burst=1)
    assert pace.wait_from(5.0) == 0.0
    pace.admit(5.0)
    assert [pace.due, pace.wait_from(7.0), pace.wait_from(7.0, ahead=2)] == [15.0, 8.0, 28.0]
    assert pace.wait_from(100.0) == 0.0


make_pace: Any = Pace


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "rate must be more than 0, not 0"),
        ({"rate": -1.5}, "rate must be 0 or more and finite, not -1.5"),
        ({"rate": math.inf}, "rate must be 0 or more and finite, not inf"),
        ({"rate": math.nan}, "rate must be 0 or more and finite, not nan"),
        ({"per": 0.0}, "per must be more than 0 seconds and finite, not 0.0"),
        ({"per": math.inf}, "per must be more than 0 seconds and finite, not inf"),
        ({"burst": 0}, "burst must be 1 or more, not 0"),
        ({"rate": 1e300, "per": 1e-300}, "make no measurable pace: one in 0.0 seconds"),
        ({"rate": 1e-300, "per": 1e300}, "make no measurable pace: one in inf seconds"),
        ({"burst": 10**400}, "make no measurable pace"),
    ],
)
def test_a_pace_of_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_pace(**{"rate": 1, "per": 1.0, "burst": 1, **options})


# The law: in any stretch of w seconds at most w / interval + burst

GAPS = st.lists(st.just(0.0) | st.floats(0.0, 5.0), min_size=1, max_size=60)


def check_law(passed: list[float], interval: float, burst: int, *, rounding: float) -> None:
    exact = [Fraction(time) for time in passed]
    for first, begin in enumerate(exact):
        for last, end in enumerate(exact[first:], start=first):
            most = (end - begin + Fraction(rounding)) / Fraction(interval) + burst
            assert last - first + 1 <= most


@given(
    start=st.sampled_from([0.0, 1e6 / 3, 12345.678]),
    gaps=GAPS,
    rate=st.floats(0.1, 50.0),
    per=st.sampled_from([0.3, 1.0, 60.0]),
    burst=st.integers(1, 5),
)
def test_no_stretch_of_time_has_more_than_its_share(
    start: float, gaps: list[float], rate: float, per: float, burst: int
) -> None:
    pace = Pace(rate=rate, per=per, burst=burst)
    passed = [now for now in accumulate(gaps, initial=start) if pace.admit(now)]
    check_law(passed, per / rate, burst, rounding=1e-9 * max(1.0, start))


@given(
    gaps=st.lists(st.integers(0, 64).map(lambda n: n / 16), max_size=80),
    shift=st.integers(-4, 4),
    burst=st.integers(1, 5),
)
def test_where_nothing_is_rounded_the_law_holds_exactly(
    gaps: list[float], shift: int, burst: int
) -> None:
    interval = 2.0**shift
    pace = Pace(rate=1, per=interval, burst=burst)
    passed = [now for now in accumulate(gaps, initial=0.0) if pace.admit(now)]
    check_law(passed, interval, burst, rounding=0.0)


@given(start=st.floats(0.0, 1e6), rate=st.floats(0.01, 1e4), burst=st.integers(1, 50))
def test_a_whole_burst_passes_at_any_moment(start: float, rate: float, burst: int) -> None:
    pace = Pace(rate=rate, per=1.0, burst=burst)
    assert [pace.admit(start) for _ in range(burst + 1)] == [*[True] * burst, False]


@given(
    start=st.sampled_from([0.0, 0.1]) | st.floats(0.0, 1e6),
    gaps=GAPS,
    rate=st.floats(0.1, 50.0),
    burst=st.integers(1, 5),
)
@example(start=0.1, gaps=[0.0, 0.1], rate=1.9, burst=1)
@example(start=0.5, gaps=[0.0, 1.3], rate=0.3, burst=1)  # 1.8 + (3.83 - 1.8) is less than 3.83
def test_whoever_comes_when_told_may_pass(
    start: float, gaps: list[float], rate: float, burst: int
) -> None:
    pace = Pace(rate=rate, per=1.0, burst=burst)
    now = start
    for gap in gaps:
        now += gap
        if not pace.admit(now):
            told = now + pace.wait_from(now)
            assert told == pytest.approx(pace.due)
            now = told
            assert pace.admit(now)


@given(gaps=GAPS, burst=st.integers(1, 5))
def test_it_agrees_with_a_bucket_that_drips(gaps: list[float], burst: int) -> None:
    # The plainer model: a bucket of so many tokens, in exact numbers.
    pace = Pace(rate=1, per=0.5, burst=burst)
    tokens, before = Fraction(burst), Fraction(0)
    for now in accumulate(round(gap * 16) / 16 for gap in gaps):
        tokens = min(Fraction(burst), tokens + (Fraction(now) - before) / Fraction(0.5))
        before = Fraction(now)
        assert pace.admit(now) is (tokens >= 1)
        tokens -= tokens >= 1
