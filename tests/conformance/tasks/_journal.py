"""What happened in one scenario, written down twice.

The tasks write down their own starts and ends; the library tells of them in its events, and
to the consumer. Its account is held against theirs, and every contradiction is written down.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
import trio

from trio_foundation.tasks import Failed, FinishedAs, Ok, TaskFinished, TaskStarted, TaskTimeout

from ._format import Ending, Json, Observation
from ._spelling import KILLED, Exit, reason_of

__all__ = ["GRAIN", "Handed", "Journal", "Seen", "Told"]

Handed: TypeAlias = Ok[int, int] | Failed[int] | int | Exit
"""What a consumer gets: a result, or if the map raises errors, a value."""

GRAIN = 25
"""To what the recorded times are rounded, in milliseconds."""


@attrs.frozen
class Seen:
    """What we were seen doing."""

    observation: Observation
    contradictions: list[str]
    """Where the library's account does not fit what the tasks say of themselves."""


class Told:
    """What the library tells in its events: when which item began, and ended, and how."""

    def __init__(self) -> None:
        self.starts: dict[int, float] = {}
        self.ends: dict[int, tuple[FinishedAs, float]] = {}
        self._begun = trio.current_time()

    def hear(self, event: TaskStarted | TaskFinished) -> None:
        """Write down an event."""
        now = _since(self._begun)
        assert event.index is not None
        if isinstance(event, TaskStarted):
            self.starts[event.index] = now
        else:
            self.ends[event.index] = event.result, now


class Journal:
    """What happens, while it does; a millisecond is a second of the clock.

    Args:
        timeout: How long a task may take.
        zips: Whether the item is written down with the reason of its failure.
        told: What the library tells meanwhile; None if nobody listens.
    """

    def __init__(self, timeout: float, *, zips: bool, told: Told | None) -> None:
        self.contradictions: list[str] = []
        self._timeout = timeout
        self._zips = zips
        self._begun = trio.current_time()
        self._starts: dict[int, float] = {}
        self._ends: dict[int, Ending] = {}
        self._emits: list[tuple[float, Json]] = []
        # What each task raised; or returned, if that is an exit.
        self._errors: dict[int, Exception] = {}
        # How each ended, in the words of the library, and when.
        self._lived: dict[int, tuple[FinishedAs, float]] = {}
        self._told = told

    # What the tasks say

    def start(self, i: int) -> None:
        """Write down that the task of an item starts."""
        if i in self._starts:
            self.contradictions.append(f"item {i} is worked on twice")
        self._starts[i] = self._now()

    def end(self, i: int, reason: Json, how: FinishedAs, error: Exception | None = None) -> None:
        """Write down that it ends, and with what error."""
        now = self._now()
        if how == "cancelled" and now - self._starts[i] == self._timeout:
            how = "timed_out"
        self._ends[i] = Ending(now, reason)
        self._lived[i] = how, now
        if error is not None:
            self._errors[i] = error

    # What the consumer gets

    def emit(self, result: Handed) -> None:
        """Write down a result, or a value."""
        self._emits.append((self._now(), self._spelled(result)))

    def _spelled(self, result: Handed) -> Json:
        match result:
            case Ok(item, value):
                if item != value:
                    self.contradictions.append(f"item {item} is handed out as {value}")
                return ["ok", value]
            case Failed(item, error):
                if error is not self._errors.get(item) and not self._was_late(item, error):
                    self.contradictions.append(f"item {item} is handed out with {error!r}")
                return self._exit(item, reason_of(error))
            case Exit():  # as a value: it has not failed
                return self._exit(
                    next(i for i, error in self._errors.items() if error is result), result.reason
                )
            case _:
                return ["ok", result]

    def _exit(self, i: int, reason: Json) -> Json:
        return ["exit", [i, reason] if self._zips else reason]

    def _was_late(self, i: int, error: Exception) -> bool:
        return isinstance(error, TaskTimeout) and self._ends[i].reason == KILLED

    # In the end

    def close(self, last: str, outcome: Json) -> Seen:
        """Return what was seen until now."""
        if self._told is not None:
            self._compare_with(self._told)
        observation = Observation(
            starts=self._starts,
            ends=self._ends,
            emits=self._emits,
            last=(last, self._now()),
            outcome=outcome,
            orphans=len(self._starts) - len(self._ends),
        )
        return Seen(observation, self.contradictions)

    def _compare_with(self, told: Told) -> None:
        if told.starts != self._starts:
            self.contradictions.append(f"started {self._starts}, told {told.starts}")
        for i in self._lived.keys() | told.ends.keys():
            lived, ours = self._lived.get(i), told.ends.get(i)
            # When all are cancelled in the moment in which its time is over, both is true.
            if lived == ("timed_out", self._now()) and ours == ("cancelled", self._now()):
                continue
            if lived != ours:
                self.contradictions.append(f"item {i} ended {lived}, told {ours}")

    def _now(self) -> float:
        return _since(self._begun)


def _since(begun: float) -> float:
    return round((trio.current_time() - begun) / GRAIN) * GRAIN
