"""Whether something that is done again and again takes more memory each time.

Accidents take memory too: Python keeps freed objects for later use, tables grow in jumps, Trio
forgets past deadlines a thousand at a time. So memory is measured when all that is swept out, and
a growth counts only if it comes again with each repetition.
"""

from __future__ import annotations

import collections
import gc
import inspect
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any, TypeVarTuple

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from .._base import check_count, check_number

__all__ = ["assert_no_leak"]

PosArgsT = TypeVarTuple("PosArgsT")

# What accidents cost, in bytes: less than one for each of 10,000 rounds.
NOISE = 8_192

# A leak grows every time, an accident does not.
REPEATS = 3

# How many types, and how many lines, a failure shows.
SHOWN = 10


async def assert_no_leak(
    function: Callable[[*PosArgsT], object],
    *args: *PosArgsT,
    rounds: int = 10_000,
    growth: float = 1.1,
) -> None:
    """Assert that something done any number of times takes no more memory.

    A tenth of the *rounds* warm it up, then come all. What was taken since the call, and is still
    held after a garbage collection, may then be *growth* times what it was before them, or 8 KiB
    more. If it is more, they are repeated; growth three times over is a leak.

    Tracing memory makes the rounds two to three times as slow. Other tasks must rest at times: it
    waits until all are blocked. Turn logging off if a test keeps its records.

    Args:
        function: What is done in a round, sync or async.
        *args: What it is given.
        rounds: How often; fewer find only larger leaks.
        growth: How many times the memory before may be held afterwards, at least 1.

    Raises:
        AssertionError: It leaks; shows how much a round, which types have more objects, and which
            lines allocated them.
        TypeError: *rounds* is no whole number, or *growth* no number.
        ValueError: *rounds* or *growth* below 1.

    Cancellation:
        Goes into the function; the rounds end with the one in hand.

    Example:
        >>> import trio
        >>> from trio_foundation.registry import Registry
        >>> async def come_and_go(registry):
        ...     with registry.register("web", 8080):
        ...         await trio.lowlevel.checkpoint()
        >>> trio.run(assert_no_leak, come_and_go, Registry())
    """
    check_count("rounds", rounds, least=1)
    check_number("growth", growth, least=1)
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        await _repeat(function, args, -(-rounds // 10))
        before = await _measure()
        for attempt in range(REPEATS):
            # The last time it also notes what there is more of, for which it has to count all.
            census = _Census.take() if attempt == REPEATS - 1 else None
            if census is not None:
                before = await _measure()  # the census takes memory itself
            await _repeat(function, args, rounds)
            after = await _measure()
            if after <= max(before * growth, before + NOISE):
                return
            if census is not None:
                raise AssertionError(_told(function, rounds, before, after, census))
            before = after
    finally:
        if not was_tracing:
            tracemalloc.stop()


async def _repeat(function: Callable[..., object], args: tuple[Any, ...], rounds: int) -> None:
    for _ in range(rounds):
        result = function(*args)
        if inspect.isawaitable(result):
            await result
    await trio.lowlevel.checkpoint()


async def _measure() -> int:
    """Return how many bytes are held, none of them by accident."""
    await wait_all_tasks_blocked()
    await _sweep_deadlines()
    gc.collect()  # a full one, which also gives back what Python keeps for later use
    return tracemalloc.get_traced_memory()[0]


async def _sweep_deadlines() -> None:
    """Let Trio forget the cancel scopes that are over: it does so only when there are many."""
    many = 1_100
    far = trio.current_time() + 1e300
    for _ in range(10):
        first: weakref.ref[trio.CancelScope] | None = None
        for _ in range(many):
            with trio.CancelScope(deadline=far) as scope:  # noqa: ASYNC100  it is left behind
                pass
            first = first or weakref.ref(scope)
            del scope
        await trio.lowlevel.checkpoint()
        if first is None or first() is None:
            return
        many *= 2


@attrs.frozen
class _Census:
    """The objects of each type, and what each line has allocated."""

    types: collections.Counter[str]
    lines: tracemalloc.Snapshot

    @classmethod
    def take(cls) -> _Census:
        gc.collect()
        types = collections.Counter(
            f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects()
        )
        counting = [__file__, tracemalloc.__file__, collections.__file__, "<frozen abc>"]
        without = [tracemalloc.Filter(inclusive=False, filename_pattern=name) for name in counting]
        return cls(types, tracemalloc.take_snapshot().filter_traces(without))

    def growth_since(self, before: _Census) -> list[str]:
        """Return what there is more of, the most first."""
        types = (self.types - before.types).most_common(SHOWN)
        lines = self.lines.compare_to(before.lines, "lineno")
        more = sorted((one for one in lines if one.size_diff > 0), key=lambda one: -one.size_diff)
        return [
            *(f"    {count:+} {name}" for name, count in types),
            *(
                f"    {line.size_diff:+} bytes by {line.traceback[0].filename}:"
                f"{line.traceback[0].lineno}"
                for line in more[:SHOWN]
            ),
        ]


def _told(function: object, rounds: int, before: int, after: int, census: _Census) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    grown = _Census.take().growth_since(census)
    return "\n".join(
        [
            f"{name} leaks: {rounds} rounds took {(after - before) / rounds:.1f} bytes each, "
            f"{before} -> {after} bytes in all, and more at each of {REPEATS} tries",
            *grown,
        ]
    )
