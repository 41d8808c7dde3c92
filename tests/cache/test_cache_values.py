"""Tests of what a cache has, and says that it has not."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
import trio

from trio_foundation import FoundationError
from trio_foundation.cache import Cache, CacheMiss, CircularLoad, LoadFailed

from ._things import Hand, assert_lawful, each_kind_of_key


@each_kind_of_key
def test_what_was_put_is_there(key: object) -> None:
    cache = Cache[object, int]()
    cache.put(key, 1)
    assert cache.get(key) == cache.fetch(key) == 1
    assert key in cache
    assert list(cache) == [key]


@each_kind_of_key
def test_what_was_not_put_is_not_there(key: object) -> None:
    cache = Cache[object, int](name="users")
    assert cache.get(key) is None
    assert cache.get(key, 5) == 5
    assert key not in cache
    with pytest.raises(CacheMiss) as caught:
        cache.fetch(key)
    assert (caught.value.reason, caught.value.key, caught.value.cache) == (
        "not_found",
        key,
        "users",
    )


def test_none_is_a_value() -> None:
    cache = Cache[str, None]()
    cache.put("a", None)
    assert cache.get("a", 5) is None
    assert cache.fetch("a") is None
    assert "a" in cache
    assert cache.statistics().hits == 2


async def test_none_is_not_loaded_again() -> None:
    cache = Cache[str, None]()
    cache.put("a", None)

    async def load() -> None:
        raise AssertionError

    await cache.get_or_load("a", load)


def test_a_new_value_takes_the_place_of_the_old() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)
    cache.put("a", 2)
    assert cache.get("a") == 2
    assert len(cache) == 1
    assert cache.statistics().replaced == 1


def test_what_is_deleted_is_gone() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    assert (cache.get("a"), cache.get("b")) == (None, 2)
    assert cache.statistics().deletes == 1


def test_what_is_cleared_is_gone() -> None:
    cache = Cache[str, int]()
    for key in "abc":
        cache.put(key, 1)
    cache.clear()
    assert len(cache) == 0
    assert cache.get("a") is None
    cache.put("a", 2)
    assert cache.get("a") == 2
    assert assert_lawful(cache).deletes == 3


def test_hits_misses_and_expired_ones_are_told_apart() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    cache.get("a")
    cache.get("b")
    hand.now = 10
    cache.get("a")
    cache.get("a")
    seen = assert_lawful(cache)
    assert (seen.hits, seen.misses, seen.expired, seen.gets) == (1, 2, 1, 4)
    assert seen.hit_rate == 0.25


def test_a_miss_of_what_has_expired_says_so_once() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    hand.now = 10
    reasons: list[str] = []
    for _ in range(2):
        with pytest.raises(CacheMiss) as caught:
            cache.fetch("a")
        reasons.append(caught.value.reason)
    assert reasons == ["expired", "not_found"]  # it was deleted when it was seen


def test_to_look_whether_a_key_is_there_is_no_use_of_it() -> None:
    cache = Cache[str, int](max_size=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert "a" in cache
    assert list(cache) == ["a", "b"]
    cache.put("c", 3)
    assert list(cache) == ["b", "c"]
    assert cache.statistics().gets == 0


def test_keys_may_be_deleted_while_one_looks_at_them() -> None:
    cache = Cache[str, int]()
    for key in "abc":
        cache.put(key, 1)
    for key in cache:
        cache.delete(key)
    assert len(cache) == 0


def test_it_says_what_it_is() -> None:
    cache = Cache[str, int](max_size=10, name="users")
    cache.put("a", 1)
    assert repr(cache) == "<Cache 'users': 1 of 10>"
    assert cache.name == "users"
    assert Cache[str, int]().name == "cache"


# What makes no sense


@pytest.mark.parametrize("ttl", [0, 0.0, -1, -0.5, math.nan, -math.inf])
def test_a_ttl_that_makes_no_sense_is_refused_with_its_value(ttl: float) -> None:
    words = rf"^ttl must be more than 0 seconds, not {ttl!r}$"
    with pytest.raises(ValueError, match=words):
        Cache[str, int](ttl=ttl)
    cache = Cache[str, int]()
    with pytest.raises(ValueError, match=words):
        cache.put("a", 1, ttl=ttl)
    assert len(cache) == 0


async def test_a_ttl_that_makes_no_sense_is_refused_also_where_nothing_is_loaded() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)

    async def load() -> int:
        raise AssertionError

    for key in "ab":
        with pytest.raises(ValueError, match=r"^ttl must be more than 0 seconds, not 0$"):
            await cache.get_or_load(key, load, ttl=0)
    assert cache.statistics().gets == 0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_size": 0}, ValueError, "max_size must be 1 or more, not 0"),
        ({"max_size": 1.5}, TypeError, "max_size must be a whole number, not 1.5"),
        ({"max_size": math.inf}, TypeError, "max_size must be a whole number, not inf"),
        ({"ttl": "60"}, TypeError, "ttl must be a number of seconds, not '60'"),
        ({"ttl": None}, TypeError, "ttl must be a number of seconds, not None"),
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"clock": 5}, TypeError, "clock must be a function without arguments .* not 5: write"),
        ({"jitter": 1.5}, ValueError, "jitter must be from 0 to 1, not 1.5"),
        ({"stale_for": -1}, ValueError, "stale_for must be 0 seconds or more, not -1"),
        ({"negative_ttl": 0}, ValueError, "negative_ttl must be more than 0 seconds, not 0"),
        ({"on_removal": 5}, TypeError, "on_removal must be a plain function of key, value and"),
        ({"on_removal": trio.sleep}, TypeError, "on_removal must be a plain function"),
        ({"rng": 5}, TypeError, "rng must be a random.Random, not 5"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=rf"^{words}"):
        Cache[str, int](**options)


@pytest.mark.parametrize("method", ["put", "get", "fetch", "delete", "__contains__"])
def test_a_key_that_cannot_be_hashed_changes_nothing(method: str) -> None:
    cache = Cache[Any, int](max_size=1)
    cache.put("a", 1)
    before = cache.statistics()
    with pytest.raises(TypeError, match="unhashable"):
        getattr(cache, method)([], *[1] * (method == "put"))
    assert cache.statistics() == before
    assert cache.get("a") == 1
    assert_lawful(cache)


# Errors


@pytest.mark.parametrize(
    "error",
    [
        CacheMiss("users", "alice", "expired"),
        CacheMiss("users", "alice", "not_found"),
        LoadFailed("users", "alice", "OSError: no route"),
        CircularLoad("users", "alice"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle_and_tell_who_and_what(error: Any) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))
    assert "'users'" in str(error)
    assert "'alice'" in str(error)
    assert (error.cache, error.key) == ("users", "alice")
    assert isinstance(error, FoundationError)


def test_a_miss_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Cache[str, int]().fetch("a")


class Unwritable:
    def __repr__(self) -> str:
        raise ValueError


def test_an_error_can_be_written_whatever_the_key_is() -> None:
    assert "<Unwritable>" in str(CacheMiss("users", Unwritable(), "expired"))
    assert len(str(CacheMiss("users", "x" * 10**6, "not_found"))) < 200
