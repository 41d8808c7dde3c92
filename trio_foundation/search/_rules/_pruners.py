"""Which trials are hopeless, judged by what they report."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import attrs

from ..._base import check_count

__all__ = ["MedianPruner", "Pruner", "Reports", "Standing", "SuccessiveHalvingPruner"]


@final
@attrs.frozen(kw_only=True)
class Standing:
    """How a trial stands among the others, at the step that it has just reported.

    In scores more is better: a search that minimizes turns the sign. NaN and infinity count as
    minus infinity.

    Example:
        >>> standing = Standing(step=3, previous=2, score=0.5, others=[0.2, 0.7], ended=[0.7])
        >>> standing.rank
        1
    """

    step: int
    """The step."""

    previous: int | None
    """The step of its last report, if any."""

    score: float
    """What it reported, as a score."""

    others: Sequence[float]
    """The scores of all other trials at this step, the least first."""

    ended: Sequence[float]
    """The same, of those that have run to their end."""

    @property
    def rank(self) -> int:
        """How many of the others are better."""
        return len(self.others) - bisect_right(self.others, self.score)


Pruner: TypeAlias = Callable[[Standing], bool]
"""A function that says at each report whether to end the trial."""


@final
@attrs.frozen(kw_only=True)
class MedianPruner:
    """Ends a trial below the median, at the same step, of those that ran to their end.

    Raises:
        TypeError: An argument is no whole number.
        ValueError: One is too small.

    Example:
        >>> prune = MedianPruner(warmup_trials=3)
        >>> prune(Standing(step=1, previous=None, score=1, others=[], ended=[1, 2, 3]))
        True
        >>> prune(Standing(step=1, previous=None, score=1, others=[], ended=[2, 3]))
        False
    """

    warmup_trials: int = 5
    """How many must have run to their end before, at least 1."""

    warmup_steps: int = 0
    """Before which step no trial is pruned."""

    def __attrs_post_init__(self) -> None:
        check_count("warmup_trials", self.warmup_trials, least=1)
        check_count("warmup_steps", self.warmup_steps)

    def __call__(self, standing: Standing) -> bool:
        """Return whether to end the trial."""
        count = len(standing.ended)
        if count < self.warmup_trials or standing.step < self.warmup_steps:
            return False
        return standing.score < _median(standing.ended)


@final
@attrs.frozen(kw_only=True)
class SuccessiveHalvingPruner:
    """Lets only the best of *reduction_factor* trials go on, at step 1, 3, 9, 27 and so on.

    It is the asynchronous kind: it waits for no trial, but compares each with those before it.

    Raises:
        TypeError: An argument is no whole number.
        ValueError: One is too small.

    Example:
        >>> prune = SuccessiveHalvingPruner(reduction_factor=2)
        >>> prune(Standing(step=2, previous=1, score=5, others=[1, 2, 6], ended=[]))
        False
        >>> prune(Standing(step=2, previous=1, score=5, others=[1, 6, 7], ended=[]))
        True
    """

    min_steps: int = 1
    """The first deciding step, at least 1."""

    reduction_factor: int = 3
    """One of so many goes on, at least 2; each deciding step is so many times the one before."""

    def __attrs_post_init__(self) -> None:
        check_count("min_steps", self.min_steps, least=1)
        check_count("reduction_factor", self.reduction_factor, least=2)

    def __call__(self, standing: Standing) -> bool:
        """Return whether to end the trial."""
        before = -1 if standing.previous is None else standing.previous
        if self._rung(standing.step) == self._rung(before):
            return False  # it has not got to the next one
        places = max(1, (len(standing.others) + 1) // self.reduction_factor)
        return standing.rank >= places

    def _rung(self, step: int) -> int:
        """Return the number of decisions up to a step."""
        rung, at = 0, self.min_steps
        while at <= step:
            rung, at = rung + 1, at * self.reduction_factor
        return rung


@final
class Reports:
    """What trials have reported, by step.

    Example:
        >>> reports = Reports()
        >>> reports.add(1, 0.5, None).others
        []
        >>> reports.note_end({1: 0.5})
        >>> standing = reports.add(1, 0.2, None)
        >>> standing.others, standing.ended
        ([0.5], [0.5])
    """

    def __init__(self) -> None:
        self._all: dict[int, list[float]] = {}
        self._ended: dict[int, list[float]] = {}

    def add(self, step: int, score: float, previous: int | None) -> Standing:
        """Note a report; return how the trial stands."""
        reported = self._all.setdefault(step, [])
        others = list(reported)
        ended = list(self._ended.get(step, []))
        insort(reported, score)
        return Standing(step=step, previous=previous, score=score, others=others, ended=ended)

    def note_end(self, scores: dict[int, float]) -> None:
        """Note the scores of a trial that ran to its end."""
        for step, score in scores.items():
            insort(self._ended.setdefault(step, []), score)


def _median(scores: Sequence[float]) -> float:
    """Return the median of ordered scores; of two, the lower."""
    return scores[(len(scores) - 1) // 2]
