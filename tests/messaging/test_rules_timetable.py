"""Tests of when things come due: by arithmetic, and held against a plain model."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_foundation.messaging._rules._timetable import Appointment, Timetable, next_turn

# One appointment


def test_an_empty_table_has_nothing_due_at_any_time() -> None:
    table = Timetable[str]()
    assert table.next_due == math.inf
    assert table.pop(1e300) is None


def test_an_appointment_is_not_due_before_its_time() -> None:
    table = Timetable[str]()
    table.enter("tea", now=2.0, after=3.0)
    assert table.next_due == 5.0
    assert table.pop(math.nextafter(5.0, 0.0)) is None


def test_an_appointment_is_due_at_its_time() -> None:
    table = Timetable[str]()
    table.enter("tea", now=2.0, after=3.0)
    assert table.pop(5.0) == (5.0, "tea")


def test_a_late_appointment_says_when_it_was_due() -> None:
    table = Timetable[str]()
    table.enter("tea", now=2.0, after=3.0)
    assert table.pop(100.0) == (5.0, "tea")


def test_an_appointment_without_turns_comes_due_once() -> None:
    table = Timetable[str]()
    table.enter("tea", now=0.0, after=1.0)
    table.pop(1.0)
    assert (table.pop(1e9), table.next_due) == (None, math.inf)


def test_an_appointment_may_be_due_at_once() -> None:
    table = Timetable[str]()
    table.enter("tea", now=7.0, after=0.0)
    assert table.pop(7.0) == (7.0, "tea")


def test_an_appointment_may_be_never() -> None:
    table = Timetable[str]()
    table.enter("tea", now=7.0, after=math.inf)
    assert (table.next_due, table.pop(1e300)) == (math.inf, None)


# Several of them


def test_the_one_that_is_due_first_comes_first() -> None:
    table = Timetable[str]()
    for subject, after in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
        table.enter(subject, now=0.0, after=after)
    assert [table.pop(9.0) for _ in range(4)] == [
        (1.0, "early"),
        (2.0, "middle"),
        (3.0, "late"),
        None,
    ]


def test_of_two_that_are_due_together_the_one_entered_first_comes_first() -> None:
    table = Timetable[str]()
    for subject in "cab":
        table.enter(subject, now=0.0, after=1.0)
    assert [table.pop(1.0) for _ in "cab"] == [(1.0, "c"), (1.0, "a"), (1.0, "b")]


def test_subjects_need_not_compare() -> None:
    table = Timetable[object]()
    first, second = object(), object()
    table.enter(first, now=0.0, after=1.0)
    table.enter(second, now=0.0, after=1.0)
    assert (table.pop(1.0), table.pop(1.0)) == ((1.0, first), (1.0, second))


def test_equal_subjects_are_two_appointments() -> None:
    table = Timetable[str]()
    first = table.enter("tea", now=0.0, after=1.0)
    table.enter("tea", now=0.0, after=2.0)
    table.call_off(first)
    assert table.pop(9.0) == (2.0, "tea")


# Again and again


def test_one_that_repeats_keeps_to_its_turns() -> None:
    table = Timetable[str]()
    table.enter("sweep", now=0.0, after=5.0, every=10.0)
    assert [table.pop(now) for now in (5.0, 15.5, 25.0)] == [
        (5.0, "sweep"),
        (15.0, "sweep"),
        (25.0, "sweep"),
    ]
    assert table.next_due == 35.0


def test_turns_that_were_missed_are_left_out() -> None:
    table = Timetable[str]()
    table.enter("sweep", now=0.0, after=10.0, every=10.0)
    assert (table.pop(1005.0), table.pop(1005.0)) == ((10.0, "sweep"), None)
    assert table.next_due == 1010.0


def test_one_that_repeats_does_not_keep_the_others_waiting() -> None:
    table = Timetable[str]()
    table.enter("sweep", now=0.0, after=1.0, every=1.0)
    table.enter("tea", now=0.0, after=2.0)
    assert [table.pop(2.0) for _ in range(3)] == [(1.0, "sweep"), (2.0, "tea"), None]


def test_an_appointment_tells_when_it_is_due_next() -> None:
    table = Timetable[str]()
    appointment = table.enter("sweep", now=0.0, after=1.0, every=4.0)
    table.pop(2.0)
    assert (appointment.due, appointment.every, appointment.is_off) == (5.0, 4.0, False)


# Called off


def test_what_was_called_off_does_not_come_due() -> None:
    table = Timetable[str]()
    table.call_off(table.enter("tea", now=0.0, after=1.0))
    assert (table.next_due, table.pop(9.0)) == (math.inf, None)


def test_what_repeats_can_be_called_off_between_two_turns() -> None:
    table = Timetable[str]()
    sweep = table.enter("sweep", now=0.0, after=1.0, every=1.0)
    table.pop(1.0)
    table.call_off(sweep)
    assert (table.next_due, table.pop(9.0)) == (math.inf, None)


def test_calling_off_what_is_over_does_nothing() -> None:
    table = Timetable[str]()
    tea = table.enter("tea", now=0.0, after=1.0)
    table.enter("cake", now=0.0, after=2.0)
    table.pop(1.0)
    table.call_off(tea)
    assert table.pop(2.0) == (2.0, "cake")


def test_of_what_is_over_nothing_can_be_called_off_any_more() -> None:
    table = Timetable[str]()
    tea = table.enter("tea", now=0.0, after=1.0)
    table.pop(1.0)
    assert tea.is_off


def test_calling_off_twice_is_once() -> None:
    table = Timetable[str]()
    table.enter("cake", now=0.0, after=2.0)
    tea = table.enter("tea", now=0.0, after=1.0)
    table.call_off(tea)
    table.call_off(tea)
    assert (table.next_due, table.pop(2.0)) == (2.0, (2.0, "cake"))


@pytest.mark.parametrize(
    ("entered", "stays_until"), [(1, 1), (15, 8), (16, 8), (17, 8), (20, 10), (21, 10), (40, 20)]
)
def test_what_is_called_off_goes_when_it_is_more_than_eight_and_the_most(
    entered: int, stays_until: int
) -> None:
    table = Timetable[int]()
    for _ in range(2):  # what went does not count a second time
        while len(table._heap) < entered:
            table.enter(1, now=0.0, after=1.0)
        valid = [entry[2] for entry in table._heap]
        for appointment in valid[:stays_until]:
            table.call_off(appointment)
            assert len(table._heap) == entered
        for appointment in valid[stays_until : stays_until + 1]:
            table.call_off(appointment)
            assert len(table._heap) == entered - stays_until - 1


def test_a_table_does_not_grow_with_what_is_called_off() -> None:
    table = Timetable[int]()
    table.enter(-1, now=0.0, after=1e6)
    for number in range(1000):
        table.call_off(table.enter(number, now=0.0, after=1000.0 + number))
        assert len(table._heap) <= 20
    assert table.pop(1e6) == (1e6, -1)


# The next turn


@pytest.mark.parametrize(
    ("due", "every", "now", "following"),
    [
        pytest.param(10.0, 10.0, 10.0, 20.0, id="in time"),
        pytest.param(10.0, 10.0, 19.9, 20.0, id="a little late"),
        pytest.param(10.0, 10.0, 20.0, 30.0, id="late by a whole turn"),
        pytest.param(10.0, 10.0, 25.0, 30.0, id="late by a turn and a half"),
        pytest.param(0.0, 3.0, 1e6, 1_000_002.0, id="very late"),
        pytest.param(10.0, math.inf, 12.0, math.inf, id="never again"),
        pytest.param(-20.0, 10.0, -15.0, -10.0, id="a clock below zero"),
        pytest.param(0.0, 1e300, 1.0, 1e300, id="a huge turn"),
        pytest.param(1e17, 0.25, 1e17, math.nextafter(1e17, math.inf), id="less than can be told"),
        pytest.param(1e17, 1e-300, 1e17, math.nextafter(1e17, math.inf), id="a tiny turn"),
        pytest.param(0.0, 5e-324, 0.0, 5e-324, id="the tiniest turn in time"),
    ],
)
def test_the_next_turn_is_a_whole_number_of_turns_away(
    due: float, every: float, now: float, following: float
) -> None:
    assert next_turn(due, every, now) == following


@pytest.mark.parametrize(
    ("every", "late"), [(5e-324, 1.0), (1e-308, 100.0), (1e-300, 1e9)], ids=str
)
def test_of_a_tiny_turn_there_is_a_next_one_however_late_it_is(every: float, late: float) -> None:
    # The number of turns that were missed is more than a float can tell.
    assert next_turn(0.0, every, late) == math.nextafter(late, math.inf)


# The promise

QUARTERS = st.integers(0, 400).map(lambda quarters: quarters / 4)
TURNS = st.integers(1, 40).map(lambda quarters: quarters / 4)


@given(due=QUARTERS, every=TURNS, late=QUARTERS)
def test_the_next_turn_is_the_first_after_now(due: float, every: float, late: float) -> None:
    expected = due
    while expected <= due + late:
        expected += every
    assert next_turn(due, every, due + late) == expected


@given(
    due=st.floats(0.0, 1e12),
    every=st.floats(1e-9, 1e12),
    late=st.floats(0.0, 1e12),
)
def test_the_next_turn_is_later_but_not_by_more_than_a_turn(
    due: float, every: float, late: float
) -> None:
    now = due + late
    following = next_turn(due, every, now)
    assert following > now
    # What a float cannot tell is no fault: two roundings of about the size of the sum.
    slack = Fraction(2 * math.ulp(following))
    assert Fraction(following) - Fraction(now) <= Fraction(every) + slack
    turns = (Fraction(following) - Fraction(due)) / Fraction(every)
    assert abs(turns - round(turns)) * Fraction(every) <= slack


@given(
    due=st.floats(0.0, 1e300),
    every=st.floats(0.0, math.inf, exclude_min=True),
    late=st.floats(0.0, 1e300),
)
def test_there_is_a_next_turn_of_all_numbers(due: float, every: float, late: float) -> None:
    assert next_turn(due, every, due + late) > due + late


@attrs.define
class Entry:
    """An appointment as a child would keep it."""

    subject: int
    due: float
    every: float | None
    order: int


@attrs.define
class PlainTimetable:
    """A list that is looked through from end to end."""

    entries: list[Entry] = attrs.field(factory=list[Entry])
    count: int = 0

    def enter(self, subject: int, due: float, every: float | None) -> None:
        self.count += 1
        self.entries.append(Entry(subject, due, every, self.count))

    def call_off(self, subject: int) -> None:
        self.entries = [entry for entry in self.entries if entry.subject != subject]

    @property
    def next_due(self) -> float:
        return min((entry.due for entry in self.entries), default=math.inf)

    def pop(self, now: float) -> tuple[float, int] | None:
        late = [entry for entry in self.entries if entry.due <= now]
        if not late:
            return None
        first = min(late, key=lambda entry: (entry.due, entry.order))
        self.entries.remove(first)
        if first.every is not None:
            following = first.due
            while following <= now:
                following += first.every
            self.enter(first.subject, following, first.every)
        return first.due, first.subject


Step: TypeAlias = tuple[str, float, float | None]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), QUARTERS, st.none() | TURNS),
        st.tuples(st.just("call off"), st.integers(0, 60).map(float), st.none()),
        st.tuples(st.just("pass"), TURNS, st.none()),
        st.tuples(st.just("pop"), st.just(0.0), st.none()),
    ),
    max_size=60,
)


@given(program=STEPS)
def test_a_timetable_does_what_its_plain_model_does(program: list[Step]) -> None:
    table, model = Timetable[int](), PlainTimetable()
    made: list[Appointment[int]] = []
    now = 0.0
    for what, number, every in program:
        if what == "enter":
            subject = len(made)
            made.append(table.enter(subject, now=now, after=number, every=every))
            model.enter(subject, now + number, every)
        elif what == "call off" and made:
            subject = int(number) % len(made)
            table.call_off(made[subject])
            model.call_off(subject)
        elif what == "pass":
            now += number
        elif what == "pop":
            assert table.pop(now) == model.pop(now)
        assert table.next_due == model.next_due


@given(
    afters=st.lists(QUARTERS, min_size=20, max_size=40),
    off=st.sets(st.integers(0, 39), min_size=10),
)
def test_whatever_is_called_off_the_rest_comes_in_order(afters: list[float], off: set[int]) -> None:
    table = Timetable[int]()
    made = [table.enter(i, now=0.0, after=after) for i, after in enumerate(afters)]
    for i in off & set(range(len(made))):
        table.call_off(made[i])
    left = sorted((after, i) for i, after in enumerate(afters) if i not in off)
    assert [table.pop(100.0) for _ in left] == left
    assert table.pop(100.0) is None
