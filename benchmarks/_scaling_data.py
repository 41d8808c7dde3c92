"""Mailboxes, registry entries and cached keys, one of many."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from time import perf_counter

import trio

from trio_foundation.cache import Cache
from trio_foundation.messaging import open_mailbox
from trio_foundation.registry import Registry

from ._curves import Curve, picks
from ._memory_cache import LONG, Bare
from ._memory_registry import MATCHES, rounds_bare, rounds_ours
from ._runner import Finding, Plan

__all__ = ["BENCHMARKS"]

CAPACITY = 100
"""Of each mailbox and channel."""


def timed(part: Callable[[int], object], size: int, count: int) -> float:
    """Return the seconds that it takes to do something with any of so many."""
    places = picks(size, count)
    gc.collect()
    begun = perf_counter()
    for place in places:
        part(place)
    return perf_counter() - begun


# Mailboxes


async def messages_ours(size: int, count: int) -> float:
    """Send to any of so many mailboxes, and receive from it."""
    mailboxes = [open_mailbox[int](CAPACITY) for _ in range(size)]

    def send_and_receive(place: int) -> None:
        address, mailbox = mailboxes[place]
        address.send_nowait(place)
        mailbox.receive_nowait()

    return timed(send_and_receive, size, count)


async def messages_bare(size: int, count: int) -> float:
    """Send to any of so many channels, and receive from it."""
    channels = [trio.open_memory_channel[int](CAPACITY) for _ in range(size)]

    def send_and_receive(place: int) -> None:
        sender, receiver = channels[place]
        sender.send_nowait(place)
        receiver.receive_nowait()

    return timed(send_and_receive, size, count)


def send_and_receive(plan: Plan) -> Finding:
    """Does a message take longer, the more other mailboxes there are?"""
    return Curve(
        what="message through one of many mailboxes",
        ours=messages_ours,
        bare=messages_bare,
        count=20_000,
        samples_in="us a message",
    ).asked(plan)


# The registry


def register(plan: Plan) -> Finding:
    """Does it take longer to register and to unregister, the more entries there are?"""
    return Curve(
        what="register one of many, and unregister",
        ours=rounds_ours,
        bare=rounds_bare,
        beside="dicts",
        count=10_000,
        samples_in="us a round",
    ).asked(plan)


async def lookups_ours(size: int, count: int) -> float:
    """Look up any of so many entries."""
    registry = Registry[int, int]()
    for number in range(size):
        registry.register(number, number)
    return timed(lambda place: registry.lookup(place).value, size, count)


async def lookups_bare(size: int, count: int) -> float:
    """Look up any of so many in a dictionary."""
    entries = {number: [number] for number in range(size)}
    return timed(lambda place: entries[place][0], size, count)


def lookup(plan: Plan) -> Finding:
    """Does it take longer to look one up, the more entries there are?"""
    return Curve(
        what="lookup of one of many entries",
        ours=lookups_ours,
        bare=lookups_bare,
        beside="dict",
        count=100_000,
        samples_in="us a lookup",
    ).asked(plan)


async def finds_ours(size: int, count: int) -> float:
    """Find any ten that belong together, by an index."""
    registry = Registry[int, int](indexes=["group"])
    for number in range(size):
        registry.register(number, number, group=number // MATCHES)
    return timed(lambda place: registry.find(group=place // MATCHES), size, count)


async def finds_bare(size: int, count: int) -> float:
    """Find them by a dictionary of lists of keys."""
    entries = {number: [number] for number in range(size)}
    groups: dict[int, list[int]] = {}
    for number in range(size):
        groups.setdefault(number // MATCHES, []).append(number)

    def find(place: int) -> list[list[int]]:
        return [entries[key] for key in groups[place // MATCHES]]

    return timed(find, size, count)


def find(plan: Plan) -> Finding:
    """Does it take longer to find ten by an index, the more others there are?"""
    return Curve(
        what=f"find {MATCHES} of many entries by an index",
        ours=finds_ours,
        bare=finds_bare,
        beside="dicts",
        count=10_000,
        samples_in="us a find",
    ).asked(plan)


# The cache


async def gets_ours(size: int, count: int) -> float:
    """Get any of so many keys."""
    cache = Cache[int, int](ttl=LONG, max_size=size)
    for key in range(size):
        cache.put(key, key)
    return timed(cache.get, size, count)


async def gets_bare(size: int, count: int) -> float:
    """Get any of so many keys of a dictionary with deadlines and counters."""
    cache = Bare[int, int]()
    for key in range(size):
        cache.put(key, key)
    return timed(cache.get, size, count)


def get(plan: Plan) -> Finding:
    """Does a hit take longer, the more keys there are?"""
    return Curve(
        what="hit of one of many cached keys",
        ours=gets_ours,
        bare=gets_bare,
        beside="dict with expiry",
        count=100_000,
        samples_in="us a hit",
    ).asked(plan)


async def puts_ours(size: int, count: int) -> float:
    """Put new keys into a full cache."""
    cache = Cache[int, int](ttl=LONG, max_size=size)
    for key in range(size):
        cache.put(key, key)
    return timed(lambda place: cache.put(size + place, place), 100 * count, count)


async def puts_bare(size: int, count: int) -> float:
    """Put new keys into a full ordered dictionary, and drop the oldest."""
    entries: OrderedDict[int, tuple[int, float]] = OrderedDict()
    add = partial(_put, entries, size)
    for key in range(size):
        add(key)
    return timed(lambda place: add(size + place), 100 * count, count)


def _put(entries: OrderedDict[int, tuple[int, float]], size: int, key: int) -> None:
    entries[key] = (key, trio.current_time() + LONG)
    entries.move_to_end(key)
    if len(entries) > size:
        entries.popitem(last=False)


def put(plan: Plan) -> Finding:
    """Does a put into a full cache take longer, the more keys there are?"""
    return Curve(
        what="put into a full cache of many keys",
        ours=puts_ours,
        bare=puts_bare,
        beside="OrderedDict",
        count=20_000,
        samples_in="us a put",
    ).asked(plan)


BENCHMARKS = (send_and_receive, register, lookup, find, get, put)
