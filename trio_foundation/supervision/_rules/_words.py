"""The words that users type and that exits are told in."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["AutoShutdown", "ChildState", "ExitReason", "Restart", "Strategy"]

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
ExitReason: TypeAlias = Literal["returned", "shutdown", "crashed", "stopped", "unresponsive"]
ChildState: TypeAlias = Literal[
    "starting", "running", "stopping", "backing_off", "stopped", "ignored"
]
