"""The order in which Trio runs its tasks, made the same again.

Trio offers no public way to choose it. Hypothesis, under pytest-trio, uses a source of randomness
and a switch that makes it the only one: private names of Trio, which only this file knows.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import trio._core._run

__all__ = ["seeded"]

_DICE = "_r"

_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Have *seed* decide how the runs in this block are scheduled, and what `random` gives."""
    scheduler = _scheduler()
    dice: random.Random = getattr(scheduler, _DICE)
    was_on: bool = getattr(scheduler, _SWITCH)
    trio_before, python_before = dice.getstate(), random.getstate()
    try:
        setattr(scheduler, _SWITCH, True)
        dice.seed(seed)
        random.seed(seed)  # a backoff without an rng takes its jitter there
        yield
    finally:
        setattr(scheduler, _SWITCH, was_on)
        dice.setstate(trio_before)
        random.setstate(python_before)


def _scheduler() -> Any:  # noqa: ANN401  two of its names, which a version may not have
    scheduler = trio._core._run  # noqa: SLF001  the one exception of the project
    if not (hasattr(scheduler, _DICE) and hasattr(scheduler, _SWITCH)):
        raise RuntimeError(
            f"the scheduler of Trio {trio.__version__} cannot be seeded: install a version of Trio "
            "that trio_foundation is tested with"
        )
    return scheduler
