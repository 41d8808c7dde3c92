"""Tests of what a setting may be."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_foundation.search import Choice, Dimension, IntUniform, LogUniform, Uniform

from ._things import wrong

UNITS = st.floats(min_value=0, max_value=1, exclude_max=True)
BOUNDS = st.floats(min_value=-1e300, max_value=1e300)
JUST_BELOW_ONE = math.nextafter(1.0, 0.0)


# What a reader should know


@pytest.mark.parametrize(
    ("dimension", "lowest", "highest"),
    [
        (IntUniform(3, 7), 3, 7),
        (IntUniform(-7, -3), -7, -3),
        (IntUniform(0, 10, step=4), 0, 8),
        (Uniform(0, 1, step=0.3), 0.0, 0.9),
        (Uniform(0, 1, step=0.1), 0.0, 1.0),
        (Choice(["a", "b", "c"]), "a", "c"),
        (LogUniform(0.001, 1000), 0.001, 1000.0),
    ],
    ids=str,
)
def test_both_ends_are_met(dimension: Dimension, lowest: object, highest: object) -> None:
    assert dimension.at(0.0) == lowest
    assert dimension.at(JUST_BELOW_ONE) == pytest.approx(highest)


def test_each_whole_number_has_an_equal_share() -> None:
    drawn = [IntUniform(1, 6).at((unit + 0.5) / 600) for unit in range(600)]
    assert [drawn.count(value) for value in range(1, 7)] == [100] * 6


def test_each_choice_has_an_equal_share() -> None:
    drawn = [Choice(["a", "b", "c"]).at((unit + 0.5) / 300) for unit in range(300)]
    assert [drawn.count(value) for value in "abc"] == [100] * 3


def test_orders_of_magnitude_have_equal_shares() -> None:
    drawn = [LogUniform(1, 1000).at((unit + 0.5) / 300) for unit in range(300)]
    assert [int(math.log10(value)) for value in drawn] == [0] * 100 + [1] * 100 + [2] * 100


def test_steps_are_counted_in_decimals() -> None:
    assert list(Uniform(0, 0.5, step=0.1).grid()) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_dimension_may_have_one_value() -> None:
    fixed: list[Dimension] = [Uniform(2, 2), LogUniform(2, 2), IntUniform(2, 2), Choice([2])]
    assert [dimension.at(0.7) for dimension in fixed] == [2] * 4


def test_a_range_of_whole_numbers_may_be_larger_than_a_float() -> None:
    huge = IntUniform(0, 10**400)
    assert huge.at(0.5) == (10**400 + 1) // 2
    assert huge.at(JUST_BELOW_ONE) <= 10**400


def test_a_range_may_be_wider_than_the_largest_float() -> None:
    assert Uniform(-1.7e308, 1.7e308).at(0.5) == 0.0


def test_choices_that_are_equal_and_of_other_types_are_others() -> None:
    choice = Choice([1, 1.0, True])
    assert choice.count == 3
    assert [choice.holds(value) for value in (1, 1.0, True, False, 2)] == [True] * 3 + [False] * 2


def test_choices_may_be_anything() -> None:
    shapes = Choice([[64], [64, 64], None, print])
    assert shapes.at(0.3) == [64, 64]
    assert shapes.holds([64])
    assert not shapes.holds([32])


class Array:
    """Does not say whether it is equal, as NumPy's arrays do not."""

    def __eq__(self, other: object) -> Any:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_choices_that_do_not_say_whether_they_are_equal_are_told_apart_by_identity() -> None:
    one, other = Array(), Array()
    assert Choice([one, other]).holds(other)
    assert not Choice([one]).holds(other)


@pytest.mark.parametrize(
    ("dimension", "held", "not_held"),
    [
        (Uniform(0, 1), [0, 0.5, 1], [-0.1, 1.1, math.nan, "0.5", None, True]),
        (Uniform(0, 1, step=0.25), [0, 0.25, 1.0], [0.3, 1.25]),
        (LogUniform(1, 10), [1, 10.0], [0, 11]),
        (IntUniform(1, 9, step=2), [1, 9], [2, 10, 11, 3.0, True]),
    ],
    ids=str,
)
def test_a_dimension_knows_its_values(
    dimension: Dimension, held: list[object], not_held: list[object]
) -> None:
    assert all(dimension.holds(value) for value in held)
    assert not any(dimension.holds(value) for value in not_held)


@pytest.mark.parametrize(
    ("dimension", "count", "values"),
    [
        (Uniform(0, 1), 3, [0.0, 0.5, 1.0]),
        (Uniform(0, 1), 1, [0.5]),
        (LogUniform(1, 100), 3, [1.0, 10.0, 100.0]),
        (IntUniform(1, 9), 3, [1, 5, 9]),
        (IntUniform(1, 9), 1, [5]),
        (IntUniform(1, 3), 5, [1, 2, 3]),
        (Choice(["a", "b"]), None, ["a", "b"]),
        (Uniform(0, 1, step=0.5), None, [0.0, 0.5, 1.0]),
        (Uniform(0, 1, step=0.25), 2, [0.0, 1.0]),
    ],
    ids=str,
)
def test_a_grid_is_evenly_spread(
    dimension: Dimension, count: int | None, values: list[object]
) -> None:
    assert list(dimension.grid(count)) == pytest.approx(values) or (
        list(dimension.grid(count)) == values
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1, 0), "b must be 1.0 or more, since a is, not 0.0"),
        (lambda: Uniform(0, math.inf), "b must be finite, not inf"),
        (lambda: Uniform(math.nan, 1), "a must be finite, not nan"),
        (lambda: Uniform(0, 1, step=0), "step must be more than 0, not 0"),
        (lambda: LogUniform(0, 1), "a must be more than 0, since it has a logarithm, not 0"),
        (lambda: IntUniform(5, 1), "b must be 5 or more, since a is, not 1"),
        (lambda: IntUniform(1, 5, step=0), "step must be 1 or more, not 0"),
        (lambda: Choice([]), "values must not be empty: write Choice(['a', 'b'])"),
        (lambda: Choice(["a", "b", "a"]), "values must differ, but 'a' is there twice"),
        (lambda: Choice([[1], [2], [1]]), "values must differ, but [1] is there twice"),
        (lambda: Uniform(0, 1).grid(), "there is no end to a number from 0 to 1: say how many"),
    ],
)
def test_a_dimension_that_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(wrong("0"), 1), "a must be a number, not '0'"),
        (lambda: Uniform(True, 1), "a must be a number, not True"),
        (lambda: IntUniform(wrong(1.0), 2), "a must be a whole number, not 1.0"),
        (lambda: IntUniform(1, 2, step=wrong(0.5)), "step must be a whole number, not 0.5"),
        (lambda: Uniform(1, 2, step=wrong("x")), "step must be a number, not 'x'"),
        (lambda: Choice("rbf"), "values must be a list, not 'rbf': write Choice(['rbf'])"),
        (lambda: Choice({"a", "b"}), "values must have an order"),
        (lambda: Choice(wrong(3)), "values must be a list, not 3: write Choice([...])"),
    ],
)
def test_a_dimension_of_the_wrong_kind_is_refused(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        make()


# The promise itself


@given(BOUNDS, BOUNDS, UNITS)
def test_a_number_is_never_outside_of_its_bounds(one: float, other: float, unit: float) -> None:
    dimension = Uniform(min(one, other), max(one, other))
    assert dimension.holds(dimension.at(unit))


@given(
    st.floats(min_value=1e-300, max_value=1e300),
    st.floats(min_value=1e-300, max_value=1e300),
    UNITS,
)
def test_a_log_number_is_never_outside_of_its_bounds(one: float, other: float, unit: float) -> None:
    dimension = LogUniform(min(one, other), max(one, other))
    assert dimension.holds(dimension.at(unit))


@given(st.integers(), st.integers(min_value=0), st.integers(min_value=1), UNITS)
def test_a_whole_number_is_never_outside_of_its_bounds(
    a: int, width: int, step: int, unit: float
) -> None:
    dimension = IntUniform(a, a + width, step=step)
    assert dimension.holds(dimension.at(unit))


@given(
    st.decimals(-100, 100, places=2),
    st.decimals(0, 50, places=2),
    st.decimals("0.01", 10, places=2),
    UNITS,
)
def test_a_stepped_number_is_what_decimals_say(a: Any, width: Any, step: Any, unit: float) -> None:
    dimension = Uniform(float(a), float(a + width), step=float(step))
    expected = [float(a + index * step) for index in range(int(width / step) + 1)]
    assert list(dimension.grid()) == expected
    assert dimension.at(unit) in expected
    assert dimension.holds(dimension.at(unit))


@given(st.integers(1, 1000), st.integers(0, 2**53 - 1))
def test_the_share_of_a_value_is_exact(count: int, random_bits: int) -> None:
    unit = random_bits / 2**53  # as `random.random` makes them
    assert IntUniform(0, count - 1).at(unit) == math.floor(Fraction(unit) * count)


# In words


@pytest.mark.parametrize(
    ("dimension", "words"),
    [
        (Uniform(0, 1), "a number from 0 to 1"),
        (Uniform(0, 1, step=0.25), "a number from 0 to 1 in steps of 0.25"),
        (LogUniform(1, 100), "a number from 1 to 100"),
        (IntUniform(0, 8), "a whole number from 0 to 8"),
        (IntUniform(0, 8, step=4), "a whole number from 0 to 8 in steps of 4"),
        (Choice(["a", 1]), "one of 'a', 1"),
    ],
)
def test_a_dimension_is_told_in_words(dimension: Dimension, words: str) -> None:
    assert str(dimension) == words


@pytest.mark.parametrize("dimension", [Uniform(0, 1), LogUniform(1, 100)])
def test_where_there_is_no_end_one_has_to_say_how_many(dimension: Dimension) -> None:
    with pytest.raises(ValueError, match=r"^there is no end") as caught:
        dimension.grid()
    assert str(caught.value) == (
        f"there is no end to {dimension}: say how many values, as in grid(5)"
    )


def test_a_step_beyond_the_last_is_not_held_though_it_is_rounded_to_the_bound() -> None:
    tiny = Uniform(0, 0.1, step=7e-18)
    assert not tiny.holds(0.1)
    assert tiny.holds(tiny.nth(int(tiny.count) - 1))


@pytest.mark.parametrize("b", range(1, 60))
def test_the_ends_of_orders_of_magnitude_are_met_exactly(b: int) -> None:
    dimension = LogUniform(0.1, b)
    assert [dimension.at(unit) for unit in (0.0, 1.0)] == [0.1, b]


def test_a_bound_that_is_no_number_is_told_by_its_name() -> None:
    text: Any = "x"
    with pytest.raises(TypeError, match=r"^a must be a number, not 'x'$"):
        LogUniform(text, 1)
    with pytest.raises(TypeError, match=r"^b must be a number, not 'x'$"):
        LogUniform(1, text)


def test_of_many_choices_some_are_shown() -> None:
    assert list(Choice([*"abcde"]).grid(3)) == ["a", "c", "e"]


def test_a_set_of_choices_is_told_what_to_write() -> None:
    with pytest.raises(TypeError) as caught:
        Choice({1, 2})
    assert str(caught.value) == (
        "values must have an order, or the search would be another one in each run: "
        "write Choice(sorted(...)), not a set"
    )


def test_one_is_the_last_of_all() -> None:
    last = [one.at(1.0) for one in (IntUniform(1, 6), Choice(["a", "b", "c"]))]
    assert last == [6, "c"]
