"""What is decided about batches, without tasks or a clock."""

from __future__ import annotations

from ._pace import Pace, Queue

__all__ = ["Pace", "Queue"]
