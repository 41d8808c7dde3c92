"""How a trial of a random search compares with one of optuna's random sampler."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Protocol

from ._runner import Finding, Plan
from .bench_tasks import search_beside

if TYPE_CHECKING:

    class Trial(Protocol):
        """A trial of a study."""

        def suggest_float(self, name: str, low: float, high: float) -> float:
            """Draw a number."""
            ...

    class Study(Protocol):
        """A search."""

        def ask(self) -> Trial:
            """Begin a trial."""
            ...

        def tell(self, trial: Trial, value: float) -> object:
            """End a trial."""
            ...

    def create_study(*, sampler: object) -> Study:
        """Begin a search."""
        ...

    class RandomSampler:
        """Draws at random."""

        def __init__(self, *, seed: int) -> None: ...

else:
    import optuna
    from optuna import create_study
    from optuna.samplers import RandomSampler

    optuna.logging.set_verbosity(optuna.logging.WARNING)

__all__ = ["BENCHMARKS"]

OPTUNA = f"optuna {importlib.metadata.version('optuna')}"


async def search_theirs(count: int) -> None:
    """Ask for a point, work out the value, and tell it."""
    study = create_study(sampler=RandomSampler(seed=1))
    for _ in range(count):
        trial = study.ask()
        x, y = trial.suggest_float("x", -1, 1), trial.suggest_float("y", -1, 1)
        study.tell(trial, x**2 + y**2)


def search_beside_optuna(plan: Plan) -> Finding:
    """How many times as fast as a trial of optuna's random sampler is one of `random_search`?"""
    return search_beside(plan, OPTUNA, search_theirs)


BENCHMARKS = (search_beside_optuna,)
