"""Tests of the check that other tests rely on: it finds whatever is out of order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from trio_foundation.registry import Lagged, Registry
from trio_foundation.supervision import open_supervisor

Damage = Callable[[Any], object]
"""What is done to the book of a registry."""


def swap(entries: dict[int, object]) -> None:
    first, second = [*entries.items()][:2]
    entries.clear()
    entries.update([second, first])


DAMAGES: list[tuple[str, str, Damage]] = [
    ("order", "out of order", lambda book: swap(book.store.by_serial)),
    (
        "serial number",
        "serial number of another",
        lambda book: book.store.by_serial.update(
            {2: attrs.evolve(book.store.by_serial[2], serial=7)}
        ),
    ),
    ("oldest", "the oldest of each key", lambda book: book.store.first.pop("a")),
    ("by key", "by key there are", lambda book: book.store._all["a"].popitem()),
    ("bucket", "_buckets is", lambda book: book.store._indexes["tags"]._buckets["x"].clear()),
    ("loose", "_loose is", lambda book: book.store._indexes["tags"]._loose.add(9)),
    ("texts", "_texts is", lambda book: book.store._indexes["tags"]._texts.clear()),
    ("places", "_places is", lambda book: book.store._indexes["tags"]._places.clear()),
    (
        "untold",
        "nobody was told",
        lambda book: book._untold.append(Lagged(registry="r", missed=1)),
    ),
]


@pytest.mark.parametrize(
    ("complaint", "damage"), [pytest.param(*rest, id=name) for name, *rest in DAMAGES]
)
def test_a_registry_that_is_out_of_order_is_found_out(complaint: str, damage: Damage) -> None:
    registry = Registry[str, int](keys="duplicate", indexes=["tags"])
    registry.register("a", 1, tags="x")
    registry.register("a", 2, tags=["x", "y"])
    registry.register("b", 3)
    registry._check()
    damage(registry._book)
    with pytest.raises(AssertionError, match=complaint):
        registry._check()


async def test_an_owner_that_is_out_of_order_is_found_out() -> None:
    registry = Registry[str, int]()
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        registry.bind("a", 1, owner)
        registry._book.owners._ties[owner].serials.add(7)
        with pytest.raises(AssertionError, match="the owners are"):
            registry._check()
        registry._book.owners._ties.pop(owner).cut()
        await sup.stop_child("owner")
        with pytest.raises(AssertionError, match="has outlived incarnation 1 of its owner"):
            registry._check()
