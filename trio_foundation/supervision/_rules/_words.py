"""The words that users type and that exits are told in."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["AutoShutdown", "ChildState", "ExitReason", "Restart", "Strategy"]

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""When a child is started again: always, after it crashed, or never."""

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Which children a restart takes along: none, all, or those started later."""

AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
"""Whether a supervisor ends when one of its significant children has finished, or all."""

ExitReason: TypeAlias = Literal["returned", "shutdown", "crashed", "stopped", "unresponsive"]
"""How an incarnation of a child ended; see `Exit.reason`."""

ChildState: TypeAlias = Literal[
    "starting", "running", "stopping", "backing_off", "stopped", "ignored"
]
"""What a child is doing; see `Child.state`."""
