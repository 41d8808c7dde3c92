"""Tests of the delays between attempts: arithmetic first, then the promise by Hypothesis."""

from __future__ import annotations

import math
import pickle
import random
import re
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from trio_foundation import Backoff

SECONDS = st.floats(min_value=0.0, max_value=1e308)
SHARES = st.floats(min_value=0.0, max_value=1.0)

BACKOFFS = st.builds(
    Backoff,
    initial=SECONDS,
    factor=st.floats(min_value=1.0, max_value=1e308),
    maximum=SECONDS,
    jitter=SHARES,
)

STEADY = st.builds(
    Backoff,
    initial=SECONDS,
    factor=st.floats(min_value=1.0, max_value=1e308),
    maximum=SECONDS,
    jitter=st.just(0.0),
)

ATTEMPTS = st.integers(min_value=0, max_value=50) | st.integers(min_value=0)


class Always(random.Random):
    """Randomness that is always the same number from 0 to 1."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def random(self) -> float:
        return self.number


# What a reader should know


def test_delays_grow_by_the_factor_up_to_the_maximum() -> None:
    backoff = Backoff(initial=1.0, factor=3.0, maximum=20.0, jitter=0.0)
    assert [backoff.delay(attempt) for attempt in range(5)] == [1.0, 3.0, 9.0, 20.0, 20.0]


def test_with_a_factor_of_one_all_delays_are_the_same() -> None:
    backoff = Backoff(initial=2.0, factor=1.0, jitter=0.0)
    assert {backoff.delay(attempt) for attempt in (0, 1, 10**6, 10**400)} == {2.0}


def test_an_initial_delay_of_zero_means_no_delay_ever() -> None:
    assert Backoff(initial=0.0).delay(10**6) == 0.0


def test_the_maximum_holds_for_the_first_delay_too() -> None:
    assert Backoff(initial=60.0, maximum=30.0, jitter=0.0).delay(0) == 30.0


def test_the_millionth_attempt_waits_for_the_maximum() -> None:
    assert Backoff(jitter=0.0).delay(10**6) == 30.0


@pytest.mark.parametrize(
    ("number", "delay"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)], ids=["least", "middle", "most"]
)
def test_a_delay_is_spread_both_ways_by_the_share(number: float, delay: float) -> None:
    backoff = Backoff(initial=10.0, jitter=0.1)
    assert backoff.delay(0, Always(number)) == pytest.approx(delay)


def test_at_the_maximum_delays_are_still_spread_and_do_not_gather() -> None:
    backoff = Backoff(initial=30.0, maximum=30.0, jitter=0.1)
    rng = random.Random(1)
    delays = [backoff.delay(attempt, rng) for attempt in range(1_000)]
    assert len(set(delays)) == 1_000
    assert min(delays) == pytest.approx(27.0, abs=0.1)
    assert max(delays) == pytest.approx(30.0, abs=0.1)


def test_the_same_seed_gives_the_same_delays() -> None:
    backoff = Backoff()
    first, second = random.Random(7), random.Random(7)
    assert [backoff.delay(n, first) for n in range(9)] == [
        backoff.delay(n, second) for n in range(9)
    ]


def test_without_a_source_of_its_own_it_uses_the_random_module() -> None:
    random.seed(3)
    delay = Backoff().delay(2)
    assert delay == Backoff().delay(2, random.Random(3))


def test_whole_numbers_will_do_and_delays_are_floats() -> None:
    backoff = Backoff(initial=1, factor=2, maximum=30, jitter=0, reset_after=60)
    assert [backoff.delay(attempt) for attempt in (0, 3, 10**6)] == [1.0, 8.0, 30.0]
    assert all(type(backoff.delay(attempt)) is float for attempt in (0, 3, 10**6))


def test_it_is_a_plain_value() -> None:
    assert Backoff(initial=1.0) == Backoff(initial=1.0)
    assert len({Backoff(), Backoff(), Backoff(jitter=0.0)}) == 2
    assert pickle.loads(pickle.dumps(Backoff(factor=3.0))) == Backoff(factor=3.0)


def test_the_delay_may_be_reset_never() -> None:
    assert Backoff(reset_after=math.inf).reset_after == math.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": -1.0}, "initial must be 0 seconds or more and finite, not -1.0"),
        ({"initial": math.inf}, "initial must be 0 seconds or more and finite, not inf"),
        ({"factor": 0.5}, "factor must be 1 or more and finite, not 0.5"),
        ({"factor": math.inf}, "factor must be 1 or more and finite, not inf"),
        ({"maximum": -0.1}, "maximum must be 0 seconds or more and finite, not -0.1"),
        ({"maximum": math.inf}, "maximum must be 0 seconds or more and finite, not inf"),
        ({"jitter": 1.5}, "jitter must be from 0 to 1, not 1.5"),
        ({"jitter": -0.1}, "jitter must be from 0 to 1, not -0.1"),
        ({"reset_after": 0}, "reset_after must be more than 0 seconds, not 0"),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Backoff(**arguments)


@pytest.mark.parametrize("field", ["initial", "factor", "maximum", "jitter", "reset_after"])
def test_nan_is_refused_everywhere(field: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be .*, not nan$"):
        Backoff(**{field: math.nan})


@pytest.mark.parametrize("field", ["initial", "factor", "maximum", "jitter", "reset_after"])
@pytest.mark.parametrize("value", ["1", True, None, 1j], ids=repr)
def test_what_is_no_number_is_refused_everywhere(field: str, value: object) -> None:
    arguments: dict[str, Any] = {field: value}
    with pytest.raises(TypeError, match=f"^{field} must be a number.*, not {value!r}$"):
        Backoff(**arguments)


def test_an_attempt_below_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^attempt must be 0 or more, not -1$"):
        Backoff().delay(-1)


# The promise itself


@given(BACKOFFS, ATTEMPTS, SHARES)
def test_every_delay_is_between_zero_and_the_maximum(
    backoff: Backoff, attempt: int, number: float
) -> None:
    assert 0.0 <= backoff.delay(attempt, Always(number)) <= backoff.maximum


@given(BACKOFFS, ATTEMPTS, SHARES)
def test_no_delay_is_spread_by_more_than_the_share(
    backoff: Backoff, attempt: int, number: float
) -> None:
    middle = Backoff(
        initial=backoff.initial, factor=backoff.factor, maximum=backoff.maximum, jitter=0.0
    ).delay(attempt)
    delay = backoff.delay(attempt, Always(number))
    # In halves, since the sum of two large floats may be infinite.
    slack = middle / 1e9
    assert abs(delay - middle) / 2 <= middle / 2 * backoff.jitter + slack


@given(STEADY, ATTEMPTS, ATTEMPTS)
def test_no_delay_is_shorter_than_one_before_it(backoff: Backoff, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert backoff.delay(earlier) <= backoff.delay(later)


@given(STEADY, st.integers(min_value=0, max_value=200))
def test_each_delay_is_the_one_before_it_times_the_factor(backoff: Backoff, attempt: int) -> None:
    assume(backoff.initial > 1e-300)
    expected = min(backoff.delay(attempt) * backoff.factor, backoff.maximum)
    assert backoff.delay(attempt + 1) == pytest.approx(expected)
