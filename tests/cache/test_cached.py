"""Tests of functions that remember their results."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import CachedFunction, LoadFailed, cached

from ._things import assert_lawful


async def test_a_call_with_the_same_arguments_is_answered_from_memory() -> None:
    calls: list[tuple[int, int]] = []

    @cached
    async def add(a: int, b: int = 1) -> int:
        calls.append((a, b))
        return a + b

    assert [await add(1), await add(1), await add(2), await add(1, b=2), await add(1, b=2)] == [
        2, 2, 3, 3, 3,
    ]  # fmt: skip
    assert calls == [(1, 1), (2, 1), (1, 2)]
    assert assert_lawful(add.cache).hits == 2


async def test_keywords_count_in_any_order_and_are_not_taken_for_positions() -> None:
    calls = 0

    @cached
    async def count(*args: object, **kwargs: object) -> int:
        nonlocal calls
        calls += 1
        return calls

    assert await count(a=1, b=2) == await count(b=2, a=1) == 1
    assert await count(("a", 1), ("b", 2)) == 2
    assert await count() == 3


async def test_a_function_of_the_arguments_may_stand_for_them(autojump_clock: MockClock) -> None:
    def user_of(session: list[str], user: str) -> str:
        return user

    @cached(key=user_of, ttl=10)
    async def load(session: list[str], user: str) -> int:
        session.append(user)
        return len(session)

    session: list[str] = []
    assert [await load(session, "a"), await load(session, "a"), await load(session, "b")] == [
        1, 1, 2,
    ]  # fmt: skip
    assert load.cache.get("a") == 1
    await trio.sleep(10)
    assert await load(session, user="a") == 3


async def test_it_keeps_its_name_and_its_signature() -> None:
    @cached(max_size=5)
    async def price(product: str) -> float:
        """Return a price."""
        return 1.5

    @cached(name="prices")
    async def other(product: str) -> float:
        return 1.5

    assert (price.cache.name, other.cache.name) == ("price", "prices")
    assert price.__doc__ == "Return a price."
    assert str(inspect.signature(price)) == "(product: 'str') -> 'float'"
    assert repr(price) == "<CachedFunction 'price': 0 results>"
    assert isinstance(price, CachedFunction)
    assert vars(price)["__name__"] == "price"


async def test_a_result_can_be_forgotten() -> None:
    calls = 0

    @cached
    async def count(a: int, *, b: int = 0) -> int:
        nonlocal calls
        calls += 1
        return calls

    await count(1, b=2)
    assert count.forget(1, b=2) is True
    assert count.forget(1, b=2) is False
    assert await count(1, b=2) == 2
    count.cache.clear()
    assert await count(1, b=2) == 3


async def test_calls_at_the_same_time_are_one(autojump_clock: MockClock) -> None:
    calls = 0

    @cached
    async def count() -> int:
        nonlocal calls
        calls += 1
        await trio.sleep(1)
        return calls

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(count)
    assert calls == 1


async def test_an_error_is_not_remembered() -> None:
    outcomes: list[Any] = [OSError("no route"), 5]

    @cached
    async def fetch() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    with pytest.raises(OSError, match="no route"):
        await fetch()
    assert await fetch() == 5


async def test_an_error_is_remembered_if_that_is_wanted() -> None:
    @cached(negative_ttl=math.inf)
    async def fetch() -> int:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        await fetch()
    with pytest.raises(LoadFailed, match="no route"):
        await fetch()


async def test_a_method_remembers_for_each_object() -> None:
    class Shop:
        def __init__(self, factor: int) -> None:
            self.factor = factor
            self.asked = 0

        @cached
        async def price(self, product: str, amount: int = 1) -> int:
            self.asked += 1
            return len(product) * self.factor * amount

    one, two = Shop(1), Shop(2)
    for _ in range(3):
        assert await one.price("kiwi") == 4
        assert await two.price("kiwi", amount=2) == 16
    assert (one.asked, two.asked) == (1, 1)
    assert len(Shop.price.cache) == 2
    assert Shop.price.forget(one, "kiwi")


async def test_to_forget_by_way_of_an_object_is_refused_and_the_right_line_is_shown() -> None:
    class Shop:
        @cached
        async def price(self, product: str, amount: int = 1) -> int:
            return len(product) * amount

    shop = Shop()
    await shop.price("kiwi")
    with pytest.raises(TypeError, match=r"is a method: write Shop.price.forget\(its object, "):
        shop.price.forget("kiwi", 1)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    with pytest.raises(TypeError, match=r"^Shop.price is a method"):
        Shop.price.forget()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert Shop.price.forget(shop, "kiwi")


async def test_static_methods_and_class_methods_remember_too() -> None:
    class Shop:
        @classmethod
        @cached
        async def name(cls, suffix: str) -> str:
            return cls.__name__ + suffix

        @staticmethod
        @cached
        async def double(number: int) -> int:
            return 2 * number

    shop: Any = Shop  # type checkers do not see through both decorators
    for _ in range(2):
        assert await shop.name("!") == await shop().name("!") == "Shop!"
        assert await shop.double(2) == await shop().double(2) == 4
    assert shop.double.forget(2)


async def test_a_function_that_is_not_async_is_named_when_it_is_called() -> None:
    def double(number: int) -> int:
        return 2 * number

    remembers: Any = cached(double)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(TypeError, match=r"^cached takes an async function, but double returned 4"):
        await remembers(2)


async def test_a_call_with_arguments_that_do_not_fit_is_an_error() -> None:
    @cached
    async def fetch(product: str) -> int:
        return 5

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'product'"):
        await fetch()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def test_a_call_with_arguments_that_cannot_be_hashed_is_an_error() -> None:
    @cached
    async def fetch(products: list[str]) -> int:
        return 5

    with pytest.raises(TypeError, match="unhashable"):
        await fetch(["apples"])


def test_what_cannot_be_an_async_function_is_refused() -> None:
    async def fetch() -> int:
        return 5

    with pytest.raises(TypeError, match=r"^cached takes an async function, but got a coroutine"):
        cached(fetch())  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_options_that_make_no_sense_are_refused() -> None:
    async def fetch() -> int:
        return 5

    with pytest.raises(ValueError, match="ttl must be more than 0 seconds, not 0"):
        cached(ttl=0)(fetch)
    with pytest.raises(TypeError, match=r"^key must be a plain function of the same arguments"):
        cached(key=fetch)(fetch)  # type: ignore[arg-type]
