"""Tests of all settings together."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_foundation.search import Choice, Dimension, IntUniform, LogUniform, SearchSpace, Uniform

from ._things import wrong

KERNELS = SearchSpace(
    kernel=Choice(["linear", "rbf", "poly"]),
    gamma=LogUniform(1e-3, 1, when={"kernel": {"rbf", "poly"}}),
    degree=IntUniform(2, 4, when={"kernel": "poly"}),
    offset=Uniform(0, 1, when=lambda point: point.get("degree", 0) > 2),
)


# What a reader should know


def test_a_sample_has_a_value_for_each_dimension() -> None:
    space = SearchSpace(x=Uniform(0, 1), n=IntUniform(1, 3))
    assert sorted(space.sample(random.Random(1))) == ["n", "x"]


def test_the_same_random_numbers_make_the_same_sample() -> None:
    assert KERNELS.sample(random.Random(1)) == KERNELS.sample(random.Random(1))


def test_a_dimension_whose_condition_is_not_met_is_absent() -> None:
    assert KERNELS.at([0.0, 0.5, 0.5, 0.5]) == {"kernel": "linear"}
    assert sorted(KERNELS.at([0.5, 0.5, 0.5, 0.5])) == ["gamma", "kernel"]
    assert sorted(KERNELS.at([0.9, 0.5, 0.0, 0.5])) == ["degree", "gamma", "kernel"]
    assert sorted(KERNELS.at([0.9, 0.5, 0.9, 0.5])) == ["degree", "gamma", "kernel", "offset"]


def test_a_condition_on_what_is_absent_is_not_met() -> None:
    space = SearchSpace(
        a=Choice([True, False]),
        b=IntUniform(0, 1, when={"a": True}),
        c=IntUniform(0, 1, when={"b": 0}),
    )
    assert space.at([0.9, 0.0, 0.0]) == {"a": False}


def test_a_condition_sees_the_settings_before_it_and_cannot_change_them() -> None:
    seen: list[Mapping[str, Any]] = []

    def is_met(point: Mapping[str, Any]) -> bool:
        seen.append(point)
        return True

    space = SearchSpace(a=IntUniform(1, 1), b=IntUniform(2, 2, when=is_met))
    assert space.at([0.5, 0.5]) == {"a": 1, "b": 2}
    assert dict(seen[0]) == {"a": 1}
    assert not hasattr(seen[0], "update")


def test_a_grid_goes_through_all_values() -> None:
    space = SearchSpace(a=Choice(["x", "y"]), b=IntUniform(1, 2), c=Uniform(0, 1))
    points = list(space.grid(c=3))
    assert len(points) == 12
    assert points[0] == {"a": "x", "b": 1, "c": 0.0}
    assert points[-1] == {"a": "y", "b": 2, "c": 1.0}


def test_a_grid_leaves_out_what_has_no_condition_met() -> None:
    space = SearchSpace(a=Choice([True, False]), b=IntUniform(1, 3, when={"a": True}))
    assert list(space.grid()) == [{"a": True, "b": b} for b in (1, 2, 3)] + [{"a": False}]


def test_a_grid_takes_one_count_for_all() -> None:
    space = SearchSpace(a=Uniform(0, 1), b=IntUniform(1, 100))
    assert len(list(space.grid(5))) == 25
    assert len(list(space.grid(5, b=2))) == 10


def test_a_grid_is_made_point_by_point() -> None:
    wide = SearchSpace(**{f"x{number}": Uniform(0, 1) for number in range(30)})
    assert next(wide.grid(10))["x29"] == 0.0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "x is a number from 0 to 1, and there is no end to these: say how many of them"),
        ({"x": 0}, "x must be 1 or more, not 0"),
        ({"y": 3}, "y is no dimension of this space: there is x"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(counts: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        SearchSpace(x=Uniform(0, 1)).grid(**counts)


def test_a_count_is_a_whole_number() -> None:
    with pytest.raises(TypeError, match=r"^x must be a whole number, not 2\.5$"):
        SearchSpace(x=Uniform(0, 1)).grid(x=2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^x must be a whole number, not None$"):
        SearchSpace(x=Uniform(0, 1)).grid(x=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({}, "kernel is missing: it must be one of 'linear', 'rbf', 'poly'"),
        ({"kernel": "sigmoid"}, "kernel must be one of 'linear', 'rbf', 'poly', not 'sigmoid'"),
        ({"kernel": "rbf"}, "gamma is missing: it must be a number from 0.001 to 1"),
        ({"kernel": "rbf", "gamma": 2}, "gamma must be a number from 0.001 to 1, not 2"),
        ({"kernel": "linear", "rate": 1}, "rate is no dimension of this space: there is kernel,"),
        (
            {"kernel": "linear", "gamma": 0.1},
            "gamma must be left out here: its condition {'kernel': {",
        ),
        (
            {"kernel": "poly", "gamma": 0.1, "degree": 2, "offset": 0.5},
            "offset must be left out here: its condition is not met",
        ),
        (
            {"kernel": "poly", "gamma": 0.1, "degree": 2.5},
            "degree must be a whole number from 2 to 4, not 2.5",
        ),
    ],
)
def test_what_is_no_point_is_refused(point: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        KERNELS.validate(point)


def test_a_point_is_a_mapping() -> None:
    with pytest.raises(TypeError, match=r"^a point must be a dictionary of settings, not \[1\]$"):
        KERNELS.validate([1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SearchSpace(x=wrong((0, 1))),
            "x must be a dimension, such as Uniform(0, 1), not (0, 1)",
        ),
        (
            lambda: SearchSpace(x=wrong(["a"])),
            "x must be a dimension, such as Choice([...]), not ['a']",
        ),
        (
            lambda: SearchSpace(x=Uniform(0, 1, when=wrong(5))),
            "the condition of x must be a dictionary",
        ),
    ],
)
def test_a_space_of_the_wrong_kind_is_refused(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        make()


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({}, "a space needs dimensions: write SearchSpace(x=Uniform(0, 1))"),
        (
            {"x": Uniform(0, 1, when={"y": 1}), "y": IntUniform(0, 1)},
            "the condition of x is about 'y', which is no dimension before x: there is none",
        ),
        (
            {"y": IntUniform(0, 1), "x": Uniform(0, 1, when={"z": 1})},
            "the condition of x is about 'z', which is no dimension before x: there is y",
        ),
        (
            {"y": IntUniform(0, 1), "x": Uniform(0, 1, when={"y": 2})},
            "the condition of x can never be met: y is a whole number from 0 to 1, and never 2",
        ),
        (
            {"y": Choice([1]), "x": Uniform(0, 1, when={"y": {1.0}})},
            "the condition of x can never be met: y is one of 1, and never 1.0",
        ),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(
    dimensions: dict[str, Dimension], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        SearchSpace(**dimensions)


def test_a_dimension_may_have_any_name() -> None:
    space = SearchSpace(self=IntUniform(1, 1), count=IntUniform(2, 2), **{"a.b": IntUniform(3, 3)})
    assert space.sample(random.Random(1)) == {"self": 1, "count": 2, "a.b": 3}
    assert list(space.grid(count=1)) == [{"self": 1, "count": 2, "a.b": 3}]


def test_spaces_are_equal_if_their_dimensions_are() -> None:
    one, same = SearchSpace(x=Uniform(0, 1)), SearchSpace(x=Uniform(0, 1))
    assert one == same
    assert hash(one) == hash(same)
    assert one != SearchSpace(x=Uniform(0, 2))
    assert one != "space"
    assert repr(one) == "SearchSpace(x=Uniform(a=0.0, b=1.0, step=None, when=None))"


def test_the_dimensions_are_shown_and_not_handed_out() -> None:
    assert not hasattr(KERNELS.dimensions, "pop")


# The promise itself

FEW: list[Dimension] = [
    IntUniform(-2, 2),
    IntUniform(0, 8, step=3),
    IntUniform(3, 3),
    Choice([True, False]),
    Choice(["a"]),
    Uniform(0, 1, step=0.25),
]
NAMES = ["a", "b", "c", "d"]
DISCRETE = st.sampled_from(FEW)
DIMENSIONS = st.sampled_from([*FEW, Uniform(-1, 1), LogUniform(0.1, 10)])


@st.composite
def spaces(draw: st.DrawFn, dimensions: st.SearchStrategy[Any] = DIMENSIONS) -> SearchSpace:
    """Spaces of a few dimensions, some of which ask for a value of an earlier one."""
    found: dict[str, Any] = {}
    for name in NAMES[: draw(st.integers(1, 4))]:
        dimension = draw(dimensions)
        earlier: list[str] = [
            other for other in found if isinstance(found[other], (IntUniform, Choice))
        ]
        if draw(st.booleans()) and earlier:
            other: str = draw(st.sampled_from(earlier))
            wanted = draw(st.sampled_from(list(found[other].grid())))
            when: Any = {other: wanted}
            if draw(st.booleans()):
                when = partial(has, other, wanted)
            dimension = attrs.evolve(dimension, when=when)
        found[name] = dimension
    return SearchSpace(**found)


def has(name: str, value: object, point: Mapping[str, Any]) -> bool:
    return name in point and point[name] == value


@given(spaces(), st.integers())
def test_every_sample_is_a_point(space: SearchSpace, seed: int) -> None:
    space.validate(space.sample(random.Random(seed)))


@given(spaces(), st.integers(1, 3))
def test_every_point_of_a_grid_is_a_point_and_there_once(space: SearchSpace, count: int) -> None:
    points = list(space.grid(count))
    for point in points:
        space.validate(point)
    assert len({repr(point) for point in points}) == len(points)


def test_a_space_is_told_with_all_its_dimensions() -> None:
    x, y = Uniform(0, 1), Choice(["a"])
    assert repr(SearchSpace(x=x, y=y)) == f"SearchSpace(x={x!r}, y={y!r})"


def test_spaces_of_other_names_are_told_apart_by_their_hashes() -> None:
    x = Uniform(0, 1)
    assert len({hash(SearchSpace(**{name: x})) for name in "abcdefgh"}) > 1


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (0, ValueError, "count must be 1 or more, not 0"),
        (2.5, TypeError, "count must be a whole number, not 2.5"),
    ],
)
def test_the_count_of_all_is_told_by_its_name(
    count: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        SearchSpace(x=Uniform(0, 1)).grid(count)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (3, "3"),
        ({1, 3}, "3"),
        ([1], "[1]; for any of a few, write a set"),
        ((1,), "(1,); for any of a few, write a set"),
    ],
)
def test_each_value_of_a_condition_is_one_that_there_may_be(wanted: object, told: str) -> None:
    with pytest.raises(ValueError, match=r"^the condition of x ") as caught:
        SearchSpace(k=Choice([1, 2]), x=Uniform(0, 1, when={"k": wanted}))
    assert str(caught.value) == (
        f"the condition of x can never be met: k is one of 1, 2, and never {told}"
    )


def test_a_condition_tells_choices_apart_that_are_equal() -> None:
    space = SearchSpace(k=Choice([1, True]), x=Uniform(0, 1, when={"k": 1}))
    assert [space.is_met({"k": 1}, {"k": value}) for value in (1, True)] == [True, False]


@pytest.mark.parametrize("units", [[], [0.5], [0.5, 0.5, 0.5]])
def test_a_place_in_the_cube_has_a_number_for_each_dimension(units: list[float]) -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        SearchSpace(x=Uniform(0, 1), y=Uniform(0, 1)).at(units)
