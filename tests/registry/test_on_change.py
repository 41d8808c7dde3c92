"""Tests of callbacks that are told of every change at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st

from trio_foundation.registry import (
    EntryEvent,
    NameTaken,
    Registered,
    Registry,
    Unregistered,
    Updated,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe

Change = Registered | Updated | Unregistered


class Oops(Exception):
    """What transactions fail with."""


class Book:
    """A book that is kept beside a registry, and must never differ from it."""

    def __init__(self, registry: Registry[str, int]) -> None:
        self.registry = registry
        self.values: dict[str, int] = {}
        self.told: list[str] = []
        self.remove: Callable[[], None] = registry.on_change(self.note)

    def note(self, change: Change) -> None:
        self.told.append(f"{type(change).__name__} {change.key}")
        key = change.entry.key
        if isinstance(change, Unregistered):
            del self.values[key]
        else:
            self.values[key] = change.entry.value

    def check(self) -> None:
        self.registry._check()
        self.compare()

    def compare(self) -> None:
        assert self.values == {one.key: one.value for one in self.registry.find()}


@pytest.fixture
def registry() -> Registry[str, int]:
    return Registry(name="ports")


def test_each_change_is_told_at_once(registry: Registry[str, int]) -> None:
    book = Book(registry)
    with registry.register("web", 1):
        assert book.values == {"web": 1}
        registry.update("web", 2)
        assert book.values == {"web": 2}
    assert book.values == {}
    assert book.told == ["Registered web", "Updated web", "Unregistered web"]


def test_a_callback_that_is_removed_is_told_no_more(registry: Registry[str, int]) -> None:
    book = Book(registry)
    book.remove()
    book.remove()
    registry.register("web", 1)
    assert not book.told


def test_the_removal_removes_one_of_two_that_are_alike(registry: Registry[str, int]) -> None:
    told: list[Change] = []
    registry.on_change(told.append)
    registry.on_change(told.append)()
    registry.register("web", 1)
    assert len(told) == 1


def test_one_that_was_removed_by_one_before_it_is_not_told(registry: Registry[str, int]) -> None:
    registry.on_change(lambda change: book.remove())
    book = Book(registry)
    registry.register("web", 1)
    assert not book.told


async def test_all_of_an_owner_are_gone_before_any_is_told(registry: Registry[str, int]) -> None:
    left: list[int] = []
    registry.on_change(lambda change: left.append(len(registry)))
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        for key in "abc":
            registry.bind(key, 1, owner)
        left.clear()
        await sup.stop_child("owner")
    assert left == [0, 0, 0]


def test_a_transaction_is_told_at_its_end(registry: Registry[str, int]) -> None:
    book = Book(registry)
    with registry.transaction():
        registry.register("web", 1)
        with registry.transaction():
            registry.register("api", 1)
        registry.unregister("web")
        assert not book.told
    assert book.told == ["Registered web", "Registered api", "Unregistered web"]


def test_what_was_undone_is_not_told(registry: Registry[str, int]) -> None:
    book = Book(registry)
    registry.register("web", 1)
    with pytest.raises(NameTaken), registry.transaction():
        registry.register("api", 1)
        registry.register("web", 2)
    assert book.told == ["Registered web"]
    book.check()


def test_what_a_callback_changes_is_told_after_the_present_change(
    registry: Registry[str, int],
) -> None:
    def refuse(change: Change) -> None:
        if isinstance(change, Registered) and change.key == "web":
            registry.unregister("web")
            assert len(book.told) == 0  # not within this one

    registry.on_change(refuse)
    book = Book(registry)
    registry.register("web", 1)
    assert book.told == ["Registered web", "Unregistered web"]
    book.check()


async def test_events_are_emitted_when_all_callbacks_were_told(
    registry: Registry[str, int],
) -> None:
    told: list[str] = []

    def hear(event: EntryEvent) -> None:
        book.compare()
        told.append(f"event {event.key}")
        if event.key == "web":
            registry.register("of a handler", 1)
            book.compare()  # it is told of this at once, for it was told of all before

    with subscribe(hear, EntryEvent):
        book = Book(registry)
        registry.on_change(lambda change: told.append(f"change {change.key}"))
        with registry.transaction():
            registry.register("web", 1)
            registry.register("api", 1)
    assert told == [
        "change web", "change api", "event web", "change of a handler", "event api",
        "event of a handler",
    ]  # fmt: skip


def test_one_that_raises_is_logged_and_keeps_nobody_from_it(
    registry: Registry[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(change: Change) -> None:
        raise Oops("no")

    registry.on_change(fail)
    book = Book(registry)
    with caplog.at_level(logging.ERROR, "trio_foundation.registry"):
        registry.register("web", 1)
        registry.unregister("web")
    book.check()
    assert book.told == ["Registered web", "Unregistered web"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "a callback of a registry raised, and is ignored"
    ] * 2


def test_an_interrupt_goes_on_up_when_all_were_told(registry: Registry[str, int]) -> None:
    def interrupt(change: Change) -> None:
        raise KeyboardInterrupt

    remove = registry.on_change(interrupt)
    book = Book(registry)
    with pytest.raises(KeyboardInterrupt):
        registry.register("web", 1)
    book.check()
    assert book.told == ["Registered web", "Unregistered web"]  # nobody has the block of it
    remove()
    registry.register("web", 1)
    book.check()


async def test_an_interrupt_of_a_handler_keeps_no_callback_from_it(
    registry: Registry[str, int],
) -> None:
    def interrupt(event: EntryEvent) -> None:
        raise KeyboardInterrupt

    book = Book(registry)
    with (
        subscribe(interrupt, EntryEvent),
        pytest.raises(KeyboardInterrupt),
        registry.transaction(),
    ):
        for key in "abc":
            registry.register(key, 1)
    book.check()
    assert book.told == ["Registered a", "Registered b", "Registered c"]


@pytest.mark.parametrize("callback", [trio.sleep, 3, None])
def test_what_cannot_be_called_at_once_is_refused(
    registry: Registry[str, int], callback: Any
) -> None:
    with pytest.raises(TypeError, match=r"on_change takes a plain function.*Registry\.watch\(\)"):
        registry.on_change(callback)


async def test_a_transaction_that_was_broken_is_told_only_of_what_its_owner_took(
    registry: Registry[str, int],
) -> None:
    book = Book(registry)
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 1, owner)
        with pytest.raises(RuntimeError, match="do not await"), registry.transaction():
            registry.register("api", 1)
            registry.unregister("web")
            await sup.stop_child("owner")
        book.check()
    assert book.told == ["Registered web", "Unregistered web"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "unregister", "update", "begin", "end", "fail"]),
        st.sampled_from("abc"),
        st.integers(0, 9),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_book_that_is_kept_by_it_is_never_behind(steps: list[tuple[str, str, int]]) -> None:
    registry: Registry[str, int] = Registry()
    book = Book(registry)
    transactions: list[Any] = []
    for verb, key, value in steps:
        if verb == "begin":
            transactions.append(registry.transaction())
            transactions[-1].__enter__()
        elif verb in {"end", "fail"} and transactions:
            error = Oops() if verb == "fail" else None
            transactions.pop().__exit__(error and Oops, error, None)
        elif verb == "register" and key not in registry:
            registry.register(key, value)
        elif verb == "update" and key in registry:
            registry.update(key, value)
        elif verb == "unregister":
            registry.unregister(key)
        if not transactions:
            book.check()
