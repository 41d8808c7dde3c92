"""Tests of what a cache tells: in events, and to *on_removal*."""

from __future__ import annotations

import logging
import math

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import (
    Cache,
    CacheEvent,
    CacheHit,
    CacheMissed,
    CachePut,
    CacheRemoved,
    RemovalCallbackFailed,
    RemovalCause,
    StaleServed,
)
from trio_foundation.telemetry import HandlerFailed, subscribe

from ._things import Hand, Loader, assert_lawful, noting


async def test_each_thing_that_happens_is_told_once(autojump_clock: MockClock) -> None:
    heard: list[CacheEvent] = []
    cache = Cache[str, int](max_size=2, name="c")
    with subscribe(heard.append, CacheEvent):
        cache.get("a")
        cache.put("a", 1, ttl=10)
        cache.get("a")
        cache.fetch("a")
        cache.put("a", 2)
        cache.put("b", 1, ttl=5)
        await trio.sleep(5)
        cache.get("b")
        cache.put("b", 1)
        cache.put("c", 1)
        cache.delete("b")
        cache.clear()

    def removed(key: str, cause: RemovalCause) -> CacheRemoved:
        return CacheRemoved(cache="c", key=key, cause=cause)

    assert heard == [
        CacheMissed(cache="c", key="a", reason="not_found"),
        CachePut(cache="c", key="a", ttl=10),
        CacheHit(cache="c", key="a"),
        CacheHit(cache="c", key="a"),
        CachePut(cache="c", key="a", ttl=math.inf),
        removed("a", "replaced"),
        CachePut(cache="c", key="b", ttl=5),
        CacheMissed(cache="c", key="b", reason="expired"),
        removed("b", "expired"),
        CachePut(cache="c", key="b", ttl=math.inf),
        CachePut(cache="c", key="c", ttl=math.inf),
        removed("a", "size"),
        removed("b", "explicit"),
        removed("c", "explicit"),
    ]


async def test_a_load_tells_what_it_did(autojump_clock: MockClock) -> None:
    heard: list[CacheEvent] = []
    cache = Cache[str, str](ttl=10, stale_for=10, name="c")
    with subscribe(heard.append, CacheEvent):
        await cache.get_or_load("a", Loader())
        await cache.get_or_load("a", Loader())
        await trio.sleep(10)
        await cache.get_or_load("a", Loader(error=OSError("no route")))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.get_or_load, "a", Loader(after=1))
            await trio.testing.wait_all_tasks_blocked()
            await cache.get_or_load("a", Loader())
    missed = CacheMissed(cache="c", key="a", reason="expired")
    assert heard == [
        CacheMissed(cache="c", key="a", reason="not_found"),
        CachePut(cache="c", key="a", ttl=10),
        CacheHit(cache="c", key="a"),
        missed,
        StaleServed(cache="c", key="a", error="OSError: no route"),
        missed,
        missed,
        StaleServed(cache="c", key="a", error=""),
        CachePut(cache="c", key="a", ttl=10),
        CacheRemoved(cache="c", key="a", cause="expired"),
    ]


async def test_nothing_is_built_that_nobody_hears() -> None:
    class Key(str):
        __slots__ = ()

        def __repr__(self) -> str:
            raise AssertionError

    cache = Cache[Key, int](max_size=1)
    heard: list[object] = []
    with subscribe(heard.append, CacheMissed):
        cache.put(Key("a"), 1)
        cache.get(Key("a"))
        cache.put(Key("b"), 1)
        cache.get(Key("a"))
    assert len(heard) == 1


async def test_a_listener_may_use_the_cache() -> None:
    cache = Cache[str, int](max_size=2)

    def listen(event: CacheEvent) -> None:
        if isinstance(event, CacheHit):
            cache.delete(event.key)
        elif isinstance(event, CacheMissed):
            cache.put(event.key, 5)
        elif isinstance(event, CacheRemoved) and event.cause == "size":
            cache.clear()

    with subscribe(listen, CacheEvent):
        assert cache.get("a") is None
        assert cache.get("a") == 5
        assert len(cache) == 0
        for key in "abc":
            cache.put(key, 1)
        assert len(cache) == 0
        assert await cache.get_or_load("d", Loader()) == 5
    assert_lawful(cache)


async def test_a_listener_that_fails_is_told_of_and_harms_nobody() -> None:
    def fail(event: CacheEvent) -> None:
        raise ValueError

    failures: list[HandlerFailed] = []
    cache = Cache[str, int]()
    with subscribe(failures.append, HandlerFailed), subscribe(fail, CacheEvent):
        cache.put("a", 1)
        assert cache.get("a") == 1
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (CacheHit, "hit"),
        (CacheMissed, "missed"),
        (CachePut, "put"),
        (CacheRemoved, "removed"),
        (StaleServed, "stale_served"),
        (RemovalCallbackFailed, "removal_callback_failed"),
    ],
)
def test_events_have_names(event: type[CacheEvent], name: str) -> None:
    assert event.name == f"foundation.cache.{name}"


# on_removal


def test_whoever_asks_for_it_is_told_what_was_removed_and_why() -> None:
    hand = Hand()
    told: list[tuple[str, int, RemovalCause]] = []
    cache = Cache[str, int](max_size=2, clock=hand, on_removal=noting(told))
    cache.put("a", 1)
    cache.put("a", 2)
    cache.put("b", 3)
    cache.put("c", 4)
    cache.delete("b")
    cache.put("d", 5, ttl=1)
    hand.now = 1
    cache.sweep()
    cache.put("e", 6, ttl=1)
    hand.now = 2
    cache.get("e")
    cache.clear()
    assert told == [
        ("a", 1, "replaced"),
        ("a", 2, "size"),
        ("b", 3, "explicit"),
        ("d", 5, "expired"),
        ("e", 6, "expired"),
        ("c", 4, "explicit"),
    ]


@pytest.mark.parametrize("remove", ["put", "delete", "clear", "full"])
def test_what_has_expired_is_told_as_expired_whoever_removes_it(remove: str) -> None:
    hand = Hand()
    told: list[RemovalCause] = []

    def note(key: str, value: int, cause: RemovalCause) -> None:
        told.append(cause)

    cache = Cache[str, int](max_size=1, ttl=1, clock=hand, on_removal=note)
    cache.put("a", 1)
    hand.now = 1
    if remove == "put":
        cache.put("a", 2)
    elif remove == "delete":
        assert cache.delete("a") is False
    elif remove == "clear":
        cache.clear()
    else:
        cache.put("b", 2)
    assert told == ["expired"]
    assert assert_lawful(cache).expirations == 1


def test_to_put_in_the_very_same_object_again_removes_nothing() -> None:
    hand = Hand()
    told: list[tuple[str, object, RemovalCause]] = []
    cache = Cache[str, object](ttl=10, clock=hand, on_removal=noting(told))
    connection = object()
    cache.put("a", connection)
    hand.now = 9
    cache.put("a", connection)
    assert told == []
    hand.now = 18
    assert cache.get("a") is connection
    cache.put("b", connection)
    cache.delete("a")
    assert len(told) == 1


def test_it_is_called_when_all_is_in_order_and_may_use_the_cache() -> None:
    seen: list[list[str]] = []

    def keep_the_first(key: str, value: int, cause: RemovalCause) -> None:
        assert_lawful(cache)
        seen.append(list(cache))
        if key == "a" and cause == "size":
            cache.put("a", value)

    cache = Cache[str, int](max_size=2, on_removal=keep_the_first)
    for key in "abc":
        cache.put(key, 1)
    assert sorted(cache) == ["a", "c"]
    assert seen == [["b", "c"], ["c", "a"]]
    cache.clear()
    assert seen[2:] == [[], []]
    assert_lawful(cache)


def test_one_that_raises_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(key: str, value: int, cause: RemovalCause) -> None:
        raise ValueError("cannot close")

    cache = Cache[str, int](name="users", max_size=1, on_removal=fail)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("b", 3)
    cache.clear()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert "on_removal of cache 'users' raised" in caplog.text
    assert "ValueError: cannot close" in caplog.text
    seen = assert_lawful(cache)
    assert (seen.evictions, seen.replaced, seen.deletes) == (1, 1, 1)


async def test_one_that_raises_is_told_as_an_event_if_somebody_listens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(key: str, value: int, cause: RemovalCause) -> None:
        raise ValueError("cannot close")

    heard: list[RemovalCallbackFailed] = []
    cache = Cache[str, int](name="users", on_removal=fail)
    cache.put("a", 1)
    with subscribe(heard.append, RemovalCallbackFailed):
        assert cache.delete("a")
    assert [(one.key, one.cause, one.error) for one in heard] == [
        ("a", "explicit", "ValueError: cannot close")
    ]
    assert "in fail" in heard[0].traceback
    assert caplog.records == []


async def test_one_that_raises_does_not_fail_the_load_that_made_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(key: str, value: str, cause: RemovalCause) -> None:
        raise ValueError("cannot close")

    cache = Cache[str, str](max_size=1, on_removal=fail)
    cache.put("a", "x")
    assert await cache.get_or_load("b", Loader()) == "loaded"
    assert cache.statistics().load_failures == 0
    assert len(caplog.records) == 1


def test_one_that_never_gives_up_is_told_of_and_stopped(caplog: pytest.LogCaptureFixture) -> None:
    def put_back(key: int, value: int, cause: RemovalCause) -> None:
        cache.put(key, value)

    cache = Cache[int, int](max_size=1, on_removal=put_back)
    cache.put(1, 1)
    cache.put(2, 2)
    assert len(cache) == 1
    assert len(caplog.records) == 1
    assert (
        "RecursionError: on_removal removes what it is called for, 1000 times in a row"
        in caplog.text
    )
    cache.put(3, 3)
    assert len(caplog.records) == 2
    assert_lawful(cache)


def test_it_is_told_of_all_that_goes_by_what_it_does_itself() -> None:
    hand = Hand()
    told: list[int] = []

    def sweep(key: int, value: int, cause: RemovalCause) -> None:
        told.append(key)
        cache.sweep()
        assert_lawful(cache)

    cache = Cache[int, int](ttl=10, clock=hand, on_removal=sweep)
    for key in range(100):
        cache.put(key, key)
    hand.now = 10
    assert cache.get(50) is None
    assert told == [50, *range(50), *range(51, 100)]


def test_a_chain_of_removals_is_told_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    def delete_next(key: int, value: int, cause: RemovalCause) -> None:
        cache.delete(key + 1)

    cache = Cache[int, int](on_removal=delete_next)
    for key in range(900):
        cache.put(key, key)
    cache.delete(0)
    assert len(cache) == 0
    assert caplog.records == []


def test_what_is_no_exception_does_not_keep_the_others_from_being_told() -> None:
    told: list[str] = []

    def interrupt(key: str, value: int, cause: RemovalCause) -> None:
        told.append(key)
        if key == "b":
            raise KeyboardInterrupt

    cache = Cache[str, int](on_removal=interrupt)
    for key in "abc":
        cache.put(key, 1)
    with pytest.raises(KeyboardInterrupt):
        cache.clear()
    cache.put("d", 1)
    cache.delete("d")
    assert told == ["a", "b", "c", "d"]


def test_what_is_no_exception_comes_out_and_leaves_all_in_order() -> None:
    def interrupt(key: str, value: int, cause: RemovalCause) -> None:
        raise KeyboardInterrupt

    cache = Cache[str, int](max_size=1, on_removal=interrupt)
    cache.put("a", 1)
    with pytest.raises(KeyboardInterrupt):
        cache.put("b", 2)
    assert list(cache) == ["b"]
    assert_lawful(cache)
