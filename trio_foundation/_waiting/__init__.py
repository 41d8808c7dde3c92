"""Waiting until a value is what one waits for.

trio_util's ``AsyncValue`` does this well but carries no types. This is the one
place that imports it, and the one that knows what its types are.
"""

from __future__ import annotations

from ._state import State

__all__ = ["State"]
