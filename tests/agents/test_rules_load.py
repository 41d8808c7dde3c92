"""Who has the least to do comes first; of several alike, who has less that waits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_foundation.agents._rules._load import load_at, with_least_load

UNTOLD = (True, 0)


@pytest.mark.parametrize(
    ("attributes", "path", "load"),
    [
        ({"cost": 3}, "cost", (False, 3)),
        ({"cost": -math.inf}, "cost", (False, -math.inf)),
        ({"cost": Fraction(1, 2)}, "cost", (False, Fraction(1, 2))),
        ({"a": {"b": {"c": 0.5}}, "c": 9}, "a.b.c", (False, 0.5)),
        ({"a": {"b": {"c": 0.5}}}, "a.b", UNTOLD),
        ({"a": 1}, "a.b", UNTOLD),
        ({"a": {"b": 1}}, "a.c", UNTOLD),
        ({None: 1}, "a", UNTOLD),
        ({}, "cost", UNTOLD),
        ({"cost": None}, "cost", UNTOLD),
        ({"cost": "3"}, "cost", UNTOLD),
        ({"cost": True}, "cost", UNTOLD),
        ({"cost": math.nan}, "cost", UNTOLD),
    ],
)
def test_a_load_is_a_number_at_a_path(
    attributes: Mapping[Any, Any], path: str, load: tuple[bool, Any]
) -> None:
    assert load_at(attributes, path) == load


def test_only_those_that_may_be_chosen_are_asked_what_waits() -> None:
    asked: list[str] = []

    def waiting_of(one: str) -> int:
        asked.append(one)
        return {"b": 5, "c": 4, "d": 0}[one]

    loads = {"a": 9, "b": 1, "c": 1, "d": 0, "e": 2}

    def load_of(one: str) -> tuple[bool, int]:
        return (False, loads[one])

    assert with_least_load("abcde", 2, load_of, waiting_of) == ["d", "c"]
    assert asked == ["b", "c", "d"]


def test_nobody_is_asked_where_nobody_is_wanted() -> None:
    def fail(one: str) -> Any:
        raise AssertionError(one)

    assert with_least_load("abc", 0, fail, fail) == []
    assert with_least_load("", 3, fail, fail) == []


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 2)), max_size=7),
    st.integers(-1, 8),
)
def test_those_with_the_least_are_the_first_of_all_sorted(
    crowd: list[tuple[bool, int, int]], n: int
) -> None:
    # The later ones have the lower numbers: what is alike stands as it stood.
    candidates = [(*one, -place) for place, one in enumerate(crowd)]
    chosen = with_least_load(candidates, n, lambda one: one[:2], lambda one: one[2])
    assert chosen == sorted(candidates, key=lambda one: one[:3])[: max(n, 0)]
