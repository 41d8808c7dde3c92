"""Tests of how children without a name are told apart."""

from __future__ import annotations

from hypothesis import given, strategies as st

from trio_foundation.supervision._rules import NameBook

# Few names, some of which look like numbered ones.
NAMES = st.sampled_from(["fetch", "fetch-2", "fetch-2-2", "fetch-3", "poll", "poll-1"])

# Whether a child comes, and the child that comes or goes.
MOVES = st.lists(st.tuples(st.booleans(), NAMES), max_size=40)


# What a reader should know


def test_a_name_that_is_free_is_taken_as_it_is() -> None:
    assert NameBook().unique("fetch", taken={"poll"}) == "fetch"


def test_others_of_the_same_name_are_numbered_from_two() -> None:
    book, taken = NameBook(), list[str]()
    for _ in range(4):
        taken.append(book.unique("fetch", taken))
    assert taken == ["fetch", "fetch-2", "fetch-3", "fetch-4"]


def test_a_number_that_somebody_else_has_is_passed_over() -> None:
    assert NameBook().unique("fetch", taken={"fetch", "fetch-2", "fetch-3"}) == "fetch-4"


def test_a_name_that_is_free_again_is_given_again() -> None:
    book = NameBook()
    assert book.unique("fetch", taken={"fetch"}) == "fetch-2"
    assert book.unique("fetch", taken={"fetch-2"}) == "fetch"


def test_the_ten_thousandth_child_does_not_try_ten_thousand_names() -> None:
    class Counting(set[str]):
        looks = 0

        def __contains__(self, name: object) -> bool:
            self.looks += 1
            return super().__contains__(name)

    book, taken = NameBook(), Counting()
    for _ in range(10_000):
        taken.add(book.unique("fetch", taken))
    assert len(taken) == 10_000
    assert taken.looks < 3 * 10_000


# The promise itself


@given(MOVES)
def test_a_name_is_always_new_and_a_form_of_the_one_wanted(moves: list[tuple[bool, str]]) -> None:
    book, taken = NameBook(), set[str]()
    for comes, name in moves:
        if not comes:
            taken.discard(name)
            continue
        given_name = book.unique(name, taken)
        assert given_name not in taken
        assert given_name == name or name in taken
        stem, _, number = given_name.rpartition("-")
        assert given_name == name or (stem == name and int(number) >= 2)
        taken.add(given_name)


def test_no_number_is_left_out() -> None:
    taken = {"fetch", "fetch-2", "fetch-3", "fetch-4"}
    assert NameBook().unique("fetch", taken) == "fetch-5"
