"""The system: agents that are kept running, a coordinator to reach them, a cache for them all.

It knows no command line and no display.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs

from .._base import Backoff
from ..agents import (
    AgentRegistry,
    Coordinator,
    CoordinatorStatistics,
    DeliveryError,
    Receipt,
    open_coordinator,
)
from ..cache import Cache
from ..messaging import serve
from ..resilience import retry
from ..supervision import (
    ChildExited,
    ChildRestarting,
    ChildSpec,
    Supervisor,
    open_supervisor,
    subtree,
)
from ..telemetry import subscribe
from ._agents import Batch, FileCounter
from ._counting import Found, Totals
from ._faults import Dice
from ._store import Store

__all__ = ["Settings", "System", "open_system"]


@attrs.frozen(kw_only=True)
class Settings:
    """How a system is made."""

    root: Path
    """The directory of the files."""

    workers: int
    """How many agents count Python; half as many count words."""

    crash_rate: float = 0.0
    """How likely an agent crashes, per file and per stored batch."""

    seed: int = 0
    """What fixes who crashes when."""

    max_restarts: int
    """How many restarts of the agents of one capability are borne..."""

    within: float = math.inf
    """... in how many seconds."""

    buffer_capacity: int = 1000
    """How many messages may wait for an agent."""

    @property
    def pause(self) -> float:
        """How long an agent that crashed stays away, in seconds.

        Long enough to be seen, but shorter where crashes are many.
        """
        return min(0.25, 0.005 * self.workers / max(self.crash_rate, 0.01))

    @property
    def agents(self) -> dict[str, list[str]]:
        """The names of the agents, by capability."""
        numbers = {"python": self.workers, "text": math.ceil(self.workers / 2)}
        return {what: [f"{what}-{n + 1}" for n in range(many)] for what, many in numbers.items()}


class System:
    """What `open_system` gives."""

    tree: Supervisor

    coordinator: Coordinator
    """The way to the agents."""

    figures: CoordinatorStatistics
    """What became of all messages, once the block has ended."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.agents = AgentRegistry()
        self.cache = Cache[Path, Found](name="files")
        self.dice = Dice(settings.seed, settings.crash_rate)
        names = itertools.chain.from_iterable(settings.agents.values())
        self.stores = {name: Store(name) for name in names}
        self.restarts, self.last_crash = Counter[str](), ""
        self.sent = Counter[str]()  # how many batches, by capability

    def children(self) -> Iterator[ChildSpec]:
        """Yield a supervisor for the agents of each capability."""
        many, within = self.settings.max_restarts, self.settings.within
        for capability, names in self.settings.agents.items():
            agents = [self.agent(name, capability) for name in names]
            yield subtree(agents, name=capability, max_restarts=many, within=within)

    def agent(self, name: str, capability: str) -> ChildSpec:
        """Return an agent that is registered whenever it runs."""
        root, store = self.settings.root, self.stores[name]
        counter = partial(FileCounter, root, store, self.cache, self.dice)
        pause = Backoff(initial=self.settings.pause, factor=1.0, jitter=0.0)
        served = serve(counter, capacity=100, name=name, backoff=pause)
        return self.agents.register_on_start(name, served, capability=capability)

    async def send(self, batch: Batch) -> Receipt:
        """Send a batch to an agent of its capability, until it is taken."""
        first = self.settings.agents[batch.capability][0]
        # If there is none, all of them are being started again.
        capable = self.agents.find_capable(batch.capability) or [await self.agents.wait_for(first)]
        agent = capable[self.sent[batch.capability] % len(capable)].key  # they take turns
        self.sent[batch.capability] += 1
        # Always the same one: nobody but its store knows whether the batch is stored already.
        deliver = partial(self.coordinator.deliver, agent, batch, sender="demo", key=batch.key)
        soon = Backoff(initial=0.05, factor=1.0)
        return await retry(deliver, attempts=math.inf, retry_on=DeliveryError, backoff=soon)

    def totals(self) -> Totals:
        """Return what all agents have stored so far."""
        totals = Totals()
        for store in self.stores.values():
            for batch in store.batches.values():
                totals.add(batch)
        return totals

    def files_stored(self) -> int:
        """Return how many files are counted."""
        batches = [batch for store in self.stores.values() for batch in store.batches.values()]
        return sum(map(len, batches))

    def hear(self, event: ChildExited | ChildRestarting) -> None:
        """Note what there is to show of a crash."""
        if isinstance(event, ChildRestarting):
            self.restarts[event.child] += 1
        elif isinstance(event.exit.error, Exception):
            self.last_crash = str(event.exit)


@asynccontextmanager
async def open_system(settings: Settings) -> AsyncGenerator[System]:
    """Keep a system running until the block ends; its figures outlast it."""
    system = System(settings)
    # Agents of one capability that use up their restarts are the end of it all.
    keep_running = open_supervisor(system.children(), name="demo", max_restarts=0)
    # A circuit lets one message through to try when an agent has had time to be back.
    deliver = open_coordinator(
        system.agents,
        delivery_timeout=10.0,
        buffer_capacity=settings.buffer_capacity,
        failure_threshold=3,
        reset_timeout=2 * settings.pause,
    )
    with subscribe(system.hear, ChildExited, ChildRestarting):
        async with keep_running as system.tree:
            try:
                async with deliver as system.coordinator:
                    yield system
            finally:
                system.figures = system.coordinator.statistics()
