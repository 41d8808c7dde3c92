"""Tests of the next moments at which something is due, against a plain dictionary."""

from __future__ import annotations

import gc
import math
import weakref
from typing import TypeVar

from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trio_foundation.supervision._timers import Timers

OwnerT = TypeVar("OwnerT")

OWNERS = st.sampled_from("abcdef")

# Whole numbers, so that several come due at once.
TIMES = st.integers(0, 5).map(float)


class Owner:
    """Somebody who may be forgotten."""


def all_due(timers: Timers[OwnerT], now: float) -> list[OwnerT]:
    due: list[OwnerT] = []
    while (owner := timers.pop_due(now)) is not None:
        due.append(owner)
    return due


# What a reader should know


def test_owners_come_due_in_order_of_their_times() -> None:
    timers = Timers[str]()
    for owner, due in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
        timers.set(owner, due)
    assert all_due(timers, 3.0) == ["early", "middle", "late"]


def test_owners_that_are_due_at_once_come_in_order_of_setting() -> None:
    timers = Timers[str]()
    for owner in "bca":
        timers.set(owner, 1.0)
    timers.set("b", 1.0)  # set anew, and so the last
    assert all_due(timers, 1.0) == ["c", "a", "b"]


def test_what_is_due_later_stays() -> None:
    timers = Timers[str]()
    timers.set("a", 2.0)
    assert timers.pop_due(1.9) is None
    assert (timers.next_due, len(timers)) == (2.0, 1)


def test_an_owner_has_one_timer_and_the_last_one_counts() -> None:
    timers = Timers[str]()
    timers.set("a", 1.0)
    timers.set("a", 5.0)
    assert timers.next_due == 5.0
    assert all_due(timers, 9.0) == ["a"]


def test_a_timer_for_never_is_none() -> None:
    timers = Timers[str]()
    timers.set("a", 1.0)
    timers.set("a", math.inf)
    assert (timers.next_due, len(timers)) == (math.inf, 0)


def test_to_clear_what_is_not_set_does_nothing() -> None:
    timers = Timers[str]()
    timers.clear("a")
    assert len(timers) == 0


def test_an_owner_is_forgotten_when_its_timer_is_cleared() -> None:
    timers, owner = Timers[Owner](), Owner()
    timers.set(owner, 1e9)
    timers.clear(owner)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_ten_thousand_timers_that_are_cleared_cost_no_memory() -> None:
    timers = Timers[int]()
    timers.set(-1, 1e9)
    for owner in range(10_000):
        timers.set(owner, 1e6 + owner)
        timers.clear(owner)
        assert len(timers._heap) < 100
    assert all_due(timers, 1e10) == [-1]


def test_one_timer_that_is_set_anew_again_and_again_costs_no_memory() -> None:
    timers = Timers[str]()
    for beat in range(10_000):
        timers.set("a", 1e6 - beat)
        timers.set("b", 1e6 + beat)
        assert len(timers._heap) < 100
    assert all_due(timers, 1e10) == ["a", "b"]


def test_sweeping_keeps_the_order() -> None:
    timers = Timers[int]()
    for owner in range(1_000):
        timers.set(owner, float(owner % 10))
    for owner in range(0, 1_000, 10):
        for other in range(owner, owner + 9):
            timers.clear(other)
    assert len(timers) == 100
    assert len(timers._heap) < 300
    assert all_due(timers, 9.0) == list(range(9, 1_000, 10))


# The promise itself


class TimersAreADictionary(RuleBasedStateMachine):
    """Timers held against a dictionary from owners to when they are due, in order of setting."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers[str]()
        self.model: dict[str, float] = {}

    @rule(owner=OWNERS, due=TIMES | st.just(math.inf))
    def set(self, owner: str, due: float) -> None:
        self.timers.set(owner, due)
        self.model.pop(owner, None)
        if due < math.inf:
            self.model[owner] = due

    @rule(owner=OWNERS)
    def clear(self, owner: str) -> None:
        self.timers.clear(owner)
        self.model.pop(owner, None)

    @rule(owner=OWNERS, times=st.integers(0, 100))
    def set_again_and_again(self, owner: str, times: int) -> None:
        for _ in range(times):
            self.set(owner, 5.0)

    @rule(now=TIMES)
    def pop_one(self, now: float) -> None:
        due = min(self.model, key=self.model.__getitem__, default=None)
        if due is not None and self.model[due] > now:
            due = None
        assert self.timers.pop_due(now) == due
        if due is not None:
            del self.model[due]

    @invariant()
    def agree(self) -> None:
        assert len(self.timers) == len(self.model)
        assert self.timers.next_due == min(self.model.values(), default=math.inf)

    @invariant()
    def costs_little(self) -> None:
        assert len(self.timers._heap) <= 64 + 2 * len(self.model) + 2


TestTimersAreADictionary = TimersAreADictionary.TestCase


@given(st.lists(st.tuples(OWNERS, TIMES)))
def test_everything_set_comes_due_once_and_in_order(settings: list[tuple[str, float]]) -> None:
    timers, model = Timers[str](), dict[str, float]()
    for owner, due in settings:
        timers.set(owner, due)
        model.pop(owner, None)
        model[owner] = due
    assert all_due(timers, 5.0) == sorted(model, key=model.__getitem__)
