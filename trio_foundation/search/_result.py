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
    """The best trial, of equals the first; None if none has returned a finite number."""

    trials: list[Trial]
    """The trials that have ended, by number; not those skipped or cancelled."""

    complete: bool = attrs.field(default=True, kw_only=True)
    """Whether all trials were run."""

    cancelled: list[Trial] = attrs.field(factory=list[Trial], kw_only=True)
    """The trials that ran when the search was cancelled or had too many failures."""

    skipped: int = attrs.field(default=0, kw_only=True)
    """How many repeated earlier settings, and were not run."""

    seed: int = attrs.field(default=0, kw_only=True)
    """The seed, for the same trials again."""

    maximize: bool = attrs.field(default=True, kw_only=True)
    """Whether more is better."""

    space: SearchSpace | None = attrs.field(default=None, kw_only=True)
    """The searched space."""
