"""Who is where, and alive?

A `Registry` keeps values by key, finds them by their attributes (`where`), and forgets them with
their owners. Tasks can wait for a key, and watch what comes and goes.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._entry import Entry
from ._errors import NameTaken, NotRegistered, OwnerNotRunning
from ._events import (
    EntryEvent,
    Lagged,
    OwnerUnknown,
    Registered,
    RegistryEvent,
    Unregistered,
    UnregisteredBy,
    Updated,
)
from ._registry import Registry
from ._rules import AttributePath, Criterion, where

__all__ = [
    "AttributePath",
    "Criterion",
    "Entry",
    "EntryEvent",
    "Lagged",
    "NameTaken",
    "NotRegistered",
    "OwnerNotRunning",
    "OwnerUnknown",
    "Registered",
    "Registry",
    "RegistryEvent",
    "Unregistered",
    "UnregisteredBy",
    "Updated",
    "where",
]

_give_home(globals())
