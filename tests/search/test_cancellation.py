"""Tests of searches that are cancelled: what was found is returned, and nothing is lost."""

from __future__ import annotations

import logging
import math
import random
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation.search import (
    SearchResult,
    Trial,
    random_search,
)
from trio_foundation.tasks import open_task_supervisor

from ._things import LINE, search, search_for


async def sleep_and_return(params: dict[str, Any]) -> float:
    await trio.sleep(params["x"])
    return float(params["x"])


async def test_the_best_so_far_is_returned_when_time_is_up(autojump_clock: MockClock) -> None:
    result = await search_for(60, LINE, sleep_and_return, iterations=math.inf, parallelism=3)
    assert trio.current_time() == 60
    assert not result.complete
    assert result.best is not None
    assert result.best.value == max(trial.value or 0 for trial in result.trials)


async def test_a_cancelled_trial_is_not_failed(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Trial] = []
    result = await search_for(20, LINE, sleep_and_return, parallelism=3, on_trial=told.append)
    assert {trial.state for trial in result.trials} == {"complete"}
    assert [trial.state for trial in result.cancelled] == ["cancelled"] * 3
    assert all(trial.error is None for trial in result.cancelled)
    assert len(told) == len(result.trials)
    assert not caplog.records


async def test_a_search_that_is_cancelled_before_it_begins_has_found_nothing() -> None:
    result = await search_for(0, LINE, sleep_and_return)
    assert (result.best, result.trials, result.complete) == (None, [], False)


async def test_a_trial_that_ends_as_the_search_is_cancelled_counts(
    autojump_clock: MockClock,
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(1)
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return 1.0

    result = await search_for(1.5, LINE, evaluate, parallelism=2)
    assert (len(result.trials), result.cancelled) == (2, [])
    assert {trial.value for trial in result.trials} == {1.0}


async def test_a_trial_cleans_up_when_the_search_is_cancelled(autojump_clock: MockClock) -> None:
    cleaned = 0

    async def evaluate(params: dict[str, Any]) -> float:
        nonlocal cleaned
        try:
            await trio.sleep_forever()
        finally:
            cleaned += 1
        return 1.0

    await search_for(1, LINE, evaluate, parallelism=4)
    assert cleaned == 4


async def test_an_error_that_comes_of_being_cancelled_is_logged_and_no_failure(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("cleaning up failed")

    result = await search_for(1, LINE, evaluate, parallelism=2)
    assert (result.trials, len(result.cancelled), result.complete) == ([], 2, False)
    assert len(caplog.records) == 2
    assert "trial 0 of evaluate failed when it was cancelled" in caplog.text


async def test_errors_beside_a_cancellation_go_no_further(autojump_clock: MockClock) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("cleaning up failed")

    async def evaluate(params: dict[str, Any]) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            nursery.start_soon(trio.sleep_forever)
        return 1.0

    result = await search_for(1, LINE, evaluate, parallelism=2)
    assert (result.trials, len(result.cancelled), result.complete) == ([], 2, False)


async def test_a_trial_with_a_deadline_of_its_own_goes_on(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        with trio.move_on_after(1):
            await trio.sleep_forever()
        return 1.0

    result = await search(LINE, evaluate, iterations=3)
    assert [trial.state for trial in result.trials] == ["complete"] * 3


async def test_after_the_search_its_caller_is_cancelled(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        with trio.move_on_after(5) as scope:
            await random_search(LINE, sleep_and_return)
            await trio.lowlevel.checkpoint()
            raise AssertionError
    assert scope.cancelled_caught


# The promise itself


@settings(max_examples=50)
@given(after=st.integers(0, 20), parallelism=st.integers(1, 6), seed=st.integers(0, 9))
def test_whenever_it_is_cancelled_each_trial_is_where_it_belongs(
    after: int, parallelism: int, seed: int
) -> None:
    ended: dict[float, str] = {}

    async def evaluate(params: dict[str, Any]) -> float:
        x = params["x"]
        ended[x] = "cancelled"
        await trio.sleep(round(x))
        ended[x] = "complete"
        if round(x) % 3 == 0:
            ended[x] = "failed"
            raise ValueError
        return float(x)

    async def main() -> SearchResult:
        options = {"iterations": 15, "parallelism": parallelism, "seed": seed}
        return await search_for(after, LINE, evaluate, **options)

    logging.disable()
    try:
        result = trio.run(main, clock=MockClock(autojump_threshold=0))
    finally:
        logging.disable(logging.NOTSET)
    trials = [*result.trials, *result.cancelled]
    assert {trial.params["x"]: trial.state for trial in trials} == ended
    for trial in trials:
        assert trial.params == LINE.sample(random.Random(f"{seed}:{trial.index}"))
    assert result.complete == (len(result.trials) == 15)
    assert len({trial.index for trial in trials}) == len(trials)


async def test_the_journal_of_a_cancelled_search_holds_what_has_ended(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    result = await search_for(20, LINE, sleep_and_return, parallelism=3, journal=path)
    assert len(path.read_bytes().splitlines()) == 1 + len(result.trials)
