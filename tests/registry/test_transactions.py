"""Tests of changes that are made all together or not at all."""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.registry import (
    Lagged,
    NameTaken,
    Registered,
    Registry,
    RegistryEvent,
    Unregistered,
    Updated,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe


class Oops(Exception):
    """What transactions fail with."""


@pytest.fixture(params=["unique", "duplicate"])
def registry(request: pytest.FixtureRequest) -> Registry[str, int]:
    registry = Registry[str, int](keys=request.param, indexes=["load"])
    for number, key in enumerate("abcd"):
        registry.register(key, number, load=number % 2)
    return registry


def picture(registry: Registry[str, int]) -> list[Any]:
    registry._check()
    everything = [(each.key, each.value, each.attributes, each.serial) for each in registry.find()]
    return [everything, [entry.key for entry in registry.find(load=1)]]


def change_all(registry: Registry[str, int]) -> None:
    registry.unregister("b")
    registry.register("b", 10, load=1)
    registry.update(registry.lookup("a"), load=7)
    registry.replace(registry.lookup("d"), 11, tags={"x"})
    registry.unregister("a")
    registry.register("e", 12)
    registry.unregister("e")
    registry.unregister("nobody")
    with registry.register("f", 13):
        registry.unregister("c")


def test_without_an_error_all_of_it_is_made(registry: Registry[str, int]) -> None:
    with registry.transaction():
        change_all(registry)
    assert [*registry] == ["d", "b"]
    assert [entry.key for entry in registry.find(load=1)] == ["b"]
    registry._check()


@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt, GeneratorExit])
def test_an_error_undoes_all_of_it(
    registry: Registry[str, int], error: type[BaseException]
) -> None:
    before = picture(registry)
    with pytest.raises(error), registry.transaction():
        change_all(registry)
        raise error
    assert picture(registry) == before


def test_what_is_put_back_is_the_very_same(registry: Registry[str, int]) -> None:
    entry = registry.lookup("b")
    with suppress(Oops), registry.transaction():
        registry.unregister("b")
        raise Oops
    assert registry.lookup("b") is entry


def test_all_entries_of_a_key_are_put_back_in_order() -> None:
    registry = Registry[str, int](keys="duplicate", indexes=["load"])
    for number in range(3_000):  # were each put in its place on its own, it would take seconds
        registry.register("a", number, load=number % 2)
    before = picture(registry)
    with suppress(Oops), registry.transaction():
        registry.unregister("a")
        registry.register("a", -1)
        raise Oops
    assert picture(registry) == before
    with suppress(Oops), registry.transaction():
        for entry in registry.find(load=1)[::-1]:
            registry.update(entry, load=3)
            registry.unregister(entry)
        registry.update(registry.lookup("a"), -1)
        raise Oops
    assert picture(registry) == before
    assert registry.lookup("a").value == 0


def test_what_is_done_is_seen_within() -> None:
    registry = Registry[str, int]()
    with registry.transaction():
        registry.register("a", 1)
        assert "a" in registry
        with pytest.raises(NameTaken):
            registry.register("a", 2)
    assert registry.lookup("a").value == 1


def test_a_block_whose_entry_was_undone_ends_quietly(registry: Registry[str, int]) -> None:
    before = picture(registry)
    with ExitStack() as stack:
        with suppress(Oops), registry.transaction():
            stack.enter_context(registry.register("new", 1))
            raise Oops
        assert picture(registry) == before
    assert picture(registry) == before


def test_a_block_may_begin_in_one_and_end_after_it(registry: Registry[str, int]) -> None:
    with ExitStack() as stack:
        with registry.transaction():
            stack.enter_context(registry.register("new", 1))
        assert "new" in registry
    assert "new" not in registry


# One within another


def test_one_within_another_can_fail_on_its_own(registry: Registry[str, int]) -> None:
    with registry.transaction():
        registry.register("outer", 1)
        with suppress(Oops), registry.transaction():
            registry.unregister("outer")
            change_all(registry)
            raise Oops
        assert [*registry] == [*"abcd", "outer"]
        with registry.transaction():
            registry.register("inner", 2)
    assert [*registry] == [*"abcd", "outer", "inner"]
    registry._check()


def test_what_one_within_another_has_done_is_undone_with_the_other(
    registry: Registry[str, int],
) -> None:
    before = picture(registry)
    with pytest.raises(Oops), registry.transaction():
        with registry.transaction():
            change_all(registry)
        raise Oops
    assert picture(registry) == before


def test_a_transaction_is_entered_once(registry: Registry[str, int]) -> None:
    transaction = registry.transaction()
    with transaction, pytest.raises(RuntimeError, match="call transaction again"):
        transaction.__enter__()
    registry.register("x", 1)
    assert "x" in registry


async def test_transactions_of_two_registries_may_overlap() -> None:
    one, other = Registry[str, int](), Registry[str, int]()
    with ExitStack() as stack:
        first = one.transaction()
        first.__enter__()
        stack.enter_context(other.transaction())
        one.register("a", 1)
        other.register("a", 1)
        first.__exit__(None, None, None)
    assert len(one) == len(other) == 1


# Who is told, and when


async def test_it_is_told_at_the_end_and_in_order(registry: Registry[str, int]) -> None:
    heard: list[RegistryEvent] = []
    with registry.watch() as changes, subscribe(heard.append, RegistryEvent):
        with registry.transaction():
            registry.register("x", 1)
            with registry.transaction():
                registry.update(registry.lookup("x"), load=1)
            registry.unregister("x")
            assert heard == []
            assert changes.statistics().current_buffer_used == 0
        told = [changes.receive_nowait() for _ in range(3)]
    assert [type(event) for event in told] == [Registered, Updated, Unregistered]
    assert heard == told


async def test_what_is_undone_is_not_told(registry: Registry[str, int]) -> None:
    heard: list[RegistryEvent] = []
    with registry.watch() as changes, subscribe(heard.append, RegistryEvent):
        with suppress(Oops), registry.transaction():
            change_all(registry)
            raise Oops
        with registry.transaction(), suppress(Oops), registry.transaction():
            change_all(registry)
            raise Oops
        assert changes.statistics().current_buffer_used == 0
    assert heard == []


async def test_who_waits_for_a_key_is_woken_at_the_end_only() -> None:
    registry = Registry[str, int]()
    values: list[int] = []

    async def wait() -> None:
        values.append((await registry.wait_for("a")).value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        with suppress(Oops), registry.transaction():
            registry.register("a", 1)
            raise Oops
        await wait_all_tasks_blocked()
        assert values == []
        with registry.transaction():
            registry.register("a", 2)
            registry.unregister("a")
            registry.register("a", 3)
    assert values == [3]


async def test_a_handler_that_fails_does_not_undo_what_it_is_told_of() -> None:
    registry = Registry[str, int]()

    def interrupt(_: Registered) -> None:
        raise KeyboardInterrupt

    with subscribe(interrupt, Registered), pytest.raises(KeyboardInterrupt):
        with registry.transaction():
            registry.register("a", 1)
    assert "a" in registry
    registry._check()


# Owners


async def test_what_is_bound_in_one_that_fails_is_not_bound(registry: Registry[str, int]) -> None:
    before = picture(registry)
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        with suppress(Oops), registry.transaction():
            registry.bind("x", 1, owner)
            registry.bind("y", 2, owner)
            raise Oops
        assert picture(registry) == before
        assert len(registry._book.owners) == 0


async def test_what_is_put_back_still_ends_with_its_owner(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("x", 1, owner)
        with suppress(Oops), registry.transaction():
            registry.unregister("x")
            raise Oops
        assert "x" in registry
        registry._check()
        await sup.stop_child("owner")
    assert [*registry] == [*"abcd"]
    registry._check()


# Awaiting within

AWAITED = re.escape("do not await within `with registry.transaction()`")


async def test_one_that_awaits_is_undone(registry: Registry[str, int]) -> None:
    before = picture(registry)
    with pytest.raises(RuntimeError, match=AWAITED):
        with registry.transaction():
            registry.unregister("a")
            await trio.lowlevel.checkpoint()
            registry.register("x", 1)
    assert picture(registry) == before


async def test_one_that_awaits_in_one_within_is_undone(registry: Registry[str, int]) -> None:
    before = picture(registry)
    with pytest.raises(RuntimeError, match=AWAITED):
        with registry.transaction():
            registry.register("x", 1)
            with suppress(RuntimeError), registry.transaction():
                registry.unregister("a")
                await trio.lowlevel.checkpoint()
    assert picture(registry) == before


async def test_an_error_of_one_that_awaits_is_not_replaced(registry: Registry[str, int]) -> None:
    before = picture(registry)
    with pytest.raises(Oops), registry.transaction():
        registry.unregister("a")
        await trio.lowlevel.checkpoint()
        raise Oops
    assert picture(registry) == before


async def test_to_await_without_giving_way_is_allowed(registry: Registry[str, int]) -> None:
    async def no_checkpoint() -> None:
        registry.register("x", 1)

    with registry.transaction():
        await no_checkpoint()
        await trio.lowlevel.checkpoint_if_cancelled()
    assert "x" in registry


async def await_within(registry: Registry[str, int], others: trio.Event) -> None:
    with pytest.raises(RuntimeError, match=AWAITED), registry.transaction():
        registry.unregister("a")
        registry.register("x", 1)
        with registry.transaction():
            registry.register("y", 1)
            await others.wait()
            with pytest.raises(RuntimeError, match=AWAITED):
                registry.register("z", 1)
            with pytest.raises(RuntimeError, match=AWAITED):
                registry.transaction().__enter__()


async def test_who_changes_something_meanwhile_does_not_pay_for_it(
    registry: Registry[str, int],
) -> None:
    others = trio.Event()
    with registry.watch() as changes:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(await_within, registry, others)
            await wait_all_tasks_blocked()
            assert "x" in registry  # others see it, which is why one must not
            with registry.transaction():
                registry.register("mine", 1)
            assert [*registry] == [*"abcd", "mine"]
            registry.unregister("b")
            others.set()
        assert [*registry] == [*"acd", "mine"]
        told = [changes.receive_nowait() for _ in range(2)]
        assert [not isinstance(each, Lagged) and each.key for each in told] == ["mine", "b"]
        assert changes.statistics().current_buffer_used == 0
    registry.unregister("a")  # none is open any more
    registry._check()


async def test_an_owner_that_ends_meanwhile_is_gone_for_good(registry: Registry[str, int]) -> None:
    for unregisters in (False, True):
        async with open_supervisor() as sup:
            owner = sup.start_soon(trio.sleep_forever, name="owner")
            registry.bind("x", 1, owner)
            registry.bind("y", 2, owner)
            before = [*registry]
            with registry.watch() as changes:
                with pytest.raises(RuntimeError, match=AWAITED), registry.transaction():
                    registry.update(registry.lookup("x"), load=1)
                    if unregisters:
                        registry.unregister("x")
                        registry.unregister("y")
                    registry.unregister("a")
                    await sup.stop_child("owner")
                assert [*registry] == before[:4]
                told = [changes.receive_nowait() for _ in range(2)]
                assert {e.key for e in told if isinstance(e, Unregistered) and e.by == "owner"} == {
                    "x",
                    "y",
                }
                assert changes.statistics().current_buffer_used == 0
            registry._check()
            assert len(registry._book.owners) == 0


async def test_what_has_come_and_lost_its_owner_in_one_that_awaits_never_was() -> None:
    registry = Registry[str, int](indexes=["load"])
    others = trio.Event()
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")

        async def await_within() -> None:
            with pytest.raises(RuntimeError, match=AWAITED), registry.transaction():
                registry.bind("x", 1, owner, load=1)
                with registry.transaction():
                    registry.unregister("x")
                    await sup.stop_child("owner")
                    await others.wait()

        with registry.watch() as changes:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(await_within)
                await wait_all_tasks_blocked()
                registry.register("mine", 1)
                others.set()
            told = changes.receive_nowait()
            assert isinstance(told, Registered)
            assert told.key == "mine"
            assert changes.statistics().current_buffer_used == 0
    assert [*registry] == ["mine"]
    registry._check()


async def test_of_two_that_await_both_are_refused_whatever_they_do_next() -> None:
    registry = Registry[str, int]()
    first, last = trio.Event(), trio.Event()

    async def await_within(key: str, wakes: trio.Event | None, waits: trio.Event) -> None:
        with pytest.raises(RuntimeError, match=AWAITED), registry.transaction():
            registry.register(key, 1)
            if wakes is not None:
                wakes.set()
            await waits.wait()
            with pytest.raises(RuntimeError, match=AWAITED):
                registry.register(f"{key}'", 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(await_within, "a", None, first)
        await wait_all_tasks_blocked()
        nursery.start_soon(await_within, "b", first, last)
        await wait_all_tasks_blocked()
        assert len(registry) == 0
        last.set()
    assert len(registry) == 0
    assert registry._book.transaction is None
    registry._check()


async def test_one_that_another_task_ends_is_undone() -> None:
    registry = Registry[str, int]()
    transaction = registry.transaction()

    async def begin() -> None:
        transaction.__enter__()
        registry.register("x", 1)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match=AWAITED):
            transaction.__exit__(None, None, None)
        nursery.cancel_scope.cancel()
    assert len(registry) == 0
    assert registry._book.transaction is None


async def test_the_end_of_a_block_counts_even_in_one_that_is_broken() -> None:
    registry = Registry[str, int]()
    others = trio.Event()

    async def await_within() -> None:
        with registry.register("block", 1), registry.transaction():
            registry.register("x", 1)
            with registry.register("y", 1):
                await others.wait()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def misuse() -> None:
            with pytest.raises(RuntimeError, match=AWAITED):
                await await_within()

        await wait_all_tasks_blocked()
        registry.register("mine", 1)
        others.set()
    assert [*registry] == ["mine"]
    registry._check()


def test_it_works_without_a_trio_run(registry: Registry[str, int]) -> None:
    before = picture(registry)
    with suppress(Oops), registry.transaction():
        change_all(registry)
        raise Oops
    assert picture(registry) == before
