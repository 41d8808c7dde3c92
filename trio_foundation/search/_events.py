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
    """The base class of what is told about searches.

    Example:
        >>> TrialStarted(search="evaluate", index=3).search
        'evaluate'
    """

    search: str
    """The name of the function that is evaluated."""


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
    """How."""

    value: float | None
    """What it returned, or reported last if it was pruned; None if it failed."""

    best: float | None
    """The best value so far; None if there is none."""

    after: float
    """How long it took, in seconds."""

    error: str
    """The error's type and text; empty if there was none."""

    ended: int
    """How many trials have ended so far."""

    iterations: int | float
    """How many there are to be at most."""


@final
@attrs.frozen(kw_only=True)
class SearchFinished(SearchEvent):
    """A search has ended."""

    name: ClassVar[str] = "foundation.search.search_finished"

    complete: bool
    """Whether all trials were run."""

    best: float | None
    """The best value; None if there is none."""

    ended: int
    """How many trials have ended."""

    failed: int
    """How many of them have failed."""

    pruned: int
    """How many of them were pruned."""

    skipped: int
    """How many were not run, since their settings had been there before."""

    after: float
    """How long it took, in seconds."""
