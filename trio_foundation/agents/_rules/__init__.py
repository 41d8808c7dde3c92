"""What is decided in this room: no Trio, no clock."""

from __future__ import annotations

from ._buffer import Buffer

__all__ = ["Buffer"]
