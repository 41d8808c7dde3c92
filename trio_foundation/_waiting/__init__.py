"""Waiting for a value, by trio_util's ``AsyncValue``, with types."""

from __future__ import annotations

from ._state import State

__all__ = ["State"]
