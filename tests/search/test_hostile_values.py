"""Tests of values, steps, points and conditions that are almost right."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock

from trio_foundation.search import (
    Choice,
    IntUniform,
    LogUniform,
    MedianPruner,
    Pruner,
    SearchSpace,
    SuccessiveHalvingPruner,
    Uniform,
    random_search,
    report,
)
from trio_foundation.search._rules import as_number
from trio_foundation.tasks import open_task_supervisor

from ._things import LINE, search, value_of_x, wrong


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# What is a number, and what is none


def test_truth_values_and_complex_numbers_of_numpy_are_no_numbers() -> None:
    numpy: Any = pytest.importorskip("numpy", reason="needs trio-foundation[search]")
    for one in (numpy.bool_(True), numpy.complex128(1 + 2j), numpy.array(True)):
        assert as_number(one) is None
    for one in (numpy.float32(2), numpy.int64(2), numpy.array(2.0)):
        assert as_number(one) == 2.0


class Whole:
    """A whole number of another library."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


async def test_a_step_may_be_any_whole_number() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await report(wrong(Whole(3)), 1.0)
        return 1.0

    result = await search(LINE, evaluate, iterations=1)
    assert result.trials[0].reports == {3: 1.0}


@pytest.mark.parametrize("dimension", [Uniform(0, 1), LogUniform(1, 2), Uniform(0, 1, step=0.5)])
def test_a_number_that_no_float_can_hold_is_no_value(dimension: Any) -> None:
    assert not dimension.holds(10**400)
    with pytest.raises(ValueError, match=r"^x must be a number from "):
        SearchSpace(x=dimension).validate({"x": 10**400})


def test_a_bound_that_no_float_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^b must be a number that a float can hold$"):
        Uniform(0, 10**400)


# Points


@pytest.mark.parametrize("dimension", [Uniform(2, 2), LogUniform(2, 2)], ids=str)
async def test_a_range_of_one_number_is_one_value(dimension: Any) -> None:
    assert dimension.count == 1
    assert list(dimension.grid()) == list(dimension.grid(3)) == [2.0]
    space = SearchSpace(x=dimension)
    assert list(space.grid()) == [{"x": 2.0}]
    result = await search(space, value_of_x, iterations=math.inf)
    assert [trial.params for trial in result.trials] == [{"x": 2.0}]
    assert result.complete


async def test_a_range_of_one_number_may_be_asked_for() -> None:
    space = SearchSpace(x=Uniform(2, 2), y=IntUniform(1, 3, when={"x": 2}))
    result = await search(space, value_of_x, iterations=math.inf)
    assert sorted(trial.params["y"] for trial in result.trials) == [1, 2, 3]


@given(
    a=st.floats(-1e307, 1e307),
    width=st.one_of(st.just(0.0), st.floats(0, 1e300), st.floats(0, 1e-300)),
    count=st.integers(1, 9),
)
def test_a_grid_stays_within_its_bounds(a: float, width: float, count: int) -> None:
    dimension = Uniform(a, a + width)
    assert all(map(dimension.holds, dimension.grid(count)))


def test_a_grid_of_very_many_values_is_made_one_by_one() -> None:
    space = SearchSpace(n=IntUniform(1, 10**30), kind=Choice(["a", "b"]))
    points = space.grid()
    assert [next(points) for _ in range(3)] == [
        {"n": 1, "kind": "a"},
        {"n": 1, "kind": "b"},
        {"n": 2, "kind": "a"},
    ]


def test_what_gives_no_random_numbers_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^rng must be a source such as random\.Random\(42\), not"):
        LINE.sample(wrong(42))


# Conditions


def test_a_list_of_values_is_no_condition_and_a_set_is_proposed() -> None:
    with pytest.raises(ValueError, match=r"never \['a', 'b'\]; for any of a few, write a set$"):
        SearchSpace(kind=Choice(["a", "b"]), x=Uniform(0, 1, when={"kind": ["a", "b"]}))


def test_a_condition_that_no_value_meets_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"can never be met: kind is one of 'a', and never set\(\)"
    ):
        SearchSpace(kind=Choice(["a"]), x=Uniform(0, 1, when={"kind": set[str]()}))


def test_a_condition_is_no_async_function() -> None:
    async def is_wanted(point: Mapping[str, Any]) -> bool:
        return True

    with pytest.raises(TypeError, match="or a plain function of the settings before it, not"):
        SearchSpace(kind=Choice(["a"]), x=Uniform(0, 1, when=wrong(is_wanted)))


# Arguments


async def test_a_pruner_is_made_first() -> None:
    with pytest.raises(TypeError, match=r"^pruner must be made: write MedianPruner\(\)$"):
        await search(LINE, value_of_x, pruner=wrong(MedianPruner))


async def test_a_function_for_a_thread_is_told_to_be_plain() -> None:
    def two(x: float, y: float) -> float:
        return x + y

    with pytest.raises(TypeError, match=r"write def evaluate\(params\): \.\.\.$"):
        await search(LINE, two, run_in="thread")


# Directions


@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize(
    "prune",
    [
        MedianPruner(),
        MedianPruner(warmup_trials=1, warmup_steps=3),
        SuccessiveHalvingPruner(),
        SuccessiveHalvingPruner(min_steps=2, reduction_factor=2),
    ],
    ids=str,
)
def test_a_pruner_ends_the_same_trials_whether_more_or_less_is_better(
    prune: Pruner, parallelism: int
) -> None:
    space = SearchSpace(x=Uniform(-5, 5), y=Uniform(0, 1))

    async def run(sign: int) -> list[object]:
        async def evaluate(params: dict[str, Any]) -> float:
            for step in range(9):
                await report(step, sign * (params["x"] * step + params["y"]))
                await trio.sleep(params["y"])
            return float(sign * params["x"])

        async with open_task_supervisor():
            result = await random_search(
                space, evaluate, seed=3, iterations=40, parallelism=parallelism, pruner=prune,
                maximize=sign > 0,
            )  # fmt: skip
        assert {trial.state for trial in result.trials} == {"complete", "pruned"}
        best = result.best and result.best.index
        return [best, *((trial.index, trial.state, len(trial.reports)) for trial in result.trials)]

    more, less = (trio.run(run, sign, clock=MockClock(autojump_threshold=0)) for sign in (1, -1))
    assert more == less


async def test_a_search_within_a_trial_has_its_own_reports() -> None:
    async def inner(params: dict[str, Any]) -> float:
        await report(1, params["x"])
        return float(params["x"])

    async def evaluate(params: dict[str, Any]) -> float:
        found = await random_search(LINE, inner, iterations=3, seed=round(params["x"] * 1e6))
        assert found.best is not None
        await report(7, found.best.params["x"])
        return float(found.best.params["x"])

    result = await search(LINE, evaluate, iterations=5)
    assert [list(trial.reports) for trial in result.trials] == [[7]] * 5
