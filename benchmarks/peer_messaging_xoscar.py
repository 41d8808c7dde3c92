"""How servers compare with the actors of xoscar, which are on asyncio: another world.

xoscar sends to actors in other processes and on other machines, which ours cannot. What stands here is
what suits it best: the actor lives in the pool of the caller, in one loop, and no byte is copied.
While that loop runs Trio stands still; opening and closing pool and loop is not timed. Its
mailboxes have no cap, and it restarts no actor, only processes.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from ._runner import Finding, Job, Plan, speed_up, take_turns
from .bench_messaging import BURST, casts_ours, counter_ours, one_caller

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Protocol

    class Add(Protocol):
        """A method of an actor, from outside."""

        def __call__(self, amount: int) -> Awaitable[int]:
            """Send a message, and wait for the answer."""
            ...

        def send(self, amount: int) -> Awaitable[int]:
            """Send a message, and wait for the answer."""
            ...

        def tell(self, amount: int) -> Awaitable[None]:
            """Send a message."""
            ...

    class CounterRef(Protocol):
        """As much of a reference as is used here, for where xoscar is not installed."""

        add: Add

    class Pool(Protocol):
        """As much of a pool as is used here, for where xoscar is not installed."""

        external_address: str

        async def stop(self) -> None:
            """Stop it."""

    class Actor:
        """As much of it as is used here, for where xoscar is not installed."""

    async def create_actor_pool(address: str, *, n_process: int) -> Pool:
        """Open a pool."""
        ...

    async def create_actor(actor: type[Actor], *, address: str) -> CounterRef:
        """Start an actor in it."""
        ...

else:
    from xoscar import Actor, create_actor, create_actor_pool

__all__ = ["BENCHMARKS"]

XOSCAR = f"xoscar {importlib.metadata.version('xoscar')}"


class Counter(Actor):
    """The actor whose state is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    async def add(self, amount: int) -> int:
        """Add to the number; return what it is then."""
        self.value += amount
        return self.value


async def timed(count: int, *, by_telling: bool) -> float:
    """Have so many messages handled, on asyncio; return the seconds that it took."""
    pool = await create_actor_pool("test://127.0.0.1", n_process=0)
    counter = await create_actor(Counter, address=pool.external_address)
    begun = perf_counter()
    if by_telling:
        for _ in range(count // BURST):
            for _ in range(BURST):
                await counter.add.tell(1)
            await counter.add(0)
    else:
        for _ in range(count):
            await counter.add(1)
    seconds = perf_counter() - begun
    await pool.stop()
    return seconds


def messages(*, by_telling: bool) -> Job:
    """Return the job that does so in a loop of asyncio."""

    async def send(count: int) -> float:
        return asyncio.run(timed(count, by_telling=by_telling))

    return send


def call_beside_xoscar(plan: Plan) -> Finding:
    """How much faster is a call than that of an actor of xoscar in the same pool?"""
    count = plan.size(3_000, smoke=50)
    ours, theirs = take_turns(
        (partial(one_caller, counter_ours), count),
        (messages(by_telling=False), count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what="call, beside xoscar",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=XOSCAR,
        samples_in="us a call",
        readings=readings,
    )


def cast_beside_xoscar(plan: Plan) -> Finding:
    """How much faster is a cast than ``tell`` of an actor of xoscar, all of them handled?"""
    count = plan.size(5_000, smoke=4 * BURST)
    ours, theirs = take_turns(
        (casts_ours, count), (messages(by_telling=True), count), rounds=plan.rounds()
    )
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what="cast, beside tell of xoscar",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=XOSCAR,
        samples_in="us a cast",
        readings=readings,
    )


BENCHMARKS = (call_beside_xoscar, cast_beside_xoscar)
