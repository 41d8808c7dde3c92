"""How servers compare with the actors of thespian, which are processes: another world.

thespian's actors live in processes, on one machine or many, and survive each other's death; ours share
one. What stands here is what suits it best: its ``simpleSystemBase``, where all actors are in the
process of the caller, no process is crossed and no byte is copied. It handles messages only while
somebody asks, so a cast is followed by an ask each so often, as ours are.
"""

from __future__ import annotations

import importlib.metadata
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from ._runner import Finding, Job, Plan, speed_up, take_turns
from .bench_messaging import BURST, casts_ours, counter_ours, one_caller

if TYPE_CHECKING:
    Address = object

    class Actor:
        """As much of it as is used here, for where thespian is not installed."""

        def send(self, to: Address, message: int) -> None:
            """Send a message."""

    class ActorSystem:
        """As much of it as is used here, for where thespian is not installed."""

        def __init__(self, base: str, *, transientUnique: bool) -> None: ...  # noqa: N803

        def createActor(self, actor: type[Actor]) -> Address:  # noqa: N802
            """Start an actor."""
            ...

        def ask(self, to: Address, message: int, timeout: float) -> int:
            """Send a message, and wait for the answer."""
            ...

        def tell(self, to: Address, message: int) -> None:
            """Send a message."""

        def shutdown(self) -> None:
            """Stop all."""

else:
    from thespian.actors import Actor, ActorSystem

__all__ = ["BENCHMARKS"]

THESPIAN = f"thespian {importlib.metadata.version('thespian')}"
PATIENCE = 10.0


class Counter(Actor):
    """The actor whose state is a number; it answers only those who ask."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def receiveMessage(self, message: object, sender: Address) -> None:  # noqa: N802
        """Add to the number; answer what it is then, unless the number is told, not asked."""
        if isinstance(message, int):
            self.value += message
            if message != TOLD:
                self.send(sender, self.value)


ASKED, TOLD = 1, 2


def messages(*, by_telling: bool) -> Job:
    """Return the job that has so many messages handled; starting and stopping is not timed."""

    async def send(count: int) -> float:
        system = ActorSystem("simpleSystemBase", transientUnique=True)
        counter = system.createActor(Counter)
        begun = perf_counter()
        if by_telling:
            for _ in range(count // BURST):
                for _ in range(BURST):
                    system.tell(counter, TOLD)
                system.ask(counter, ASKED, PATIENCE)
        else:
            for _ in range(count):
                system.ask(counter, ASKED, PATIENCE)
        seconds = perf_counter() - begun
        system.shutdown()
        return seconds

    return send


def call_beside_thespian(plan: Plan) -> Finding:
    """How many times as fast as thespian's ``ask`` is a call, within one process?

    No target: there ``ask`` is a function that calls the actor, and no task takes a turn; ours takes
    a little longer. It only shows what is out of all proportion.
    """
    count = plan.size(2_000, smoke=50)
    ours, theirs = take_turns(
        (partial(one_caller, counter_ours), count),
        (messages(by_telling=False), count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what="call, beside ask of thespian",
        figure=figure,
        bound="at least",
        target=0.5,
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=THESPIAN,
        samples_in="us a call",
        readings=readings,
    )


def cast_beside_thespian(plan: Plan) -> Finding:
    """How much faster is a cast than thespian's ``tell``, all of them handled?"""
    count = plan.size(4_000, smoke=4 * BURST)
    ours, theirs = take_turns(
        (casts_ours, count), (messages(by_telling=True), count), rounds=plan.rounds()
    )
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what="cast, beside tell of thespian",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=THESPIAN,
        samples_in="us a cast",
        readings=readings,
    )


BENCHMARKS = (call_beside_thespian, cast_beside_thespian)
