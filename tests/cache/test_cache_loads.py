"""Tests of loads: one for all who ask, handed over, invalidated, failed."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.cache import Cache, CircularLoad, LoadFailed

from ._things import Asker, Hand, Loader, assert_lawful, leaves_of


async def test_what_is_there_is_not_loaded() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)
    assert await cache.get_or_load("a", Loader()) == 1
    assert (cache.statistics().hits, cache.statistics().loads) == (1, 0)


async def test_what_is_not_there_is_loaded_and_kept() -> None:
    cache = Cache[str, str]()
    load = Loader()
    for _ in range(3):
        assert await cache.get_or_load("a", load) == "loaded"
    assert load.begun == 1
    seen = assert_lawful(cache)
    assert (seen.hits, seen.misses, seen.loads, seen.puts) == (2, 1, 1, 1)


async def test_a_value_that_is_loaded_has_the_ttl_it_is_given(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](ttl=10)
    await cache.get_or_load("usual", Loader())
    await cache.get_or_load("short", Loader(), ttl=5)
    await trio.sleep(5)
    assert list(cache) == ["usual"]
    await trio.sleep(5)
    assert list(cache) == []


async def test_what_has_expired_is_loaded_again(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](ttl=10)
    await cache.get_or_load("a", Loader("old"))
    await trio.sleep(10)
    assert await cache.get_or_load("a", Loader("new")) == "new"
    seen = assert_lawful(cache)
    assert (seen.misses, seen.expired, seen.expirations) == (1, 1, 1)


async def no_arguments() -> Any:
    return ()


async def one_argument(key: str) -> Any:
    return key


async def keywords(*, key: str = "k") -> Any:
    return key


class Service:
    async def fetch(self, key: str) -> Any:
        return key

    async def fetch_all(self) -> Any:
        return ()


@pytest.mark.parametrize(
    ("load", "value"),
    [
        (no_arguments, ()),
        (one_argument, "a"),
        (keywords, "k"),
        (partial(one_argument, "b"), "b"),
        (Service().fetch, "a"),
        (Service().fetch_all, ()),
        (lambda: one_argument("c"), "c"),
        (partial(keywords, key="e"), "e"),
    ],
)
async def test_a_load_takes_the_key_if_it_has_to_take_something(load: Any, value: Any) -> None:
    assert await Cache[str, Any]().get_or_load("a", load) == value


async def test_those_who_ask_at_once_cause_one_load(autojump_clock: MockClock) -> None:
    cache = Cache[str, str]()
    load = Loader(after=5)
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, load) for _ in range(100)]
    assert {asker.answer for asker in askers} == {"loaded"}
    assert {asker.at for asker in askers} == {5}
    assert load.begun == 1
    seen = assert_lawful(cache)
    assert (seen.misses, seen.loads, seen.puts, seen.loading) == (100, 1, 1, 0)


async def test_each_key_is_loaded_by_itself(autojump_clock: MockClock) -> None:
    cache = Cache[int, str]()
    loads = [Loader(str(key), after=key) for key in range(5)]
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, loads[key], key) for key in range(5) for _ in range(3)]
        await trio.sleep(2.5)
        assert cache.statistics().loading == 2
    assert [asker.answer for asker in askers] == [str(key) for key in range(5) for _ in range(3)]


async def test_a_load_is_run_in_the_task_and_context_of_who_asks() -> None:
    var: ContextVar[str] = ContextVar("var")
    cache = Cache[str, object]()

    async def load() -> object:
        return trio.lowlevel.current_task(), var.get()

    var.set("mine")
    assert await cache.get_or_load("a", load) == (trio.lowlevel.current_task(), "mine")


# Cancellation


async def test_a_hit_is_no_schedule_point_and_is_cancelled_without_effect() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)
    before = cache.statistics()
    with trio.CancelScope() as scope:
        scope.cancel()
        await cache.get_or_load("a", Loader())
    assert scope.cancelled_caught
    with trio.CancelScope() as scope:
        scope.cancel()
        await cache.get_or_load("b", Loader())
    assert scope.cancelled_caught
    assert cache.statistics() == before


async def test_a_load_is_a_checkpoint_even_if_there_is_none_in_it() -> None:
    cache = Cache[str, object]()
    with assert_checkpoints():
        await cache.get_or_load("a", no_arguments)


async def test_a_cancelled_leader_hands_over_to_who_has_waited_longest(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    loads = [Loader(str(number), after=10) for number in range(4)]
    async with trio.open_nursery() as nursery:
        askers: list[Asker] = []
        for load in loads:
            askers.append(Asker(nursery, cache, load))
            await wait_all_tasks_blocked()
        await trio.sleep(3)
        askers[0].scope.cancel()
        await trio.sleep(3)
        askers[1].scope.cancel()
    assert [asker.answer for asker in askers] == ["cancelled", "cancelled", "2", "2"]
    assert [asker.at for asker in askers] == [3, 6, 16, 16]
    assert [load.begun for load in loads] == [1, 1, 1, 0]
    seen = assert_lawful(cache)
    assert (seen.loads, seen.load_failures, seen.puts, seen.misses) == (3, 0, 1, 4)


async def test_a_cancelled_leader_whom_nobody_waits_for_leaves_nothing(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    with trio.move_on_after(1):
        await cache.get_or_load("a", Loader(after=10))
    assert cache.statistics().loading == 0
    assert await cache.get_or_load("a", Loader("new")) == "new"


async def test_a_cancelled_waiter_leaves_the_others_alone(autojump_clock: MockClock) -> None:
    cache = Cache[str, str]()
    load = Loader(after=10)
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, load) for _ in range(3)]
        await trio.sleep(1)
        for asker in askers:
            if asker.answer is None and load.begun == 1:
                asker.scope.cancel()
                break
    assert sorted(str(asker.answer) for asker in askers) == ["cancelled", "loaded", "loaded"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
async def test_it_is_handed_over_to_nobody_who_leaves_at_the_same_moment(
    order: tuple[int, ...], autojump_clock: MockClock
) -> None:
    cache = Cache[str, str]()
    loads = [Loader(str(number), after=10) for number in range(4)]
    async with trio.open_nursery() as nursery:
        askers: list[Asker] = []
        for load in loads:
            askers.append(Asker(nursery, cache, load))
            await wait_all_tasks_blocked()
        for number in order:
            askers[number].scope.cancel()
    assert [asker.answer for asker in askers] == ["cancelled"] * 3 + ["3"]
    assert_lawful(cache)


async def test_whoever_took_over_may_be_cancelled_before_it_begins(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    async with trio.open_nursery() as nursery:
        first = Asker(nursery, cache, Loader("0", after=10))
        await wait_all_tasks_blocked()
        second = Asker(nursery, cache, Loader("1", after=10))
        await wait_all_tasks_blocked()
        third = Asker(nursery, cache, Loader("2", after=10))
        await wait_all_tasks_blocked()

        async def cancel_second() -> None:
            second.scope.cancel()

        first.scope.cancel()
        nursery.start_soon(cancel_second)
    assert (first.answer, second.answer, third.answer) == ("cancelled", "cancelled", "2")


async def test_when_all_are_cancelled_nothing_is_left(autojump_clock: MockClock) -> None:
    cache = Cache[str, str]()
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                Asker(nursery, cache, Loader(after=10))
    assert assert_lawful(cache).loading == 0


# Invalidation


@pytest.mark.parametrize("by", ["delete", "clear", "put"])
async def test_what_was_loaded_before_an_invalidation_is_not_kept(
    by: str, autojump_clock: MockClock
) -> None:
    cache = Cache[str, str]()

    def invalidate() -> None:
        if by == "delete":
            assert cache.delete("k") is False
        elif by == "clear":
            cache.clear()
        else:
            cache.put("k", "put")

    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, Loader("old", after=10)) for _ in range(3)]
        await trio.sleep(5)
        invalidate()
        later = Asker(nursery, cache, Loader("new", after=10))
    assert [asker.answer for asker in askers] == ["old"] * 3  # they asked before
    assert later.answer == ("put" if by == "put" else "new")
    assert cache.get("k") == later.answer
    assert_lawful(cache)


async def test_an_invalidation_of_another_key_is_none(autojump_clock: MockClock) -> None:
    cache = Cache[str, str]()
    async with trio.open_nursery() as nursery:
        Asker(nursery, cache, Loader(after=10))
        await trio.sleep(5)
        cache.delete("other")
        cache.put("another", "x")
    assert cache.get("k") == "loaded"


async def test_after_an_invalidation_those_who_wait_for_a_cancelled_leader_ask_again(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    loads = [Loader(str(number), after=10) for number in range(4)]
    async with trio.open_nursery() as nursery:
        askers: list[Asker] = []
        for load in loads[:3]:
            askers.append(Asker(nursery, cache, load))
            await wait_all_tasks_blocked()
        await trio.sleep(1)
        cache.delete("k")
        askers.append(Asker(nursery, cache, loads[3]))  # a new flight
        await trio.sleep(1)
        askers[0].scope.cancel()
    assert [asker.answer for asker in askers] == ["cancelled", "3", "3", "3"]
    assert [load.begun for load in loads] == [1, 0, 0, 1]
    assert cache.get("k") == "3"


async def test_an_invalidation_between_handing_over_and_taking_over_is_honoured(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    async with trio.open_nursery() as nursery:
        first = Asker(nursery, cache, Loader("0", after=10))
        await wait_all_tasks_blocked()
        others = [Asker(nursery, cache, Loader("new", after=10)) for _ in range(3)]
        await wait_all_tasks_blocked()
        flight = cache._loads._flights["k"]
        assert flight.pass_on()  # as a cancelled leader does
        cache.delete("k")
        await trio.sleep(1)
        assert flight.is_over
        first.scope.cancel()
    assert first.answer == "cancelled"
    assert [asker.answer for asker in others] == ["new"] * 3
    assert cache.get("k") == "new"
    assert cache.statistics().loads == 2


async def test_a_load_that_deletes_its_own_key_is_not_kept() -> None:
    cache = Cache[str, int]()

    async def load() -> int:
        cache.delete("a")
        return 1

    assert await cache.get_or_load("a", load) == 1
    assert "a" not in cache
    assert_lawful(cache)


# Errors


async def test_an_error_is_not_kept() -> None:
    cache = Cache[str, str]()
    with pytest.raises(OSError, match=r"^no route$"):
        await cache.get_or_load("a", Loader(error=OSError("no route")))
    assert await cache.get_or_load("a", Loader()) == "loaded"
    seen = assert_lawful(cache)
    assert (seen.loads, seen.load_failures) == (2, 1)


async def test_each_gets_an_error_of_its_own_with_the_cause(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](name="users")
    cause = OSError("no route")
    async with trio.open_nursery() as nursery:
        leader = Asker(nursery, cache, Loader(after=5, error=cause))
        await wait_all_tasks_blocked()
        waiters = [Asker(nursery, cache, Loader()) for _ in range(3)]
    assert leader.answer is cause
    assert len({id(waiter.answer) for waiter in waiters}) == 3
    for waiter in waiters:
        assert isinstance(waiter.answer, LoadFailed)
        assert waiter.answer.__cause__ is cause
        assert str(waiter.answer) == "loading 'k' into cache 'users' failed: OSError: no route"
    assert cause.__cause__ is None
    assert cause.__context__ is None


async def test_a_group_of_errors_is_an_error_and_one_with_a_cancellation_is_none(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()

    async def fail_when_cancelled() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 10)
            try:
                await trio.sleep(10)
            finally:
                raise ValueError("in cleanup")

    with pytest.raises(ExceptionGroup):
        await cache.get_or_load("k", Loader(error=ExceptionGroup("", [OSError()])))
    assert cache.statistics().load_failures == 1
    errors: list[BaseException] = []

    async def lead() -> None:
        try:
            with trio.move_on_after(1):
                await cache.get_or_load("k", fail_when_cancelled)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lead)
        await wait_all_tasks_blocked()
        waiter = Asker(nursery, cache, Loader("taken over"))
    assert waiter.answer == "taken over"
    assert [type(leaf) for leaf in leaves_of(errors[0])] == [ValueError]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_is_no_exception_hands_over_too(
    error: type[BaseException], autojump_clock: MockClock
) -> None:
    cache = Cache[str, str]()

    async def lead() -> None:
        with pytest.raises(error):
            await cache.get_or_load("k", Loader(after=1, error=error()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lead)
        await wait_all_tasks_blocked()
        waiter = Asker(nursery, cache, Loader())
    assert waiter.answer == "loaded"
    assert cache.statistics().load_failures == 0


@pytest.mark.parametrize("cancelled", [0, 1])
@pytest.mark.parametrize("waiting", [0, 2])
async def test_an_error_keeps_nothing_alive_not_even_until_garbage_is_collected(
    cancelled: int, waiting: int, autojump_clock: MockClock
) -> None:
    class Thing:
        pass

    cache = Cache[str, str]()
    things: list[weakref.ref[Thing]] = []

    async def load() -> str:
        thing = Thing()
        await trio.sleep(1)
        things.append(weakref.ref(thing))
        raise OSError

    async def ask(seconds: float) -> None:
        with trio.move_on_after(seconds), suppress(OSError, LoadFailed):
            await cache.get_or_load("a", load)

    gc.disable()
    try:
        async with trio.open_nursery() as nursery:
            for seconds in [0.5] * cancelled + [10] * (1 + waiting):
                nursery.start_soon(ask, seconds)
                await wait_all_tasks_blocked()
        assert [thing() for thing in things] == [None]
    finally:
        gc.enable()


async def test_what_a_load_has_left_running_does_not_keep_the_value_alive() -> None:
    class Thing:
        pass

    cache = Cache[str, Thing]()
    async with trio.open_nursery() as nursery:

        async def load() -> Thing:
            nursery.start_soon(trio.sleep_forever)
            return Thing()

        thing = weakref.ref(await cache.get_or_load("a", load))
        cache.delete("a")
        assert thing() is None
        nursery.cancel_scope.cancel()


async def test_what_on_removal_raises_makes_nobody_load_again(autojump_clock: MockClock) -> None:
    def leave(key: str, value: str, cause: str) -> None:
        raise SystemExit

    cache = Cache[str, str](max_size=1, on_removal=leave)
    cache.put("other", "goes for it")
    load = Loader(after=1)

    async def lead() -> None:
        with pytest.raises(SystemExit):
            await cache.get_or_load("k", load)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lead)
        await wait_all_tasks_blocked()
        waiters = [Asker(nursery, cache, load) for _ in range(3)]
    assert [waiter.answer for waiter in waiters] == ["loaded"] * 3
    assert load.begun == 1
    assert assert_lawful(cache).loading == 0


async def test_a_key_that_turns_evil_during_its_load_strands_nobody(
    autojump_clock: MockClock,
) -> None:
    class Key:
        is_evil = False

        def __hash__(self) -> int:
            if self.is_evil:
                raise ValueError("evil")
            return 1

    cache = Cache[Key, str]()
    key = Key()
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, Loader(after=5), key) for _ in range(3)]
        await trio.sleep(1)
        key.is_evil = True
    assert sorted(repr(asker.answer) for asker in askers) == [
        "'loaded'",
        "'loaded'",
        "ValueError('evil')",
    ]
    key.is_evil = False
    assert await cache.get_or_load(key, Loader("again")) == "again"


# What is written wrongly


async def test_a_coroutine_is_refused_and_the_right_line_is_shown() -> None:
    cache = Cache[str, int]()
    with pytest.raises(TypeError, match=r"^get_or_load takes an async function, but got a corou"):
        await cache.get_or_load("a", no_arguments())  # type: ignore[arg-type]
    assert cache.statistics().gets == 0


async def test_a_function_that_is_not_async_is_named() -> None:
    def fetch() -> int:
        return 5

    cache = Cache[str, int]()
    with pytest.raises(
        TypeError, match=r"^get_or_load takes an async function, but fetch returned 5"
    ):
        await cache.get_or_load("a", fetch)  # type: ignore[arg-type]


# Loads within loads


async def test_a_load_may_load_other_keys(autojump_clock: MockClock) -> None:
    cache = Cache[int, int]()

    async def fibonacci(number: int) -> int:
        if number < 2:
            return number
        return await cache.get_or_load(number - 1, fibonacci) + await cache.get_or_load(
            number - 2, fibonacci
        )

    assert await cache.get_or_load(30, fibonacci) == 832_040
    assert cache.statistics().loads == 31


async def test_a_load_that_asks_for_its_own_key_is_an_error() -> None:
    cache = Cache[str, int](name="users")

    async def load() -> int:
        return await cache.get_or_load("alice", load)

    with pytest.raises(CircularLoad, match=r"load of 'alice' into cache 'users' would wait for it"):
        await cache.get_or_load("alice", load)
    assert assert_lawful(cache).loading == 0


async def test_a_load_that_asks_for_its_own_key_in_a_task_is_an_error(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, int]()

    async def load() -> int:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(cache.get_or_load, "a", load)
        return 1

    with pytest.raises(ExceptionGroup) as caught:
        await cache.get_or_load("a", load)
    assert isinstance(caught.value.exceptions[0], CircularLoad)


async def test_a_load_that_asks_for_its_own_key_by_way_of_another_is_an_error() -> None:
    caches = [Cache[str, int](), Cache[str, int]()]

    async def load_a() -> int:
        return await caches[1].get_or_load("b", load_b)

    async def load_b() -> int:
        return await caches[0].get_or_load("a", load_a)

    with pytest.raises(CircularLoad):
        await caches[0].get_or_load("a", load_a)


async def test_a_load_may_ask_another_cache_for_the_same_key() -> None:
    near, far = Cache[str, str](), Cache[str, str]()
    load = Loader()
    assert await near.get_or_load("a", lambda: far.get_or_load("a", load)) == "loaded"
    assert near.get("a") == far.get("a") == "loaded"


async def test_two_loads_that_wait_for_each_other_are_an_error(autojump_clock: MockClock) -> None:
    cache = Cache[str, str]()

    async def load(key: str) -> str:
        await trio.sleep(1 if key == "a" else 2)
        return await cache.get_or_load("b" if key == "a" else "a", load)

    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, cache, load, key) for key in "ab"]
    assert [type(asker.answer) for asker in askers] == [LoadFailed, CircularLoad]
    assert [asker.at for asker in askers] == [2, 2]


async def test_what_a_load_has_left_running_may_ask_for_its_key_when_it_is_over(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    async with trio.open_nursery() as nursery:

        async def ask_later() -> None:
            await trio.sleep(5)
            cache.delete("a")
            assert await cache.get_or_load("a", Loader("again")) == "again"

        async def load() -> str:
            nursery.start_soon(ask_later)
            return "first"

        assert await cache.get_or_load("a", load) == "first"
    assert cache.get("a") == "again"


async def test_what_a_cancelled_load_has_left_running_may_ask_for_its_key(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    answers: list[str] = []
    async with trio.open_nursery() as nursery:

        async def ask_later() -> None:
            await trio.sleep(2)
            answers.append(await cache.get_or_load("k", Loader()))

        async def load() -> str:
            nursery.start_soon(ask_later)
            await trio.sleep(10)
            return "first"

        first = Asker(nursery, cache, load)
        await wait_all_tasks_blocked()
        second = Asker(nursery, cache, Loader("second", after=5))
        await trio.sleep(1)
        first.scope.cancel()
    assert (first.answer, second.answer, answers) == ("cancelled", "second", ["second"])


async def test_two_who_wait_within_a_load_do_not_disturb_each_other(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str]()
    slow = Loader("slow", after=5)

    async def load() -> str:
        async with trio.open_nursery() as nursery:
            askers = [Asker(nursery, cache, slow, "slow") for _ in range(3)]
            await trio.sleep(1)
            askers[1].scope.cancel()
        return ",".join(str(asker.answer) for asker in askers)

    assert sorted((await cache.get_or_load("a", load)).split(",")) == ["cancelled", "slow", "slow"]
    assert slow.begun in {1, 2}


# Stale values


async def test_the_first_who_finds_a_stale_value_refreshes_it_and_the_others_get_it_at_once(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    await trio.sleep(10)
    async with trio.open_nursery() as nursery:
        first = Asker(nursery, cache, Loader("new", after=5))
        await wait_all_tasks_blocked()
        others = [Asker(nursery, cache, Loader()) for _ in range(3)]
        await trio.sleep(1)
        assert [other.answer for other in others] == ["old"] * 3
        assert [other.at for other in others] == [10] * 3
    assert (first.answer, first.at) == ("new", 15)
    assert cache.get("k") == "new"
    seen = assert_lawful(cache)
    assert (seen.expired, seen.stale, seen.loads) == (4, 3, 1)


async def test_a_stale_value_is_served_when_the_load_fails(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    for _ in range(2):
        await trio.sleep(20)
        assert await cache.get_or_load("k", Loader(error=OSError())) == "old"
    seen = assert_lawful(cache)
    assert (seen.loads, seen.load_failures, seen.stale) == (2, 2, 2)


async def test_a_stale_value_is_expired_for_everybody_else(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    await trio.sleep(10)
    assert (cache.get("k"), len(cache), list(cache), "k" in cache) == (None, 0, [], False)
    assert cache.sweep() == 0
    assert cache.get("k") is None
    assert cache.statistics().expired == 2
    assert cache.statistics().held == 1
    await trio.sleep(100)
    assert cache.sweep() == 1


@pytest.mark.parametrize("after", [0.0, 1.0])
async def test_a_value_that_is_too_stale_is_not_served(
    after: float, autojump_clock: MockClock
) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    await trio.sleep(110 - after)
    with pytest.raises(OSError):  # noqa: PT011
        await cache.get_or_load("k", Loader(after=after, error=OSError()))
    assert cache.statistics().stale == 0


@pytest.mark.parametrize("by", ["delete", "clear"])
async def test_a_stale_value_that_is_deleted_is_not_served(
    by: str, autojump_clock: MockClock
) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    await trio.sleep(10)

    async def load() -> str:
        if by == "delete":
            assert cache.delete("k") is False
        else:
            cache.clear()
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        await cache.get_or_load("k", load)
    seen = assert_lawful(cache)
    assert (seen.held, seen.expirations, seen.deletes) == (0, 1, 0)


async def test_a_load_that_asks_for_its_own_key_gets_the_stale_value(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, int](ttl=10, stale_for=100)
    cache.put("k", 1)
    await trio.sleep(10)

    async def load() -> int:
        return await cache.get_or_load("k", load) + 1

    assert await cache.get_or_load("k", load) == 2
    assert cache.get("k") == 2


async def test_a_cancelled_refresh_leaves_the_stale_value(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)
    cache.put("k", "old")
    await trio.sleep(10)
    with trio.move_on_after(1):
        await cache.get_or_load("k", Loader(after=5))
    assert await cache.get_or_load("k", Loader(error=OSError())) == "old"


async def test_room_is_made_of_stale_values_first(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](max_size=2, stale_for=100)
    cache.put("ever", "x")
    cache.put("stale", "x", ttl=10)
    await trio.sleep(10)
    cache.put("new", "x")
    assert list(cache) == ["ever", "new"]
    assert cache.statistics().held == 2


# Errors that are kept


async def test_an_error_is_kept_for_its_time(autojump_clock: MockClock) -> None:
    cache = Cache[str, str](negative_ttl=10)
    cause = OSError("no route")
    with pytest.raises(OSError, match="no route"):
        await cache.get_or_load("k", Loader(error=cause))
    seen: list[LoadFailed] = []
    for _ in range(2):
        await trio.sleep(4)
        with pytest.raises(LoadFailed) as caught:
            await cache.get_or_load("k", Loader())
        seen.append(caught.value)
    assert seen[0] is not seen[1]
    assert seen[0].__cause__ is seen[1].__cause__ is cause
    assert cache.get("k") is None
    await trio.sleep(2)
    assert await cache.get_or_load("k", Loader()) == "loaded"
    figures = assert_lawful(cache)
    assert (figures.loads, figures.load_failures, figures.misses) == (2, 1, 5)


@pytest.mark.parametrize("by", ["delete", "clear", "put"])
async def test_an_error_is_forgotten_when_its_key_is_changed(by: str) -> None:
    cache = Cache[str, str](negative_ttl=10)
    with pytest.raises(OSError):  # noqa: PT011
        await cache.get_or_load("k", Loader(error=OSError()))
    if by == "delete":
        cache.delete("k")
    elif by == "clear":
        cache.clear()
    else:
        cache.put("k", "put")
        assert await cache.get_or_load("k", Loader()) == "put"
        cache.delete("k")
    assert await cache.get_or_load("k", Loader()) == "loaded"


async def test_while_an_error_is_kept_a_stale_value_is_served_without_a_load(
    autojump_clock: MockClock,
) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100, negative_ttl=5)
    cache.put("k", "old")
    await trio.sleep(10)
    load = Loader(error=OSError())
    for _ in range(6):
        assert await cache.get_or_load("k", load) == "old"
        await trio.sleep(1)
    assert load.begun == 2


async def test_the_error_of_a_load_that_was_invalidated_is_not_kept() -> None:
    cache = Cache[str, str](negative_ttl=10)

    async def load() -> str:
        cache.delete("k")
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        await cache.get_or_load("k", load)
    assert await cache.get_or_load("k", Loader()) == "loaded"


async def test_errors_are_kept_by_the_clock_that_is_given() -> None:
    hand = Hand()
    cache = Cache[str, str](negative_ttl=10, clock=hand)
    with pytest.raises(OSError):  # noqa: PT011
        await cache.get_or_load("k", Loader(error=OSError()))
    hand.now = 10
    assert cache.sweep() == 0
    assert cache._core.failures is not None
    assert len(cache._core.failures) == 0


def test_an_error_is_kept_also_in_the_next_run() -> None:
    cache = Cache[str, str](negative_ttl=10)

    async def begin() -> None:
        with pytest.raises(OSError):  # noqa: PT011
            await cache.get_or_load("k", Loader(error=OSError()))
        await trio.sleep(4)

    async def go_on() -> None:
        assert len(cache) == 0  # from here on it goes by the clock of this run
        await trio.sleep(5)
        with pytest.raises(LoadFailed):
            await cache.get_or_load("k", Loader())
        await trio.sleep(1)
        await cache.get_or_load("k", Loader())

    for main in (begin, go_on):
        trio.run(main, clock=MockClock(autojump_threshold=0))
