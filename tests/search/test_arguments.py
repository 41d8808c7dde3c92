"""Tests of arguments that make no sense, and of errors as values."""

from __future__ import annotations

import functools
import math
import pickle
import re
from collections.abc import Awaitable
from typing import Any

import attrs
import pytest
import trio

from trio_foundation.search import (
    FailedBefore,
    JournalBroken,
    JournalDiffers,
    JournalInUse,
    SearchResult,
    SearchSpace,
    TooManyFailures,
    Trial,
    Uniform,
    random_search,
)

from ._things import LINE, search, value_of_x, wrong


def plain(params: dict[str, Any]) -> float:
    return 1.0


async def of_nothing() -> float:
    return 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be 1 or more, not 0"),
        ({"parallelism": 0}, "parallelism must be 1 or more, not 0"),
        ({"max_failures": -1}, "max_failures must be 0 or more, not -1"),
        ({"trial_timeout": 0}, "trial_timeout must be more than 0 seconds, not 0"),
        ({"trial_timeout": math.nan}, "trial_timeout must be more than 0 seconds, not nan"),
        (
            {"sampler": "grid"},
            "sampler must be 'random', 'sobol' or 'latin_hypercube', not 'grid'",
        ),
        ({"run_in": "cloud"}, "run_in must be 'task', 'thread' or 'process', not 'cloud'"),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        await search(LINE, value_of_x, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 1.5}, "iterations must be a whole number or math.inf, not 1.5"),
        ({"parallelism": 1.5}, "parallelism must be a whole number or math.inf, not 1.5"),
        ({"maximize": 1}, "maximize must be True or False, not 1"),
        ({"seed": 1.0}, "seed must be a whole number or None, not 1.0"),
        ({"seed": True}, "seed must be a whole number or None, not True"),
        ({"max_failures": math.inf}, "max_failures must be a whole number, not inf"),
        ({"on_trial": trio.sleep}, "on_trial must be a plain function or None, not <function"),
        ({"pruner": 5}, "pruner must be a plain function or None, not 5"),
        ({"tasks": "tasks"}, "tasks must be "),
    ],
)
async def test_an_option_of_the_wrong_kind_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        await search(LINE, value_of_x, **options)


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        (5, "random_search takes an async function, but got 5"),
        (of_nothing, "of_nothing must take one argument, a dictionary of settings: write"),
        (plain, "random_search takes an async function, but this one has returned"),
    ],
)
async def test_what_cannot_be_evaluated_is_refused(evaluate: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        await search(LINE, evaluate)


async def test_a_coroutine_is_refused_and_told_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"write random_search\(\.\.\., value_of_x, \.\.\."):
        await search(LINE, value_of_x({"x": 1}))


async def test_an_async_function_is_not_for_threads() -> None:
    with pytest.raises(TypeError, match="run_in='thread' is for plain functions"):
        await search(LINE, value_of_x, run_in="thread")


async def test_whatever_returns_something_to_await_can_be_evaluated() -> None:
    async def scaled(factor: float, params: dict[str, Any]) -> float:
        return factor * float(params["x"])

    class Evaluator:
        async def __call__(self, params: dict[str, Any]) -> float:
            return float(params["x"])

    def handed_on(params: dict[str, Any]) -> Awaitable[float]:
        return value_of_x(params)

    evaluators: list[Any] = [functools.partial(scaled, 2.0), handed_on, Evaluator()]
    for evaluate in evaluators:
        assert (await search(LINE, evaluate, iterations=3)).best is not None


async def test_a_space_comes_first() -> None:
    with pytest.raises(TypeError, match=r"^random_search takes a space first, such as SearchSpa"):
        await random_search(wrong({"x": Uniform(0, 1)}), value_of_x)


def test_a_result_is_made_of_its_best_and_its_trials() -> None:
    result = SearchResult(None, [])
    assert (result.best, result.trials, result.complete) == (None, [], True)


@pytest.mark.parametrize(
    "error",
    [
        TooManyFailures(1, SearchResult(None, [Trial(0, {}, None, OSError("x"), "failed")])),
        JournalDiffers("a.jsonl", "seed", 1, 2),
        JournalBroken("a.jsonl", 3),
        JournalInUse("a.jsonl"),
        FailedBefore("ValueError"),
    ],
)
def test_an_error_survives_pickling(error: Exception) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_spaces_and_results_survive_pickling() -> None:
    space = SearchSpace(x=Uniform(0, 1, step=0.1), y=Uniform(0, 1, when={"x": 0.1}))
    result = SearchResult(None, [Trial(0, {"x": 0.1}, 1.0)], space=space)
    assert pickle.loads(pickle.dumps(result)) == result
    changed = attrs.evolve(space.dimensions["x"], when=None)
    assert changed == Uniform(0, 1, step=0.1)
