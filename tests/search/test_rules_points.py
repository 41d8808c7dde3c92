"""Tests of which points are drawn, and which were there before."""

from __future__ import annotations

import math
import random
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_foundation.search import Choice, IntUniform, LogUniform, SearchSpace, Uniform
from trio_foundation.search._rules import Draws, random_units
from trio_foundation.search._rules._points import point_count

from .test_rules_space import DISCRETE, spaces

COIN = SearchSpace(coin=Choice(["heads", "tails"]))


def draws_of(space: SearchSpace, iterations: float = 100, seed: int = 1) -> Draws:
    return Draws(space, random_units(seed, len(space.dimensions)), iterations)


def drawn(draws: Draws) -> list[tuple[int, dict[str, Any]]]:
    return [(one.index, one.params) for one in draws if one is not None]


# What a reader should know


def test_trials_are_numbered_as_they_are_drawn() -> None:
    assert [index for index, _ in drawn(draws_of(SearchSpace(x=Uniform(0, 1)), 5))] == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_points_that_were_there_are_skipped_and_keep_their_numbers() -> None:
    draws = Draws(COIN, lambda index: [0.0 if index < 3 else 0.9], 5)
    assert drawn(draws) == [(0, {"coin": "heads"}), (3, {"coin": "tails"})]
    assert draws.skipped == 3
    assert draws.has_ended


def test_continuous_points_are_never_skipped() -> None:
    draws = Draws(SearchSpace(x=Uniform(0, 1)), lambda index: [0.5], 5)
    assert len(drawn(draws)) == 5


def test_points_without_their_continuous_setting_are_skipped() -> None:
    space = SearchSpace(a=Choice([False, True]), b=Uniform(0, 1, when={"a": True}))
    draws = Draws(space, lambda index: [index % 2 / 2, 0.5], 10)
    assert [index for index, _ in drawn(draws)] == [0, 1, 3, 5, 7, 9]


def test_a_search_without_end_ends_when_all_points_were_there() -> None:
    draws = draws_of(COIN, math.inf)
    assert len(drawn(draws)) == 2


def test_others_get_their_turn_while_nothing_new_is_drawn() -> None:
    space = SearchSpace(x=IntUniform(1, 1000))
    draws = Draws(space, lambda index: [0.0], 1_000)
    assert next(draws) is not None
    assert next(draws) is None


def test_an_earlier_run_is_caught_up_with() -> None:
    space = SearchSpace(x=Uniform(0, 1))
    whole = drawn(draws_of(space, 10))
    draws = draws_of(space, 10)
    assert [one.index for one in draws.catch_up({0, 2, 5})] == [0, 2, 5]
    assert drawn(draws) == [whole[index] for index in (1, 3, 4, 6, 7, 8, 9)]


def test_an_earlier_run_may_have_been_longer() -> None:
    draws = draws_of(SearchSpace(x=Uniform(0, 1)), 3)
    assert [one.index for one in draws.catch_up({0, 1, 2, 7})] == [0, 1, 2]
    assert drawn(draws) == []


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (COIN, 2),
        (SearchSpace(x=Uniform(0, 1)), math.inf),
        (SearchSpace(x=LogUniform(1, 2), y=Choice([1])), math.inf),
        (SearchSpace(a=IntUniform(1, 10), b=Uniform(0, 1, step=0.5)), 30),
        (SearchSpace(a=IntUniform(1, 10), b=IntUniform(1, 5, when={"a": {1, 2}})), 18),
        (SearchSpace(a=IntUniform(1, 10**9), b=IntUniform(1, 10**9)), 10**18),
        (SearchSpace(a=IntUniform(1, 10**9), b=IntUniform(1, 9, when={"a": 7})), math.inf),
        (SearchSpace(a=IntUniform(1, 3), b=IntUniform(1, 2, when=lambda point: point["a"] > 1)), 5),
    ],
)
def test_the_points_of_a_space_are_counted(space: SearchSpace, count: float) -> None:
    assert point_count(space) == count


# The promise itself


@given(spaces(DISCRETE))
def test_the_count_is_that_of_the_grid(space: SearchSpace) -> None:
    assert point_count(space) == len(list(space.grid()))


@given(spaces(DISCRETE), st.integers(0, 100))
def test_every_point_is_drawn_once_in_the_end(space: SearchSpace, seed: int) -> None:
    points = [repr(params) for _, params in drawn(draws_of(space, math.inf, seed))]
    assert sorted(points) == sorted(repr(point) for point in space.grid())


@given(spaces(), st.integers(0, 100))
def test_a_point_depends_on_the_seed_and_its_number_alone(space: SearchSpace, seed: int) -> None:
    for index, params in islice(drawn(draws_of(space, 20, seed)), 20):
        assert params == space.sample(random.Random(f"{seed}:{index}"))


@given(spaces(), st.integers(0, 100), st.sets(st.integers(0, 25)))
def test_an_interrupted_run_and_the_rest_of_it_are_a_whole_one(
    space: SearchSpace, seed: int, ended: set[int]
) -> None:
    whole = draws_of(space, 20, seed)
    expected = drawn(whole)
    draws = draws_of(space, 20, seed)
    before = [(one.index, one.params) for one in draws.catch_up(ended)]
    assert [index for index, _ in before] == [i for i, _ in expected if i in ended]
    assert sorted(before + drawn(draws), key=lambda one: one[0]) == expected
    assert draws.skipped == whole.skipped


@pytest.mark.parametrize("iterations", [3, 100, math.inf])
def test_what_is_not_drawn_since_all_is_there_counts_as_skipped(iterations: float) -> None:
    space = SearchSpace(x=Choice(["a", "b"]))
    draws = Draws(space, lambda index: [index % 2 / 2], iterations)
    drawn = [one for _ in range(2) if (one := next(draws)) is not None]
    assert [one.index for one in drawn] == [0, 1]
    with pytest.raises(StopIteration):
        next(draws)
    assert draws.skipped == (1 if iterations == math.inf else iterations - 2)


def test_points_are_counted_as_long_as_their_cases_are_not_too_many() -> None:
    coin = Choice(["heads", "tails"], when={"a": 1, "b": 1})
    few, many = (
        SearchSpace(a=IntUniform(1, size), b=IntUniform(1, size), c=coin) for size in (20, 400)
    )
    assert [point_count(few), point_count(many)] == [401, math.inf]
