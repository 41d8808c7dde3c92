"""Tests of running the trials of an Optuna study."""

from __future__ import annotations

import logging
import math
import sys
from typing import Any

import pytest
import trio

from trio_foundation.search import optimize_study
from trio_foundation.tasks import TaskSupervisorNotRunning, open_task_supervisor

from ._things import wrong

optuna: Any = pytest.importorskip("optuna", reason="needs trio-foundation[optuna]")
pytestmark = pytest.mark.realtime  # a study is asked in a thread


@pytest.fixture
def study() -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="trio_foundation.search")


def states_of(study: Any) -> list[str]:
    return [trial.state.name for trial in study.trials]


async def value_of_x(trial: Any) -> float:
    await trio.lowlevel.checkpoint()
    return float(trial.suggest_float("x", 0, 10))


async def run(study: Any, evaluate: Any, **options: Any) -> None:
    async with open_task_supervisor():
        await optimize_study(study, evaluate, **options)


async def test_the_study_says_what_to_try_and_knows_the_best(study: Any) -> None:
    await run(study, value_of_x, iterations=20, parallelism=3)
    assert states_of(study) == ["COMPLETE"] * 20
    assert study.best_value == max(trial.params["x"] for trial in study.trials)


async def test_trials_run_side_by_side(study: Any) -> None:
    running = peak = 0

    async def evaluate(trial: Any) -> float:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        if running < 4:
            await all_are_there.wait()
        all_are_there.set()
        return 1.0

    all_are_there = trio.Event()
    await run(study, evaluate, iterations=4, parallelism=4)
    assert peak == 4


async def test_a_failing_trial_is_told_and_logged_and_hurts_no_other(
    study: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def evaluate(trial: Any) -> float:
        if trial.number == 2:
            raise ValueError("too much")
        return 1.0

    await run(study, evaluate, iterations=5)
    assert states_of(study) == ["COMPLETE"] * 2 + ["FAIL"] + ["COMPLETE"] * 2
    assert "trial 2 of evaluate failed" in caplog.text
    assert "too much" in caplog.text


@pytest.mark.parametrize("returned", [math.nan, "1", None, [1.0, 2.0]])
async def test_what_is_no_number_is_a_failure(study: Any, returned: object) -> None:
    async def evaluate(trial: Any) -> object:
        return returned

    if returned == [1.0, 2.0]:  # which is what a study with two directions wants
        with pytest.raises(ValueError, match="2"):
            await run(study, evaluate, iterations=1)
    else:
        await run(study, evaluate, iterations=1)
        assert states_of(study) == ["FAIL"]


async def test_a_study_may_have_two_directions(study: Any) -> None:
    both = optuna.create_study(directions=["minimize", "maximize"])

    async def evaluate(trial: Any) -> tuple[float, float]:
        return 1.0, 2.0

    await run(both, evaluate, iterations=2)
    assert [trial.values for trial in both.trials] == [[1.0, 2.0]] * 2


async def test_a_trial_can_ask_to_be_pruned(study: Any) -> None:
    async def prune() -> None:
        raise optuna.TrialPruned

    async def evaluate(trial: Any) -> float:
        trial.report(1.0, step=1)
        if trial.number == 0:
            await prune()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(prune)
        return 1.0

    await run(study, evaluate, iterations=2)
    assert states_of(study) == ["PRUNED"] * 2


async def test_a_trial_that_takes_too_long_has_failed(
    study: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def evaluate(trial: Any) -> float:
        await trio.sleep_forever()
        return 1.0

    await run(study, evaluate, iterations=1, trial_timeout=0.01)
    assert states_of(study) == ["FAIL"]
    assert "evaluate took longer than 0.01 s" in caplog.text


async def test_a_cancelled_trial_is_told_as_failed_before_the_cancellation_goes_on(
    study: Any,
) -> None:
    async def evaluate(trial: Any) -> float:
        if trial.number == 3:
            scope.cancel()
        await trio.sleep_forever()
        return 1.0

    with trio.CancelScope() as scope:
        await run(study, evaluate, iterations=math.inf, parallelism=4)
    assert scope.cancelled_caught
    assert states_of(study) == ["FAIL"] * 4


async def test_a_value_that_comes_as_the_trial_is_cancelled_is_told(study: Any) -> None:
    async def evaluate(trial: Any) -> float:
        scope.cancel()
        return 1.0

    with trio.CancelScope() as scope:
        await run(study, evaluate, parallelism=1)
    assert states_of(study)[0] == "COMPLETE"
    assert "RUNNING" not in states_of(study)


async def test_one_failure_too_many_is_raised(study: Any) -> None:
    async def evaluate(trial: Any) -> float:
        raise ValueError(trial.number)

    with pytest.raises(ValueError, match=r"^2$"):
        await run(study, evaluate, max_failures=2, parallelism=1)
    assert states_of(study) == ["FAIL"] * 3


async def test_a_plain_function_is_refused(study: Any) -> None:
    def plain(trial: Any) -> float:
        return 1.0

    with pytest.raises(
        TypeError, match=r"^evaluate must be async, .* returned 1\.0: write async def"
    ):
        await run(study, plain)
    with pytest.raises(TypeError, match=r"^optimize_study takes an async function, but got 5$"):
        await run(study, 5)


async def test_without_a_task_supervisor_nothing_runs(study: Any) -> None:
    with pytest.raises(TaskSupervisorNotRunning):
        await optimize_study(study, value_of_x)
    assert not study.trials


async def test_options_that_make_no_sense_are_refused(study: Any) -> None:
    with pytest.raises(ValueError, match=r"^iterations must be 1 or more, not 0$"):
        await optimize_study(study, value_of_x, iterations=0)
    with pytest.raises(ValueError, match=r"^trial_timeout must be more than 0 seconds, not 0$"):
        await optimize_study(study, value_of_x, trial_timeout=0)
    with pytest.raises(TypeError, match=r"^max_failures must be a whole number, not '1'$"):
        await optimize_study(study, value_of_x, max_failures=wrong("1"))


async def test_what_is_not_installed_is_named(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'trio-foundation\[optuna\]'$"):
        await optimize_study(study, value_of_x)
