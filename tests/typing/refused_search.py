"""What type checkers have to refuse of search; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any

from trio_foundation.search import (
    Choice,
    IntUniform,
    LogUniform,
    MedianPruner,
    SearchOptions,
    SearchResult,
    SearchSpace,
    Standing,
    SuccessiveHalvingPruner,
    Uniform,
    optimize_study,
    random_search,
    report,
)


async def evaluate(params: dict[str, Any]) -> float:
    return float(params["x"])


async def in_words(params: dict[str, Any]) -> str:
    return str(params["x"])


async def of_nothing() -> float:
    return 1.0


async def of_a_number(number: float) -> float:
    return number


def plain(params: dict[str, Any]) -> float:
    return float(params["x"])


def dimensions() -> None:
    Uniform("0", 1)  # type: ignore[arg-type]
    Uniform(0, 1, 0.1)  # type: ignore[call-arg]
    LogUniform(1, 2, step=0.1)  # type: ignore[call-arg]
    IntUniform(0.5, 1)  # type: ignore[arg-type]
    IntUniform(0, 1, step=0.5)  # type: ignore[arg-type]
    Choice(3)  # type: ignore[arg-type]
    Choice("a", "b")  # type: ignore[arg-type, call-arg]
    Uniform(0, 1, when="kind")  # type: ignore[arg-type]
    SearchSpace(x=(0, 1))  # type: ignore[arg-type]
    SearchSpace(Uniform(0, 1))  # type: ignore[call-arg]


def points(space: SearchSpace) -> None:
    space.sample(42)  # type: ignore[arg-type]
    space.grid("x")  # type: ignore[arg-type]
    space.validate([1])  # type: ignore[arg-type]


async def functions(space: SearchSpace) -> None:
    await random_search(space, in_words)  # type: ignore[arg-type]
    await random_search(space, of_nothing)  # type: ignore[arg-type]
    await random_search(space, of_a_number)  # type: ignore[arg-type]
    await random_search(space, plain)  # type: ignore[arg-type]
    await random_search(space, evaluate, run_in="thread")  # type: ignore[call-overload]
    await random_search(space, evaluate({"x": 1}))  # type: ignore[call-overload]
    await random_search(evaluate, space)  # type: ignore[call-overload]
    random_search(space, evaluate)  # type: ignore[unused-coroutine]


async def options(space: SearchSpace) -> None:
    await random_search(space, evaluate, 100)  # type: ignore[call-overload]
    await random_search(space, evaluate, trials=100)  # type: ignore[call-overload]
    await random_search(space, evaluate, sampler="grid")  # type: ignore[call-overload]
    await random_search(space, evaluate, seed=1.5)  # type: ignore[call-overload]
    await random_search(space, evaluate, pruner=MedianPruner)  # type: ignore[arg-type]
    await random_search(space, evaluate, on_trial=lambda: None)  # type: ignore[arg-type, misc]
    wrong: SearchOptions = {"direction": "maximize"}  # type: ignore[typeddict-unknown-key]
    print(wrong)  # noqa: T201


async def reports() -> None:
    await report("1", 0.5)  # type: ignore[arg-type]
    await report(1)  # type: ignore[call-arg]
    report(1, 0.5)  # type: ignore[unused-coroutine]
    MedianPruner(5)  # type: ignore[call-arg]
    SuccessiveHalvingPruner(reduction_factor="3")  # type: ignore[arg-type]


def what_is_frozen(result: SearchResult, standing: Standing) -> None:
    result.complete = False  # type: ignore[misc]
    standing.score = 1.0  # type: ignore[misc]
    print(result.best.value)  # type: ignore[union-attr]  # noqa: T201


async def studies(study: Any) -> None:
    await optimize_study(study, in_words)  # type: ignore[arg-type]
    await optimize_study(study, evaluate, n_trials=100)  # type: ignore[call-arg]
    await optimize_study("study", evaluate)  # type: ignore[arg-type]
