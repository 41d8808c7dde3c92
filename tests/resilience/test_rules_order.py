"""Tests of which step may stand around which."""

from __future__ import annotations

from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given, strategies as st

from trio_foundation.resilience._rules._order import (
    USUAL_ORDER,
    WRONG_WITHIN,
    StepKind,
    fault_in_order,
)


def test_the_usual_order_makes_sense_whatever_is_left_out_of_it() -> None:
    assert fault_in_order(USUAL_ORDER) is None
    for kind in USUAL_ORDER:
        assert fault_in_order([one for one in USUAL_ORDER if one != kind]) is None


@pytest.mark.parametrize(("inner", "outer"), WRONG_WITHIN, ids="-within-".join)
def test_whatever_is_wrong_is_told_with_the_reason(inner: StepKind, outer: StepKind) -> None:
    fault = fault_in_order(["other", outer, "other", inner])
    assert fault is not None
    assert fault == (1, 3, WRONG_WITHIN[inner, outer].format(outer=outer))
    if inner != outer:
        assert fault_in_order([inner, outer]) is None


def test_what_nobody_knows_may_stand_anywhere() -> None:
    assert "other" in get_args(StepKind)
    for kind in USUAL_ORDER:
        assert fault_in_order(["other", kind, "other"]) is None


def test_a_time_limit_may_stand_around_attempts_and_around_each_of_them() -> None:
    assert fault_in_order(["fallback", "timeout", "retry", "timeout"]) is None


@given(order=st.sampled_from(list(permutations(USUAL_ORDER, 3))))
def test_an_order_is_wrong_if_any_two_of_it_are(order: tuple[StepKind, ...]) -> None:
    pairs = [(order[0], order[1]), (order[0], order[2]), (order[1], order[2])]
    is_wrong = any((inner, outer) in WRONG_WITHIN for outer, inner in pairs)
    assert (fault_in_order(order) is not None) is is_wrong
