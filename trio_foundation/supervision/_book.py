"""The children of a supervisor, by name."""

from __future__ import annotations

from contextvars import Context
from itertools import islice
from typing import final

import attrs

from ._child import Child
from ._entry import Entry
from ._errors import ChildExists, ChildNotFound
from ._incarnation import Keeper
from ._rules import NameBook
from ._spec import ChildSpec

__all__ = ["Book"]

_NAMES_SHOWN = 10


@final
@attrs.define(eq=False)
class Book:
    keeper: Keeper
    entries: dict[str, Entry] = attrs.field(init=False, factory=dict[str, Entry])
    _names: NameBook = attrs.field(init=False, factory=NameBook)

    def register(
        self, spec: ChildSpec, context: Context | None, *, reserved: frozenset[str] = frozenset()
    ) -> Entry:
        """Enter a child; *reserved* are names that others will have."""
        name = spec.name
        if not spec.is_named:
            taken = self.entries.keys() | reserved if reserved else self.entries
            name = self._names.unique(name, taken)
        elif name in self.entries:
            raise ChildExists(self.keeper.path, name, self.entries[name].state)
        entry = Entry(name, spec, self.keeper, context)
        entry.child = Child(entry)
        if spec.resident is not None:
            spec.resident.move_in(entry.child)
        self.entries[name] = entry
        return entry

    def drop(self, entry: Entry) -> None:
        if self.entries.get(entry.name) is entry:
            del self.entries[entry.name]
        entry.forget()

    def find(self, name: str) -> Entry:
        """Return the entry of that name, or raise `ChildNotFound`."""
        entry = self.entries.get(name)
        if entry is None:
            raise ChildNotFound(self.keeper.path, name, tuple(islice(self.entries, _NAMES_SHOWN)))
        return entry
