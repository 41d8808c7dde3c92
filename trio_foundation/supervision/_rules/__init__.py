"""What a supervisor decides, without a clock and without a task."""

from __future__ import annotations

from ._attempts import next_attempt
from ._intensity import RestartWindow
from ._names import NameBook
from ._restarts import is_restarted, restart_group
from ._significance import ends_supervisor

__all__ = [
    "NameBook",
    "RestartWindow",
    "ends_supervisor",
    "is_restarted",
    "next_attempt",
    "restart_group",
]
