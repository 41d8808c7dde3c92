"""What is measured while it runs.

What is measured must not be what measuring takes: numbers are kept in arrays, which are few and
large, and everything that was there before the run is left out of what is collected and counted.
"""

from __future__ import annotations

import gc
import os
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import attrs
import trio

from trio_foundation.demo._system import System
from trio_foundation.supervision import SupervisorSnapshot

from ._faults import Disturber
from ._ledger import Ledger
from ._rules import Progress, Stillness, percentile

__all__ = ["Samples", "Watch", "count_tasks", "resident_bytes"]

R = TypeVar("R")

CALLS = 20
"""So often `statistics()` is called for each sample, so that there are many to take the p99 of."""

STARTING_MOST = 5.0
"""How long a child may be anything but running, in seconds."""

WAITING_MOST = 15.0
"""How long messages may wait for an agent that handles none, in seconds."""

AS_LOW_AS_POSSIBLE = 3
"""What dies with the first collection may have held what dies with the next."""

STATM = Path("/proc/self/statm")

timer: Callable[[], float] = perf_counter
"""The real time in seconds, whatever time the run has."""


def count_tasks() -> int:
    """Return how many tasks there are in the Trio run, Trio's own included."""
    root = trio.lowlevel.current_root_task()
    found = [] if root is None else [root]
    for task in found:  # which grows meanwhile
        for nursery in task.child_nurseries:
            found.extend(nursery.child_tasks)
    return len(found)


def resident_bytes() -> float:
    """Return how much memory the process has; 0 where that cannot be told."""
    with suppress(OSError):
        return float(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0.0


@attrs.define(eq=False)
class Samples:
    """The numbers, in columns."""

    columns: dict[str, array[float]] = attrs.field(factory=dict[str, "array[float]"])
    statistics_seconds: array[float] = attrs.field(factory=lambda: array("d"))
    snapshot_seconds: array[float] = attrs.field(factory=lambda: array("d"))
    _blocks: float = 0.0
    _objects: float = 0.0

    def __len__(self) -> int:
        return len(self.columns.get("time", ()))

    def begin(self) -> None:
        """Take what is there now for nothing, and do not look through it at each sample."""
        gc.collect()
        gc.freeze()
        self._blocks, self._objects = self._memory()

    def take(self, at: float, system: System, ledger: Ledger) -> None:
        """Add a sample."""
        blocks, objects = self._memory()
        figures = system.coordinator.statistics()
        refs = [ref for name in system.stores if (ref := system.agents.ref_of(name)) is not None]
        row = {
            "time": at,
            "rss": resident_bytes(),
            "blocks": blocks - self._blocks,
            "objects": objects - self._objects,
            "tasks": count_tasks(),
            "queued": sum(ref.statistics().used for ref in refs),
            "buffered": figures.buffered,
            "pending": ledger.pending,
            "sent": ledger.counts["sent"],
            "delivered": figures.delivered,
            "dead letters": figures.dead_lettered,
            "restarts": system.restarts.total(),
            "p50": percentile(ledger.latencies, 0.5),
            "p99": percentile(ledger.latencies, 0.99),
        }
        ledger.latencies.clear()
        for _ in range(CALLS):
            self.statistics_seconds.append(_seconds(system.coordinator.statistics))
        self.snapshot_seconds.append(_seconds(system.tree.snapshot))
        for name, value in row.items():
            self.columns.setdefault(name, array("d")).append(value)

    def _memory(self) -> tuple[float, float]:
        for _ in range(AS_LOW_AS_POSSIBLE):
            gc.collect()
        return float(sys.getallocatedblocks()), float(len(gc.get_objects()))


def _seconds(function: Callable[[], object]) -> float:
    begun = timer()
    function()
    return timer() - begun


@attrs.define(eq=False)
class Watch:
    """Looks for children and agents that are stuck although nothing was done to them."""

    system: System
    disturber: Disturber
    stuck: list[str]
    """Where it says so."""

    _children: Stillness = attrs.field(factory=lambda: Stillness(STARTING_MOST))
    _agents: Stillness = attrs.field(factory=lambda: Stillness(WAITING_MOST))

    def look(self, now: float) -> None:
        """Look once."""
        children = {path: one for path, one in self._tree() if self._is_meant(path)}
        for path in self._children.look(now, children):
            state = children[path].mark
            self.stuck.append(f"child {path} is stuck: state and incarnation are {state}")
        agents = dict(self._waiting())
        for name in self._agents.look(now, agents):
            self.stuck.append(f"agent {name} is stuck: it handles nothing, and messages wait")

    def look_at_the_end(self) -> None:
        """Look once more, when all faults have been over for a while."""
        for path, progress in self._tree():
            if progress.is_due:
                self.stuck.append(f"child {path} is not running at the end: {progress.mark}")

    def _is_meant(self, path: str) -> bool:
        excused = self.disturber.excused
        return not any(excused[part] for part in path.split("/"))

    def _tree(self) -> Iterator[tuple[str, Progress]]:
        yield from _children(self.system.tree.snapshot())

    def _waiting(self) -> Iterator[tuple[str, Progress]]:
        figures = self.system.coordinator.statistics().receivers
        for capability, names in self.system.settings.agents.items():
            for name in names if self._is_meant(capability) else ():
                ref, receiver = self.system.agents.ref_of(name), figures.get(name)
                waiting = 0 if ref is None else ref.statistics().used
                delivered = 0
                if receiver is not None:
                    waiting, delivered = waiting + receiver.buffered, receiver.delivered
                yield name, Progress(delivered, is_due=waiting > 0)


def _children(snapshot: SupervisorSnapshot, above: str = "") -> Iterator[tuple[str, Progress]]:
    for child in snapshot.children:
        path = f"{above}{child.name}"
        mark = (child.state, child.incarnation)
        yield path, Progress(mark, is_due=child.state != "running")
        if child.supervisor is not None:
            yield from _children(child.supervisor, f"{path}/")
