"""What type checkers have to accept of search, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

import trio

from trio_foundation.search import (
    Choice,
    Dimension,
    IntUniform,
    LogUniform,
    MedianPruner,
    Pruner,
    SearchEvent,
    SearchOptions,
    SearchResult,
    SearchSpace,
    Standing,
    SuccessiveHalvingPruner,
    TooManyFailures,
    Trial,
    TrialFinished,
    TrialState,
    Uniform,
    optimize_study,
    plot,
    random_search,
    report,
)
from trio_foundation.tasks import Limit, TaskSupervisor
from trio_foundation.telemetry import subscribe


async def evaluate(params: dict[str, Any]) -> float:
    await report(1, 0.5)
    return float(params["x"])


async def exactly(params: Mapping[str, Any]) -> Decimal:
    return Decimal(params["x"])


async def count(params: dict[str, Any]) -> int:
    return len(params)


def plain(params: dict[str, Any]) -> float:
    return float(params["x"])


# Spaces


def is_deep(point: Mapping[str, Any]) -> bool:
    return bool(point["layers"] > 3)


def spaces() -> SearchSpace:
    space = SearchSpace(
        x=Uniform(0, 1),
        rate=LogUniform(1e-4, 0.1),
        layers=IntUniform(1, 8, step=2),
        kind=Choice(["a", 2, None]),
        share=Uniform(0, 1, step=0.1, when={"kind": {"a", 2}}),
        depth=IntUniform(1, 3, when=is_deep),
    )
    assert_type(space.sample(random.Random(1)), dict[str, Any])
    assert_type(space.at([0.5] * 6), dict[str, Any])
    assert_type(space.grid(3, layers=2), Iterator[dict[str, Any]])
    assert_type(space.dimensions, Mapping[str, Dimension])
    space.validate({"x": 1})
    return space


def dimensions() -> None:
    assert_type(Uniform(0, 1).at(0.5), float)
    assert_type(LogUniform(1, 2).at(0.5), float)
    assert_type(IntUniform(0, 1).at(0.5), int)
    assert_type(Choice(range(3)).values, tuple[Any, ...])
    fixed: Dimension = Choice(value for value in "abc")
    assert_type(fixed.holds("a"), bool)


# Searches


async def searches(space: SearchSpace, tasks: TaskSupervisor) -> None:
    assert_type(await random_search(space, evaluate), SearchResult)
    assert_type(await random_search(space, exactly, iterations=math.inf), SearchResult)
    assert_type(await random_search(space, count, parallelism=Limit(5)), SearchResult)
    assert_type(await random_search(space, plain, run_in="process"), SearchResult)
    await random_search(
        space,
        evaluate,
        iterations=10,
        parallelism=4,
        maximize=False,
        seed=42,
        sampler="sobol",
        trial_timeout=2.5,
        max_failures=3,
        pruner=MedianPruner(),
        journal=Path("search.jsonl"),
        resume_from="search.jsonl",
        tasks=tasks,
        on_trial=print,
    )
    shared: SearchOptions = {"iterations": 50, "sampler": "latin_hypercube"}
    await random_search(space, evaluate, **shared)


def what_was_found(result: SearchResult, error: TooManyFailures) -> None:
    assert_type(result.best, Trial | None)
    assert_type(result.trials, list[Trial])
    assert_type(error.result, SearchResult)
    for trial in result.trials:
        assert_type(trial.params, dict[str, Any])
        assert_type(trial.value, float | None)
        assert_type(trial.error, Exception | None)
        state: TrialState = trial.state
        print(state)  # noqa: T201
    plot(result)
    plot(result, "search.png")


def is_below_zero(standing: Standing) -> bool:
    return standing.score < 0


def pruners() -> list[Pruner]:
    return [MedianPruner(warmup_trials=3), SuccessiveHalvingPruner(min_steps=2), is_below_zero]


def on_event(event: SearchEvent) -> None:
    if isinstance(event, TrialFinished):
        assert_type(event.best, float | None)


def watching() -> None:
    with subscribe(on_event, SearchEvent):
        pass


async def of_a_trial(trial: Any) -> float:
    return float(trial.suggest_float("x", 0, 1))


async def of_two_directions(trial: Any) -> tuple[float, float]:
    return 1.0, 2.0


async def studies(study: Any) -> None:
    assert_type(await optimize_study(study, of_a_trial, iterations=10, parallelism=3), None)
    await optimize_study(study, of_two_directions, trial_timeout=5, max_failures=3)
    await trio.to_thread.run_sync(plot, SearchResult(None, []), "search.png")
