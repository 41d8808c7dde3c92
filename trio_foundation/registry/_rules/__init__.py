"""What is kept and found, without Trio."""

from __future__ import annotations

from ._criteria import AttributePath, Criterion, where
from ._frozen import FrozenDict, freeze_attributes
from ._paths import check_path
from ._store import Keeping, Store, Stored

__all__ = [
    "AttributePath",
    "Criterion",
    "FrozenDict",
    "Keeping",
    "Store",
    "Stored",
    "check_path",
    "freeze_attributes",
    "where",
]
