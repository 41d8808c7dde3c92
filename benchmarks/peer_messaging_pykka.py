"""How servers compare with the actors of pykka, each of which has a thread."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import TYPE_CHECKING

from ._runner import Finding, Plan, speed_up, take_turns
from .bench_messaging import BURST, casts_ours, counter_ours, one_caller

if TYPE_CHECKING:
    from typing import Protocol

    class ActorRef(Protocol):
        """As much of it as is used here, for where pykka is not installed."""

        def tell(self, message: int) -> None:
            """Send a message."""

        def ask(self, message: int) -> int:
            """Send a message, and wait for the answer."""
            ...

        def stop(self) -> bool:
            """Stop the actor."""
            ...

    class ThreadingActor:
        """As much of it as is used here, for where pykka is not installed."""

        @classmethod
        def start(cls) -> ActorRef:
            """Start an actor."""
            ...

else:
    from pykka import ThreadingActor

__all__ = ["BENCHMARKS"]

PYKKA = f"pykka {importlib.metadata.version('pykka')}"


class Actor(ThreadingActor):
    """The actor whose state is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def on_receive(self, message: int) -> int:
        """Add to the number; return what it is then."""
        self.value += message
        return self.value


async def asks(count: int) -> None:
    """Ask so many times. While it waits for an answer the Trio loop stands still."""
    actor = Actor.start()
    for _ in range(count):
        actor.ask(1)
    actor.stop()


async def tells(count: int) -> None:
    """Tell so many times, all in one burst, and wait until all are handled."""
    actor = Actor.start()
    for _ in range(count):
        actor.tell(1)
    actor.ask(0)
    actor.stop()


async def tells_in_bursts(count: int) -> None:
    """Tell in bursts, and wait after each until the actor has handled it."""
    actor = Actor.start()
    for _ in range(count // BURST):
        for _ in range(BURST):
            actor.tell(1)
        actor.ask(0)
    actor.stop()


def call_beside_pykka(plan: Plan) -> Finding:
    """How much faster is a call than pykka's ``ask``?"""
    ours, pykka = take_turns(
        (partial(one_caller, counter_ours), plan.size(3_000, smoke=50)),
        (asks, plan.size(500, smoke=50)),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, pykka)
    return Finding(
        what="call, beside ask of pykka",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=pykka,
        beside=PYKKA,
        samples_in="us a call",
        readings=readings,
    )


def cast_beside_pykka(plan: Plan) -> Finding:
    """How much faster is a cast than pykka's ``tell``, all of them handled?

    Pykka's queue has no cap; so it is told all in one burst, which suits it better than the
    bursts of ours. What it comes to with those is told too.
    """
    count = plan.size(10_000, smoke=4 * BURST)
    ours, pykka, in_bursts = take_turns(
        (casts_ours, count), (tells, count), (tells_in_bursts, count), rounds=plan.rounds()
    )
    figure, readings = speed_up(ours, pykka)
    readings["pykka in bursts, us a cast"] = in_bursts.median
    return Finding(
        what="cast, beside tell of pykka",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=pykka,
        beside=PYKKA,
        samples_in="us a cast",
        readings=readings,
    )


BENCHMARKS = (call_beside_pykka, cast_beside_pykka)
