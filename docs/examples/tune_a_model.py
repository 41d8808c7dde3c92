"""Hyper-parameter search: random trials in threads tune a model, which then beats its defaults."""

# scikit-learn has no types, and need not be there when types are checked.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from functools import cache
from typing import Any

import trio
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor as Model
from sklearn.model_selection import cross_val_score, train_test_split

from trio_foundation.search import IntUniform, LogUniform, SearchSpace, Uniform, random_search
from trio_foundation.tasks import open_task_supervisor

SPACE = SearchSpace(
    learning_rate=LogUniform(0.01, 0.3),
    n_estimators=IntUniform(25, 100, step=25),
    max_depth=IntUniform(1, 4),
    subsample=Uniform(0.4, 1.0, step=0.1),
)


@cache
def patients() -> list[Any]:
    """Return how patients are, and how ill they are a year later: those to learn from first."""
    parts: list[Any] = train_test_split(*load_diabetes(return_X_y=True), random_state=1)
    return parts


def evaluate(params: dict[str, Any]) -> float:
    """Return how much of the outcome (R squared) the model foresees for patients left out."""
    known, _, outcomes, _ = patients()
    return float(cross_val_score(Model(random_state=1, **params), known, outcomes, cv=3).mean())


def judge(params: dict[str, Any]) -> float:
    """Return how much of it the model foresees for patients that it was not chosen by."""
    known, new, outcomes, new_outcomes = patients()
    return float(Model(random_state=1, **params).fit(known, outcomes).score(new, new_outcomes))


async def main() -> None:
    """Try 12 settings (trials that take long: run_in="process"), and judge the best."""
    async with open_task_supervisor():
        result = await random_search(SPACE, evaluate, iterations=12, seed=1, run_in="thread")
    for trial in result.trials:
        print(f"trial {trial.index:2}: {trial.value:.3f} {trial.params}")
    assert result.best is not None
    default, tuned = judge({}), judge(result.best.params)
    print(f"foreseen for new patients: {default:.1%} by default, {tuned:.1%} if tuned")
    assert tuned > default


if __name__ == "__main__":
    trio.run(main)
