"""Tests of those who wait for a key, who watch, and who listen to events."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.registry import (
    EntryEvent,
    Lagged,
    Registered,
    Registry,
    RegistryEvent,
    Unregistered,
    Updated,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import HandlerFailed, subscribe


@pytest.fixture
def registry() -> Registry[str, int]:
    return Registry(name="ports")


# Waiting


async def test_who_waits_gets_the_entry_when_it_comes(registry: Registry[str, int]) -> None:
    values: list[int] = []

    async def wait(key: str) -> None:
        values.append((await registry.wait_for(key)).value)

    async with trio.open_nursery() as nursery:
        for key in ("web", "web", "api"):
            nursery.start_soon(wait, key)
        await wait_all_tasks_blocked()
        registry.register("other", 1)
        registry.register("web", 2)
        await wait_all_tasks_blocked()
        assert values == [2, 2]
        registry.register("api", 3)
    assert values == [2, 2, 3]
    assert not registry._book.arrivals


async def test_what_is_there_is_not_waited_for(registry: Registry[str, int]) -> None:
    registry.register("web", 8080)
    with assert_checkpoints():
        assert await registry.wait_for("web") is registry.lookup("web")


async def test_what_is_gone_again_before_the_waiter_runs_is_waited_for(
    registry: Registry[str, int],
) -> None:
    values: list[int] = []

    @trio.lowlevel.enable_ki_protection
    async def wait() -> None:
        values.append((await registry.wait_for("web")).value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        with registry.register("web", 1):
            pass
        await wait_all_tasks_blocked()
        assert values == []
        registry.register("web", 2)
        registry.update("web", 3)
    assert values == [3]


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "not there"])
async def test_a_wait_that_is_cancelled_leaves_nothing(
    registry: Registry[str, int], autojump_clock: MockClock, is_there: bool
) -> None:
    if is_there:
        registry.register("web", 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await registry.wait_for("web")
    assert scope.cancelled_caught
    with trio.move_on_after(1):
        await registry.wait_for("api")
    assert not registry._book.arrivals


async def test_of_two_who_wait_one_may_leave(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    async def leave() -> None:
        with trio.move_on_after(1):
            await registry.wait_for("web")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)

        @nursery.start_soon
        async def stay() -> None:
            assert (await registry.wait_for("web")).value == 8080

        await trio.sleep(2)
        registry.register("web", 8080)
    assert not registry._book.arrivals


# Watching


async def test_who_watches_is_told_what_happens_from_now_on(registry: Registry[str, int]) -> None:
    registry.register("web", 1)
    with registry.watch() as changes:
        before = registry.lookup("web")
        after = registry.update("web", health="healthy")
        registry.unregister("web")
        with registry.register("api", 2) as api:
            pass
        told = [await changes.receive() for _ in range(4)]
        assert told == [
            Updated(registry="ports", entry=after, before=before),
            Unregistered(registry="ports", entry=after, by="unregister"),
            Registered(registry="ports", entry=api),
            Unregistered(registry="ports", entry=api, by="block"),
        ]
    assert not registry._book.watchers


async def test_what_does_not_happen_is_not_told(registry: Registry[str, int]) -> None:
    with registry.register("web", 1), registry.watch() as changes:
        with pytest.raises(KeyError):
            registry.update("api")
        with pytest.raises(Exception, match="already"):
            registry.register("web", 2)
        registry.unregister("api")
        assert changes.statistics().current_buffer_used == 0


@pytest.mark.parametrize("capacity", [1, 2, 3, 10])
async def test_a_slow_watcher_is_told_what_it_has_missed_and_can_go_on(
    registry: Registry[str, int], capacity: int
) -> None:
    with registry.watch(capacity=capacity) as changes:
        for number in range(100):
            registry.register(f"{number}", number)
        told: list[Any] = []
        while changes.statistics().current_buffer_used:
            told.append(changes.receive_nowait())
        lagged, *others = told
        assert isinstance(lagged, Lagged)
        assert lagged.missed + len(others) == 100
        assert [event.entry.value for event in others] == [*range(lagged.missed, 100)]
        registry.unregister("5")
        event = changes.receive_nowait()
        assert isinstance(event, Unregistered)
        assert event.key == "5"


async def test_a_watcher_that_keeps_up_misses_nothing(registry: Registry[str, int]) -> None:
    keys: list[str] = []

    async def watch(changes: trio.MemoryReceiveChannel[Any]) -> None:
        keys.extend([event.key async for event in changes])

    async with trio.open_nursery() as nursery:
        with registry.watch(capacity=1) as changes:
            nursery.start_soon(watch, changes.clone())
            for number in range(50):
                registry.register(f"{number}", number)
                await wait_all_tasks_blocked()
    assert keys == [f"{number}" for number in range(50)]


async def test_several_watch_and_none_is_in_the_way_of_another(
    registry: Registry[str, int],
) -> None:
    with registry.watch(capacity=1) as slow, registry.watch() as quick:
        quick_too = quick.clone()
        for number in range(4):
            registry.register(f"{number}", number)
        lagged = slow.receive_nowait()
        assert isinstance(lagged, Lagged)
        assert lagged.missed == 4
        shared = [quick.receive_nowait(), quick_too.receive_nowait(), quick.receive_nowait()]
        assert [event.key for event in shared if isinstance(event, Registered)] == ["0", "1", "2"]


async def test_who_closes_the_channel_is_in_nobodys_way(registry: Registry[str, int]) -> None:
    with registry.watch(capacity=1) as changes:
        changes.close()
        for number in range(10):
            registry.register(f"{number}", number)
    registry.unregister("1")
    assert not registry._book.watchers


async def test_the_end_of_the_block_ends_the_channel(registry: Registry[str, int]) -> None:
    async with trio.open_nursery() as nursery:
        with registry.watch() as changes:

            @nursery.start_soon
            async def watch() -> None:
                async with changes.clone() as clone:
                    assert [event async for event in clone] == []

            await wait_all_tasks_blocked()


def test_a_watch_is_entered_once(registry: Registry[str, int]) -> None:
    watch = registry.watch()
    with watch:
        pass
    with pytest.raises(RuntimeError, match="call watch again"):
        watch.__enter__()
    registry.register("web", 1)


@pytest.mark.parametrize(("capacity", "error"), [(0, ValueError), (1.5, TypeError)])
def test_a_watcher_has_room_for_one(
    registry: Registry[str, int], capacity: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="capacity must be"):
        registry.watch(capacity=capacity)


# Events


async def test_everything_is_told_to_whoever_listens(registry: Registry[str, int]) -> None:
    heard: list[RegistryEvent] = []
    with subscribe(heard.append, RegistryEvent), registry.watch(capacity=1):
        with registry.register("web", 1):
            registry.update("web", load=1)
    assert [(type(event), event.name, event.registry) for event in heard] == [
        (Registered, "foundation.registry.registered", "ports"),
        (Updated, "foundation.registry.updated", "ports"),
        (Lagged, "foundation.registry.lagged", "ports"),
        (Unregistered, "foundation.registry.unregistered", "ports"),
        (Lagged, "foundation.registry.lagged", "ports"),
    ]


async def test_a_handler_may_change_the_registry_and_all_hear_of_it_in_order(
    registry: Registry[str, int],
) -> None:
    heard: list[str] = []

    def echo(event: Registered) -> None:
        if len(registry) < 4:
            registry.register(f"{event.key}'", 1)

    def hear(event: EntryEvent) -> None:
        heard.append(f"{event.key}")

    with subscribe(echo, Registered), subscribe(hear, EntryEvent), registry.watch() as changes:
        registry.register("a", 1)
        told = [changes.receive_nowait() for _ in range(4)]
    assert heard == ["a", "a'", "a''", "a'''"]
    assert [event.key for event in told if isinstance(event, Registered)] == heard
    registry._check()


async def test_a_handler_that_fails_hurts_nobody(registry: Registry[str, int]) -> None:
    failures: list[HandlerFailed] = []

    def fail(event: Registered) -> None:
        raise ValueError(event.key)

    with subscribe(failures.append, HandlerFailed), subscribe(fail, Registered):
        with registry.register("web", 1):
            assert "web" in registry
    assert len(failures) == 1
    registry._check()


async def test_one_that_is_interrupted_while_it_is_told_of_is_not_registered(
    registry: Registry[str, int],
) -> None:
    def interrupt(_: Registered) -> None:
        raise KeyboardInterrupt

    with registry.watch() as changes:
        with subscribe(interrupt, Registered), pytest.raises(KeyboardInterrupt):
            registry.register("web", 1)
        assert len(registry) == 0
        told = [changes.receive_nowait() for _ in range(2)]
        assert [type(event) for event in told] == [Registered, Unregistered]
    registry._check()


async def test_one_that_is_unregistered_while_it_is_told_of_is_left_alone(
    registry: Registry[str, int],
) -> None:
    def unregister(event: Registered) -> None:
        registry.unregister(event.entry)
        raise KeyboardInterrupt

    with subscribe(unregister, Registered), pytest.raises(KeyboardInterrupt):
        registry.register("web", 1)
    with subscribe(lambda event: registry.unregister(event.entry), Registered):
        with registry.register("web", 2):
            assert "web" not in registry
    registry._check()


async def test_an_update_that_is_interrupted_while_it_is_told_of_is_made(
    registry: Registry[str, int],
) -> None:
    def interrupt(_: Updated) -> None:
        raise KeyboardInterrupt

    with registry.register("web", 1), subscribe(interrupt, Updated):
        with pytest.raises(KeyboardInterrupt):
            registry.update("web", 2)
        assert registry.lookup("web").value == 2
        registry._check()


# Runs of Trio


def test_a_second_run_finds_what_the_first_one_has_left() -> None:
    registry = Registry[str, int]()
    keys: list[list[str]] = []

    async def main() -> None:
        keys.append([*registry])
        with registry.register("block", 1), registry.watch() as changes:
            with trio.move_on_after(0):
                await registry.wait_for("nobody")
            registry.update("block", 2)
            await changes.receive()
            async with open_supervisor() as sup:
                registry.bind("bound", 1, sup.start_soon(trio.sleep, 0))
        if "left" not in registry:
            registry.register("left", 1)
        registry._check()

    trio.run(main)
    trio.run(main)
    assert keys == [[], ["left"]]
    assert not registry._book.watchers
    assert not registry._book.arrivals


def test_without_a_run_only_waiting_is_impossible() -> None:
    registry = Registry[str, int](indexes=["load"])
    with registry.register("web", 1, load=1), registry.watch() as changes:
        registry.update("web", load=2)
        assert len(registry.find(load=2)) == 1
        assert isinstance(changes.receive_nowait(), Updated)
