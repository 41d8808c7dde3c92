"""Which entries have which value.

An index finds what a look at all entries would. Most values have a bucket. Entries whose value
cannot be hashed or compared are loose: they are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, final

import attrs

from ._criteria import Criterion, equals_itself
from ._frozen import COLLECTIONS, PLAIN, FrozenList, Value
from ._paths import check_path, read

__all__ = ["Candidates", "Index"]

_NOBODY: frozenset[int] = frozenset()


@final
@attrs.frozen
class Candidates:
    """The numbers of all entries that can match a criterion."""

    parts: tuple[set[int] | frozenset[int], ...]
    """Sets of them, which may overlap."""

    is_certain: bool
    """Whether all of them do match."""

    @property
    def most(self) -> int:
        """How many there are at most."""
        return sum(map(len, self.parts))

    def serials(self) -> list[int]:
        """Return them, in order."""
        full = [part for part in self.parts if part]
        return sorted(full[0]) if len(full) == 1 else sorted(set[int]().union(*full))


@final
class Index:
    """The entries by the value at the end of one path.

    A set, list or tuple has a bucket for each member, and one for the whole if it can be hashed.
    """

    __slots__ = ("_buckets", "_loose", "_name", "_places", "_texts", "steps")

    steps: tuple[str, ...]
    """The names in the path."""

    def __init__(self, path: str) -> None:
        self.steps = check_path("indexes", path)
        self._name = self.steps[0] if len(self.steps) == 1 else None
        self._buckets: dict[Any, set[int]] = {}
        self._loose: set[int] = set()
        # A string contains others that have no bucket here.
        self._texts: set[int] = set()
        # The buckets of each entry that has not just the one of a plain value, with their keys.
        # By its key alone a bucket might not be found again: not all that has a hash keeps it.
        self._places: dict[int, list[tuple[Value, set[int]]]] = {}

    def add(self, serial: int, attributes: Mapping[str, Any]) -> None:
        """Take up an entry."""
        name = self._name
        value = read(attributes, self.steps) if name is None else attributes.get(name)
        if isinstance(value, str):
            self._texts.add(serial)
        if type(value) not in PLAIN:
            self._place(serial, value)
            return
        try:
            self._put(serial, value)
        except Exception:  # noqa: BLE001  what has the same hash may compare as users like
            self._place(serial, value)

    def remove(self, serial: int, attributes: Mapping[str, Any]) -> None:
        """Forget an entry that has these attributes."""
        name = self._name
        value = read(attributes, self.steps) if name is None else attributes.get(name)
        if isinstance(value, str):
            self._texts.remove(serial)
        places = self._places.pop(serial, None)
        if places is None:
            self._take(serial, value, self._buckets[value])
            return
        self._loose.discard(serial)
        for key, bucket in places:
            self._take(serial, key, bucket)

    def _place(self, serial: int, value: Value) -> None:
        """Put an entry into its buckets; make it loose if one is missing."""
        places = self._places[serial] = []
        for key in _keys_of(value):
            try:
                places.append((key, self._put(serial, key)))
            except Exception:  # noqa: BLE001  a value may hash and compare as users like
                self._loose.add(serial)

    def _put(self, serial: int, key: Value) -> set[int]:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = {serial}
        else:
            bucket.add(serial)
        return bucket

    def _take(self, serial: int, key: Value, bucket: set[int]) -> None:
        bucket.discard(serial)
        if not bucket and self._has_bucket(key) and self._buckets.get(key) is bucket:
            del self._buckets[key]

    def candidates(self, criterion: Criterion) -> Candidates | None:
        """Return who can match; None if the index cannot tell."""
        if criterion.operator == "==":
            return self._of_values((criterion.value,))
        if criterion.operator == "in":
            return self._of_values(criterion.value)
        if criterion.operator == "contains" and self._has_bucket(criterion.value):
            texts = self._texts if isinstance(criterion.value, str) else _NOBODY
            bucket = self._buckets.get(criterion.value, _NOBODY)
            return Candidates((bucket, texts, self._loose), is_certain=False)
        return None

    def check(self, entries: dict[int, Mapping[str, Any]]) -> Iterator[str]:
        """Yield what is wrong, if these are its entries."""
        fresh = Index(".".join(self.steps))
        for serial, attributes in entries.items():
            fresh.add(serial, attributes)
        for part in ("_buckets", "_loose", "_texts", "_places"):
            has, should_have = getattr(self, part), getattr(fresh, part)
            if has != should_have:
                yield f"index {self.steps}: {part} is {has!r}, and should be {should_have!r}"

    def _has_bucket(self, key: Value) -> bool:
        try:
            self._buckets.get(key)
        except Exception:  # noqa: BLE001  a value may hash and compare as users like
            return False
        return True

    def _of_values(self, values: tuple[Any, ...]) -> Candidates | None:
        values = tuple(filter(equals_itself, values))
        if not all(map(self._has_bucket, values)):
            return None
        buckets = (self._buckets.get(value, _NOBODY) for value in values)
        return Candidates((*buckets, self._loose), is_certain=not self._loose)


def _keys_of(value: Value) -> tuple[Any, ...]:
    if not isinstance(value, COLLECTIONS):
        return (value,)
    members = (*cast("tuple[Any, ...]", value),)
    # What equals a list as a whole cannot be hashed, and has no bucket either.
    return members if isinstance(value, FrozenList) else (*members, cast("Value", value))
