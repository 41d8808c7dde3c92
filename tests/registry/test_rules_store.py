"""Tests of where entries are kept, and of what is told if they are out of order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import attrs
import pytest

from trio_foundation.registry import Criterion, where
from trio_foundation.registry._rules._criteria import equals_itself
from trio_foundation.registry._rules._frozen import FrozenDict, freeze_attributes
from trio_foundation.registry._rules._index import Index
from trio_foundation.registry._rules._store import Store


@attrs.frozen
class Row:
    """An entry, as far as a store knows it."""

    key: str
    serial: int
    attributes: FrozenDict = attrs.field(factory=FrozenDict)


def filled(keeping: Literal["unique", "duplicate"]) -> Store[str, Row]:
    store = Store[str, Row](keeping, ["tags"])
    for serial, key in enumerate("abc", 1):
        store.add(key, Row(key, serial, freeze_attributes({"tags": key})))
    assert list(store.check()) == []
    return store


def swap(store: Store[str, Row]) -> None:
    store.by_serial[1] = store.by_serial.pop(1)


def renumber(store: Store[str, Row]) -> None:
    store.by_serial[1] = store.first["a"] = attrs.evolve(store.first["a"], serial=7)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (swap, "the entries are out of order: [2, 3, 1]"),
        (renumber, "an entry is kept by the serial number of another"),
    ],
)
def test_entries_that_are_out_of_order_are_told(
    damage: Callable[[Store[str, Row]], None], complaint: str
) -> None:
    store = filled("unique")
    damage(store)
    assert list(store.check()) == [complaint]


# Values in an index


def found(index: Index, wanted: object) -> tuple[list[int], bool] | None:
    candidates = index.candidates(where("tags") == wanted)
    return None if candidates is None else (candidates.serials(), candidates.is_certain)


def test_what_can_be_hashed_is_found_as_a_whole_and_by_its_members() -> None:
    index = Index("tags")
    index.add(1, freeze_attributes({"tags": ("a", "b")}))
    index.add(2, freeze_attributes({"tags": ["a", "c"]}))
    assert found(index, ("a", "b")) == ([1], True)
    assert found(index, "a") == ([1, 2], True)


def test_what_contains_something_may_be_a_text_a_collection_or_what_is_in_no_bucket() -> None:
    index = Index("tags")
    for serial, value in enumerate(["abc", ["a"], "x", {"a": 1}, 5], 1):
        index.add(serial, freeze_attributes({"tags": value}))
    for wanted, serials in (("a", [1, 2, 3, 4]), ("zz", [1, 3, 4]), (5, [4, 5]), (6, [4])):
        candidates = index.candidates(where("tags").contains(wanted))
        assert candidates is not None
        assert (candidates.serials(), candidates.most) == (serials, len(serials))
        assert candidates.is_certain is False


def test_what_nothing_has_has_no_candidates() -> None:
    index = Index("tags")
    index.add(1, freeze_attributes({"tags": "a"}))
    for criterion in (where("tags") == "b", where("tags").is_in(["b", "c"])):
        candidates = index.candidates(criterion)
        assert candidates is not None
        assert (candidates.serials(), candidates.most, candidates.is_certain) == ([], 0, True)
    assert index.candidates(where("tags") < "b") is None


def test_what_lies_deeper_is_found_by_its_path() -> None:
    index = Index("tags.deep")
    index.add(1, freeze_attributes({"tags": {"deep": "a"}}))
    candidates = index.candidates(where("tags.deep") == "a")
    assert candidates is not None
    assert (candidates.serials(), candidates.is_certain) == ([1], True)
    index.remove(1, freeze_attributes({"tags": {"deep": "a"}}))
    assert list(index.check({})) == []


class Prickly:
    """Has the hash of 1, and is not to be compared."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        return hash(1)


def test_a_plain_value_that_gets_no_bucket_may_match_anything() -> None:
    index = Index("tags")
    index.add(1, freeze_attributes({"tags": "plain"}))
    assert index._places == {}
    index.add(2, freeze_attributes({"tags": Prickly()}))
    index.add(3, freeze_attributes({"tags": 1}))
    assert found(index, "other") == ([3], False)


class Fickle:
    """Has a hash for a while."""

    hashes = True

    def __hash__(self) -> int:
        if not self.hashes:
            raise ZeroDivisionError
        return 1


def test_what_has_no_hash_any_more_is_forgotten_all_the_same() -> None:
    index, fickle = Index("tags"), Fickle()
    attributes: Any = freeze_attributes({"tags": fickle})
    index.add(1, attributes)
    assert found(index, fickle) == ([1], True)
    fickle.hashes = False
    index.remove(1, attributes)
    fickle.hashes = True
    assert found(index, fickle) == ([], True)


# What is refused


def test_what_cannot_be_compared_with_itself_equals_nothing() -> None:
    assert [equals_itself(value) for value in (1, "a", math.nan, Prickly())] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("path", ["", "a..b"])
def test_a_criterion_and_an_index_need_a_path_that_leads_somewhere(path: str) -> None:
    with pytest.raises(ValueError, match=r"^path must "):
        Criterion(path, "==", 1)
    with pytest.raises(ValueError, match=r"^indexes must "):
        Index(path)


def test_the_name_of_an_attribute_has_no_dot() -> None:
    with pytest.raises(ValueError, match=r"^the name of an attribute ") as caught:
        freeze_attributes({"a.b.c": 1})
    assert str(caught.value) == (
        "the name of an attribute has no dot in it, but got 'a.b.c': for an attribute within "
        "another write a={'b.c': ...}"
    )
