"""What a scenario does to a tree."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from ._format import Json
from ._journal import Journal
from ._look import is_busy, running_supervisors
from ._root import Root
from ._script import Script
from ._spelling import KILLED, SHUTDOWN
from ._tree import AnySupervisor, Builder
from ._verbs import Call

__all__ = ["NOOP", "Driver"]

NOOP = "noop"
"""The result of whatever is done to something that does not run."""

TICK = 0.01
"""How often to see whether what takes its time is over, in virtual seconds."""


@attrs.define(eq=False)
class Driver:
    """The tree of one scenario, and what is needed to act on it."""

    root: Root
    builder: Builder
    journal: Journal
    script: Script

    async def settle(self) -> None:
        """Wait until everything is quiet: nothing runs, stops, starts, or is to be restarted."""
        await wait_all_tasks_blocked()
        while self._is_changing():
            await trio.sleep(TICK)  # the clock jumps: this takes no time
            await wait_all_tasks_blocked()

    def _is_changing(self) -> bool:
        if self.root.is_changing:
            return True
        return self.root.alive and is_busy(self.root.spec["id"], self._root_supervisor())

    def supervisors(self) -> dict[str, AnySupervisor]:
        """Return all supervisors that run, by id."""
        if not self.root.alive:
            return {}
        return dict(running_supervisors(self.root.spec["id"], self._root_supervisor()))

    def _root_supervisor(self) -> AnySupervisor:
        assert self.root.sup is not None
        return self.root.sup

    def happen(self, action: Mapping[str, Json]) -> Json:
        """Let something happen to a process: return at once, with `NOOP` if it does not run."""
        match action["op"]:
            case "stop" if self.root.alive:
                return self.root.stop(action.get("reason", SHUTDOWN))
            case "kill" if action["id"] in self.builder.mortals:
                if action["id"] in self.supervisors():
                    return self.builder.mortals[action["id"]].kill()
            case "exit" | "kill":
                life = self.journal.lives.get(action["id"])
                if life is not None and life.ended is None:
                    return life.end(action.get("reason", KILLED))
            case _:
                pass
        return NOOP

    def call(self, action: Mapping[str, Json]) -> Call | None:
        """Return the call that an action makes, or None if the supervisor does not run."""
        id = action.get("sup", self.root.spec["id"])
        sup = self.supervisors().get(id)
        if sup is None:
            return None
        return Call(action, sup, self.builder.supervisors[id], self.builder, self.journal)
