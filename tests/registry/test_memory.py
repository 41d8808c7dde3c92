"""Tests of what a registry keeps alive: nothing that is gone."""

from __future__ import annotations

import gc
import logging
import tracemalloc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import trio

from trio_foundation.registry import Registry
from trio_foundation.registry._book import Book
from trio_foundation.supervision import (
    DynamicSupervisor,
    open_dynamic_supervisor,
    open_supervisor,
)

ROUNDS = 10_000


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep records, which keep errors alive, out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Rounds:
    """Registers and crashes, again and again."""

    def __init__(self) -> None:
        self.registry = Registry[int, object](indexes=["skills", "resources.memory"])

    async def crash(self) -> None:
        raise OSError("no route")

    async def leave(self) -> None:
        await trio.lowlevel.checkpoint()

    async def run(self, sup: DynamicSupervisor, rounds: int) -> None:
        for number in range(rounds):
            work = self.leave if number % 3 else self.crash
            owner = sup.start_soon(work, restart="temporary")
            self.registry.bind(
                number, object(), owner, skills={number, "all"}, resources={"memory": number}
            )
            with suppress(KeyError):
                self.registry.update(number, load=[number])
            if number % 4 == 0:
                self.registry.unregister(number)
            await owner.wait_exit()


async def test_ten_thousand_owners_that_crash_leave_not_one_object() -> None:
    rounds = Rounds()
    async with open_dynamic_supervisor() as sup:
        await rounds.run(sup, 200)
        gc.collect()
        before = len(gc.get_objects())
        await rounds.run(sup, ROUNDS)
        gc.collect()
        after = len(gc.get_objects())
    # What Trio and the supervisor have going at any one time differs by a few.
    assert after - before < 50
    rounds.registry._check()
    assert not len(rounds.registry)


async def test_owners_that_crash_leave_no_memory() -> None:
    rounds = Rounds()
    async with open_dynamic_supervisor() as sup:
        await rounds.run(sup, 500)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await rounds.run(sup, 2_000)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 20_000  # ten bytes a round would be as many


async def blocks(registry: Registry[int, object], number: int) -> None:
    with registry.register(number, object(), skills={number}) as entry:
        registry.update(entry, load=[number])


async def watches(registry: Registry[int, object], number: int) -> None:
    with registry.watch(capacity=2):
        await blocks(registry, number)


async def waits(registry: Registry[int, object], number: int) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await registry.wait_for(number)
    with trio.move_on_after(0):
        await registry.wait_for(number)


async def transactions(registry: Registry[int, object], number: int) -> None:
    with suppress(OSError), registry.transaction():
        await blocks(registry, number)
        registry.register(number, object())
        raise OSError


Round = Callable[[Registry[int, object], int], Awaitable[None]]


@pytest.mark.parametrize("one_round", [blocks, watches, waits, transactions])
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
async def test_nothing_is_left_of(one_round: Round, keys: Any) -> None:
    registry = Registry[int, object](keys=keys, indexes=["skills"])
    for number in range(50):
        await one_round(registry, number)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1_000):
        await one_round(registry, number)
    gc.collect()
    assert len(gc.get_objects()) - before < 20
    registry._check()


class Thing:
    """Can be watched."""


async def test_a_value_that_is_gone_is_not_kept() -> None:
    registry = Registry[str, Thing](indexes=["thing"])
    thing = Thing()
    reference = weakref.ref(thing)
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", thing, owner, thing=thing, things=[thing])
        with suppress(OSError), registry.transaction():
            registry.replace("web", Thing())
            raise OSError
        del thing
        await sup.stop_child("owner")
        gc.collect()
        assert reference() is None


async def test_a_child_does_not_keep_a_registry_that_nobody_uses() -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry = Registry[str, int](name="unused")
        registry.bind("web", 1, owner)
        registry.unregister("web")
        del registry
        gc.collect()
        assert not any(type(each) is Book and each.name == "unused" for each in gc.get_objects())
