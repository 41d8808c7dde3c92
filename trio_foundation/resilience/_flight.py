"""A call under way."""

from __future__ import annotations

from typing import Literal

import trio

from ._this_run import ThisRun

__all__ = ["Flight"]


class Flight:
    """A call that was let through, and has not ended."""

    __slots__ = (
        "admitted_at",
        "ended_by",
        "generation",
        "is_over",
        "is_probe",
        "is_slow",
        "run",
        "scope",
    )

    admitted_at: float
    """When it was let through, in seconds."""
    generation: int
    """The number of the state that let it through."""
    run: ThisRun
    """Its Trio run."""

    def __init__(self) -> None:
        self.scope: trio.CancelScope | None = None
        """What ends it, if anything can."""
        self.is_probe = False
        """Whether it is there to try."""
        self.is_slow = False
        """Whether it is counted as a failure already."""
        self.is_over = False
        self.ended_by: Literal["breaker"] | None = None
        """Whether the breaker ended it on opening."""
