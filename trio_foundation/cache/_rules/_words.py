"""The words for why something is not there."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["MissReason", "RemovalCause"]

MissReason: TypeAlias = Literal["not_found", "expired"]
"""Why there is no value: none was put, or it has expired."""

RemovalCause: TypeAlias = Literal["expired", "size", "explicit", "replaced"]
"""Why an entry is gone: it expired, room was needed, or it was deleted or replaced. An expired one
is always ``expired``."""
