"""How a stream goes, worked out from its scripts: a model.

Elixir's stream is driven by its consumer. While that waits, the stream starts tasks as long as
there are slots, and then looks at one message at a time. The message of a task that has ended
frees its slot, and holds a result, which may have to wait for those before it. While the
consumer is busy with a result, nobody looks.

Where we do otherwise is told by `Ways`.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import attrs

from ._format import Ending, Json, Observation, Scenario
from ._spelling import KILLED

__all__ = ["ELIXIR", "OURS", "Ways", "course"]

TIMED_OUT = ["timeout", "stream"]
TOO_MANY = ["error", "max_children"]


@attrs.frozen(kw_only=True)
class Ways:
    """In what we do otherwise."""

    works_ahead: bool
    """Whether a task that ends frees its slot at once, and not when the stream looks."""

    cancels_siblings: bool
    """Whether tasks that end because another has failed are killed, and do not fail like it."""

    leaves_no_orphans: bool
    """Whether tasks that are not linked to the caller end with it, all the same."""


ELIXIR = Ways(works_ahead=False, cancels_siblings=False, leaves_no_orphans=False)

OURS = Ways(works_ahead=True, cancels_siblings=True, leaves_no_orphans=True)


def course(scenario: Scenario, ways: Ways) -> Observation:
    """Return what is to be seen of a stream."""
    return _Course(scenario, ways).run()


class _Course:
    def __init__(self, scenario: Scenario, ways: Ways) -> None:
        self.scenario = scenario
        self.ways = ways
        self.now: float = 0
        # When the tasks start, in the order of the items; and when they end by themselves, or
        # because they are late.
        self.starts: list[float] = []
        self.ends: list[float] = []
        # The messages that nobody has looked at: when a task ended, and which. A heap.
        self.mail: list[tuple[float, int]] = []
        # When the slots that may be filled are free. A heap.
        self.slots: list[float] = [0] * scenario.max_concurrency
        # The items whose message was looked at, if results come in their order.
        self.ready: set[int] = set()
        self.emits: list[tuple[float, Json]] = []

    def run(self) -> Observation:
        outcome = self._stream()
        fatal = min(self._fatal_ends(), default=None)
        if fatal is not None:
            self.now, i = fatal
            outcome = ["exit", TIMED_OUT if self._is_late(i) else self.scenario.tasks[i].reason]
            self.emits = [emit for emit in self.emits if emit[0] < self.now]
            self.starts = [start for start in self.starts if start < self.now]
        return self._observed(outcome)

    # How it goes

    def _stream(self) -> Json:
        """Be the stream and its consumer, and return what becomes of the caller."""
        while self._wants_more():
            if not self._fill():
                return ["exit", TOO_MANY]
            if not self.mail:
                break
            end, i = heappop(self.mail)
            self.now = max(self.now, end)
            if not self.ways.works_ahead:
                heappush(self.slots, self.now)
            if self._is_late(i) and self.scenario.timeout_is_fatal:
                return ["exit", TIMED_OUT]
            self._deliver(i)
        return "done"

    def _wants_more(self) -> bool:
        return self.scenario.take is None or len(self.emits) < self.scenario.take

    def _fill(self) -> bool:
        """Start a task in each slot; return False if that makes too many children."""
        scenario = self.scenario
        while self.slots and len(self.starts) < len(scenario.tasks):
            free = heappop(self.slots)
            start = free if self.ways.works_ahead else self.now
            if sum(end > start for end in self.ends) >= scenario.max_children:
                self.now = start
                return False
            i = len(self.starts)
            end = start + min(scenario.tasks[i].ms, scenario.timeout)
            self.starts.append(start)
            self.ends.append(end)
            heappush(self.mail, (end, i))
            if self.ways.works_ahead:
                heappush(self.slots, end)
        return True

    def _deliver(self, i: int) -> None:
        """Hand out the result of an item, or those that have waited for it and can now come."""
        if not self.scenario.ordered:
            self._emit(i)
            return
        self.ready.add(i)
        while self._wants_more() and len(self.emits) in self.ready:
            self._emit(len(self.emits))

    def _emit(self, i: int) -> None:
        script = self.scenario.tasks[i]
        if script.do == "ok" and not self._is_late(i):
            result = ["ok", i]
        else:
            reason = "timeout" if self._is_late(i) else script.reason
            result = ["exit", [i, reason] if self.scenario.zips else reason]
        self.emits.append((self.now, result))
        self.now += self.scenario.consumer_ms

    def _is_late(self, i: int) -> bool:
        return self.scenario.tasks[i].ms > self.scenario.timeout

    # How it ends

    def _fatal_ends(self) -> Iterator[tuple[float, int]]:
        """Yield when each task has ended that takes a linked caller with it at once, and which."""
        scenario = self.scenario
        for i, end in enumerate(self.ends):
            if self._is_late(i):
                is_fatal = scenario.any_failure_is_fatal
            else:
                is_fatal = scenario.crash_is_fatal and scenario.tasks[i].fails
            if is_fatal and end <= self.now:
                yield end, i

    def _observed(self, outcome: Json) -> Observation:
        starts = {i: start for i, start in enumerate(self.starts) if start <= self.now}
        running = [i for i in starts if self.ends[i] > self.now]
        ends = {i: Ending(self.ends[i], self._reason(i)) for i in starts}
        is_orphaned = self._leaves_orphans(outcome)
        for i in running:
            if is_orphaned:
                script = self.scenario.tasks[i]
                ends[i] = Ending(starts[i] + script.ms, script.reason)
            else:
                ends[i] = Ending(self.now, self._reason_of_sibling(outcome))
        return Observation(
            starts=starts,
            ends=ends,
            emits=self.emits,
            last=("done" if outcome == "done" else "caller_exit", self.now),
            outcome=outcome,
            orphans=len(running) if is_orphaned else 0,
        )

    def _reason(self, i: int) -> Json:
        return KILLED if self._is_late(i) else self.scenario.tasks[i].reason

    def _leaves_orphans(self, outcome: Json) -> bool:
        if self.scenario.linked or self.ways.leaves_no_orphans:
            return False
        return bool(outcome == ["exit", TIMED_OUT])

    def _reason_of_sibling(self, outcome: Json) -> Json:
        if outcome in ("done", ["exit", TOO_MANY]) or self.ways.cancels_siblings:
            return KILLED
        return outcome[1]
