"""One set of settings, and what came of it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, final

import attrs

__all__ = ["Trial", "TrialState"]

TrialState: TypeAlias = Literal["complete", "failed", "pruned", "cancelled"]
"""How a trial ended: it returned a number; it raised, returned none, or took too long; the pruner
ended it; or the search ended meanwhile, which is no failure."""


@final
@attrs.frozen
class Trial:
    """One set of settings, and what came of it.

    Example:
        >>> Trial(3, {"x": 0.5}, 2.25).value
        2.25
    """

    index: int
    """Its number, from 0."""

    params: dict[str, Any]
    """The settings by name."""

    value: float | None = None
    """What it returned, or last reported if pruned; else None."""

    error: Exception | None = None
    """What it raised, less its traceback; `TaskTimeout` if it took too long, `FailedBefore` if it
    is of a resumed journal."""

    state: TrialState = "complete"
    """How it ended."""

    duration: float = 0.0
    """How long it took, in seconds."""

    reports: dict[int, float] = attrs.field(factory=dict[int, float])
    """What it reported, by step."""

    traceback: str = attrs.field(default="", repr=False, eq=False)
    """The error's traceback, as text."""
