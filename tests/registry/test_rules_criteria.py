"""Tests of what an entry has to be like, and of indexes, which must not make a difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_foundation.registry import Criterion, Entry, Registry, where
from trio_foundation.registry._rules._frozen import freeze_attributes
from trio_foundation.registry._rules._index import Index

NAN = math.nan


class Broken:
    """Compares and hashes badly."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __lt__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        raise ZeroDivisionError


@attrs.frozen(eq=False)
class Prickly:
    """Has the hash of a number, and is not to be compared."""

    number: int

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        return hash(self.number)


# What a reader should know

LOAD = where("load")
TAGS = where("tags")


@pytest.mark.parametrize(
    ("criterion", "attributes", "matches"),
    [
        (LOAD == 1, {"load": 1}, True),
        (LOAD == 1, {"load": 2}, False),
        (LOAD != 1, {"load": 2}, True),
        (LOAD < 1, {"load": 0.5}, True),
        (LOAD < 1, {"load": 1}, False),
        (LOAD <= 1, {"load": 1}, True),
        (LOAD > 1, {"load": 2}, True),
        (LOAD >= 1, {"load": 1}, True),
        (0.2 < LOAD, {"load": 0.5}, True),  # noqa: SIM300
        (LOAD.is_in([1, 2]), {"load": 2}, True),
        (LOAD.is_in(1, 2), {"load": 2}, True),
        (LOAD.is_in(2), {"load": 2}, True),
        (LOAD.is_in("ab"), {"load": "a"}, False),
        (LOAD.is_in([]), {"load": 2}, False),
        (LOAD.not_in([1, 2]), {"load": 2}, False),
        (LOAD.not_in({1: "a"}), {"load": 2}, True),
        (where("resources.memory") >= 0.5, {"resources": {"memory": 0.75}}, True),
        (where("a.b.c") == 1, {"a": {"b": {"c": 1}}}, True),
    ],
    ids=repr,
)
def test_a_criterion_compares_an_attribute(
    criterion: Criterion, attributes: dict[str, Any], matches: bool
) -> None:
    assert criterion.matches(attributes) is matches


@pytest.mark.parametrize("tags", [{"a", "b"}, ["a", "b"], ("a", "b"), frozenset("ab")], ids=repr)
def test_equality_with_a_collection_means_membership(tags: Any) -> None:
    assert (TAGS == "a").matches({"tags": tags})
    assert not (TAGS == "c").matches({"tags": tags})
    assert not (TAGS != "a").matches({"tags": tags})
    assert TAGS.is_in(["c", "b"]).matches({"tags": tags})
    assert not TAGS.not_in(["c", "b"]).matches({"tags": tags})
    assert TAGS.contains("a").matches({"tags": tags})
    assert (tags == TAGS).matches({"tags": tags})


@pytest.mark.parametrize(
    ("criterion", "value", "matches"),
    [
        (TAGS.contains("arm"), "farmer", True),
        (TAGS.contains(3), "3", False),
        (TAGS.contains("cpu"), {"cpu": 4}, True),
        (TAGS.contains("cpu"), None, False),
        (TAGS.contains(3), 3, False),
        (TAGS.contains(["a"]), [["a"]], True),
        (TAGS.contains(["a"]), {"a"}, False),
        (TAGS == "farm", "farmer", False),
        (TAGS == "cpu", {"cpu": 4}, False),
    ],
    ids=repr,
)
def test_a_string_contains_others_and_a_mapping_its_keys(
    criterion: Criterion, value: Any, matches: bool
) -> None:
    assert criterion.matches({"tags": value}) is matches


@pytest.mark.parametrize("attributes", [{}, {"load": None}], ids=["missing", "none"])
def test_what_is_missing_is_none(attributes: dict[str, Any]) -> None:
    assert (LOAD == None).matches(attributes)  # noqa: E711
    assert (LOAD != 1).matches(attributes)
    assert LOAD.is_in(None, 1).matches(attributes)
    assert LOAD.not_in([1]).matches(attributes)
    for criterion in (LOAD < 1, LOAD <= 1, LOAD > 1, LOAD >= 1, LOAD >= None, LOAD.contains(1)):
        assert not criterion.matches(attributes)
    assert (where("load.high") == None).matches({"load": 3})  # noqa: E711


@pytest.mark.parametrize("value", ["text", Broken(), {"a": 1}, 1j, NAN, object()], ids=repr)
def test_what_cannot_be_compared_does_not_match(value: Any) -> None:
    for criterion in (LOAD < 1, LOAD <= 1, LOAD > 1, LOAD >= 1, LOAD == 1, LOAD.contains([])):
        assert not criterion.matches({"load": value})
    assert (LOAD != 1).matches({"load": value})


def test_nothing_equals_what_cannot_be_compared() -> None:
    registry = Registry[str, int](indexes=["load"])
    with registry.register("a", 1, load=1, name="a"):
        for path in (LOAD, where("name")):
            assert registry.query(path == Broken()) == []
            assert registry.query(path.contains(Broken())) == []
            assert len(registry.query(path != Broken())) == 1
            assert len(registry.query(path.is_in(Broken(), 1, "a"))) == 1


def test_a_member_that_cannot_be_compared_is_in_no_others_way() -> None:
    for tags in ([Prickly(1), 1], (Prickly(1), 1), (Prickly(1), "a", 1)):
        assert (TAGS == 1).matches({"tags": tags})
        assert TAGS.contains(1).matches({"tags": tags})
        assert not (TAGS == 2).matches({"tags": tags})


def test_values_are_equal_if_python_says_so() -> None:
    for value in (True, 1.0, Decimal(1), Fraction(1)):
        assert (LOAD == 1).matches({"load": value})


def test_nan_equals_nothing_and_not_itself() -> None:
    for value in (NAN, [NAN]):
        assert not (LOAD == NAN).matches({"load": value})
        assert (LOAD != NAN).matches({"load": value})
        assert not LOAD.is_in([NAN]).matches({"load": value})
        assert not LOAD.contains(NAN).matches({"load": value})


def test_a_criterion_keeps_what_it_was_given() -> None:
    wanted = ["a"]
    criterion = where("load") == wanted
    wanted.append("b")
    assert criterion.matches({"load": ["a"]})


@pytest.mark.parametrize(
    "use",
    [
        lambda: 0.2 < LOAD < 0.8,
        lambda: not (LOAD < 1),  # pyright: ignore[reportGeneralTypeIssues]
        lambda: LOAD < 1 and TAGS == "a",
    ],
    ids=["chained", "not", "and"],
)
def test_a_criterion_that_is_asked_for_its_truth_says_what_to_write(use: Callable[[], Any]) -> None:
    with pytest.raises(TypeError) as caught:
        use()
    assert str(caught.value) == (
        "a criterion is neither true nor false before there is an entry: instead of chained "
        "comparisons, `and`, `or` and `not`, write several criteria, as in "
        "query(where('load') > 0.2, where('load') < 0.8)"
    )


@pytest.mark.parametrize(
    ("path", "error"), [("", ValueError), ("a..b", ValueError), (".a", ValueError), (3, TypeError)]
)
def test_a_path_that_leads_nowhere_is_refused(path: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^path must "):
        where(path)
    with pytest.raises(error, match=r"^indexes must "):
        Registry(indexes=[path])


class EqualsAll:
    """Is equal to everything, whatever that says."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def test_what_equals_all_does_not_equal_what_equals_nothing() -> None:
    assert (LOAD == 1).matches({"load": EqualsAll()})
    assert not (LOAD == NAN).matches({"load": EqualsAll()})


@pytest.mark.parametrize(
    "text",
    [
        "where('load') == 'a'",
        "where('load') != None",
        "where('load') < 0.5",
        "where('load') <= 0.5",
        "where('load') > 0.5",
        "where('load') >= 0.5",
        "where('load').is_in([1, 2])",
        "where('load').not_in([1, 2])",
        "where('load').contains('a')",
        "where('load')",
    ],
)
def test_a_criterion_is_written_as_it_is_made(text: str) -> None:
    assert repr(eval(text)) == text  # noqa: S307


def test_the_values_of_a_criterion_may_come_from_anywhere() -> None:
    assert LOAD.is_in(number for number in (1, 2)) == LOAD.is_in([1, 2])
    assert LOAD.is_in(range(1, 3)) == LOAD.is_in(1, 2)
    assert LOAD.is_in(1) == LOAD.is_in([1])
    assert LOAD.is_in("ab") == LOAD.is_in(["ab"]) != LOAD.is_in("a", "b")


# Indexes


def keys(entries: list[Entry[str, int]]) -> list[str]:
    return [entry.key for entry in entries]


def test_an_index_finds_by_value_and_by_member() -> None:
    registry = Registry[str, int](indexes=["tags", "resources.memory"])
    registry.register("a", 1, tags={"x", "y"}, resources={"memory": 1})
    registry.register("b", 2, tags="x", resources={"memory": 2})
    registry.register("c", 3)
    assert keys(registry.find(tags="x")) == ["a", "b"]
    assert keys(registry.find(**{"resources.memory": 2})) == ["b"]
    assert keys(registry.find(tags="x", resources={"memory": 1})) == ["a"]
    assert keys(registry.find(tags=None)) == ["c"]
    assert keys(registry.query(TAGS.is_in("x", None), where("resources.memory") != 1)) == ["b", "c"]
    registry.update("a", tags={"z"})
    assert keys(registry.find(tags="x")) == ["b"]
    assert keys(registry.find(tags="z")) == ["a"]
    registry._check()


def test_an_index_is_certain_of_members_that_have_a_hash() -> None:
    index = Index("tags")
    index.add(1, freeze_attributes({"tags": ["a", "b"]}))
    found = index.candidates(TAGS == "a")
    assert found is not None
    assert (found.serials(), found.is_certain) == ([1], True)
    members: list[object] = ["b", list[str]()]
    index.add(2, freeze_attributes({"tags": members}))
    found = index.candidates(TAGS == "a")
    assert found is not None
    assert (found.serials(), found.is_certain) == ([1, 2], False)


def test_what_comes_from_an_index_is_in_the_order_of_registration() -> None:
    registry = Registry[str, int](indexes=["tags"])
    for key in "abc":
        registry.register(key, 1)
    for key in "cab":
        registry.update(key, tags="x")
    assert [entry.key for entry in registry.find(tags="x")] == ["a", "b", "c"]


def test_a_container_that_changes_later_does_not_concern_the_entry() -> None:
    registry = Registry[str, int](indexes=["tags"])
    tags, resources = ["x"], {"cpu": [1]}
    with registry.register("a", 1, tags=tags, resources=resources):
        tags.append("y")
        resources["cpu"].append(2)
        assert registry.find(tags="y") == []
        assert [entry.key for entry in registry.find(tags="x", resources={"cpu": [1]})] == ["a"]
        registry._check()
    registry._check()


@pytest.mark.parametrize("value", [Broken(), [Broken()], {"a": 1}, [[1], "x"], NAN], ids=repr)
def test_a_value_that_no_index_can_hold_is_found_and_forgotten_all_the_same(value: Any) -> None:
    registry = Registry[str, int](indexes=["tags"])
    with registry.register("a", 1, tags=value):
        assert len(registry.query(TAGS != "y")) == 1
        assert registry.find(tags="y") == []
        registry.update("a", load=1)
    assert registry.query(TAGS != "y") == []
    registry._check()


@pytest.mark.parametrize("others", [[1, Prickly(1)], [Prickly(1), 1]], ids=repr)
def test_a_value_that_cannot_be_compared_keeps_no_other_out(others: list[Any]) -> None:
    registry = Registry[str, int](indexes=["tags"])
    for key, tags in zip("ab", others, strict=True):
        registry.register(key, 1, tags=tags)
    registry._check()
    assert [entry.attributes["tags"] for entry in registry.find(tags=1)] == [1]
    for key in "ba":
        registry.unregister(key)
        registry._check()


@attrs.define(unsafe_hash=True)
class Fickle:
    """Has a hash, and does not keep it."""

    number: int


def test_a_value_that_does_not_keep_its_hash_goes_and_leaves_the_others() -> None:
    registry = Registry[str, int](indexes=["tags"])
    fickle = Fickle(1)
    with registry.register("a", 1, tags=fickle):
        registry.register("b", 1, tags=Fickle(2))
        fickle.number = 2
    assert [*registry] == ["b"]
    assert keys(registry.find(tags=Fickle(2))) == ["b"]
    assert registry.find(tags=Fickle(1)) == []


class Counted:
    """Counts how often one of them is compared."""

    compared = 0

    def __lt__(self, other: object) -> bool:
        Counted.compared += 1
        return True


def test_of_several_indexes_the_one_with_the_fewest_candidates_is_asked() -> None:
    registry = Registry[int, int](indexes=["many", "few"])
    for number in range(100):
        registry.register(number, number, many="x", few=number % 50, name=Counted())
    Counted.compared = 0
    criteria = [where("many") == "x", where("few") == 7, where("name") < "b"]
    for order in (criteria, criteria[::-1]):
        assert [entry.key for entry in registry.query(*order)] == [7, 57]
    assert Counted.compared == 4  # the two that the index knows, in each of the two queries


# The promise itself: with an index or without, the same is found

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, 2.5, NAN, math.inf, "", "a", "ab", b"a", Decimal(1)]),
)
PRICKLY = st.builds(Prickly, st.integers(0, 3))
HASHABLE = st.one_of(
    SCALARS,
    PRICKLY,
    st.frozensets(SCALARS, max_size=2),
    st.tuples(SCALARS | PRICKLY, SCALARS),
)
VALUES = st.recursive(
    HASHABLE | st.sets(SCALARS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)
PATHS = st.sampled_from(["x", "y", "x.a", "x.b.a"])
ATTRIBUTES = st.dictionaries(st.sampled_from(["x", "y"]), VALUES)


@st.composite
def criteria(draw: st.DrawFn) -> Criterion:
    path, value = where(draw(PATHS)), draw(VALUES)
    made: list[Criterion] = [
        path == value,
        path != value,
        path < value,
        path >= value,
        path.is_in([value, draw(VALUES)]),
        path.not_in([value, draw(VALUES)]),
        path.contains(value),
    ]
    return draw(st.sampled_from(made))


@given(st.lists(ATTRIBUTES, max_size=8), st.lists(criteria(), max_size=3))
def test_indexes_make_no_difference(
    everything: list[dict[str, Any]], criteria: list[Criterion]
) -> None:
    plain = Registry[int, int]()
    indexed = Registry[int, int](indexes=["x", "y", "x.a", "x.b.a"])
    for number, attributes in enumerate(everything):
        plain.register(number, number, **attributes)
        indexed.register(number, number, **attributes)
    found = [entry.key for entry in indexed.query(*criteria)]
    assert found == [entry.key for entry in plain.query(*criteria)]
    assert found == [
        number
        for number, attributes in enumerate(everything)
        if all(criterion.matches(attributes) for criterion in criteria)
    ]
    indexed._check()
    for number in range(0, len(everything), 2):
        indexed.unregister(number)
        indexed._check()


@given(VALUES, VALUES)
def test_unequal_is_whatever_is_not_equal(actual: Any, wanted: Any) -> None:
    attributes = {"x": actual}
    path = where("x")
    assert (path == wanted).matches(attributes) is not (path != wanted).matches(attributes)
    among = [wanted, 1]
    assert path.is_in(among).matches(attributes) is not path.not_in(among).matches(attributes)
