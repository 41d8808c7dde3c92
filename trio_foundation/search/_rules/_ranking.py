"""Which trial is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ._trial import Trial

__all__ = ["best_of", "is_better", "score_of"]


def score_of(value: float, *, maximize: bool) -> float:
    """Return a value with more as better; what is not finite is the worst.

    Example:
        >>> score_of(3.0, maximize=False), score_of(math.nan, maximize=True)
        (-3.0, -inf)
    """
    if not math.isfinite(value):
        return -math.inf
    return value if maximize else -value


def is_better(trial: Trial, best: Trial | None, *, maximize: bool) -> bool:
    """Return whether a trial is better than the best; of equals, the first is."""
    score = _score(trial, maximize=maximize)
    if score == -math.inf:
        return False
    other = -math.inf if best is None else _score(best, maximize=maximize)
    return score > other or (score == other and best is not None and trial.index < best.index)


def best_of(trials: Iterable[Trial], *, maximize: bool) -> Trial | None:
    """Return the best trial, if any.

    Example:
        >>> trials = [Trial(0, {}, 1.0), Trial(1, {}, math.nan), Trial(2, {}, 5.0)]
        >>> best_of(trials, maximize=True).index
        2
    """
    best = None
    for trial in trials:
        if is_better(trial, best, maximize=maximize):
            best = trial
    return best


def _score(trial: Trial, *, maximize: bool) -> float:
    if trial.state != "complete" or trial.value is None:
        return -math.inf
    return score_of(trial.value, maximize=maximize)
