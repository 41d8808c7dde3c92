"""What is remembered and forgotten, without tasks or a clock."""

from __future__ import annotations

from ._dues import Dues
from ._entry import GONE, Entry
from ._failures import Failures
from ._shelf import Removed, Shelf
from ._uses import PILE, Uses
from ._words import MissReason, RemovalCause

__all__ = [
    "GONE",
    "PILE",
    "Dues",
    "Entry",
    "Failures",
    "MissReason",
    "RemovalCause",
    "Removed",
    "Shelf",
    "Uses",
]
