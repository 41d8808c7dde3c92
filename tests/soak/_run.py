"""The load, the faults and the measuring, put together."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from trio_foundation.agents import MessageDeadLettered, MessageDelivered
from trio_foundation.demo._system import Settings, System, open_system
from trio_foundation.telemetry import subscribe

from ._faults import Disturber
from ._ledger import Ledger
from ._load import Load, Place, small_files
from ._plan import QUIET_END, Fault, Terms, plan
from ._rules import SLACK, Growth, grown, growth_of, percentile, slack_of, slow
from ._samples import Samples, Watch, count_tasks

__all__ = ["Outcome", "run"]

BUFFER = 8
"""How many messages may wait for an agent. Few, so that buffers are full long before the end."""

PATIENCE = 30.0
"""After the last fault, all that was sent has to be settled within so many seconds."""

Sabotage = Callable[[System], AbstractContextManager[object]]


@attrs.define(eq=False)
class Outcome:
    """What came of a run."""

    terms: Terms
    samples: Samples = attrs.field(factory=Samples)
    counts: Counter[str] = attrs.field(factory=Counter[str])
    """What became of the batches."""

    faults: Counter[str] = attrs.field(factory=Counter[str])
    """How many there were, by kind."""

    failures: list[str] = attrs.field(factory=list[str])
    """Why it has failed, in words; none if it has not."""

    @property
    def growths(self) -> list[Growth | None]:
        """How all that must not grow has grown."""
        columns, terms = self.samples.columns, self.terms
        if not columns:
            return [None]
        growth = partial(growth_of, times=columns["time"], warm_up=terms.warm_up)
        return [
            growth(name, values=columns[name], slack=slack_of(name, terms.seconds))
            for name in SLACK
        ]

    def judge(self) -> None:
        """Add what is to be said of the samples."""
        self.failures += grown(self.growths)
        self.failures += slow(self.samples.statistics_seconds)

    def as_json(self) -> dict[str, Any]:
        """Return all of it, as JSON has it."""
        samples = self.samples
        durations = {
            "statistics": samples.statistics_seconds,
            "snapshot": samples.snapshot_seconds,
        }
        return {
            "terms": attrs.asdict(self.terms),
            "failures": self.failures,
            "batches": self.counts,
            "faults": self.faults,
            "growth": [attrs.asdict(growth) for growth in self.growths if growth is not None],
            "seconds_p99": {name: percentile(all_, 0.99) for name, all_ in durations.items()},
            "samples": {name: list(column) for name, column in samples.columns.items()},
        }


def run(terms: Terms, *, virtual: bool, sabotage: Sabotage = nullcontext) -> Outcome:
    """Put the system under load, and return what came of it.

    Args:
        terms: What load.
        virtual: Whether in virtual time.
        sabotage: A block that does to the system what must be found out.
    """
    outcome = Outcome(terms)
    clock = MockClock(autojump_threshold=0) if virtual else None
    with small_files() as place, _in_silence():
        try:
            trio.run(partial(_soak, outcome, place, sabotage), clock=clock)
        except* KeyboardInterrupt:  # what was measured in three hours is of use
            outcome.failures.append("it was interrupted")
        except* Exception as error:  # noqa: BLE001  whatever it is, it is a failure to be told
            outcome.failures.append("".join(traceback.format_exception(error)))
    outcome.judge()
    return outcome


@contextmanager
def _in_silence() -> Generator[None]:
    """Have the log written, and nobody keep it."""
    log, handler = logging.getLogger("trio_foundation"), logging.NullHandler()
    log.addHandler(handler)
    propagate, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.propagate = propagate
        log.removeHandler(handler)


async def _soak(outcome: Outcome, place: Place, sabotage: Sabotage) -> None:
    settings = Settings(
        root=place.root,
        workers=4,
        crash_rate=0.02,
        seed=outcome.terms.seed,
        max_restarts=1_000,
        within=60.0,
        buffer_capacity=BUFFER,
    )
    faults, tasks = plan(outcome.terms), count_tasks()
    outcome.samples.begin()
    async with open_system(settings) as system:
        ledger = Ledger(system, place.expected, outcome.failures)
        with subscribe(ledger.hear, MessageDelivered, MessageDeadLettered), sabotage(system):
            await _load(outcome, place, ledger, faults)
    if (left := count_tasks() - tasks) > 0:
        outcome.failures.append(f"{left} tasks are left when all has ended")


async def _load(outcome: Outcome, place: Place, ledger: Ledger, faults: Sequence[Fault]) -> None:
    terms, system, began_at = outcome.terms, ledger.system, trio.current_time()
    outcome.counts = ledger.counts
    async with trio.open_nursery() as senders, trio.open_nursery() as measuring:
        load = Load(terms, system, ledger, place, senders)
        disturber = Disturber(system, load)
        outcome.faults = disturber.done
        watch = Watch(system, disturber, outcome.failures)
        measuring.start_soon(_sample, outcome, ledger)
        measuring.start_soon(_look, terms, watch)
        until = began_at + terms.seconds - QUIET_END / 2
        async with trio.open_nursery() as busy:
            busy.start_soon(load.steadily, until)
            busy.start_soon(load.in_bursts, until)
            busy.start_soon(disturber.follow, faults)
        await trio.sleep_until(began_at + terms.seconds)
        measuring.cancel_scope.cancel(reason="all is sent, and what waits is left to be settled")
        await _settle(system, ledger)
        watch.look_at_the_end()
        senders.cancel_scope.cancel(reason="whoever still waits has waited long enough")
    ledger.close()


async def _settle(system: System, ledger: Ledger) -> None:
    """Let all that was sent be settled."""
    with trio.move_on_after(PATIENCE):
        await ledger.wait_settled()
    await system.coordinator.drain(1.0)
    ledger.check()


async def _sample(outcome: Outcome, ledger: Ledger) -> None:
    began_at = trio.current_time()
    while True:
        await trio.sleep(outcome.terms.interval)
        ledger.check()
        ledger.sweep()
        outcome.samples.take(trio.current_time() - began_at, ledger.system, ledger)


async def _look(terms: Terms, watch: Watch) -> None:
    while True:
        watch.look(trio.current_time())
        await trio.sleep(terms.look_every)
