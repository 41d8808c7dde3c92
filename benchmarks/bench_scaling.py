"""What one costs among 10, and among 100,000: children, servers, agents, mailboxes, entries, keys."""

from __future__ import annotations

from . import _scaling_data, _scaling_tasks

__all__ = ["BENCHMARKS"]

BENCHMARKS = _scaling_tasks.BENCHMARKS + _scaling_data.BENCHMARKS
