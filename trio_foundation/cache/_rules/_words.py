"""The words for why something is not there."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["MissReason", "RemovalCause"]

MissReason: TypeAlias = Literal["not_found", "expired"]
"""Why there is no value: none was put, or its time is up."""

RemovalCause: TypeAlias = Literal["expired", "size", "explicit", "replaced"]
"""Why an entry is gone: its time was up, there was no more room for it, it was deleted, or another
value was put in its place. One whose time is up is always ``expired``, whoever removes it."""
