"""Tests of entries that are bound to children."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.registry import (
    NameTaken,
    OwnerNotRunning,
    OwnerUnknown,
    Registered,
    Registry,
    Unregistered,
)
from trio_foundation.supervision import (
    Child,
    ShutdownChild,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe


@pytest.fixture
def registry() -> Registry[str, int]:
    return Registry(name="ports", indexes=["skills"])


def is_empty(registry: Registry[str, int]) -> bool:
    registry._check()
    book = registry._book
    return not (len(registry) or len(book.owners) or book.watchers or book.arrivals)


def hooks_of(child: Child[Any]) -> int:
    entry = child._entry
    return sum(len(hooks._callbacks) for hooks in (entry.on_exit, entry.on_gone) if hooks)


@attrs.define(unsafe_hash=True)
class Fickle:
    """Has a hash, and does not keep it."""

    number: int


async def obey(go: trio.Event) -> None:
    await go.wait()


async def crash(go: trio.Event) -> None:
    await go.wait()
    raise OSError("no route")


async def shut_down(go: trio.Event) -> None:
    await go.wait()
    raise ShutdownChild("enough")


@pytest.mark.parametrize(
    "end", ["returns", "crashes", "shuts down", "is stopped", "all is cancelled"]
)
async def test_nothing_is_left_of_an_owner_however_it_ends(
    registry: Registry[str, int], end: str
) -> None:
    work = {"crashes": crash, "shuts down": shut_down}.get(end, obey)
    go = trio.Event()
    with trio.CancelScope() as scope:
        async with open_supervisor() as sup:
            owner = sup.start_soon(work, go, restart="temporary", name="owner")
            registry.bind("web", 8080, owner, skills={"count", "sort"})
            registry.bind("api", 8081, owner, skills=["count"])
            await wait_all_tasks_blocked()
            assert len(registry.find(skills="count")) == 2
            registry._check()
            if end == "is stopped":
                await sup.stop_child("owner")
            elif end == "all is cancelled":
                scope.cancel()
                await trio.sleep_forever()
            else:
                go.set()
                await owner.wait_exit()
            assert is_empty(registry)
            assert hooks_of(owner) == 0
    assert is_empty(registry)


async def test_what_others_own_stays(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        one = sup.start_soon(trio.sleep_forever, name="one")
        other = sup.start_soon(trio.sleep_forever, name="other")
        registry.bind("web", 1, one)
        registry.bind("api", 2, other)
        with registry.register("db", 3):
            await sup.stop_child("one")
            assert [*registry] == ["api", "db"]
            registry._check()
    assert is_empty(registry)


async def test_a_child_binds_itself_and_its_next_incarnation_binds_anew(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    async def serve() -> None:
        child = current_child()
        entry = registry.bind("web", child.incarnation, child)
        assert (entry.owner, entry.incarnation) == (child, child.incarnation)
        await trio.sleep(1)
        raise OSError("no route")

    async with open_supervisor(max_restarts=10) as sup:
        sup.start_soon(serve, backoff=Backoff(initial=1, jitter=0))
        await trio.sleep(0.5)
        assert registry.lookup("web").value == 1
        await trio.sleep(1)
        assert is_empty(registry)
        await trio.sleep(1)
        assert registry.lookup("web").value == 2
        registry._check()
        sup.shutdown()
        await trio.sleep_forever()
    assert is_empty(registry)


async def test_the_name_is_free_before_the_next_incarnation_starts(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    starts = 0

    async def serve() -> None:
        nonlocal starts
        starts += 1
        registry.bind("web", starts, current_child())  # would raise `NameTaken`
        if starts < 4:
            raise OSError("no route")
        await trio.sleep_forever()

    async with open_supervisor(max_restarts=3) as sup:
        sup.start_soon(serve)
        await trio.sleep(1)
        assert registry.lookup("web").value == 4
        sup.shutdown()


async def test_who_has_just_been_started_can_be_bound_to(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        assert owner.incarnation == 0
        assert registry.bind("web", 8080, owner).incarnation == 1
        registry._check()
        await owner.wait_ready()
        registry._check()
        await sup.stop_child("owner")
        assert is_empty(registry)


async def test_one_that_is_never_started_leaves_nothing(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever)
        registry.bind("web", 8080, owner)
        sup.shutdown()
    assert owner.incarnation == 0
    assert is_empty(registry)


async def test_nothing_is_bound_to_one_that_has_ended(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep, 0, restart="temporary", name="owner")
        await owner.wait_exit()
        sentence = (
            "child 'owner' is not running, so 'web' cannot be bound to it in '.*': bind within"
        )
        with pytest.raises(OwnerNotRunning, match=sentence) as caught:
            registry.bind("web", 8080, owner)
        assert (caught.value.key, caught.value.owner) == ("web", "owner")
        assert is_empty(registry)
        assert hooks_of(owner) == 0


async def test_nothing_is_bound_to_one_that_waits_for_its_restart(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    go = trio.Event()
    async with open_supervisor() as sup:
        owner = sup.start_soon(crash, go, backoff=Backoff(initial=10, jitter=0))
        go.set()
        await owner.wait_exit()
        assert owner.state == "backing_off"
        with pytest.raises(OwnerNotRunning):
            registry.bind("web", 8080, owner)
        sup.shutdown()
        await trio.sleep_forever()


async def test_nothing_is_bound_to_one_whose_end_was_not_noticed_yet(
    registry: Registry[str, int],
) -> None:
    raised: list[Exception] = []

    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep, 0, restart="temporary")

        def bind(_: object) -> None:
            try:
                registry.bind("web", 8080, owner)
            except OwnerNotRunning as error:
                raised.append(error)

        owner.on_exit(bind)
        await owner.wait_exit()
    assert len(raised) == 1
    assert is_empty(registry)


@pytest.mark.parametrize("owner", [None, "server", trio.sleep_forever])
def test_an_owner_is_a_child(registry: Registry[str, int], owner: Any) -> None:
    with pytest.raises(TypeError, match=r"such as current_child\(\) or what start_soon returned"):
        registry.bind("web", 8080, owner)


async def test_a_name_that_is_taken_is_not_bound(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        one = sup.start_soon(trio.sleep_forever, name="one")
        other = sup.start_soon(trio.sleep_forever, name="other")
        registry.bind("web", 1, one)
        with pytest.raises(NameTaken, match="already, by child 'one'") as caught:
            registry.bind("web", 2, other)
        assert caught.value.owner == "one"
        assert hooks_of(other) == 0


async def test_an_owner_whose_last_entry_goes_is_forgotten(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever)
        registry.bind("web", 1, owner)
        registry.bind("api", 2, owner)
        registry.unregister("web")
        registry.update("api", load=1)
        assert hooks_of(owner) == 2
        registry.unregister("api")
        assert hooks_of(owner) == 0
        assert is_empty(registry)


async def test_an_entry_that_is_updated_keeps_its_owner(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 8080, owner)
        assert registry.update("web", load=1).owner is owner
        assert registry.replace("web", 8081).incarnation == 1
        await sup.stop_child("owner")
        assert is_empty(registry)


async def test_an_owner_of_many_entries_leaves_none(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        for number in range(5_000):
            registry.bind(f"{number}", number, owner, skills=[number, "all"])
        assert hooks_of(owner) == 2
        with registry.register("last", -1):
            await sup.stop_child("owner")
            assert [*registry] == ["last"]
            registry._check()


async def test_an_attribute_that_does_not_keep_its_hash_is_in_no_owners_way(
    registry: Registry[str, int],
) -> None:
    fickle = Fickle(1)
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 1, owner, skills=fickle)
        registry.bind("api", 2, owner, skills="count")
        fickle.number = 2
        await sup.stop_child("owner")
    assert len(registry) == len(registry._book.owners) == 0
    assert registry.find(skills="count") == []


async def test_a_callback_before_ours_may_unregister_what_is_to_go(
    registry: Registry[str, int],
) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        owner.on_exit(lambda _: registry.unregister("web"))
        registry.bind("web", 1, owner)
        registry.bind("api", 1, owner)
        await sup.stop_child("owner")
        assert is_empty(registry)
        assert hooks_of(owner) == 1


async def test_one_that_does_not_stop_keeps_its_name_until_it_does(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    async def linger() -> None:
        registry.bind("web", 1, current_child())
        with trio.CancelScope(shield=True):
            await trio.sleep(50)

    async with open_supervisor() as sup:
        owner = sup.start_soon(linger, name="owner", grace=1, restart="temporary")
        await wait_all_tasks_blocked()
        with trio.move_on_after(10):
            await sup.stop_child("owner")
        assert registry.lookup("web").owner is owner
        await owner.wait_exit()
        assert is_empty(registry)


async def test_what_is_bound_on_the_way_out_goes_with_the_rest(
    registry: Registry[str, int],
) -> None:
    async def come_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            registry.bind("web", 1, current_child())

    async with open_supervisor() as sup:
        sup.start_soon(come_late)
        await wait_all_tasks_blocked()
    assert is_empty(registry)


async def test_one_owner_may_be_bound_in_several_registries() -> None:
    registries = [Registry[str, int](keys=keys) for keys in ("unique", "duplicate", "duplicate")]
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        for registry in registries:
            registry.bind("web", 1, owner)
        registries[2].bind("web", 2, owner)
        await sup.stop_child("owner")
        assert all(map(is_empty, registries))


async def test_the_end_of_an_owner_that_has_nothing_here_is_ignored(
    registry: Registry[str, int],
) -> None:
    heard: list[OwnerUnknown] = []
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        with subscribe(heard.append, OwnerUnknown):
            registry._book.end_owner(owner)
            registry.bind("web", 8080, owner)
            await sup.stop_child("owner")
            registry._book.end_owner(owner)
    assert [event.owner for event in heard] == ["owner", "owner"]
    assert is_empty(registry)


async def test_others_find_no_trace_when_they_are_told_of_the_end(
    registry: Registry[str, int],
) -> None:
    seen: list[tuple[str, str, int, bool]] = []

    def look(event: Unregistered) -> None:
        owner = event.entry.owner
        assert owner is not None
        seen.append((str(event.key), event.by, len(registry), owner.last_exit is not None))

    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 1, owner)
        registry.bind("api", 2, owner)
        with subscribe(look, Unregistered):
            await sup.stop_child("owner")
    assert seen == [("web", "owner", 0, True), ("api", "owner", 0, True)]


async def test_a_handler_that_takes_over_the_name_keeps_it(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        spare = sup.start_soon(trio.sleep_forever, name="spare")
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 1, owner)

        def take_over(event: Unregistered) -> None:
            if event.entry.owner is owner:
                registry.bind("web", 2, spare)

        with subscribe(take_over, Unregistered):
            await sup.stop_child("owner")
            assert registry.lookup("web").owner is spare
            registry._check()
    assert is_empty(registry)


async def test_children_of_a_dynamic_supervisor_are_owners_too(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    async def serve(port: int) -> None:
        registry.bind(f"{port}", port, current_child(), skills={port % 3})
        await trio.sleep(port)
        if port % 2:
            raise OSError("no route")

    async with open_dynamic_supervisor() as sup:
        for port in range(20):
            sup.start_soon(serve, port)
        await trio.sleep(9.5)
        assert {entry.value for entry in registry.find(skills=1)} == {10, 13, 16, 19}
        registry._check()
    assert is_empty(registry)


async def test_groups_that_are_restarted_leave_nothing_of_before(
    registry: Registry[str, int], autojump_clock: MockClock
) -> None:
    async def serve(name: str) -> None:
        registry.bind(name, current_child().incarnation, current_child())
        await trio.sleep(1 if name == "b" else 100)
        raise OSError("no route")

    async with open_supervisor(strategy="one_for_all") as sup:
        for name in "abc":
            sup.start_soon(serve, name)
        await trio.sleep(1.5)
        assert {entry.key: entry.value for entry in registry.find()} == {"a": 2, "b": 2, "c": 2}
        registry._check()
        sup.shutdown()


async def test_a_restart_by_hand_is_another_incarnation(registry: Registry[str, int]) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("web", 1, owner)
        await sup.stop_child("owner")
        await sup.restart_child("owner")
        assert is_empty(registry)
        assert registry.bind("web", 2, owner).incarnation == owner.incarnation
        await sup.stop_child("owner")
        assert is_empty(registry)


async def test_a_supervisor_can_be_an_owner(registry: Registry[str, int]) -> None:
    heard: list[Registered | Unregistered] = []
    async with open_supervisor() as sup:
        inner = await sup.start_child(subtree([child(trio.sleep_forever)], name="inner"))
        with subscribe(heard.append, Registered, Unregistered):
            registry.bind("inner", 1, inner)
            await sup.stop_child("inner")
    assert [type(event) for event in heard] == [Registered, Unregistered]
    assert is_empty(registry)
