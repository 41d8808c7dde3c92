"""Tests that a name says it lives where users import it from."""

from __future__ import annotations

import functools
import pickle
import typing
from collections.abc import Callable
from typing import Literal

import attrs
import pytest

import trio_foundation
from trio_foundation import Backoff, FoundationError, flags
from trio_foundation._base import give_home

DOOR = "house.room"
INSIDE = "house.room._things"


def give_door(*things: object) -> None:
    names = [f"thing_{number}" for number in range(len(things))]
    give_home({"__name__": DOOR, "__all__": names, **dict(zip(names, things, strict=True))})


def test_what_the_package_exports_lives_there() -> None:
    assert {thing.__module__ for thing in (Backoff, FoundationError, flags)} == {"trio_foundation"}
    assert Backoff.delay.__module__ == "trio_foundation"


def test_what_the_package_exports_is_pickled_by_that_name() -> None:
    assert b"trio_foundation._base" not in pickle.dumps([Backoff(), FoundationError("x")])


def test_everything_promised_is_there() -> None:
    assert set(trio_foundation.__all__) <= set(vars(trio_foundation))


def test_the_annotations_of_a_class_can_still_be_resolved() -> None:
    @attrs.define
    class Thing:
        callback: Callable[[int], str]

    Thing.__module__ = f"{DOOR}._things"
    Thing.__annotations__ = {"callback": Callable[[int], str]}
    give_door(Thing)
    assert typing.get_type_hints(Thing) == {"callback": Callable[[int], str]}
    assert typing.get_type_hints(Backoff)["initial"] is float


def test_an_annotation_that_only_type_checkers_know_is_left_alone() -> None:
    class Thing: ...

    Thing.__module__ = INSIDE
    Thing.__annotations__ = {"friend": "Unheard"}
    give_door(Thing)
    assert Thing.__module__ == DOOR
    assert Thing.__annotations__ == {"friend": "Unheard"}


def test_the_methods_of_a_class_move_with_it() -> None:
    class Thing:
        def plain(self) -> None: ...
        @classmethod
        def of_class(cls) -> None: ...
        @staticmethod
        def of_nobody() -> None: ...

    Thing.__module__ = INSIDE
    for method in (Thing.plain, vars(Thing)["of_class"].__func__, Thing.of_nobody):
        method.__module__ = INSIDE
    give_door(Thing)
    assert {m.__module__ for m in (Thing.plain, Thing.of_class, Thing.of_nobody)} == {DOOR}


def test_a_helper_that_a_class_only_refers_to_does_not_move() -> None:
    class Helper: ...

    class Thing:
        helper = Helper

    Helper.__module__ = Thing.__module__ = INSIDE
    give_door(Thing)
    assert Thing.__module__ == DOOR
    assert Helper.__module__ == INSIDE


def test_what_comes_from_elsewhere_keeps_its_home() -> None:
    class Thing: ...

    Thing.__module__ = "house.rooms_of_others"
    give_door(Thing, functools.reduce, pytest.raises)
    assert Thing.__module__ == "house.rooms_of_others"
    assert functools.reduce.__module__ == "_functools"


def test_what_is_neither_class_nor_function_is_passed_over() -> None:
    give_door(Literal["a", "b"], Callable[[int], str], "0.1.0", 3)


def test_a_promised_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="missing"):
        give_home({"__name__": DOOR, "__all__": ["missing"]})
