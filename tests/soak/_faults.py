"""The faults of the plan are done to a system, by what anybody could call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import attrs
import trio

from trio_foundation.demo._counting import Found
from trio_foundation.demo._system import System
from trio_foundation.supervision import Supervisor

from ._load import HANGS, Load
from ._plan import Fault

__all__ = ["Disturber"]


@attrs.define(eq=False)
class Disturber:
    """Does to a system what the plan says."""

    system: System
    load: Load
    excused: Counter[str] = attrs.field(factory=Counter[str])
    """How many faults are under way, by capability."""

    done: Counter[str] = attrs.field(factory=Counter[str])
    """How many faults there were, by kind."""

    async def follow(self, faults: Sequence[Fault]) -> None:
        """Do all of the faults, each at its time, and return when the last is over."""
        began_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            for fault in faults:
                await trio.sleep_until(began_at + fault.at)
                nursery.start_soon(self._do, fault)
        self.system.dice.crash_rate = 0.0

    async def _do(self, fault: Fault) -> None:
        self.excused[fault.target] += 1
        try:
            await getattr(self, f"_{fault.kind}")(fault)
        finally:
            self.excused[fault.target] -= 1
        self.done[fault.kind] += 1

    def _agent(self, fault: Fault) -> str:
        agents = self.system.settings.agents[fault.target]
        return agents[int(fault.amount * len(agents))]

    async def _crashes(self, fault: Fault) -> None:
        self.system.dice.crash_rate = fault.amount
        await trio.sleep(fault.seconds)

    async def _forget(self, fault: Fault) -> None:
        self.system.cache.clear()
        await trio.lowlevel.checkpoint()

    async def _outage(self, fault: Fault) -> None:
        with self.system.stores[self._agent(fault)].outage():
            await trio.sleep(fault.seconds)

    async def _hang(self, fault: Fault) -> None:
        """Have whoever counts a certain file wait: it is loaded already, and that takes long."""

        async def load() -> None:
            await self.system.cache.get_or_load(path, slowly)

        async def slowly(path: Path) -> Found:
            loading.set()
            await trio.sleep(fault.seconds)
            return self.load.place.expected[path]

        path, loading = HANGS[fault.target], trio.Event()
        self.system.cache.delete(path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load)
            await loading.wait()
            self.load.send(fault.target, path)

    async def _stop_agent(self, fault: Fault) -> None:
        subtree = cast("Supervisor", self.system.tree.children[fault.target].value)
        await subtree.stop_child(self._agent(fault))
        await trio.sleep(fault.seconds)
        await subtree.restart_child(self._agent(fault))

    async def _stop_subtree(self, fault: Fault) -> None:
        await self.system.tree.stop_child(fault.target)
        await trio.sleep(fault.seconds)
        await self.system.tree.restart_child(fault.target)

    async def _open_circuit(self, fault: Fault) -> None:
        with self._open_circuits([self._agent(fault)]):
            await trio.sleep(fault.seconds)

    async def _flood(self, fault: Fault) -> None:
        """Send more than the buffers have room for."""
        agents = self.system.settings.agents[fault.target]
        room = self.system.settings.buffer_capacity * len(agents)
        with self._open_circuits(agents):
            self.load.flood(fault.target, room + 1 + int(fault.amount * room))
            await trio.sleep(fault.seconds)

    @contextmanager
    def _open_circuits(self, agents: Sequence[str]) -> Generator[None]:
        breakers = [self.system.coordinator.breaker(agent) for agent in agents]
        for breaker in breakers:
            breaker.force_open()
        try:
            yield
        finally:
            for breaker in breakers:
                breaker.reset()
