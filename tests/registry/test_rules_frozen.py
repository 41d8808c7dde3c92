"""Tests of the containers that an entry holds."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from trio_foundation.registry._rules._frozen import FrozenDict, FrozenList, freeze

HELD: Any = freeze({"tags": ["a", {"deep": [1]}], "load": 1})

TAGS = HELD["tags"]


@pytest.mark.parametrize(
    ("held", "verb", "arguments"),
    [
        (TAGS, "append", ("b",)),
        (TAGS, "__setitem__", (0, "b")),
        (TAGS, "__imul__", (2,)),
        (TAGS, "sort", ()),
        (TAGS[1], "clear", ()),
        (TAGS[1]["deep"], "clear", ()),
        (HELD, "update", ({"load": 2},)),
        (HELD, "pop", ("load",)),
    ],
)
def test_what_an_entry_holds_cannot_be_changed(
    held: Any, verb: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(held, verb)(*arguments)
    assert str(caught.value) == (
        "the attributes of an entry cannot be changed in place: write registry.update(key, ...), "
        "or change a copy"
    )


def pickled(held: Any) -> Any:
    return pickle.loads(pickle.dumps(held))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_a_container_is_a_plain_one(duplicate: Callable[[Any], Any]) -> None:
    for frozen, kind in ((FrozenList([1, 2]), list), (FrozenDict({"a": 1, "b": 2}), dict)):
        plain = duplicate(frozen)
        assert type(plain) is kind
        assert plain == frozen


def test_the_containers_within_a_container_are_plain_in_a_deep_copy() -> None:
    plain = copy.deepcopy(HELD)
    plain["tags"][1]["deep"].append(2)
    assert plain == {"tags": ["a", {"deep": [1, 2]}], "load": 1}
    assert HELD == {"tags": ["a", {"deep": [1]}], "load": 1}


def test_what_is_frozen_already_is_not_copied() -> None:
    for frozen in (HELD, TAGS, TAGS[1], "text", 1, None):
        assert freeze(frozen) is frozen


def test_what_is_within_a_tuple_is_frozen_too() -> None:
    inside: Any = freeze((["a"], {"b": 1}))
    assert [type(one) for one in inside] == [FrozenList, FrozenDict]
