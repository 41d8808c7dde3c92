"""Tests of the two orders: by last use, and by deadline."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trio_foundation.cache._rules import GONE, PILE, Dues, Entry, Shelf, Uses

Item = Entry[int, int]


def item(used: int, deadline: float = math.inf) -> Item:
    return Entry(used, used, deadline, used)


# By last use


def test_the_first_is_the_one_used_least_recently() -> None:
    uses = Uses[Item]()
    entries = [item(used) for used in range(5)]
    for entry in entries:
        uses.add(entry)
    entries[0].used = 5
    assert uses.first() is entries[1]
    assert uses.first() is entries[1]


def test_the_first_may_be_used_again_while_it_is_first() -> None:
    uses = Uses[Item]()
    a, b = item(1), item(2)
    uses.add(a)
    uses.add(b)
    assert uses.first() is a
    a.used = 3
    assert uses.first() is b
    b.used = 4
    assert uses.first() is a


def test_of_none_there_is_no_first() -> None:
    uses = Uses[Item]()
    assert uses.first() is None
    uses.add(entry := item(1))
    entry.used = GONE
    assert uses.first() is None
    assert uses.held == 0


def test_piles_that_lie_far_apart_are_taken_up_in_order() -> None:
    uses = Uses[Item]()
    entries = [item(used) for used in range(20)]
    for entry in entries:
        uses.add(entry)
    order = random.Random(1).sample(range(20), 20)
    for place, entry in zip(order, entries, strict=True):
        entry.used = (place + 1) * PILE * 1000
    for place in range(20):
        assert uses.first() is entries[order.index(place)]
        entries[order.index(place)].used = GONE


class Watched:
    """An entry that counts how often somebody looks when it was used."""

    looked = 0

    def __init__(self, used: int) -> None:
        self._used = used

    @property
    def used(self) -> int:
        Watched.looked += 1
        return self._used

    @used.setter
    def used(self, used: int) -> None:
        self._used = used


@pytest.mark.parametrize("hits_a_put", [0, 1, 5])
def test_the_work_is_paid_for_by_uses_however_many_entries_there_are(hits_a_put: int) -> None:
    size, rounds = 5_000, 10_000
    uses: Uses[Any] = Uses()
    entries = [Watched(used) for used in range(size)]
    for entry in entries:
        uses.add(entry)
    turn = size
    rng = random.Random(1)
    Watched.looked = 0
    for _ in range(rounds):
        for _ in range(hits_a_put):
            turn += 1
            rng.choice(entries).used = turn
        first = uses.first()
        assert first is not None
        first.used = GONE
        turn += 1
        new = entries[entries.index(first)] = Watched(turn)
        uses.add(new)
    assert Watched.looked < 10 * rounds * (1 + hits_a_put)


class UsesMachine(RuleBasedStateMachine):
    """Uses beside a list that is searched."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Uses[Item] = Uses()
        self.entries: list[Item] = []
        self.turn = 0

    def next_turn(self, skipped: int) -> int:
        self.turn += 1 + skipped
        return self.turn

    @rule(count=st.integers(1, 40), skipped=st.sampled_from([0, 1, 100, PILE]))
    def add(self, count: int, skipped: int) -> None:
        for _ in range(count):
            self.entries.append(entry := item(self.next_turn(skipped)))
            self.uses.add(entry)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), skipped=st.sampled_from([0, 1, 100, PILE]))
    def use(self, data: st.DataObject, skipped: int) -> None:
        for entry in data.draw(st.lists(st.sampled_from(self.entries), max_size=40)):
            entry.used = self.next_turn(skipped)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        self.entries.remove(entry := data.draw(st.sampled_from(self.entries)))
        entry.used = GONE

    @precondition(lambda self: self.entries)
    @rule(count=st.integers(1, 40))
    def remove_the_first(self, count: int) -> None:
        for _ in range(min(count, len(self.entries))):
            first = min(self.entries, key=lambda entry: entry.used)
            assert self.uses.first() is first
            self.entries.remove(first)
            first.used = GONE

    @rule()
    def tidy(self) -> None:
        self.uses.tidy([*self.entries, item(GONE)])
        assert self.uses.held == len(self.entries)

    @rule()
    def ask(self) -> None:
        first = min(self.entries, key=lambda entry: entry.used, default=None)
        assert self.uses.first() is first

    @invariant()
    def all_are_held(self) -> None:
        assert self.uses.held >= len(self.entries)


TestUses = UsesMachine.TestCase


# By deadline


def test_what_is_due_comes_out_by_deadline() -> None:
    dues = Dues[Item]()
    for use, deadline in enumerate([3.0, 1.0, math.inf, 2.0, 1.0]):
        dues.add(item(use, deadline))
    assert dues.pop(0.9) is None
    out = [entry.key for _ in range(4) if (entry := dues.pop(2.0)) is not None]
    assert out == [1, 4, 3]
    assert dues.pop(1e300) is not None
    assert dues.pop(math.inf) is None


def test_what_is_gone_does_not_come_out_and_is_not_held_for_long() -> None:
    dues = Dues[Item]()
    entries = [item(use, 10.0 + use) for use in range(1000)]
    for entry in entries:
        dues.add(entry)
    for entry in entries[:990]:
        entry.used = GONE
        dues.note_gone(entry)
    assert dues.held <= 2 * 10 + 65
    first = dues.pop(1e9)
    assert first is entries[990]


@pytest.mark.parametrize(
    ("count", "stays_until"), [(1, 1), (64, 64), (65, 64), (128, 64), (130, 65), (200, 100)]
)
@pytest.mark.parametrize("is_cleared", [False, True])
def test_what_is_gone_goes_when_it_is_more_than_a_few_and_the_most(
    count: int, stays_until: int, is_cleared: bool
) -> None:
    dues = Dues[Item]()
    left: list[Item] = []
    uses = itertools.count()
    for _ in range(2):  # what went does not count a second time
        while dues.held < count:
            left.append(entry := item(next(uses), 5.0))
            dues.add(entry)
        for number in range(min(len(left), stays_until + 1)):
            entry = left.pop()
            entry.used = GONE
            dues.note_gone(entry)
            assert dues.held == (count if number < stays_until else len(left))
        if is_cleared or not left:
            left.clear()
            dues.clear()
    assert [dues.pop(5.0) for _ in left] == left
    assert dues.pop(5.0) is None


def test_what_came_out_though_it_was_gone_is_not_counted_any_more() -> None:
    dues = Dues[Item]()
    entries = [item(use, 1.0 if use < 60 else 5.0) for use in range(200)]
    for entry in entries:
        dues.add(entry)
    for entry in entries[:60]:
        entry.used = GONE
        dues.note_gone(entry)
    assert dues.pop(1.0) is None
    for number, entry in enumerate(entries[60 : 60 + 71], 1):
        entry.used = GONE
        dues.note_gone(entry)
        assert dues.held == (140 if number < 71 else 69)


def test_an_entry_of_the_first_use_of_all_is_kept_when_it_is_tidied() -> None:
    uses = Uses[Item]()
    uses.tidy([first := item(0), item(GONE)])
    assert uses.held == 1
    assert uses.first() is first


def test_what_is_put_anew_is_tidied_away_before_it_fills_more_than_a_pile() -> None:
    shelf = Shelf[str, int](max_size=2)
    held: list[int] = []
    for use in range(PILE + 4):
        shelf.put("a", use, deadline=math.inf, use=use, now=0.0)
        held.append(shelf._uses.held)
    assert held == [*range(1, PILE + 3), 1, 2]


@pytest.mark.parametrize(("now", "cause"), [(9.9, "replaced"), (10.0, "expired")])
def test_what_is_put_in_the_place_of_something_says_what_that_was(now: float, cause: str) -> None:
    shelf = Shelf[str, int](max_size=1)
    assert shelf.put("a", 1, deadline=10.0, use=1, now=0.0) is None
    assert shelf.put("a", 2, deadline=20.0, use=2, now=now) == ("a", 1, cause)


def test_what_never_expires_is_not_held() -> None:
    dues = Dues[Item]()
    dues.add(entry := item(1))
    assert dues.held == 0
    dues.note_gone(entry)
    assert dues.held == 0


def test_another_clock_leaves_an_entry_the_time_it_had() -> None:
    dues = Dues[Item]()
    dues.add(entry := item(1, 10.0))
    dues.move(4.0, 100.0)
    assert dues.pop(105.9) is None
    assert dues.pop(106.0) is entry


def test_another_clock_leaves_what_is_on_the_shelf_the_time_it_had() -> None:
    shelf = Shelf[str, int](max_size=2)
    shelf.put("a", 1, deadline=10.0, use=1, now=4.0)
    shelf.move(4.0, 100.0)
    assert shelf.entries["a"].deadline == 106.0
    assert [shelf.count(now) for now in (105.9, 106.0)] == [1, 0]


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
)
def test_another_clock_changes_no_order(deadlines: list[float], then: float, now: float) -> None:
    dues = Dues[Item]()
    entries = [item(use, then + deadline) for use, deadline in enumerate(deadlines)]
    for entry in entries:
        dues.add(entry)
    expired = {entry.key for entry in entries if entry.deadline <= then}
    for entry in entries:
        entry.deadline = now + (entry.deadline - then)
    dues.move(then, now)
    assert expired <= {entry.key for entry in entries if entry.deadline <= now}
    out: list[float] = []
    while (due := dues.pop(1e300)) is not None:
        out.append(due.deadline)
    assert out == sorted(entry.deadline for entry in entries)
