"""What it costs to guard a call with a circuit breaker, and to try one again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, Unpack

import outcome
import trio

from trio_foundation.resilience import (
    BreakerOpen,
    BreakerOptions,
    CircuitBreaker,
    open_breakers,
    retry,
)

from ._runner import Finding, Job, Plan, Samples, compare, take_turns, weigh

__all__ = [
    "BENCHMARKS",
    "LONG",
    "Call",
    "calls_of",
    "fetch",
    "fetch_badly",
    "guard_beside",
    "rejection_beside",
    "rejections_of",
    "retry_beside",
]

Call: TypeAlias = Callable[[], Awaitable[int]]
"""How to have the guarded function called."""

LONG = 1e6
"""How many seconds a breaker of ours stays open here; no benchmark takes that long."""


async def fetch() -> int:
    """Be the guarded function; there is nothing to wait for in it, so only the way there counts."""
    return 1


async def fetch_badly() -> int:
    """Be the guarded function when it is out of order."""
    raise OSError("no route")


# Calls


async def calls_of(call: Call, count: int) -> None:
    """Call so many times."""
    for _ in range(count):
        await call()


async def calls_bare(count: int) -> None:
    """Call so many times without any guard."""
    for _ in range(count):
        await fetch()


async def calls_ours(count: int) -> None:
    """Call through a breaker of `open_breakers`."""
    async with open_breakers() as breakers:
        await calls_of(partial(breakers["prices"].call, fetch), count)


async def calls_to_keys(count: int) -> None:
    """Call through it, and look it up each time."""
    async with open_breakers() as breakers:
        for _ in range(count):
            await breakers["prices"].call(fetch)


async def calls_in_a_nursery_bare(count: int) -> None:
    """Call in a child of a nursery that is there."""
    async with trio.open_nursery() as nursery:
        await calls_of(partial(call_in_child, nursery, fetch), count)


async def call_in_child(
    nursery: trio.Nursery, async_fn: Callable[..., Awaitable[int]], *args: object
) -> int:
    """Call in a child of that nursery; if the caller is cancelled so is the child, and waited for.

    This is `trio.lowlevel` by hand, and the fastest that we could write.
    """
    caller = trio.lowlevel.current_task()
    scope = trio.CancelScope()

    async def work() -> None:
        with scope:
            trio.lowlevel.reschedule(caller, await outcome.acapture(async_fn, *args))

    def pass_on(_: object) -> trio.lowlevel.Abort:
        scope.cancel()
        return trio.lowlevel.Abort.FAILED

    nursery.start_soon(work)
    answer: int = await trio.lowlevel.wait_task_rescheduled(pass_on)
    return answer


async def calls_in_a_nursery_least(count: int) -> None:
    """Call in a child of a nursery that is there, and do not pass a cancellation on."""
    async with trio.open_nursery() as nursery:
        await calls_of(partial(call_in_child_that_stays, nursery, fetch), count)


async def call_in_child_that_stays(
    nursery: trio.Nursery, async_fn: Callable[..., Awaitable[int]], *args: object
) -> int:
    """Call in a child of that nursery; if the caller is cancelled it goes on, and is left alone."""
    caller: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    async def work() -> None:
        result = await outcome.acapture(async_fn, *args)
        if caller is not None:
            trio.lowlevel.reschedule(caller, result)

    def leave(_: object) -> trio.lowlevel.Abort:
        nonlocal caller
        caller = None
        return trio.lowlevel.Abort.SUCCEEDED

    nursery.start_soon(work)
    answer: int = await trio.lowlevel.wait_task_rescheduled(leave)
    return answer


def call(plan: Plan) -> Finding:
    """How much longer does a call take than a child of a nursery that is there?

    Ours is in the nursery of `open_breakers`. The bare child runs in a scope through which the
    caller's cancellation reaches it, and reschedules the caller. Told as well is a child that
    a cancellation does not reach, and ours with the breaker looked up for each call.
    """
    count = plan.size(3_000, smoke=50)
    ours, bare, least, to_keys = take_turns(
        (calls_ours, count),
        (calls_in_a_nursery_bare, count),
        (calls_in_a_nursery_least, count),
        (calls_to_keys, count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings |= {
        "x a child that the caller's cancellation does not reach": compare(ours, least)[0],
        "x bare with breakers[key] for each call": compare(to_keys, bare)[0],
    }
    return Finding(
        what="call, in the nursery of open_breakers",
        figure=figure,
        target=1.25,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a call",
        readings=readings,
    )


async def calls_alone_ours(count: int) -> None:
    """Call through a breaker that was given no nursery."""
    await calls_of(partial(CircuitBreaker("prices").call, fetch), count)


async def calls_alone_bare(count: int) -> None:
    """Call in the child of a nursery that is opened for it."""
    await calls_of(partial(call_in_own_nursery, fetch), count)


async def call_in_own_nursery(async_fn: Callable[..., Awaitable[int]], *args: object) -> int:
    """Call in the child of a nursery that is opened for it, as everybody writes it."""
    result: int | None = None

    async def work() -> None:
        nonlocal result
        result = await async_fn(*args)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
    assert result is not None
    return result


def call_in_its_own_nursery(plan: Plan) -> Finding:
    """How much longer does a call without a given nursery take than a nursery with one child?"""
    count = plan.size(2_000, smoke=50)
    ours, bare = take_turns(
        (calls_alone_ours, count), (calls_alone_bare, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what="call, in a nursery of its own",
        figure=figure,
        target=1.2,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a call",
        readings=readings,
    )


# Guards


def guards_ours(**options: Unpack[BreakerOptions]) -> Job:
    """Return the job that guards blocks, by a breaker with those options."""

    async def guards(count: int) -> None:
        breaker = CircuitBreaker("prices", **options)
        for _ in range(count):
            async with breaker.guard():
                await fetch()

    return guards


async def scopes_bare(count: int) -> None:
    """Open a scope around each block."""
    for _ in range(count):
        with trio.CancelScope():
            await fetch()


def guard(plan: Plan) -> Finding:
    """How much does a guard that needs no scope take of its own?

    Beside it stands the same block without a guard.
    """
    count = plan.size(20_000, smoke=50)
    ours, bare = take_turns((guards_ours(), count), (calls_bare, count), rounds=plan.rounds())
    return Finding(
        what="guard",
        figure=above(ours, bare),
        target=2.0,
        unit="us above no guard",
        ours=ours,
        bare=bare,
        samples_in="us a block",
    )


def guard_with_scope(plan: Plan) -> Finding:
    """How much longer does a guard with *cancel_in_flight* and *slow_after* take than a scope?

    Each of the two options alone is told too; *slow_after* opens no scope.
    """
    count = plan.size(10_000, smoke=50)
    ours, bare, in_flight, slow = take_turns(
        (guards_ours(cancel_in_flight=True, slow_after=LONG), count),
        (scopes_bare, count),
        (guards_ours(cancel_in_flight=True), count),
        (guards_ours(slow_after=LONG), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings |= {
        "x bare with cancel_in_flight alone": compare(in_flight, bare)[0],
        "x bare with slow_after alone": compare(slow, bare)[0],
    }
    return Finding(
        what="guard with cancel_in_flight and slow_after",
        figure=figure,
        target=1.3,
        unit="x a bare scope",
        ours=ours,
        bare=bare,
        samples_in="us a block",
        readings=readings,
    )


def above(ours: Samples, bare: Samples) -> float:
    """Return how much more ours takes: the larger of the two ways to say so."""
    by_round = [a - b for a, b in zip(ours.values, bare.values, strict=True)]
    return max(ours.median - bare.median, Samples(tuple(by_round)).median)


# Rejections


class Refused(Exception):
    """What one raises by hand, with as much to tell."""

    def __init__(
        self, name: str, state: str, retry_after: float | None, last_error: BaseException | None
    ) -> None:
        super().__init__(name, state, retry_after, last_error)
        self.name = name
        self.state = state
        self.retry_after = retry_after
        self.last_error = last_error


async def refuse() -> int:
    """Do what a rejected call does, by hand: a checkpoint, and an error."""
    await trio.lowlevel.checkpoint()
    raise Refused("prices", "open", LONG, None)


async def rejections_of(call: Call, error: type[Exception], count: int) -> None:
    """Be rejected so many times."""
    for _ in range(count):
        try:
            await call()
        except error:
            continue
        raise AssertionError("it was let through")


async def rejections_ours(count: int) -> None:
    """Be rejected by a breaker that has opened."""
    breaker = await tripped()
    await rejections_of(partial(breaker.call, fetch), BreakerOpen, count)


async def rejections_by_guard(count: int) -> None:
    """Be rejected on entering a guard."""
    breaker = await tripped()

    async def enter() -> int:
        async with breaker.guard():
            return await fetch()

    await rejections_of(enter, BreakerOpen, count)


async def tripped() -> CircuitBreaker:
    """Return a breaker that a failure has opened."""
    breaker = CircuitBreaker("prices", failure_threshold=1, reset_timeout=LONG)
    try:
        await breaker.call(fetch_badly)
    except OSError:
        assert breaker.state == "open"
    return breaker


async def rejections_bare(count: int) -> None:
    """Be refused by hand."""
    await rejections_of(refuse, Refused, count)


async def checkpoints(count: int) -> None:
    """Make a checkpoint each time, and raise nothing."""
    for _ in range(count):
        await trio.lowlevel.checkpoint()


def rejection(plan: Plan) -> Finding:
    """How much longer does a rejection take than a checkpoint and an error?

    The bare error has the same fields; both are raised and caught. Told as well is how much
    longer it takes than a checkpoint alone, and the rejection by a guard.
    """
    count = plan.size(10_000, smoke=50)
    ours, bare, alone, by_guard = take_turns(
        (rejections_ours, count),
        (rejections_bare, count),
        (checkpoints, count),
        (rejections_by_guard, count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings |= {
        "x a checkpoint alone": compare(ours, alone)[0],
        "bare x a checkpoint alone": compare(bare, alone)[0],
        "x bare, by a guard": compare(by_guard, bare)[0],
    }
    return Finding(
        what="rejection",
        figure=figure,
        target=1.3,
        unit="x a checkpoint and an error",
        ours=ours,
        bare=bare,
        samples_in="us a rejection",
        readings=readings,
    )


async def many_rejections(count: int, note: Callable[[], None]) -> None:
    """Be rejected so many times, and look what the breaker holds then."""
    breaker = await tripped()
    await rejections_of(partial(breaker.call, fetch), BreakerOpen, count)
    note()
    assert breaker.statistics().rejected == count


async def few_rejections(_: int, note: Callable[[], None]) -> None:
    """Be rejected a hundred times, whatever is asked for."""
    await many_rejections(FEW, note)


FEW = 100


def growth(plan: Plan) -> Finding:
    """Does a breaker hold more when it has rejected a million calls?

    More than when it has rejected a hundred. What Python has allocated (by tracemalloc) after
    a full collection, in a fresh process for each sample; it is the same each time to a few
    bytes, so few rounds do.
    """
    count = plan.size(1_000_000, smoke=FEW)
    rounds = 1 if plan.smoke else min(plan.rounds(3), 3)
    here = f"{__spec__.name}:"
    many, few = (
        Samples(tuple(1024 * count * value for value in weighed.values))
        for weighed in (
            weigh(f"{here}many_rejections", size=count, rounds=rounds, by="allocated"),
            weigh(f"{here}few_rejections", size=count, rounds=rounds, by="allocated"),
        )
    )
    return Finding(
        what=f"growth of a breaker by {count:,} rejections",
        figure=max(0.0, many.median - few.median),
        target=64,  # numbers that have more digits
        unit="bytes",
        ours=many,
        bare=few,
        beside=f"after {FEW}",
        samples_in="bytes",
    )


# Trying again


async def retries_ours(count: int) -> None:
    """Retry what succeeds at once."""
    for _ in range(count):
        await retry(fetch)


def retry_that_succeeds(plan: Plan) -> Finding:
    """How much does `retry` take of its own when the first attempt succeeds?"""
    count = plan.size(20_000, smoke=50)
    ours, bare = take_turns((retries_ours, count), (calls_bare, count), rounds=plan.rounds())
    return Finding(
        what="retry that succeeds at once",
        figure=above(ours, bare),
        target=3.0,
        unit="us above no retry",
        ours=ours,
        bare=bare,
        samples_in="us a call",
    )


# Beside other libraries


def guard_beside(plan: Plan, peer: str, calls: Job) -> Finding:
    """Compare a guard with what a library has for it, in the caller's own task too.

    A call of ours in a task of its own, which none of them has, is told beside it.
    """
    ours, theirs, in_task = take_turns(
        (guards_ours(), plan.size(10_000, smoke=50)),
        (calls, plan.size(10_000, smoke=50)),
        (calls_ours, plan.size(2_000, smoke=50)),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, theirs)
    readings["x with call instead, in a task of its own"] = compare(in_task, theirs)[0]
    return _beside(f"guard, beside {peer}", peer, figure, ours, theirs, readings)


def rejection_beside(plan: Plan, peer: str, rejections: Job) -> Finding:
    """Compare a rejection with that of a library, none of which makes it a checkpoint.

    What ours takes above its checkpoint is told beside it.
    """
    count = plan.size(10_000, smoke=50)
    ours, theirs, alone = take_turns(
        (rejections_ours, count), (rejections, count), (checkpoints, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, theirs)
    readings["x without its checkpoint"] = above(ours, alone) / theirs.median
    return _beside(f"rejection, beside {peer}", peer, figure, ours, theirs, readings)


def retry_beside(plan: Plan, peer: str, calls: Job) -> Finding:
    """Compare `retry` with that of a library, when the first attempt succeeds."""
    count = plan.size(5_000, smoke=50)
    ours, theirs = take_turns((retries_ours, count), (calls, count), rounds=plan.rounds())
    figure, readings = compare(ours, theirs)
    return _beside(f"retry, beside {peer}", peer, figure, ours, theirs, readings)


def _beside(
    what: str,
    peer: str,
    figure: float,
    ours: Samples,
    theirs: Samples,
    readings: dict[str, float],
) -> Finding:
    return Finding(
        what=what,
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=peer,
        samples_in="us each",
        readings=readings,
    )


BESIDE = 20.0
"""There is no target beside them, as they do less; this only shows what is out of all proportion."""


BENCHMARKS = (
    call,
    call_in_its_own_nursery,
    guard,
    guard_with_scope,
    rejection,
    growth,
    retry_that_succeeds,
)
