"""What is a failure: decided from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import attrs

__all__ = [
    "GROWTH",
    "SLACK",
    "Growth",
    "Progress",
    "Stillness",
    "grown",
    "growth_of",
    "percentile",
    "slack_of",
    "slow",
]

GROWTH = 1.1
"""By how much anything may grow after the warm-up."""

SLACK: Mapping[str, float] = {
    "rss": 0.0,
    "blocks": 600.0,
    "objects": 150.0,
    "tasks": 1.0,
    "queued": 2.0,
    "buffered": 2.0,
}
"""What must not grow, and how much of growth is noise nevertheless, each in its own unit.

The interpreter remembers for ever what it meets for the first time, and a crash stays with its
child, with its traceback, until the next one.
"""

SHORT, SHORT_SLACK = 600.0, 6.0
"""In less than so many seconds there are few calm moments, and so many times the noise."""

CALM = 0.25
"""The share of the samples that show no more than there is in calm times."""

STATISTICS_MOST = 0.05
"""How long `statistics()` may take in 99 of 100 calls, in seconds."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by so large a share of all; 0 of none.

    Example:
        >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5), percentile(range(1, 101), 0.99), percentile([], 0.5)
        (2.0, 99, 0.0)
    """
    if not values:
        return 0.0
    place = math.ceil(share * len(values)) - 1
    return sorted(values)[max(place, 0)]


# Growth


@attrs.frozen
class Growth:
    """What became of a quantity."""

    name: str
    early: float
    """How little it was in a quarter of the first third after the warm-up."""

    late: float
    """How little it was in a quarter of the last third."""

    slack: float = 0.0

    @property
    def is_leak(self) -> bool:
        return self.late > GROWTH * self.early + self.slack

    def __str__(self) -> str:
        return f"{self.name} grew from {self.early:,.0f} to {self.late:,.0f}"


def slack_of(name: str, seconds: float) -> float:
    """Return how much of growth is noise, in a run of so many seconds."""
    return SLACK[name] * (SHORT_SLACK if seconds < SHORT else 1.0)


def growth_of(
    name: str,
    times: Sequence[float],
    values: Sequence[float],
    *,
    warm_up: float,
    slack: float = 0.0,
) -> Growth | None:
    """Return how a quantity grew after the warm-up; None if there are too few samples to say.

    A burst or an outage raises it for a while, and what is stopped takes something away for a
    while. What leaks does not come back. So it is compared what it is in calm times: more than
    the least, and less than most.

    Example:
        >>> growth_of("tasks", range(7), [9, 1, 5, 1, 2, 7, 4], warm_up=0.5)
        Growth(name='tasks', early=1, late=4, slack=0.0)
    """
    after = [value for time, value in zip(times, values, strict=True) if time >= warm_up]
    third = len(after) // 3
    if not third:
        return None
    early, late = percentile(after[:third], CALM), percentile(after[-third:], CALM)
    return Growth(name, early, late, slack)


def grown(growths: Sequence[Growth | None]) -> list[str]:
    """Return what has grown, in words."""
    if None in growths:
        return ["it was too short to say whether anything grows"]
    return [str(growth) for growth in growths if growth is not None and growth.is_leak]


def slow(durations: Sequence[float]) -> list[str]:
    """Return what is to be said of the durations of `statistics()`, in seconds."""
    p99 = percentile(durations, 0.99)
    if p99 <= STATISTICS_MOST:
        return []
    return [f"statistics() takes {1000 * p99:.1f} ms, more than {1000 * STATISTICS_MOST:.0f} ms"]


# Standing still


@attrs.frozen
class Progress:
    """How far something is at a moment."""

    mark: object
    """Is another one whenever there was progress."""

    is_due: bool
    """Whether there is something to be done; without, it may stay where it is."""


@final
class Stillness:
    """Finds out what stays where it is though there is something to do.

    Args:
        patience: For how many seconds it may.

    Example:
        >>> stillness = Stillness(5.0)
        >>> waiting = {"ann": Progress(mark=7, is_due=True)}
        >>> for now in (0.0, 4.0, 6.0, 7.0):
        ...     print(list(stillness.look(now, waiting)))
        []
        []
        ['ann']
        []
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[str, tuple[object, float]] = {}
        self._told: set[str] = set()

    def look(self, now: float, found: Mapping[str, Progress]) -> Iterator[str]:
        """Yield what has been still for too long; each is told once.

        Args:
            now: The time, in seconds.
            found: How far each is; one that is excused is left out.
        """
        since = self._since
        due = {name: progress.mark for name, progress in found.items() if progress.is_due}
        # Kept from before only where nothing has changed.
        self._since = {
            name: since[name] if name in since and since[name][0] == mark else (mark, now)
            for name, mark in due.items()
        }
        for name, (_, begun) in self._since.items():
            if now - begun > self._patience and name not in self._told:
                self._told.add(name)
                yield name
