"""What the room reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..telemetry import Event
from ._rules import TrialState

__all__ = ["SearchEvent", "SearchFinished", "TrialFinished", "TrialStarted"]


@attrs.frozen(kw_only=True)
class SearchEvent(Event):
    """The base class of searches' events.

    Example:
        >>> TrialStarted(search="evaluate", index=3).search
        'evaluate'
    """

    search: str
    """The name of the evaluated function."""


@final
@attrs.frozen(kw_only=True)
class TrialStarted(SearchEvent):
    """A trial has started."""

    name: ClassVar[str] = "foundation.search.trial_started"
    level: ClassVar[int] = logging.DEBUG

    index: int
    """Its number."""


@final
@attrs.frozen(kw_only=True)
class TrialFinished(SearchEvent):
    """A trial has ended, and was not cancelled."""

    name: ClassVar[str] = "foundation.search.trial_finished"

    index: int
    """Its number."""

    state: TrialState
    """How it ended."""

    value: float | None
    """What it returned, or last reported if pruned; else None."""

    best: float | None
    """The best value so far, or None."""

    after: float
    """How long it took, in seconds."""

    error: str
    """Its error's type and text; empty if none."""

    ended: int
    """How many have ended."""

    iterations: int | float
    """How many are drawn, `math.inf` for no limit."""


@final
@attrs.frozen(kw_only=True)
class SearchFinished(SearchEvent):
    """A search has ended."""

    name: ClassVar[str] = "foundation.search.search_finished"

    complete: bool
    """Whether all trials were run."""

    best: float | None
    """The best value, or None."""

    ended: int
    """How many have ended."""

    failed: int
    """How many failed."""

    pruned: int
    """How many were pruned."""

    skipped: int
    """How many repeated earlier settings, and were not run."""

    after: float
    """How long it took, in seconds."""
