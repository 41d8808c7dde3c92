"""Tests of studies that are none, and of trials that are left in no state between two."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from trio_foundation.search import optimize_study
from trio_foundation.tasks import open_task_supervisor

from ._things import wrong

optuna: Any = pytest.importorskip("optuna", reason="needs trio-foundation[optuna]")
pytestmark = pytest.mark.realtime  # a study is asked in a thread


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def value_of_x(trial: Any) -> float:
    await trio.lowlevel.checkpoint()
    return float(trial.suggest_float("x", 0, 10))


async def run(study: Any, evaluate: Any, **options: Any) -> None:
    async with open_task_supervisor():
        await optimize_study(study, evaluate, **options)


def states_of(study: Any) -> set[str]:
    return {trial.state.name for trial in study.trials}


async def test_a_study_comes_first() -> None:
    for one in (5, value_of_x, optuna.create_study):
        with pytest.raises(TypeError, match=r"takes a study first, such as optuna\.create_study"):
            await run(wrong(one), value_of_x)


async def test_a_function_that_takes_no_trial_is_refused_before_any_is_asked_for() -> None:
    async def of_two(x: float, y: float) -> float:
        return x + y

    study = optuna.create_study()
    with pytest.raises(TypeError, match=r"^of_two must take one argument, an optuna\.Trial: write"):
        await run(study, of_two)
    assert study.trials == []


async def test_a_trial_with_too_many_values_is_told_as_failed_before_the_error_is_raised() -> None:
    async def evaluate(trial: Any) -> list[float]:
        return [1.0, 2.0]

    study = optuna.create_study()
    with pytest.raises(ValueError, match="number of the values 2 did not match"):
        await run(study, evaluate, parallelism=2)
    assert states_of(study) == {"FAIL"}


async def test_a_study_that_cannot_be_told_anything_more_raises_its_first_error() -> None:
    study = optuna.create_study()

    class Deaf:
        def ask(self) -> Any:
            return study.ask()

        def tell(self, *_: object, **__: object) -> None:
            raise OSError("no disk")

    with pytest.raises(OSError, match=r"^no disk$"):
        await run(Deaf(), value_of_x, parallelism=1)


@pytest.mark.parametrize("parallelism", [1, 3])
async def test_whenever_it_is_cancelled_no_trial_is_left_running(parallelism: int) -> None:
    for due in range(1, 12):
        begun = 0

        async def evaluate(trial: Any) -> float:
            nonlocal begun
            begun += 1
            if begun == due:  # noqa: B023  used before the next
                scope.cancel()
            value = await value_of_x(trial)
            if value < 2:
                raise ValueError
            if value < 4:
                raise optuna.TrialPruned
            return value

        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        with trio.CancelScope() as scope:
            await run(study, evaluate, iterations=10, parallelism=parallelism)
        assert states_of(study) <= {"COMPLETE", "FAIL", "PRUNED"}
