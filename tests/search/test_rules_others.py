"""Tests of ranking, spreading, and of what a picture shows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from trio_foundation.search import (
    Choice,
    Dimension,
    IntUniform,
    LogUniform,
    MedianPruner,
    Standing,
    SuccessiveHalvingPruner,
    Trial,
    Uniform,
)
from trio_foundation.search._rules import (
    Reports,
    axis_of,
    far_limit,
    is_better,
    latin_hypercube_units,
    random_units,
    rises_of,
    score_of,
    worst_near,
)
from trio_foundation.search._rules._picture import tick_text
from trio_foundation.search._rules._ranking import best_of

# Which is best


@pytest.mark.parametrize(("maximize", "index"), [(True, 2), (False, 1)])
def test_the_best_has_the_largest_value_or_the_smallest(maximize: bool, index: int) -> None:
    trials = [Trial(0, {}, 2.0), Trial(1, {}, 1.0), Trial(2, {}, 3.0)]
    best = best_of(trials, maximize=maximize)
    assert best is trials[index]


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_finite_number_is_never_best(value: float | None, maximize: bool) -> None:
    assert best_of([Trial(0, {}, value)], maximize=maximize) is None
    trials = [Trial(0, {}, value), Trial(1, {}, 0.0), Trial(2, {}, value)]
    assert best_of(trials, maximize=maximize) is trials[1]


@pytest.mark.parametrize("state", ["failed", "pruned", "cancelled"])
def test_only_what_has_run_to_its_end_is_best(state: str) -> None:
    assert not is_better(Trial(0, {}, 1.0, None, state), None, maximize=True)  # type: ignore[arg-type]


def test_of_equals_the_one_with_the_lower_number_is_best() -> None:
    trials = [Trial(3, {}, 1.0), Trial(1, {}, 1.0), Trial(2, {}, 1.0)]
    assert best_of(trials, maximize=True) is trials[1]


def test_nothing_is_better_than_itself_nor_one_without_a_number_than_another() -> None:
    trial, *without = Trial(0, {}, 1.0), Trial(0, {}, math.nan), Trial(1, {}, math.nan)
    assert not is_better(trial, trial, maximize=True)
    assert not is_better(without[0], without[1], maximize=True)


@given(st.permutations([Trial(i, {}, v) for i, v in enumerate([1.0, math.nan, 3.0, 3.0, -1.0])]))
def test_the_order_in_which_trials_end_does_not_matter(trials: list[Trial]) -> None:
    assert getattr(best_of(trials, maximize=True), "index", None) == 2
    assert getattr(best_of(trials, maximize=False), "index", None) == 4


def test_infinity_is_the_worst_score_whichever_way() -> None:
    assert {score_of(one, maximize=True) for one in (math.nan, math.inf)} == {-math.inf}
    assert {score_of(one, maximize=False) for one in (math.nan, -math.inf)} == {-math.inf}


# How trials are spread


def test_random_units_stay_the_same_from_version_to_version() -> None:
    units = random_units(42, 2)
    assert units(0) == [random.Random("42:0").random(), units(0)[1]]
    assert units(0) == pytest.approx([0.0982577, 0.4011815], abs=1e-7)


@given(st.integers(), st.integers(1, 3), st.integers(1, 40))
def test_a_latin_hypercube_has_one_trial_in_each_part(seed: int, size: int, count: int) -> None:
    units = latin_hypercube_units(seed, size, count)
    for dimension in range(size):
        parts = sorted(int(units(index)[dimension] * count) for index in range(count))
        assert parts == list(range(count))


def test_a_latin_hypercube_stays_the_same_from_version_to_version() -> None:
    units = latin_hypercube_units(42, 2, 4)
    assert [units(index) for index in range(4)] == [
        [0.7745644258817725, 0.10029537049593418],
        [0.7388686969029963, 0.8973202676484395],
        [0.07916218138888081, 0.5013733802929432],
        [0.4327974726768568, 0.3791892864226637],
    ]


def test_a_latin_hypercube_can_be_asked_in_any_order() -> None:
    one, other = (latin_hypercube_units(7, 3, 20) for _ in range(2))
    assert [one(i) for i in range(20)] == [other(i) for i in reversed(range(20))][::-1]


# Which are hopeless


def standing(
    score: float,
    *,
    step: int = 5,
    previous: int | None = None,
    others: Sequence[float] = (),
    ended: Sequence[float] = (),
) -> Standing:
    return Standing(
        step=step, previous=previous, score=score, others=sorted(others), ended=sorted(ended)
    )


@pytest.mark.parametrize(
    ("ended", "score", "is_pruned"),
    [
        ([1, 2, 3], 1.9, True),
        ([1, 2, 3], 2, False),
        ([1, 2, 3, 4], 1.9, True),
        ([1, 2, 3, 4], 2.0, False),
        ([1, 2], 0, False),
        ([1, 2, 3], -math.inf, True),
    ],
)
def test_what_is_worse_than_the_median_is_pruned_after_the_warm_up(
    ended: list[float], score: float, is_pruned: bool
) -> None:
    prune = MedianPruner(warmup_trials=3)
    assert prune(standing(score, ended=ended, others=[100] * 9)) is is_pruned


def test_the_first_steps_of_a_trial_may_be_left_alone() -> None:
    prune = MedianPruner(warmup_trials=1, warmup_steps=3)
    told = [prune(standing(0, step=step, ended=[1])) for step in range(5)]
    assert told == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("others", "is_pruned"),
    [
        ([], False),
        ([6], True),
        ([4], False),
        ([6, 4], True),
        ([6, 4, 4], True),
        ([6, 4, 4, 4], True),
        ([6, 4, 4, 4, 4], False),
    ],
)
def test_one_of_so_many_goes_on(others: list[float], is_pruned: bool) -> None:
    prune = SuccessiveHalvingPruner(reduction_factor=3)
    assert prune(standing(5, step=3, others=others)) is is_pruned


def test_it_is_decided_at_steps_that_lie_further_and_further_apart() -> None:
    prune = SuccessiveHalvingPruner(min_steps=2, reduction_factor=3)
    told = [
        step
        for step in range(60)
        if prune(standing(0, step=step, previous=step - 1 if step else None, others=[1]))
    ]
    assert told == [2, 6, 18, 54]


def test_a_trial_may_be_hopeless_from_its_first_report_on() -> None:
    assert SuccessiveHalvingPruner()(standing(0, step=1, others=[1]))


def test_a_step_that_is_jumped_over_is_decided_at_the_next_report() -> None:
    prune = SuccessiveHalvingPruner(min_steps=2, reduction_factor=3)
    assert prune(standing(0, step=5, previous=1, others=[1]))
    assert not prune(standing(0, step=5, previous=2, others=[1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MedianPruner(warmup_trials=0), "warmup_trials must be 1 or more, not 0"),
        (lambda: MedianPruner(warmup_steps=-1), "warmup_steps must be 0 or more, not -1"),
        (lambda: SuccessiveHalvingPruner(min_steps=0), "min_steps must be 1 or more, not 0"),
        (
            lambda: SuccessiveHalvingPruner(reduction_factor=1),
            "reduction_factor must be 2 or more, not 1",
        ),
    ],
)
def test_a_pruner_that_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()  # type: ignore[operator]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-10, 10))))
def test_a_trial_is_told_what_all_others_have_reported(told: list[tuple[int, float]]) -> None:
    reports = Reports()
    for number, (step, score) in enumerate(told):
        found = reports.add(step, score, number)
        assert (found.step, found.score, found.previous) == (step, score, number)
        assert list(found.others) == sorted(s for at, s in told[:number] if at == step)
        assert found.rank == sum(other > score for other in found.others)


# What a picture shows


def test_the_best_rises_where_it_becomes_better() -> None:
    trials = [Trial(i, {}, v) for i, v in enumerate([2.0, math.nan, 1.0, 3.0, 3.0])]
    assert rises_of(trials, maximize=True) == [(0, 2.0), (3, 3.0)]
    assert rises_of(trials, maximize=False) == [(0, 2.0), (2, 1.0)]


@pytest.mark.parametrize(
    ("dimension", "values", "places", "ticks"),
    [
        (Uniform(0, 10), [0.0, 5.0], [0, 0.5], [(0, "0"), (1, "10")]),
        (LogUniform(1, 100), [1.0, 10.0], [0, 0.5], [(0, "1"), (1, "100")]),
        (IntUniform(0, 4), [1, 3], [0.25, 0.75], [(0, "0"), (1, "4")]),
        (IntUniform(3, 3), [3], [0.5], [(0.5, "3")]),
        (Choice(["a", "b", "c"]), ["c", "a"], [1, 0], [(0, "a"), (0.5, "b"), (1, "c")]),
        (Choice(["a"]), ["a"], [0.5], [(0.5, "a")]),
        (None, [3.0, 7.0], [0, 1], [(0, "3"), (1, "7")]),
        (None, ["x", 1], [0, 1], [(0, "x"), (1, "1")]),
    ],
)
def test_a_trial_stands_on_an_axis_where_its_value_is(
    dimension: Dimension | None,
    values: list[object],
    places: list[float],
    ticks: list[tuple[float, str]],
) -> None:
    axis = axis_of("x", [Trial(i, {"x": v}) for i, v in enumerate(values)], dimension)
    assert axis.places == pytest.approx(places)
    assert axis.ticks == ticks


@pytest.mark.parametrize("dimension", [Uniform(0, 10), Choice([10.0])])
def test_a_trial_without_a_setting_stands_below_the_axis(dimension: Dimension) -> None:
    axis = axis_of("x", [Trial(0, {"x": 10.0}), Trial(1, {})], dimension)
    assert axis.places[1] < 0
    assert axis.ticks[-1] == (axis.places[1], "without")


def test_trials_after_one_without_a_setting_stand_on_the_axis_of_words() -> None:
    trials = [Trial(0, {}), Trial(1, {"x": "b"}), Trial(2, {}), Trial(3, {"x": "a"})]
    axis = axis_of("x", trials, Choice(["a", "b"]))
    assert axis.places == [axis.places[0], 1, axis.places[0], 0]
    assert axis.places[0] < 0


@pytest.mark.parametrize(
    ("values", "limit", "worst"),
    [
        ([7, 8, 9, -1000], 1, 7),
        ([7, 8, 9, 1], 1, 1),
        (range(20), -37, 1),
        (range(19), -34, 0),
        ([5], -math.inf, 5),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_three_times_as_far_from_the_best_as_three_quarters_is_not_too_far(
    values: Sequence[float], limit: float, worst: float, sign: int
) -> None:
    signed = [sign * one for one in values]
    assert far_limit(signed, maximize=sign > 0) == sign * limit
    assert worst_near(signed, maximize=sign > 0) == sign * worst


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 14, "x" * 14),
        ("x" * 15, "x" * 13 + "…"),
        (0.123456, "0.123"),
        (123456789, "123456789"),
    ],
)
def test_a_value_at_an_axis_is_cut_off_where_it_is_long(value: object, text: str) -> None:
    assert tick_text(value) == text


def test_an_axis_may_be_of_a_setting_that_no_trial_has() -> None:
    assert axis_of("x", [Trial(0, {})], Uniform(0, 1)).places[0] < 0
