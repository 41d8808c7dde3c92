"""Tests of pictures of searches that went badly, or in few or many dimensions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_foundation.search import (
    Choice,
    Dimension,
    SearchResult,
    SearchSpace,
    Trial,
    Uniform,
    plot,
)
from trio_foundation.search._rules import axis_of, far_limit, worst_near

# The rules need no matplotlib.


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quarter_that_went_wild_is_far_off(sign: int) -> None:
    values = [sign * one for one in (7, 8, 9, 7, 8, 9, -1000, -2000)]
    limit = far_limit(values, maximize=sign > 0)
    assert [one for one in values if sign * one < sign * limit] == [sign * -1000, sign * -2000]
    assert worst_near(values, maximize=sign > 0) == sign * 7


@pytest.mark.parametrize("values", [[1.0], [1.0, 5.0], [3.0] * 9, [3.0] * 9 + [4.0]])
@pytest.mark.parametrize("maximize", [True, False])
def test_of_few_or_equal_values_none_is_far_off(values: list[float], maximize: bool) -> None:
    limit = far_limit(values, maximize=maximize)
    assert all(one >= limit if maximize else one <= limit for one in values)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1), st.booleans())
def test_the_best_is_never_far_off_nor_worse_than_the_worst(
    values: list[float], maximize: bool
) -> None:
    best = max(values) if maximize else min(values)
    limit, worst = (rule(values, maximize=maximize) for rule in (far_limit, worst_near))
    assert limit <= worst <= best if maximize else limit >= worst >= best


def test_an_axis_of_many_words_shows_some_of_them() -> None:
    space = SearchSpace(kind=Choice(range(100)))
    trials = [Trial(0, {"kind": 99}, 1.0)]
    axis = axis_of("kind", trials, space.dimensions["kind"])
    assert [text for _, text in axis.ticks] == [str(number) for number in range(0, 100, 5)]
    assert axis.places == [1.0]


# The pictures do.


@pytest.fixture
def draw() -> Any:
    pytest.importorskip("matplotlib", reason="needs trio-foundation[plot]")
    return plot


def result_of(
    values: Sequence[float | None], *, maximize: bool = True, space: SearchSpace | None = None
) -> SearchResult:
    space = space or SearchSpace(x=Uniform(0, 1), y=Uniform(0, 1))
    trials = [
        Trial(
            index,
            space.sample(random.Random(index)),
            value,
            state="failed" if value is None else "complete",
        )
        for index, value in enumerate(values)
    ]
    ended = [trial for trial in trials if trial.value is not None]
    best = (max if maximize else min)(ended, key=lambda one: one.value or 0.0, default=None)
    return SearchResult(best, trials, maximize=maximize, space=space)


def words_of(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("sign", [1, -1])
def test_trials_that_went_wild_are_at_the_edge(draw: Any, sign: int) -> None:
    numbers = [-1e9, *(random.Random(one).random() for one in range(20)), -1e12]
    values, settings, _ = draw(result_of([sign * one for one in numbers], maximize=sign > 0)).axes
    low, high = values.get_ylim()
    assert high - low < 2
    assert words_of(values) == ["trial", "best so far", "far off"]
    lines = settings.collections[0]
    assert lines.norm.vmax - lines.norm.vmin < 1


def test_a_search_in_one_dimension_has_lines_too(draw: Any) -> None:
    result = result_of([1.0, 2.0, 3.0], space=SearchSpace(x=Uniform(0, 1)))
    _, settings, _ = draw(result).axes
    for (left, start), (right, end) in settings.collections[0].get_segments():
        assert left < right
        assert start == end


def test_long_names_are_aslant(draw: Any) -> None:
    long = "a_very_long_name_of_a_setting"
    names: dict[str, Dimension] = {f"{long}_{index}": Uniform(0, 1) for index in range(9)}
    _, settings, _ = draw(result_of([1.0, 2.0], space=SearchSpace(**names))).axes
    assert {label.get_rotation() for label in settings.get_xticklabels()} == {30}


def test_names_and_words_are_no_formulas(draw: Any, tmp_path: Any) -> None:
    space = SearchSpace(**{"$\\frac$": Choice(["$\\broken{$", "b"])}, y=Uniform(0, 1))
    draw(result_of([1.0, 2.0, 3.0], space=space), tmp_path / "search.svg")


@pytest.mark.parametrize("values", [[], [None, None]], ids=["nothing", "failures"])
def test_where_no_trial_has_a_number_the_picture_says_so(draw: Any, values: Any) -> None:
    left, settings = draw(result_of(values)).axes
    assert [text.get_text() for text in settings.texts] == ["no trial has a number"]
    assert len(left.get_yticks()) == 0


def test_a_single_trial_has_a_whole_number(draw: Any) -> None:
    values, _, _ = draw(result_of([1.0])).axes
    shown = [tick for tick in values.get_xticks() if -0.05 < tick < 0.05]
    assert shown == [0]


def test_the_best_is_drawn_though_many_that_were_pruned_were_better(draw: Any) -> None:
    result = result_of([float(one) for one in range(1500)])
    trials = [
        Trial(one.index, one.params, one.value, state="pruned" if one.index else "complete")
        for one in result.trials
    ]
    _, settings, _ = draw(SearchResult(trials[0], trials, space=result.space)).axes
    assert words_of(settings) == ["best"]
    assert len(settings.collections[0].get_segments()) == 1000
