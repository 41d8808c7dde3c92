"""What the room reports."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any, ClassVar, Literal, TypeAlias, final

import attrs

from ..telemetry import Event
from ._rules import Fate

__all__ = ["BatchFinished", "BatchOutcome", "StepFinished", "StepUndone"]

BatchOutcome: TypeAlias = Literal["done", "failed", "cancelled", "closed"]
"""How a batch ended: ``done``, all operations returned; ``failed``, one raised; ``cancelled``,
its caller was; ``closed``, the block has ended."""


@final
@attrs.frozen(kw_only=True)
class BatchFinished(Event):
    """A batch ended, also one cancelled while it waited; none that was refused."""

    name: ClassVar[str] = "foundation.workflows.batch_finished"

    serial: str
    """The name of the serial operations."""

    tx_id: Any
    """What the batch is called."""

    key: Hashable
    """Its key."""

    outcome: BatchOutcome
    """How it ended."""

    completed: int
    """How many of its operations returned."""

    operations: int
    """How many it has."""

    queued_for: float
    """How long it waited for its turn, in seconds."""

    ran_for: float
    """How long it ran, in seconds."""

    error: str
    """What ended it; empty if it is done."""

    @property
    def severity(self) -> int:
        """A warning if it is partly done, or failed."""
        is_partial = self.outcome == "failed" or 0 < self.completed < self.operations
        return logging.WARNING if is_partial else self.level


@final
@attrs.frozen(kw_only=True)
class StepFinished(Event):
    """A step of a saga ended."""

    name: ClassVar[str] = "foundation.workflows.step_finished"

    saga: str
    """The name of the saga."""

    run: int
    """Which run of the saga this is, from 1."""

    step: str
    """The name of the step."""

    fate: Fate
    """What became of it."""

    ran_for: float
    """How long it took, in seconds."""

    error: str
    """What it raised; empty if it is done."""

    @property
    def severity(self) -> int:
        """A warning unless the step is done."""
        return self.level if self.fate == "done" else logging.WARNING


@final
@attrs.frozen(kw_only=True)
class StepUndone(Event):
    """The undo of a step of a saga ended."""

    name: ClassVar[str] = "foundation.workflows.step_undone"
    level: ClassVar[int] = logging.WARNING

    saga: str
    """The name of the saga."""

    run: int
    """Which run of the saga this is, from 1."""

    step: str
    """The name of the step."""

    fate: Fate
    """The step's fate, as the undo was told."""

    ran_for: float
    """How long the undo took, in seconds."""

    error: str
    """What the undo raised; empty if it returned."""

    @property
    def severity(self) -> int:
        """An error if the undo failed."""
        return logging.ERROR if self.error else self.level
