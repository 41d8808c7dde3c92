"""Tests of random search."""

from __future__ import annotations

import logging
import math
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation.search import (
    Choice,
    IntUniform,
    LogUniform,
    MedianPruner,
    SearchEvent,
    SearchFinished,
    SearchResult,
    SearchSpace,
    TooManyFailures,
    Trial,
    TrialFinished,
    TrialStarted,
    Uniform,
    random_search,
)
from trio_foundation.tasks import (
    Limit,
    TaskSupervisorNotRunning,
    TaskTimeout,
    open_task_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._things import LINE, points, search, value_of_x

MIXED = SearchSpace(
    x=Uniform(0, 1),
    rate=LogUniform(1e-4, 1),
    n=IntUniform(1, 5),
    kind=Choice(["a", "b"]),
    extra=Uniform(5, 6, when={"kind": "b"}),
)


# What a reader should know


async def test_the_best_setting_is_found() -> None:
    result = await search(LINE, value_of_x, iterations=200)
    assert result.best is not None
    assert result.best.value == max(trial.value or 0 for trial in result.trials)
    assert result.best.params["x"] > 9.8
    assert result.complete
    assert [trial.index for trial in result.trials] == list(range(200))


async def test_the_smallest_value_is_best_if_so_wanted() -> None:
    result = await search(LINE, value_of_x, maximize=False)
    assert result.best is not None
    assert result.best.value == min(trial.value or 0 for trial in result.trials)


async def test_trial_i_depends_on_the_seed_and_i_alone() -> None:
    result = await search(MIXED, value_of_x, iterations=20, seed=7)
    expected = [MIXED.sample(random.Random(f"7:{index}")) for index in range(20)]
    assert [trial.params for trial in result.trials] == expected


async def test_without_a_seed_each_search_is_another_and_can_be_repeated() -> None:
    one, other = [await search(LINE, value_of_x, seed=None) for _ in range(2)]
    assert points(one) != points(other)
    assert points(await search(LINE, value_of_x, seed=one.seed)) == points(one)


async def test_trials_run_side_by_side(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(1)
        return 1.0

    result = await search(LINE, evaluate, iterations=20, parallelism=5)
    assert trio.current_time() == 4.0
    assert {trial.duration for trial in result.trials} == {1.0}


async def test_by_default_as_many_run_at_once_as_there_are_cores(autojump_clock: MockClock) -> None:
    running = peak = 0

    async def evaluate(params: dict[str, Any]) -> float:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await trio.sleep(1)
        running -= 1
        return 1.0

    await search(LINE, evaluate, iterations=100)
    assert peak == len(os.sched_getaffinity(0))


async def test_how_many_run_at_once_can_be_changed_meanwhile(autojump_clock: MockClock) -> None:
    limit = Limit(1)

    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(1)
        limit.value = 9
        return 1.0

    await search(LINE, evaluate, iterations=10, parallelism=limit)
    assert trio.current_time() == 2.0


async def test_a_failing_trial_is_kept_and_logged_and_hurts_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        if params["x"] > 5:
            raise ValueError("too much")
        return float(params["x"])

    result = await search(LINE, evaluate)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert len(result.trials) == 100
    assert 20 < len(failed) < 80
    assert all(isinstance(trial.error, ValueError) for trial in failed)
    assert all(trial.value is None for trial in failed)
    assert "too much" in failed[0].traceback
    assert result.best is not None
    assert result.best.params["x"] <= 5
    assert len(caplog.records) == len(failed)
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("trio_foundation.search", logging.WARNING)
    message = record.getMessage()
    assert re.match(r"trial \d+ of evaluate failed with \{'x': .*\}: ValueError: too much", message)
    assert "Traceback" in message


async def test_if_all_trials_fail_there_is_no_best() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        raise ValueError

    result = await search(LINE, evaluate, iterations=3)
    assert result.best is None
    assert len(result.trials) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("maximize", [True, False])
async def test_what_is_no_finite_number_is_kept_and_never_best(
    value: float, maximize: bool
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        return 1.0 if params["x"] > 5 else value

    result = await search(LINE, evaluate, maximize=maximize)
    assert {trial.state for trial in result.trials} == {"complete"}
    assert {str(trial.value) for trial in result.trials} == {"1.0", str(value)}
    assert result.best is not None
    assert result.best.value == 1.0


@pytest.mark.parametrize("returned", ["1", None, True, [1.0], 1j])
async def test_what_is_no_number_is_a_failure(returned: object) -> None:
    async def evaluate(params: dict[str, Any]) -> Any:
        return returned

    result = await search(LINE, evaluate, iterations=1)
    assert str(result.trials[0].error) == f"a trial must return a number, not {returned!r}"
    assert result.trials[0].state == "failed"


@pytest.mark.parametrize("returned", [1, 1.0, Decimal(1)])
async def test_any_number_will_do(returned: object) -> None:
    async def evaluate(params: dict[str, Any]) -> Any:
        return returned

    result = await search(LINE, evaluate, iterations=1)
    assert type(result.trials[0].value) is float


async def test_a_number_that_no_float_can_hold_is_a_failure() -> None:
    async def evaluate(params: dict[str, Any]) -> int:
        return 10**400

    assert isinstance((await search(LINE, evaluate, iterations=1)).trials[0].error, OverflowError)


async def test_a_trial_that_takes_too_long_has_failed(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(params["x"])
        return 1.0

    result = await search(LINE, evaluate, trial_timeout=5.0)
    late = [trial for trial in result.trials if trial.params["x"] > 5]
    assert 20 < len(late) < 80
    assert all(isinstance(trial.error, TaskTimeout) for trial in late)
    assert [trial.duration for trial in late] == pytest.approx([5.0] * len(late))
    assert {trial.state for trial in late} == {"failed"}
    assert str(late[0].error) == "evaluate took longer than 5 s"


async def test_more_failures_than_allowed_end_the_search(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(params["x"])
        if params["x"] > 5:
            raise ValueError("too much")
        return 1.0

    with pytest.raises(TooManyFailures) as caught:
        await search(LINE, evaluate, iterations=1000, parallelism=10, max_failures=3)
    result = caught.value.result
    assert sum(trial.state == "failed" for trial in result.trials) == 4
    assert result.best is not None
    assert not result.complete
    assert {trial.state for trial in result.cancelled} == {"cancelled"}
    assert re.fullmatch(
        r"4 of \d+ trials failed, and max_failures is 3; the last error was ValueError: too much",
        str(caught.value),
    )


async def test_as_many_failures_as_allowed_do_not_end_the_search() -> None:
    failures = iter([True, True, False, False])

    async def evaluate(params: dict[str, Any]) -> float:
        if next(failures):
            raise ValueError
        return 1.0

    result = await search(LINE, evaluate, iterations=4, max_failures=2)
    assert [trial.state for trial in result.trials] == ["failed"] * 2 + ["complete"] * 2


async def test_discrete_duplicates_are_not_run() -> None:
    space = SearchSpace(x=IntUniform(1, 5), y=Choice([True, False]))
    result = await search(space, value_of_x, iterations=1000)
    assert len(result.trials) == 10
    assert result.skipped == 990
    assert result.complete


async def test_a_search_without_end_ends_when_all_points_were_there() -> None:
    result = await search(SearchSpace(x=IntUniform(1, 50)), value_of_x, iterations=math.inf)
    assert sorted(trial.params["x"] for trial in result.trials) == list(range(1, 51))
    assert result.complete


async def test_the_settings_of_a_trial_are_the_trials_own() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        return float(params.pop("x"))

    result = await search(LINE, evaluate, iterations=3)
    assert all(trial.params["x"] == trial.value for trial in result.trials)


async def test_each_trial_that_ends_is_told() -> None:
    told: list[Trial] = []
    result = await search(LINE, value_of_x, iterations=10, on_trial=told.append)
    assert sorted(told, key=lambda trial: trial.index) == result.trials


async def test_an_error_of_who_is_told_ends_the_search_and_is_raised_bare() -> None:
    told: list[Trial] = []
    error = OSError("no disk")

    def tell(trial: Trial) -> None:
        told.append(trial)
        if len(told) == 3:
            raise error

    with pytest.raises(OSError, match="no disk") as caught:
        await search(LINE, value_of_x, parallelism=1, on_trial=tell)
    assert caught.value is error
    assert len(told) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
async def test_an_interrupt_goes_through(error: BaseException) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.lowlevel.checkpoint()
        raise error

    with pytest.raises(type(error)) as caught:
        await search(LINE, evaluate)
    assert caught.value is error


async def test_an_interrupt_in_a_group_goes_through() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
        return 1.0

    async def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(BaseExceptionGroup) as caught:
        await search(LINE, evaluate)
    assert caught.group_contains(KeyboardInterrupt)


async def test_an_error_without_words_is_a_failure_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class SpeechlessError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    async def evaluate(params: dict[str, Any]) -> float:
        raise SpeechlessError

    result = await search(LINE, evaluate, iterations=1)
    assert isinstance(result.trials[0].error, SpeechlessError)
    assert "SpeechlessError: <its __str__ raised RuntimeError>" in caplog.text


async def test_a_condition_that_raises_ends_the_search() -> None:
    def is_wanted(point: Mapping[str, Any]) -> bool:
        raise KeyError("kernel")

    space = SearchSpace(x=Uniform(0, 1), y=Uniform(0, 1, when=is_wanted))
    with pytest.raises(KeyError, match="kernel"):
        await search(space, value_of_x)


async def test_a_trial_that_fails_keeps_nothing_alive_that_it_worked_with() -> None:
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    class Data:
        pass

    kept: list[weakref.ref[Data]] = []

    async def evaluate(params: dict[str, Any]) -> float:
        data = Data()
        kept.append(weakref.ref(data))
        try:
            raise KeyError("inner")  # noqa: TRY301
        except KeyError as error:
            raise ExceptionGroup("all", [ValueError("outer")]) from error

    result = await search(LINE, evaluate, iterations=3)
    gc.collect()
    assert [one() for one in kept] == [None] * 3
    assert result.trials[0].error is not None
    assert "inner" in result.trials[0].traceback


# Where it runs


async def test_without_a_task_supervisor_nothing_runs() -> None:
    with pytest.raises(TaskSupervisorNotRunning):
        await random_search(LINE, value_of_x)


async def test_a_task_supervisor_can_be_named() -> None:
    async with open_task_supervisor() as mine, open_task_supervisor():
        result = await random_search(LINE, value_of_x, tasks=mine, iterations=5)
    assert len(result.trials) == 5
    with pytest.raises(TaskSupervisorNotRunning):
        await random_search(LINE, value_of_x, tasks=mine)


async def test_a_task_supervisor_that_closes_ends_the_search(autojump_clock: MockClock) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(1)
        return 1.0

    async def own(task_status: trio.TaskStatus[Any]) -> None:
        with trio.CancelScope() as scope:
            async with open_task_supervisor() as tasks:
                task_status.started((tasks, scope))
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        tasks, scope = await nursery.start(own)
        nursery.start_soon(close_after, 2.5, scope)
        with pytest.raises(TaskSupervisorNotRunning):
            await random_search(LINE, evaluate, tasks=tasks, parallelism=1)


async def close_after(seconds: float, scope: trio.CancelScope) -> None:
    await trio.sleep(seconds)
    scope.cancel()


@pytest.mark.realtime
async def test_plain_functions_run_in_threads() -> None:
    def evaluate(params: dict[str, Any]) -> float:
        assert threading.current_thread() is not threading.main_thread()
        if params["x"] > 5:
            raise ValueError("too much")
        return float(params["x"])

    result = await search(LINE, evaluate, iterations=20, run_in="thread")
    assert {trial.state for trial in result.trials} == {"complete", "failed"}


# Events


async def test_what_happens_is_told() -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        if params["x"] > 5:
            raise ValueError("too much")
        return 1.0

    heard: list[SearchEvent] = []
    with subscribe(heard.append, SearchEvent):
        result = await search(LINE, evaluate, iterations=5, parallelism=1)
    kinds = [type(event) for event in heard]
    assert kinds == [TrialStarted, TrialFinished] * 5 + [SearchFinished]
    assert {event.search for event in heard} == {"evaluate"}
    ended = [event for event in heard if isinstance(event, TrialFinished)]
    assert [event.ended for event in ended] == [1, 2, 3, 4, 5]
    assert {event.error for event in ended} == {"", "ValueError: too much"}
    last = heard[-1]
    assert isinstance(last, SearchFinished)
    assert (last.complete, last.best, last.ended, last.failed, last.pruned, last.skipped) == (
        True, 1.0, 5, sum(trial.state == "failed" for trial in result.trials), 0, 0,
    )  # fmt: skip


# The promise itself


@settings(max_examples=30)
@given(
    parallelism=st.integers(1, 20),
    seed=st.integers(-5, 5),
    maximize=st.booleans(),
    sampler=st.sampled_from(["random", "latin_hypercube"]),
    discrete=st.booleans(),
)
def test_parallelism_changes_nothing_but_time(
    parallelism: int, seed: int, maximize: bool, sampler: str, discrete: bool
) -> None:
    space = SearchSpace(x=IntUniform(0, 20), kind=Choice([1, 2])) if discrete else MIXED

    async def evaluate(params: dict[str, Any]) -> float:
        rng = random.Random(repr(params))
        await trio.sleep(rng.random())
        if rng.random() < 0.2:
            raise ValueError("now and then")
        return rng.choice([rng.random(), 0.5, math.nan])

    async def run(limit: int) -> SearchResult:
        return await search(
            space,
            evaluate,
            seed=seed,
            parallelism=limit,
            maximize=maximize,
            sampler=sampler,
            iterations=30,
        )

    logging.disable()
    try:
        one, many = (
            trio.run(run, limit, clock=MockClock(autojump_threshold=0))
            for limit in (1, parallelism)
        )
    finally:
        logging.disable(logging.NOTSET)
    assert repr(points(one)) == repr(points(many))
    assert one.skipped == many.skipped
    assert (one.best and one.best.index) == (many.best and many.best.index)


@pytest.mark.realtime
async def test_a_thread_that_takes_too_long_is_waited_for_and_has_failed() -> None:
    def evaluate(params: dict[str, Any]) -> float:
        time.sleep(0.3 if params["x"] == 1 else 0.0)
        return 1.0

    space = SearchSpace(x=Choice([0, 1]))
    async with open_task_supervisor():
        result = await random_search(
            space, evaluate, iterations=20, trial_timeout=0.1, run_in="thread"
        )
    states = {trial.params["x"]: trial.state for trial in result.trials}
    assert states == {0: "complete", 1: "failed"}
    (late,) = (trial for trial in result.trials if trial.state == "failed")
    assert isinstance(late.error, TaskTimeout)


async def test_a_pruner_is_not_for_trials_that_cannot_report() -> None:
    async with open_task_supervisor():
        with pytest.raises(ValueError, match="pruner needs trials that report"):
            await random_search(LINE, len, run_in="process", pruner=MedianPruner())
