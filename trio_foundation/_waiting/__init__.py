"""Waiting until a value is what one waits for, by trio_util's ``AsyncValue``, with types."""

from __future__ import annotations

from ._state import State

__all__ = ["State"]
