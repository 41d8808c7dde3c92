"""A cache beside a plainer one, that searches lists."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trio_foundation.cache import Cache, CacheMiss, RemovalCause

from ._things import Hand, assert_lawful, noting

KEYS = st.integers(0, 12)
TTLS = st.sampled_from([None, 1, 2, 5, 20, math.inf])


@attrs.define
class Plain:
    """An entry of the model."""

    key: int
    value: int
    deadline: float


class CacheMachine(RuleBasedStateMachine):
    """The model is a list of entries, the least recently used first."""

    @initialize(
        max_size=st.integers(1, 8), ttl=st.sampled_from([3, math.inf]), stale_for=st.integers(0, 2)
    )
    def make(self, max_size: int, ttl: float, stale_for: int) -> None:
        self.hand = Hand()
        self.told: list[tuple[int, int, RemovalCause]] = []
        self.expected: list[tuple[int, int, RemovalCause]] = []
        self.cache = Cache[int, int](
            max_size=max_size,
            ttl=ttl,
            stale_for=stale_for,
            clock=self.hand,
            on_removal=noting(self.told),
        )
        self.max_size, self.ttl, self.stale_for = max_size, ttl, stale_for
        self.entries: list[Plain] = []
        self.counts: Counter[str] = Counter()
        self.value = 0

    def find(self, key: int) -> Plain | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def remove(self, entry: Plain, cause: RemovalCause) -> None:
        self.entries.remove(entry)
        cause = "expired" if entry.deadline <= self.hand.now else cause
        self.expected.append((entry.key, entry.value, cause))
        self.counts[cause] += 1

    def ask(self, key: int) -> int | str:
        """Return the value that the model gives, or the reason why there is none."""
        entry = self.find(key)
        if entry is None:
            self.counts["misses"] += 1
            return "not_found"
        if entry.deadline > self.hand.now:
            self.counts["hits"] += 1
            self.entries.remove(entry)
            self.entries.append(entry)
            return entry.value
        self.counts["gets of expired"] += 1
        if entry.deadline + self.stale_for <= self.hand.now:
            self.remove(entry, "expired")
        return "expired"

    @rule(key=KEYS, ttl=TTLS)
    def put(self, key: int, ttl: float | None) -> None:
        self.value += 1
        self.cache.put(key, self.value, ttl=ttl)
        self.counts["puts"] += 1
        old = self.find(key)
        if old is not None:
            self.remove(old, "replaced")
        elif len(self.entries) == self.max_size:
            expired = [entry for entry in self.entries if entry.deadline <= self.hand.now]
            # Of those with the same deadline it is the one that was put first.
            first = min(expired, key=lambda entry: (entry.deadline, entry.value), default=None)
            self.remove(self.entries[0] if first is None else first, "size")
        ttl = self.ttl if ttl is None else ttl
        self.entries.append(Plain(key, self.value, self.hand.now + ttl))

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        expected = self.ask(key)
        assert self.cache.get(key, -1) == (expected if isinstance(expected, int) else -1)

    @rule(key=KEYS)
    def fetch(self, key: int) -> None:
        expected = self.ask(key)
        found: Any
        try:
            found = self.cache.fetch(key)
        except CacheMiss as error:
            found = error.reason
        assert found == expected

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        entry = self.find(key)
        is_live = entry is not None and entry.deadline > self.hand.now
        assert self.cache.delete(key) == is_live
        if entry is not None:
            self.remove(entry, "explicit")

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        for entry in sorted(self.entries, key=lambda entry: entry.key):
            self.remove(entry, "explicit")
        # In which order they are told is not promised.
        self.told.sort()
        self.expected.sort()

    @rule()
    def sweep(self) -> None:
        limit = self.hand.now - self.stale_for
        due = [entry for entry in self.entries if entry.deadline <= limit]
        assert self.cache.sweep() == len(due)
        for entry in sorted(due, key=lambda entry: (entry.deadline, entry.value)):
            self.remove(entry, "expired")

    @rule(seconds=st.sampled_from([0.5, 1, 3, 10]))
    def wait(self, seconds: float) -> None:
        self.hand.now += seconds

    @rule()
    def look(self) -> None:
        live = sorted(entry.key for entry in self.entries if entry.deadline > self.hand.now)
        assert len(self.cache) == len(live)
        assert sorted(self.cache) == live
        assert [key for key in range(13) if key in self.cache] == live

    @invariant()
    def the_two_agree(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert self.told == self.expected
        seen = assert_lawful(self.cache)
        counts = self.counts
        assert (seen.hits, seen.misses, seen.expired, seen.puts, seen.held) == (
            counts["hits"],
            counts["misses"],
            counts["gets of expired"],
            counts["puts"],
            len(self.entries),
        )
        assert (seen.deletes, seen.evictions, seen.replaced, seen.expirations) == (
            counts["explicit"],
            counts["size"],
            counts["replaced"],
            counts["expired"],
        )


TestCache = CacheMachine.TestCase
