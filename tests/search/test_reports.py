"""Tests of reports, and of pruning."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from trio_foundation.search import (
    IntUniform,
    MedianPruner,
    SearchSpace,
    Standing,
    SuccessiveHalvingPruner,
    Uniform,
    random_search,
    report,
)
from trio_foundation.tasks import open_task_supervisor

from ._things import LINE, search, wrong


async def climb(params: dict[str, Any]) -> float:
    """Gets better from step to step, as fast as *x* says."""
    for step in range(10):
        await report(step, params["x"] * step)
        await trio.sleep(1)
    return float(params["x"] * 10)


def always(standing: Standing) -> bool:
    return True


def is_above_5(standing: Standing) -> bool:
    return standing.score > 5


def is_below_5(standing: Standing) -> bool:
    return standing.score < 5


# What a reader should know


async def test_reports_are_kept(autojump_clock: MockClock) -> None:
    result = await search(LINE, climb, iterations=3)
    for trial in result.trials:
        assert trial.reports == {step: trial.params["x"] * step for step in range(10)}


async def test_a_report_is_a_checkpoint() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        with assert_checkpoints():
            await report(1, 1.0)
        return 1.0

    assert (await search(LINE, evaluate, iterations=1)).best is not None


async def test_what_is_worse_than_the_median_is_ended(autojump_clock: MockClock) -> None:
    result = await search(LINE, climb, pruner=MedianPruner(warmup_trials=5), parallelism=1)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    ended = [trial for trial in result.trials if trial.state == "complete"]
    assert [trial.state for trial in result.trials[:5]] == ["complete"] * 5
    assert len(pruned) > 50
    assert result.best is not None
    assert result.best.params["x"] == max(trial.params["x"] for trial in result.trials)
    for trial in pruned:
        before = sorted(one.params["x"] for one in ended if one.index < trial.index)
        assert trial.params["x"] < before[(len(before) - 1) // 2]
        assert list(trial.reports) == [0, 1]  # at step 0 all are equal
        assert trial.value == trial.params["x"]
        assert trial.error is None
    assert trio.current_time() == len(ended) * 10 + len(pruned)


async def test_the_worst_are_ended_when_less_is_better(autojump_clock: MockClock) -> None:
    prune = MedianPruner(warmup_trials=5)
    result = await search(LINE, climb, pruner=prune, parallelism=1, maximize=False)
    pruned = [trial.params["x"] for trial in result.trials if trial.state == "pruned"]
    assert result.best is not None
    assert result.best.params["x"] < min(pruned)


async def test_few_of_those_that_start_get_to_the_end(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        for step in range(1, 28):
            await report(step, params["x"])
            await trio.sleep(1)
        return float(params["x"])

    result = await search(
        LINE, evaluate, pruner=SuccessiveHalvingPruner(), parallelism=27, iterations=81
    )
    steps = [max(trial.reports) for trial in result.trials]
    assert set(steps) <= {1, 3, 9, 27}
    assert steps.count(1) > steps.count(3) + steps.count(9)
    assert result.best is not None
    assert result.best.params["x"] == max(trial.params["x"] for trial in result.trials)


async def test_any_function_can_say_what_is_hopeless() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await report(1, params["x"])
        return 1.0

    standings: list[Standing] = []

    def prune(standing: Standing) -> bool:
        standings.append(standing)
        return standing.score < 5

    result = await search(LINE, evaluate, pruner=prune, parallelism=1)
    assert all((trial.state == "pruned") == (trial.params["x"] < 5) for trial in result.trials)
    assert len(standings[-1].others) == 99
    assert len(standings[-1].ended) == sum(one.state == "complete" for one in result.trials[:-1])


async def test_a_pruned_trial_is_never_best() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await report(1, params["x"])
        return float(params["x"])

    result = await search(LINE, evaluate, pruner=is_above_5)
    assert result.best is not None
    assert 4 < result.best.params["x"] <= 5


async def test_a_report_that_is_no_number_is_the_worst() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await report(1, math.nan if params["x"] > 5 else params["x"])
        return 1.0

    prune = MedianPruner(warmup_trials=1)
    result = await search(LINE, evaluate, pruner=prune, parallelism=1)
    assert {one.state for one in result.trials[20:] if one.params["x"] > 5} == {"pruned"}


async def test_a_trial_that_is_pruned_cleans_up_and_cannot_catch_it_by_accident() -> None:
    cleaned = 0

    async def evaluate(params: dict[str, Any]) -> float:
        nonlocal cleaned
        try:
            await report(1, 1.0)
        except Exception:  # noqa: BLE001
            return 1.0
        finally:
            cleaned += 1
        return 1.0

    result = await search(LINE, evaluate, iterations=3, pruner=always)
    assert [trial.state for trial in result.trials] == ["pruned"] * 3
    assert cleaned == 3


async def test_a_report_from_within_a_nursery_ends_the_whole_trial() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(report, 1, 1.0)
        return 1.0

    result = await search(LINE, evaluate, iterations=3, pruner=always)
    assert [trial.state for trial in result.trials] == ["pruned"] * 3


async def test_a_trial_that_fails_as_it_is_pruned_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        try:
            await report(1, 1.0)
        finally:
            raise ValueError("cleaning up failed")

    result = await search(LINE, evaluate, iterations=1, pruner=always)
    assert [trial.state for trial in result.trials] == ["failed"]


async def test_an_error_of_a_pruner_fails_the_trial(caplog: pytest.LogCaptureFixture) -> None:
    def prune(standing: Standing) -> bool:
        raise KeyError("rank")

    async def evaluate(params: dict[str, Any]) -> float:
        await report(1, 1.0)
        return 1.0

    result = await search(LINE, evaluate, iterations=1, pruner=prune)
    assert isinstance(result.trials[0].error, KeyError)


async def test_outside_of_a_trial_there_is_nothing_to_report_on() -> None:
    with pytest.raises(RuntimeError, match=r"^no trial runs here: call report in the function"):
        await report(1, 1.0)


async def test_after_its_trial_has_ended_nobody_reports() -> None:
    async with trio.open_nursery() as nursery:
        has_ended = trio.Event()
        errors: list[RuntimeError] = []

        async def linger() -> None:
            await has_ended.wait()
            with pytest.raises(RuntimeError) as caught:
                await report(1, 1.0)
            errors.append(caught.value)

        async def evaluate(params: dict[str, Any]) -> float:
            nursery.start_soon(linger)
            return 1.0

        async with open_task_supervisor():
            await random_search(LINE, evaluate, iterations=1)
        has_ended.set()
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("step", "value", "message"),
    [
        (1, "1", "value must be a number, not '1'"),
        (1.5, 1, "step must be a whole number, not 1.5"),
        (True, 1, "step must be a whole number, not True"),
        (-1, 1, "step must be 0 or more, not -1"),
        (0, 1, "step must be more than 0, the last one, not 0"),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(
    step: object, value: object, message: str
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await report(0, 1.0)
        await report(wrong(step), wrong(value))
        return 1.0

    logging.disable()
    result = await search(LINE, evaluate, iterations=1)
    logging.disable(logging.NOTSET)
    assert str(result.trials[0].error) == message


@pytest.mark.realtime
async def test_a_thread_reports_through_trio() -> None:
    def evaluate(params: dict[str, Any]) -> float:
        trio.from_thread.run(report, 1, params["x"])
        return float(params["x"])

    space = SearchSpace(x=IntUniform(1, 10), y=Uniform(0, 1))
    result = await search(space, evaluate, iterations=20, run_in="thread", pruner=is_below_5)
    assert all((one.state == "pruned") == (one.params["x"] < 5) for one in result.trials)
