"""The entries, in order, by key, and in indexes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, final

from ._criteria import Criterion
from ._index import Candidates, Index

__all__ = ["Keeping", "Store", "Stored"]

Keeping: TypeAlias = Literal["unique", "duplicate"]


class Stored(Protocol):
    """What a store knows of an entry."""

    @property
    def serial(self) -> int:
        """The number of the registration, in order."""
        ...

    @property
    def key(self) -> object:
        """What it is registered as."""
        ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What it is found by."""
        ...


KeyT = TypeVar("KeyT")
EntryT = TypeVar("EntryT", bound=Stored)


@final
class Store(Generic[KeyT, EntryT]):
    """Entries, by serial number and by key."""

    __slots__ = ("_all", "_indexes", "_keeping", "by_serial", "first")

    by_serial: dict[int, EntryT]
    """All entries, in order of registration."""

    first: dict[KeyT, EntryT]
    """The oldest entry of each key."""

    def __init__(self, keeping: Keeping, paths: Iterable[str]) -> None:
        self._keeping = keeping
        self._indexes = {path: Index(path) for path in paths}
        self.by_serial = {}
        self.first = {}
        # All entries of each key, in order; where keys are unique, the oldest is the only one. A
        # plain dict would look for its first past all that were deleted before it.
        self._all: dict[KeyT, OrderedDict[int, EntryT]] = {}

    def all_of(self, key: KeyT) -> Sequence[EntryT]:
        """Return the entries of a key, in order of registration."""
        if self._keeping == "duplicate":
            entries = self._all.get(key)
            return [] if entries is None else [*entries.values()]
        entry = self.first.get(key)
        return [] if entry is None else [entry]

    # Changing it

    def add(self, key: KeyT, entry: EntryT) -> None:
        """Add an entry, as the last one."""
        serial = entry.serial
        if self._keeping == "unique":
            self.first[key] = entry
        else:
            entries = self._all.setdefault(key, OrderedDict())
            entries[serial] = entry
            self.first.setdefault(key, entry)
        self.by_serial[serial] = entry
        for index in self._indexes.values():
            index.add(serial, entry.attributes)

    def remove(self, key: KeyT, entry: EntryT) -> None:
        """Remove an entry that is here."""
        serial = entry.serial
        del self.by_serial[serial]
        for index in self._indexes.values():
            index.remove(serial, entry.attributes)
        if self._keeping == "unique":
            del self.first[key]
            return
        entries = self._all[key]
        del entries[serial]
        if entries:
            self.first[key] = next(iter(entries.values()))
        else:
            del self._all[key], self.first[key]

    def replace(self, key: KeyT, before: EntryT, after: EntryT) -> None:
        """Put an entry in the place of one with its number."""
        serial = after.serial
        self.by_serial[serial] = after
        if self._keeping == "duplicate":
            self._all[key][serial] = after
        if self.first[key].serial == serial:
            self.first[key] = after
        for index in self._indexes.values():
            index.remove(serial, before.attributes)
            index.add(serial, after.attributes)

    def put_in_order(self, keys: Iterable[KeyT]) -> None:
        """Restore the order, after entries of these keys were put back."""
        _sort(self.by_serial)
        for key in keys:
            entries = self._all.get(key)
            if entries is not None:
                _sort(entries)
                self.first[key] = next(iter(entries.values()))

    # Asking it

    def query(self, criteria: Iterable[Criterion]) -> list[EntryT]:
        """Return the entries that match all criteria, in order of registration."""
        left = list(criteria)
        chosen: Iterable[EntryT] = self.by_serial.values()
        best = self._best(left)
        if best is not None:
            criterion, candidates = best
            chosen = map(self.by_serial.__getitem__, candidates.serials())
            if candidates.is_certain:
                left = [other for other in left if other is not criterion]
        for criterion in left:
            chosen = [entry for entry in chosen if criterion.accepts(entry.attributes)]
        return [*chosen]

    def _best(self, criteria: Iterable[Criterion]) -> tuple[Criterion, Candidates] | None:
        """Return the criterion with the fewest candidates, and those."""
        best: tuple[Criterion, Candidates] | None = None
        for criterion in criteria:
            index = self._indexes.get(criterion.path)
            found = None if index is None else index.candidates(criterion)
            if found is not None and (best is None or found.most < best[1].most):
                best = criterion, found
        return best

    # Whether it is in order

    def check(self) -> Iterator[str]:
        """Yield what is wrong."""
        entries = self.by_serial
        if [*entries] != sorted(entries):
            yield f"the entries are out of order: {[*entries]}"
        if any(serial != entry.serial for serial, entry in entries.items()):
            yield "an entry is kept by the serial number of another"
        by_key: dict[object, list[EntryT]] = {}
        for entry in entries.values():
            by_key.setdefault(entry.key, []).append(entry)
        if {key: each[0] for key, each in by_key.items()} != self.first:
            yield f"the oldest of each key are {self.first!r}, of {by_key!r}"
        everything = {key: [*each.values()] for key, each in self._all.items()}
        if everything != (by_key if self._keeping == "duplicate" else {}):
            yield f"by key there are {everything!r}, of {by_key!r}"
        attributes = {serial: entry.attributes for serial, entry in entries.items()}
        for index in self._indexes.values():
            yield from index.check(attributes)


def _sort(entries: dict[int, EntryT]) -> None:
    in_order = {serial: entries[serial] for serial in sorted(entries)}
    entries.clear()
    entries.update(in_order)
