"""What type checkers have to refuse of the cache; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.cache import Cache, CacheHit, cached


async def fetch(product: str) -> float:
    return len(product) * 1.5


async def fetch_by_number(number: int) -> float:
    return number * 1.5


async def fetch_name() -> str:
    return "apples"


def sync(product: str) -> float:
    return len(product) * 1.5


def one_argument(key: str) -> None: ...


# Making one


def makes() -> None:
    Cache[str, float](10)  # type: ignore[call-arg]
    Cache[str, float](max_size="10")  # type: ignore[arg-type]
    Cache[str, float](max_size=1.5)  # type: ignore[arg-type]
    Cache[str, float](ttl=None)  # type: ignore[arg-type]
    Cache[str, float](clock=5)  # type: ignore[arg-type]
    Cache[str, float](on_removal=one_argument)  # type: ignore[arg-type]
    Cache[str, float](maximum=5)  # type: ignore[call-arg]


# Using it


def uses(prices: Cache[str, float]) -> None:
    prices.put(5, 1.5)  # type: ignore[arg-type]
    prices.put("apples", "1.5")  # type: ignore[arg-type]
    prices.put("apples", 1.5, 10)  # type: ignore[call-arg]
    prices.get(5)  # type: ignore[call-overload]
    prices.fetch(5)  # type: ignore[arg-type]
    prices.delete(5)  # type: ignore[arg-type]
    value: float = prices.get("apples")  # type: ignore[assignment]
    prices["apples"]  # type: ignore[index]
    prices["apples"] = value  # type: ignore[index]


async def loads(prices: Cache[str, float]) -> None:
    await prices.get_or_load("apples")  # type: ignore[call-arg]
    await prices.get_or_load("apples", fetch("apples"))  # type: ignore[arg-type]
    await prices.get_or_load("apples", sync)  # type: ignore[arg-type]
    await prices.get_or_load("apples", fetch_by_number)  # type: ignore[arg-type]
    await prices.get_or_load("apples", fetch_name)  # type: ignore[arg-type]
    await prices.get_or_load(5, fetch)  # type: ignore[arg-type]
    prices.get_or_load("apples", fetch)  # type: ignore[unused-coroutine]


def events() -> None:
    CacheHit("prices", "apples")  # type: ignore[call-arg]
    CacheHit(cache="prices")  # type: ignore[call-arg]


# Functions that remember


@cached
async def price(product: str) -> float:
    return len(product) * 1.5


class Shop:
    @cached
    async def price(self, product: str) -> float:
        return len(product) * 1.5


async def remembers(shop: Shop) -> None:
    await price(5)  # type: ignore[arg-type]
    await price()  # type: ignore[call-arg]
    price.forget(5)  # type: ignore[arg-type]
    await shop.price(5)  # type: ignore[arg-type]
    text: str = await price("apples")  # type: ignore[assignment]
    print(text)  # noqa: T201


def decorates() -> None:
    cached(sync)  # type: ignore[arg-type]
    cached(ttl="5")  # type: ignore[call-overload]
    cached(5)  # type: ignore[call-overload]
