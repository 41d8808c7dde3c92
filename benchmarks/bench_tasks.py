"""What it costs to put many items through a function, and to search at random."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count as count_up
from random import Random
from typing import Any

import trio

from trio_foundation.search import SearchSpace, Uniform, random_search
from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map

from ._runner import Finding, Job, Plan, Samples, compare, speed_up, take_turns, weigh

__all__ = ["BENCHMARKS", "LIMIT", "job_of", "map_beside", "search_beside"]

LIMIT = 100
"""How many at once."""

PATIENCE = 60.0
"""How many seconds an item may take here; none does."""


async def job_of(item: int) -> int:
    """Be the function: one checkpoint, and nothing else."""
    await trio.lowlevel.checkpoint()
    return item


# All results at once


async def map_ours(count: int) -> None:
    """Map, and have errors and values told apart."""
    async with open_task_supervisor():
        assert len(await parallel_map(job_of, range(count), limit=LIMIT)) == count


async def map_ours_raising(count: int) -> None:
    """Map, and have the first error raised."""
    async with open_task_supervisor():
        results = await parallel_map(job_of, range(count), limit=LIMIT, on_error="raise")
    assert len(results) == count


async def map_bare(count: int) -> None:
    """Have some workers share an iterator, and keep what they return."""
    await workers(job_of, count)


async def workers(async_fn: Callable[[int], Awaitable[int]], count: int) -> None:
    """Have some workers share an iterator, and keep what they return."""
    items = iter(range(count))
    results: dict[int, int] = {}

    async def work() -> None:
        for item in items:
            results[item] = await async_fn(item)

    async with trio.open_nursery() as nursery:
        for _ in range(LIMIT):
            nursery.start_soon(work)
    assert len(results) == count


async def map_behind_limiter(count: int) -> None:
    """Start a task an item, and let a CapacityLimiter say how many run."""
    limiter = trio.CapacityLimiter(LIMIT)
    results: list[int] = []

    async def work(item: int) -> None:
        async with limiter:
            results.append(await job_of(item))

    async with trio.open_nursery() as nursery:
        for item in range(count):
            nursery.start_soon(work, item)
    assert len(results) == count


def collected(plan: Plan) -> Finding:
    """How much longer does `parallel_map` take than some workers that share an iterator?

    Ours keeps an `Ok` with the item for each; the workers keep the values. Told as well are ours
    with ``on_error="raise"``, which keeps the values too, and a task an item behind a
    CapacityLimiter.
    """
    count = plan.size(10_000, smoke=200)
    ours, bare, raising, limited = take_turns(
        (map_ours, count),
        (map_bare, count),
        (map_ours_raising, count),
        (map_behind_limiter, count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings |= {
        "x bare with on_error='raise'": compare(raising, bare)[0],
        "a task an item behind a CapacityLimiter, x bare": compare(limited, bare)[0],
    }
    return Finding(
        what="parallel_map",
        figure=figure,
        target=1.6,
        unit="x workers",
        ours=ours,
        bare=bare,
        samples_in="us an item",
        readings=readings,
    )


async def map_ours_with_timeout(count: int) -> None:
    """Map, and give each item some time."""
    async with open_task_supervisor():
        await parallel_map(job_of, range(count), limit=LIMIT, timeout=PATIENCE)


async def map_bare_with_timeout(count: int) -> None:
    """Have some workers share an iterator, and give each item some time."""

    async def job(item: int) -> int:
        with trio.fail_after(PATIENCE):
            return await job_of(item)

    await workers(job, count)


def with_timeout(plan: Plan) -> Finding:
    """How much longer does `parallel_map` with *timeout* take than workers with ``fail_after``?"""
    count = plan.size(10_000, smoke=200)
    ours, bare = take_turns(
        (map_ours_with_timeout, count), (map_bare_with_timeout, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what="parallel_map with timeout",
        figure=figure,
        target=1.3,
        unit="x workers with fail_after",
        ours=ours,
        bare=bare,
        samples_in="us an item",
        readings=readings,
    )


# One result after the other


async def stream_ours(count: int, *, ordered: bool = True) -> None:
    """Take each result as it comes."""
    taken = 0
    async with (
        open_task_supervisor(),
        open_map(job_of, range(count), limit=LIMIT, ordered=ordered) as results,
    ):
        async for _ in results:
            taken += 1
    assert taken == count


async def stream_bare(count: int) -> None:
    """Have workers send their results by a channel, and put them in order behind it."""
    items = enumerate(range(count))
    send, receive = trio.open_memory_channel[tuple[int, int]](LIMIT)

    async def work(channel: trio.MemorySendChannel[tuple[int, int]]) -> None:
        async with channel:
            for number, item in items:
                await channel.send((number, await job_of(item)))

    early: dict[int, int] = {}
    following = 0
    async with trio.open_nursery() as nursery:
        async with send:
            for _ in range(LIMIT):
                nursery.start_soon(work, send.clone())
        async for number, value in receive:
            early[number] = value
            while following in early:
                assert early.pop(following) == following
                following += 1
    assert following == count


def streamed(plan: Plan) -> Finding:
    """How much longer does `open_map` take, in order, than workers and a channel?

    The results of the workers are put in order by a dictionary; nothing holds them back if one is
    slow. Told as well is ours as they come.
    """
    count = plan.size(10_000, smoke=200)
    ours, bare, unordered = take_turns(
        (stream_ours, count),
        (stream_bare, count),
        (partial(stream_ours, ordered=False), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings["x bare with ordered=False"] = compare(unordered, bare)[0]
    return Finding(
        what="open_map, in order",
        figure=figure,
        target=1.5,
        unit="x workers and channel",
        ours=ours,
        bare=bare,
        samples_in="us an item",
        readings=readings,
    )


async def many_of_infinite(count: int, note: Callable[[], None]) -> None:
    """Take so many results of an infinite input, and look what is held then."""
    taken = 0
    async with open_task_supervisor(), open_map(job_of, count_up(), limit=LIMIT) as results:
        async for _ in results:
            taken += 1
            if taken == count:
                note()
                return


async def few_of_infinite(_: int, note: Callable[[], None]) -> None:
    """Take a thousand results, whatever is asked for."""
    await many_of_infinite(FEW, note)


FEW = 1_000


def infinite(plan: Plan) -> Finding:
    """Does a map over an infinite input hold more after a million results than after a thousand?

    What Python has allocated (by tracemalloc) after a full collection, in a fresh process for each
    sample; it is the same each time to a few bytes, so few rounds do.
    """
    count = plan.size(1_000_000, smoke=FEW)
    rounds = 1 if plan.smoke else min(plan.rounds(3), 3)
    here = f"{__spec__.name}:"
    many, few = (
        Samples(tuple(1024 * count * value for value in weighed.values))
        for weighed in (
            weigh(f"{here}many_of_infinite", size=count, rounds=rounds, by="allocated"),
            weigh(f"{here}few_of_infinite", size=count, rounds=rounds, by="allocated"),
        )
    )
    return Finding(
        what=f"growth of a map by {count:,} results",
        figure=max(0.0, many.median - few.median),
        target=2 * LIMIT * 128,  # so many results may be there at one moment, and not at another
        unit="bytes",
        ours=many,
        bare=few,
        beside=f"after {FEW:,}",
        samples_in="bytes",
    )


# Random search

SPACE = SearchSpace(x=Uniform(-1, 1), y=Uniform(-1, 1))


async def objective(point: dict[str, Any]) -> float:
    """Be the objective; there is nothing to wait for in it."""
    return float(point["x"] ** 2 + point["y"] ** 2)


async def search_ours(count: int) -> None:
    """Search, with one trial at a time."""
    async with open_task_supervisor():
        result = await random_search(SPACE, objective, iterations=count, parallelism=1, seed=1)
    assert len(result.trials) == count


async def search_bare(count: int) -> None:
    """Search by a loop, and keep each point with its value."""
    trials = list[tuple[dict[str, float], float]]()
    for number in range(count):
        point = SPACE.sample(Random(number))
        trials.append((point, await objective(point)))
    assert len(trials) == count


def searched(plan: Plan) -> Finding:
    """How long does a trial of `random_search` take, if the objective takes none?

    Beside it stands a loop that draws the same points, and awaits the objective.
    """
    count = plan.size(2_000, smoke=50)
    ours, bare = take_turns((search_ours, count), (search_bare, count), rounds=plan.rounds())
    _, readings = compare(ours, bare)
    return Finding(
        what="random_search",
        figure=ours.median,
        target=60.0,
        unit="us a trial",
        ours=ours,
        bare=bare,
        samples_in="us a trial",
        readings=readings,
    )


# Beside other libraries


def map_beside(plan: Plan, peer: str, theirs: Job) -> Finding:
    """Compare `parallel_map` with what a library has for it."""
    count = plan.size(10_000, smoke=200)
    ours, those = take_turns((map_ours, count), (theirs, count), rounds=plan.rounds())
    figure, readings = speed_up(ours, those)
    return Finding(
        what=f"parallel_map, beside {peer}",
        figure=figure,
        target=8.0,
        bound="at least",
        unit="x as fast",
        ours=ours,
        bare=those,
        beside=peer,
        samples_in="us an item",
        readings=readings,
    )


def search_beside(plan: Plan, peer: str, theirs: Job) -> Finding:
    """Compare a trial of `random_search` with that of a library."""
    count = plan.size(500, smoke=50)
    ours, those = take_turns((search_ours, count), (theirs, count), rounds=plan.rounds())
    figure, readings = speed_up(ours, those)
    return Finding(
        what=f"random_search, beside {peer}",
        figure=figure,
        target=1.0,
        bound="at least",
        unit="x as fast",
        ours=ours,
        bare=those,
        beside=peer,
        samples_in="us a trial",
        readings=readings,
    )


BENCHMARKS = (collected, with_timeout, streamed, infinite, searched)
