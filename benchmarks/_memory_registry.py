"""What it costs to know who is where."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeAlias

import attrs

from trio_foundation.registry import Registry, where

from ._runner import Finding, Job, Plan, Samples, compare, take_turns

__all__ = ["BENCHMARKS"]

FEW = 1_000
MANY = 100_000

Dicts: TypeAlias = tuple[dict[str, "Plain"], dict[object, set[str]], dict[object, set[str]]]
"""Entries by key, and their keys by the two attributes that are indexed."""


@attrs.define
class Plain:
    """What one writes by hand."""

    value: int
    health: str
    node: int


async def _timed(part: Callable[[], object]) -> float:
    """Return the seconds that one part of a job takes."""
    begun = perf_counter()
    part()
    return perf_counter() - begun


# Looking up


async def lookups_bare(count: int) -> float:
    """Look an entry up in a dictionary, and read its value."""
    entries = {f"{number}": Plain(number, "healthy", number % 100) for number in range(FEW)}
    keys = [*entries] * (count // FEW + 1)

    def part() -> None:
        for key in keys[:count]:
            _ = entries[key].value

    return await _timed(part)


async def lookups_ours(count: int) -> float:
    """Look an entry up in a registry, and read its value."""
    registry = Registry[str, int]()
    for number in range(FEW):
        registry.register(f"{number}", number, health="healthy", node=number % 100)
    keys = [*registry] * (count // FEW + 1)

    def part() -> None:
        for key in keys[:count]:
            _ = registry.lookup(key).value

    return await _timed(part)


def lookup(plan: Plan) -> Finding:
    """How much longer does `lookup` take than a dictionary, when the value is read afterwards?"""
    count = plan.size(100_000, smoke=2_000)
    ours, bare = take_turns((lookups_ours, count), (lookups_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="lookup, and an attribute",
        figure=figure,
        target=3.0,
        unit="x bare",
        ours=ours,
        bare=bare,
        beside="dict",
        samples_in="us a lookup",
        readings=readings,
    )


# Coming and going


def _full(size: int) -> Registry[str, int]:
    registry = Registry[str, int](indexes=["health", "node"])
    for number in range(size):
        registry.register(f"{number}", number, health="healthy", node=number % 100)
    return registry


async def rounds_ours(size: int, count: int) -> float:
    """Register and unregister, with that many entries there."""
    registry = _full(size)

    def part() -> None:
        for number in range(count):
            with registry.register("new", number, health="degraded", node=number % 100):
                pass

    return await _timed(part)


async def rounds_bare(size: int, count: int) -> float:
    """Do the same with a dictionary and two more for the attributes."""
    dicts: Dicts = ({}, {}, {})
    for number in range(size):
        _add(dicts, f"{number}", Plain(number, "healthy", number % 100))

    def part() -> None:
        for number in range(count):
            _add(dicts, "new", Plain(number, "degraded", number % 100))
            _remove(dicts, "new")

    return await _timed(part)


def _add(dicts: Dicts, key: str, plain: Plain) -> None:
    entries, by_health, by_node = dicts
    entries[key] = plain
    by_health.setdefault(plain.health, set()).add(key)
    by_node.setdefault(plain.node, set()).add(key)


def _remove(dicts: Dicts, key: str) -> None:
    entries, by_health, by_node = dicts
    plain = entries.pop(key)
    by_health[plain.health].discard(key)
    by_node[plain.node].discard(key)


def register(plan: Plan) -> Finding:
    """How often a second can one register and unregister, in two indexes?"""
    count = plan.size(20_000, smoke=200)
    ours, bare = take_turns(
        (partial(rounds_ours, FEW), count),
        (partial(rounds_bare, FEW), count),
        rounds=plan.rounds(),
    )
    return Finding(
        what=f"register and unregister, two indexes, {FEW:,} entries",
        figure=1e6 / ours.median,
        target=100_000,
        bound="at least",
        unit="a second",
        ours=ours,
        bare=bare,
        beside="dicts",
        samples_in="us a round",
        readings={
            "a second, at best": 1e6 / ours.best,
            "x dicts": compare(ours, bare)[0],
        },
    )


def register_among_many(plan: Plan) -> Finding:
    """Does that take longer the more entries there are?"""
    size, count = plan.size(MANY, smoke=2_000), plan.size(20_000, smoke=200)
    many, few = take_turns(
        (partial(rounds_ours, size), count),
        (partial(rounds_ours, FEW), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(many, few)
    return Finding(
        what=f"register and unregister among {size:,} entries",
        figure=figure,
        target=1.25,  # a cache of the processor holds a thousand, and not a hundred thousand
        unit=f"x among {FEW:,}",
        ours=many,
        bare=few,
        beside=f"among {FEW:,}",
        samples_in="us a round",
        readings=readings | {"a second": 1e6 / many.median},
    )


# Finding

MATCHES = 10


async def finds_ours(size: int, count: int) -> float:
    """Find ten entries by an index, among so many."""
    registry = Registry[int, int](indexes=["group"])
    for number in range(size):
        registry.register(number, number, group=number // MATCHES)

    def part() -> None:
        for _ in range(count):
            found = registry.find(group=7)
            assert len(found) == MATCHES

    return await _timed(part)


async def scans(size: int, count: int) -> float:
    """Find them without one."""
    registry = Registry[int, int]()
    for number in range(size):
        registry.register(number, number, group=number // MATCHES)
    criterion = where("group") == 7

    def part() -> None:
        for _ in range(count):
            registry.query(criterion)

    return await _timed(part)


def find(plan: Plan) -> Finding:
    """Does it take longer to find ten entries by an index the more others there are?"""
    size, count = plan.size(MANY, smoke=2_000), plan.size(5_000, smoke=50)
    jobs: list[tuple[Job, int]] = [
        (partial(finds_ours, size), count),
        (partial(finds_ours, FEW), count),
        (partial(scans, FEW), plan.size(50, smoke=2)),
    ]
    many, few, scanned = take_turns(*jobs, rounds=plan.rounds())
    figure, readings = compare(many, few)
    return Finding(
        what=f"find {MATCHES} among {size:,} entries",
        figure=figure,
        target=1.5,
        unit=f"x among {FEW:,}",
        ours=many,
        bare=few,
        beside=f"among {FEW:,}",
        samples_in="us a find",
        readings=readings | {f"x without an index, among {FEW:,}": _times(scanned, few)},
    )


def _times(slow: Samples, quick: Samples) -> float:
    return slow.median / quick.median


BENCHMARKS = (lookup, register, register_among_many, find)
