"""What a search has found."""

from __future__ import annotations

from typing import final

import attrs

from ._rules import SearchSpace, Trial

__all__ = ["SearchResult"]


@final
@attrs.frozen
class SearchResult:
    """What a search has found.

    Example:
        >>> from trio_foundation.search import Trial
        >>> trials = [Trial(0, {"x": 1.0}, 2.5), Trial(1, {"x": 2.0}, 1.5)]
        >>> SearchResult(trials[0], trials).best.params
        {'x': 1.0}
    """

    best: Trial | None
    """The best trial; None if none has returned a finite number. Of equals, the first."""

    trials: list[Trial]
    """The trials that have ended, in the order of their numbers. Numbers may be missing:
    those of trials that were skipped, and of those that were cancelled."""

    complete: bool = attrs.field(default=True, kw_only=True)
    """Whether all trials were run; else the search was cancelled."""

    cancelled: list[Trial] = attrs.field(factory=list[Trial], kw_only=True)
    """The trials that ran when the search was cancelled, or ended by too many failures."""

    skipped: int = attrs.field(default=0, kw_only=True)
    """How many trials were not run, since their settings had been there before."""

    seed: int = attrs.field(default=0, kw_only=True)
    """The seed; with it, the same trials can be run again."""

    maximize: bool = attrs.field(default=True, kw_only=True)
    """Whether the best is the one with the largest value, or with the smallest."""

    space: SearchSpace | None = attrs.field(default=None, kw_only=True)
    """The space that was searched."""
