"""What happened in one scenario, written down twice.

The children write down their own starts and ends (``lived``), and the library tells of
them in its events (``told``). Both accounts are compared with the recording. What only a
supervisor can know, that a supervisor started or ended, is in both from the library.
"""

from __future__ import annotations

from collections import Counter

import attrs
import trio

from trio_foundation.supervision import (
    Child,
    ChildEvent,
    ChildExited,
    ChildIgnored,
    ChildReady,
    Exit,
    ExitReason,
    SupervisionEvent,
    SupervisorStopped,
)

from ._format import Json
from ._spelling import KILLED, NORMAL, SHUTDOWN, is_orderly, reason_of

__all__ = ["Journal", "Life"]

OUTSIDE = "~"
"""Names that begin so belong to children of the driver's own; no journal knows of them."""


@attrs.define(eq=False)
class Life:
    """One incarnation of a worker, as it lives it."""

    id: str
    n: int
    """Which successful start of that id it is."""

    name: str
    incarnation: int
    """Name and incarnation in the library's count, which begins anew with each supervisor."""

    ordered: trio.Event = attrs.field(factory=trio.Event, repr=False)
    """Set when the driver has ordered it to end."""

    order: Json = None
    """The reason to end with."""

    ended: Json = None
    """The reason that it ended with; None while it runs."""

    stopped: bool = False
    """Whether it ended because its supervisor asked it to, or cancelled it."""

    def end(self, reason: Json) -> None:
        """Order it to end."""
        self.order = reason
        self.ordered.set()


class Journal:
    """Both accounts of the step that is under way, and what has to be known of those before."""

    def __init__(self) -> None:
        self.lived: list[Json] = []
        self.told: list[Json] = []
        # Where the library's account contradicts what a child knows of itself.
        self.contradictions: list[str] = []
        # The last incarnation of each worker, by id.
        self.lives: dict[str, Life] = {}
        # The ids of those children that are supervisors.
        self.supervisors: set[str] = set()
        # The id of a child, where its name had to be another.
        self.ids: dict[str, str] = {}
        # The last event about each child, by name.
        self.latest: dict[str, type[SupervisionEvent]] = {}
        # How each supervisor ended, by path, in the library's words.
        self.endings: dict[str, str] = {}
        self._born: Counter[str] = Counter()
        self._ready: Counter[str] = Counter()
        # By name and incarnation: which successful start it was, whether it runs, and what
        # it wrote down of its end.
        self._numbers: dict[tuple[str, int], int] = {}
        self._running: set[tuple[str, int]] = set()
        self._ends: dict[tuple[str, int], Life] = {}

    def id_of(self, name: str) -> str:
        """Return the id that the recording has for a child."""
        return self.ids.get(name, name)

    def number(self, child: Child[object]) -> int | None:
        """Return which successful start of its id runs now, as the library told it."""
        return self._numbers.get((child.name, child.incarnation))

    def last_pid(self, id: str) -> Json:
        """Return the pid of the last successful start of an id, as the library told it."""
        return {"pid": id, "n": self._ready[id]}

    def turn_page(self) -> None:
        """Begin with the next step."""
        self.lived, self.told, self.contradictions = [], [], []

    # What the children say

    def birth(self, id: str, sup: str, child: Child[object]) -> Life:
        """Write down that a worker is about to be ready."""
        self._born[id] += 1
        life = Life(id, self._born[id], child.name, child.incarnation)
        self.lives[id] = life
        self.lived.append({"ev": "start", "id": id, "n": life.n, "sup": sup})
        return life

    def death(self, life: Life, reason: Json, *, stopped: bool) -> None:
        """Write down that a worker ends."""
        life.ended, life.stopped = reason, stopped
        self._ends[life.name, life.incarnation] = life
        self.lived.append({"ev": "exit", "id": life.id, "n": life.n, "reason": reason})

    def both(self, event: Json) -> None:
        """Write down what happened to the root, of which the library tells nobody."""
        self.lived.append(event)
        self.told.append(event)

    # What the library says

    def hear(self, event: SupervisionEvent) -> None:
        """Write down an event of the library."""
        if isinstance(event, SupervisorStopped):
            self.endings[event.supervisor] = event.reason
        if not isinstance(event, ChildEvent) or event.child.startswith(OUTSIDE):
            return
        self.latest[event.child] = type(event)
        entry = self._entry(event)
        if entry is not None:
            self.told.append(entry)
            if event.child in self.supervisors:
                self.lived.append(entry)

    def _entry(self, event: ChildEvent) -> Json:
        id, key = self.id_of(event.child), (event.child, event.incarnation)
        if isinstance(event, ChildReady):
            self._ready[id] += 1
            self._numbers[key] = self._ready[id]
            self._running.add(key)
            sup = event.supervisor.rpartition("/")[2]
            return {"ev": "start", "id": id, "n": self._ready[id], "sup": sup}
        if isinstance(event, ChildIgnored):
            return {"ev": "ignore", "id": id}
        if not isinstance(event, ChildExited):
            return None
        if key in self._running:
            self._running.remove(key)
            reason = self._reason(event.exit)
            return {"ev": "exit", "id": id, "n": self._numbers[key], "reason": reason}
        if event.reason == "stopped":  # before it could be ready
            return None
        return {"ev": "start_error", "id": id, "reason": reason_of(event.exit.error)}

    def _reason(self, exit: Exit) -> Json:
        """Return the reason of an exit, and see whether the child tells the same of it."""
        life = self._ends.pop((exit.child, exit.incarnation), None)
        if exit.child not in self.supervisors and (life is None or not _fits(life, exit)):
            self.contradictions.append(f"{life} ended so, but we are told: {exit}")
        if exit.reason == "returned":
            return NORMAL
        if life is None and exit.reason in {"shutdown", "stopped"}:
            return SHUTDOWN  # the library's words for a supervisor that gave up, or was stopped
        if life is None or exit.error is not None:
            return reason_of(exit.error)
        return life.ended  # it was stopped and raised nothing: how it took it only it knows


def _fits(life: Life, exit: Exit) -> bool:
    """Return whether the library sees the end of a worker as the worker does."""
    if life.stopped:
        raised = not is_orderly(life.ended) and life.ended != KILLED
        expected: ExitReason = "stopped"
    else:
        raised = life.ended != NORMAL
        expected = "crashed" if not is_orderly(life.ended) else "shutdown" if raised else "returned"
    if exit.reason != expected:
        return False
    return reason_of(exit.error) == life.ended if raised else exit.error is None
