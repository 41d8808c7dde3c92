"""Tests of whether to try again, and when: arithmetic, without a clock."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_foundation import Backoff
from trio_foundation._base import mistake
from trio_foundation.resilience._rules import asked_pause, leaves_of
from trio_foundation.resilience._rules._retrying import (
    Again,
    GiveUp,
    Ledger,
    RetryBudget,
    check_errors,
    decide,
    delay_before,
    matches,
    note_attempts,
    note_of,
)

STEADY = Backoff(initial=1.0, factor=1.0, maximum=5.0, jitter=0.0)


class Asking(Exception):
    """An error that says when to come again."""

    def __init__(self, retry_after: object) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


# Whether there is another try


def test_there_is_another_try_after_the_delay() -> None:
    assert decide(attempt=1, attempts=3, delay=2.0, now=10.0, until=20.0) == Again(2.0)


def test_there_is_none_when_all_attempts_are_spent() -> None:
    assert decide(attempt=3, attempts=3, delay=2.0, now=10.0, until=20.0) == GiveUp("")


@pytest.mark.parametrize("until", [11.9, 12.0, 10.0, -math.inf])
def test_there_is_none_that_would_begin_when_time_is_up(until: float) -> None:
    decision = decide(attempt=1, attempts=3, delay=2.0, now=10.0, until=until)
    assert decision == GiveUp("there is no time for another")


def test_without_a_limit_there_is_always_another_try() -> None:
    decision = decide(attempt=10**9, attempts=math.inf, delay=0.0, now=0.0, until=math.inf)
    assert decision == Again(0.0)


# When it is


def test_the_delay_grows_with_the_attempts() -> None:
    backoff = Backoff(initial=1.0, factor=2.0, maximum=3.0, jitter=0.0)
    assert [delay_before(n, backoff, 0.0, None) for n in (1, 2, 3)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("asked", "delay"),
    [(0.5, 1.0), (3.0, 3.0), (60.0, 5.0), (math.inf, 5.0)],
    ids=["less", "more", "more than the maximum", "for ever"],
)
def test_an_error_that_asks_for_time_gets_it_up_to_the_maximum(asked: float, delay: float) -> None:
    assert delay_before(1, STEADY, asked_pause(Asking(asked)) or 0.0, None) == delay


def test_the_same_seed_gives_the_same_delays() -> None:
    backoff = Backoff(jitter=1.0)
    delays = [delay_before(n, backoff, 0.0, random.Random(7)) for n in (1, 2, 3)]
    assert delays == [delay_before(n, backoff, 0.0, random.Random(7)) for n in (1, 2, 3)]


@pytest.mark.parametrize("nonsense", [None, "soon", math.nan, -3.0, True, 10**400], ids=type)
def test_an_error_that_asks_for_nonsense_asks_for_nothing(nonsense: object) -> None:
    assert asked_pause(Asking(nonsense)) is None


def test_an_error_that_says_nothing_asks_for_nothing() -> None:
    assert asked_pause(OSError()) is None


def test_an_error_may_ask_for_no_time_at_all() -> None:
    assert [asked_pause(Asking(asked)) for asked in (0, 0.5)] == [0.0, 0.5]


def test_a_group_asks_for_the_longest_of_its_times() -> None:
    group = ExceptionGroup("", [Asking(1.0), ExceptionGroup("", [Asking(4.0), ValueError()])])
    assert asked_pause(group) == 4.0


# Which errors are meant


def is_refused(error: Exception) -> bool:
    return "refused" in str(error)


def is_lasting(_: Exception) -> bool:
    return False


@pytest.mark.parametrize(
    ("errors", "is_meant"),
    [
        (Exception, True),
        (OSError, True),
        ((KeyError, OSError), True),
        (KeyError, False),
        ((), False),
        (is_refused, True),
        (is_lasting, False),
    ],
    ids=["any", "base class", "one of two", "other class", "none", "asked", "asked in vain"],
)
def test_an_error_is_meant_by_its_class_or_when_asked(errors: Any, is_meant: bool) -> None:
    assert matches(ConnectionError("refused"), errors) is is_meant


def test_a_group_is_meant_if_each_error_in_it_is() -> None:
    both = ExceptionGroup("", [OSError(), ExceptionGroup("", [ConnectionError()])])
    assert matches(both, OSError)
    assert not matches(ExceptionGroup("", [both, KeyError()]), OSError)


def test_some_errors_are_never_meant() -> None:
    assert not matches(KeyError(), Exception, never=(KeyError,))
    assert not matches(ExceptionGroup("", [KeyError(), OSError()]), Exception, never=(KeyError,))


def test_the_mistake_of_a_caller_is_never_meant() -> None:
    assert not matches(mistake("call takes an async function"), TypeError)
    assert matches(TypeError("call takes an async function"), TypeError)


def test_a_group_may_be_as_deep_as_it_likes() -> None:
    group: Any = Asking(3.0)
    for _ in range(5_000):
        group = ExceptionGroup("", [group])
    assert matches(group, Asking)
    assert asked_pause(group) == 3.0


def test_the_leaves_of_a_group_are_its_errors() -> None:
    one, two = OSError(), KeyboardInterrupt()
    assert list(leaves_of(BaseExceptionGroup("", [one, BaseExceptionGroup("", [two])]))) == [
        one,
        two,
    ]


def is_passing(_: Exception) -> bool:
    return True


async def will_pass(_: Exception) -> bool:
    return True


@pytest.mark.parametrize("errors", [Exception, OSError, (OSError, KeyError), (), is_passing])
def test_what_says_which_errors_passes(errors: object) -> None:
    check_errors("retry_on", errors)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (
            KeyboardInterrupt,
            "retry_on takes subclasses of Exception, not KeyboardInterrupt: what is no Exception, "
            "such as trio.Cancelled, has to go on up",
        ),
        ((OSError, BaseException), "retry_on takes subclasses of Exception, not BaseException"),
        (
            ExceptionGroup,
            "retry_on is about the errors in a group, so it takes no ExceptionGroup: name the "
            "classes of the errors that may be in it",
        ),
        (int, "retry_on must be a subclass of Exception, a tuple of them, or a plain function"),
        (3, "of the error, not 3"),
        (will_pass, "or a plain function of the error, not <function will_pass"),
    ],
)
def test_what_does_not_is_refused(errors: object, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_errors("retry_on", errors)
    assert message in str(caught.value)
    assert str(caught.value).startswith("retry_on ")


# The note


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ((None, 3, 3, ""), "attempt 3 of 3"),
        ((None, 3, math.inf, ""), "attempt 3"),
        (("prices", 3, 5, ""), "prices: attempt 3 of 5"),
        ((None, 3, 5, "no time"), "attempt 3 of 5; no time"),
    ],
)
def test_a_note_takes_the_place_of_an_earlier_one(facts: Any, words: str) -> None:
    note = note_of(*facts)
    assert note == words
    error = OSError()
    error.add_note("first attempt of the day")
    for _ in range(3):
        note_attempts(error, "prices" if "prices" in note else None, note)
    assert error.__notes__ == ["first attempt of the day", words]


def test_a_note_by_another_name_stays() -> None:
    error = OSError()
    note_attempts(error, "inner", "inner: attempt 3 of 3")
    note_attempts(error, "outer", "outer: attempt 2 of 2")
    assert error.__notes__ == ["inner: attempt 3 of 3", "outer: attempt 2 of 2"]


def test_an_error_whose_notes_are_none_is_left_alone() -> None:
    error: Any = OSError()
    error.__notes__ = None
    note_attempts(error, None, "attempt 3 of 3")
    assert error.__notes__ is None


# The budget that callers share


def ledger(**options: Any) -> Ledger:
    return Ledger(RetryBudget(**options))


def spend(budget: Ledger, now: float) -> int:
    """Return how many retries are admitted at once."""
    count = 0
    while budget.admit(now):
        count += 1
    return count


def test_the_floor_is_there_without_any_calls() -> None:
    assert spend(ledger(floor=3), 0.0) == 3


def test_calls_add_to_the_budget_by_the_ratio() -> None:
    budget = ledger(ratio=0.1, floor=0)
    for _ in range(25):
        budget.note_call(0.0)
    assert spend(budget, 0.0) == 2


@pytest.mark.parametrize(("now", "left"), [(0.0, 1), (54.0, 1), (59.9, 1), (60.1, 0)])
def test_a_call_adds_to_the_budget_until_the_end_of_the_window(now: float, left: int) -> None:
    budget = ledger(ratio=1.0, floor=0, per=60.0)
    budget.note_call(0.0)
    assert spend(budget, now) == left


@pytest.mark.parametrize(("now", "left"), [(59.0, 0), (66.0, 2), (1000.0, 2)])
def test_a_retry_is_forgotten_at_the_end_of_the_window(now: float, left: int) -> None:
    budget = ledger(floor=2, per=60.0)
    assert spend(budget, 0.0) == 2
    assert spend(budget, now) == left


def test_a_retry_that_is_nearly_long_ago_still_counts() -> None:
    budget = ledger(floor=1, per=60.0)
    assert [budget.admit(now) for now in (5.9, 65.8, 66.1)] == [True, False, True]


def test_after_a_long_rest_a_retry_is_forgotten_as_soon_as_ever() -> None:
    budget = ledger(floor=1, per=60.0)
    assert [budget.admit(now) for now in (1000.0, 1061.9, 1062.1)] == [True, False, True]


def test_calls_of_several_parts_of_the_window_add_up() -> None:
    budget = ledger(ratio=1.0, floor=0, per=60.0)
    for now in (0.0, 6.0, 12.0, 12.0, 31.0):
        budget.note_call(now)
    assert spend(budget, 32.0) == 5


def test_a_refused_retry_does_not_count() -> None:
    budget = ledger(floor=1, per=60.0)
    assert [budget.admit(now) for now in (0.0, 50.0, 66.0)] == [True, False, True]


@pytest.mark.parametrize(("now", "left"), [(1.0, 1), (59.0, 1), (65.0, 1), (70.0, 2), (1e6, 2)])
def test_a_retry_that_is_taken_back_does_not_count(now: float, left: int) -> None:
    budget = ledger(ratio=0.0, floor=2, per=60.0)
    assert spend(budget, 1.0) == 2
    budget.note_call(now)
    budget.take_back(1.0)
    assert spend(budget, now) == left


def test_one_of_many_retries_is_taken_back_from_the_part_where_it_was_made() -> None:
    budget = ledger(ratio=0.0, floor=4, per=60.0)
    assert [budget.admit(now) for now in (1.0, 13.0, 13.0, 13.0, 20.0)] == [*[True] * 4, False]
    budget.take_back(13.0)
    assert spend(budget, 20.0) == 1


def test_a_retry_that_is_taken_back_is_no_longer_there_to_be_forgotten() -> None:
    budget = ledger(ratio=0.0, floor=2, per=60.0)
    assert [budget.admit(now) for now in (1.0, 13.0, 20.0)] == [True, True, False]
    budget.take_back(13.0)
    assert spend(budget, 55.0) == 1


def test_two_budgets_of_the_same_size_are_two() -> None:
    assert RetryBudget() != RetryBudget()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 1.5}, "ratio must be from 0 to 1, not 1.5"),
        ({"floor": -1}, "floor must be 0 or more, not -1"),
        ({"per": 0}, "per must be more than 0 seconds and finite, not 0"),
        ({"per": math.inf}, "per must be more than 0 seconds and finite, not inf"),
    ],
)
def test_a_budget_of_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        RetryBudget(**options)


HISTORIES = st.lists(
    st.tuples(st.floats(0.0, 20.0) | st.just(0.0), st.sampled_from("ccr")), max_size=200
).map(lambda steps: list(zip(accumulate(gap for gap, _ in steps), [what for _, what in steps])))  # noqa: B905


@given(
    history=HISTORIES,
    ratio=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    floor=st.integers(0, 3),
    per=st.sampled_from([0.7, 10.0, 60.0]),
)
def test_in_no_window_are_there_more_retries_than_the_budget_says(
    history: list[tuple[float, str]], ratio: float, floor: int, per: float
) -> None:
    budget = ledger(ratio=ratio, floor=floor, per=per)
    calls: list[float] = []
    retries: list[float] = []
    within: Callable[[list[float], float], int] = lambda times, now: sum(  # noqa: E731
        now - then < per for then in times
    )
    for now, what in history:
        if what == "c":
            budget.note_call(now)
            calls.append(now)
        elif budget.admit(now):
            retries.append(now)
            assert within(retries, now) <= floor + ratio * within(calls, now)
