"""How a question about cost is answered, the same way for every room.

A time alone says nothing: machines differ, and a shared one differs from minute to minute.
So nothing is measured alone here. The same job is written twice, with the library and in
bare Trio, the two take turns, and what is told is how many times longer ours took.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from statistics import median, quantiles
from time import perf_counter
from typing import Literal, TypeAlias, final

import attrs
import trio

__all__ = [
    "Benchmark",
    "Finding",
    "Job",
    "Plan",
    "Samples",
    "compare",
    "speed_up",
    "take_turns",
    "weigh",
]

Job: TypeAlias = Callable[[int], Awaitable[float | None]]
"""One way to do something so many times over. What it returns, if anything, is the seconds
that the part took that is asked about."""


@final
@attrs.frozen(kw_only=True)
class Plan:
    """How much trouble to take."""

    smoke: bool = False
    """Whether all that matters is that it runs."""

    asked_rounds: int | None = None
    """How many rounds the user wants."""

    def size(self, full: int, *, smoke: int) -> int:
        """Return how large a job is."""
        return smoke if self.smoke else full

    def rounds(self, full: int = 30) -> int:
        """Return how often the two take turns."""
        return self.asked_rounds or (2 if self.smoke else full)


@final
@attrs.frozen
class Samples:
    """What one way of doing a job took, round by round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The one in the middle."""
        return median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between these two lies the half of them around the median."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        first, _, third = quantiles(self.values, n=4, method="inclusive")
        return first, third

    @property
    def best(self) -> float:
        """The smallest: the job, with the least of everything else."""
        return min(self.values)

    def as_json(self) -> dict[str, object]:
        """Return them as plain data."""
        return {
            "median": self.median,
            "quartiles": self.quartiles,
            "best": self.best,
            "rounds": len(self.values),
            "samples": [float(f"{value:.5g}") for value in self.values],
        }

    def __str__(self) -> str:
        first, third = self.quartiles
        return f"{self.median:.4g} ({first:.4g} to {third:.4g})"


@final
@attrs.frozen(kw_only=True)
class Finding:
    """The answer to one question."""

    what: str
    """The question, in a few words."""

    figure: float
    """What is held against the target."""

    target: float
    """The most that the figure may be, or the least."""

    bound: Literal["at most", "at least"] = "at most"
    """Which of the two."""

    unit: str
    """Of figure and target."""

    ours: Samples
    bare: Samples

    beside: str = "bare"
    """What the other one is called, if it is not bare Trio."""

    samples_in: str
    """The unit of the samples."""

    readings: Mapping[str, float] = attrs.field(factory=dict[str, float])
    """Other figures, from the same samples or beside them."""

    points: Mapping[str, Mapping[int, Samples]] = attrs.field(
        factory=dict[str, Mapping[int, Samples]]
    )
    """A curve each, by its name: what was measured at each size."""

    @property
    def is_met(self) -> bool:
        """Whether the target is."""
        if self.bound == "at most":
            return self.figure <= self.target
        return self.figure >= self.target

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "what": self.what,
            "figure": self.figure,
            "bound": self.bound,
            "target": self.target,
            "unit": self.unit,
            "met": self.is_met,
            "samples_in": self.samples_in,
            "ours": self.ours.as_json(),
            "beside": self.beside,
            "theirs": self.bare.as_json(),
            "readings": dict(self.readings),
            "points": {
                curve: {str(size): samples.as_json() for size, samples in points.items()}
                for curve, points in self.points.items()
            },
        }


Benchmark: TypeAlias = Callable[[Plan], Finding]
"""A function that asks its question in its docstring, and answers it."""


# Time


def take_turns(*jobs: tuple[Job, int], rounds: int, warm_ups: int = 2) -> list[Samples]:
    """Time jobs by turns, each of a size of its own; return microseconds for one of that.

    Who goes first changes from round to round, so that none always finds what the same other
    has left behind. Each sample is a Trio run of its own; starting and ending that is not
    timed, nor is the full garbage collection before. During the job the collector is on, as
    it is in programs.
    """
    taken: list[list[float]] = [[] for _ in jobs]
    places = list(range(len(jobs)))
    for turn in range(-warm_ups, rounds):
        for place in places:
            job, size = jobs[place]
            seconds = trio.run(_timed, job, size)
            if turn >= 0:
                taken[place].append(1e6 * seconds / size)
        places.append(places.pop(0))
    return [Samples(tuple(values)) for values in taken]


async def _timed(job: Job, size: int) -> float:
    gc.collect()
    begun = perf_counter()
    part = await job(size)
    return perf_counter() - begun if part is None else part


def compare(ours: Samples, bare: Samples) -> tuple[float, dict[str, float]]:
    """Return how many times as much ours takes, and the ways to say so.

    The figure is the larger of two: the ratio of the medians, and the median of the ratios
    within each round, to which it does not matter when the machine is slow for a while.
    """
    readings = _ratios(ours, bare)
    return max(readings["ratio of medians"], readings["median of ratios"]), readings


def speed_up(ours: Samples, bare: Samples) -> tuple[float, dict[str, float]]:
    """Return how many times as fast ours is, and the ways to say so.

    The figure is the smaller of the two that `compare` knows.
    """
    readings = _ratios(bare, ours)
    return min(readings["ratio of medians"], readings["median of ratios"]), readings


def _ratios(these: Samples, those: Samples) -> dict[str, float]:
    by_round = [this / that for this, that in zip(these.values, those.values, strict=True)]
    return {
        "ratio of medians": these.median / those.median,
        "median of ratios": median(by_round),
        "ratio of bests": these.best / those.best,
    }


# Memory


def weigh(
    function: str, *, size: int, rounds: int, by: Literal["allocated", "resident"]
) -> Samples:
    """Return kilobytes for one of *size*, each sample from a fresh process.

    Args:
        function: What to weigh, as ``module:function``: an async function that takes the
            size and a function to call when all is there.
        size: How many of them to hold.
        rounds: How many processes.
        by: ``allocated`` asks `tracemalloc`, ``resident`` asks Linux.
    """
    command = [sys.executable, "-m", f"{__package__}._weigh", by, function, str(size)]
    values: list[float] = []
    for _ in range(rounds):
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        values.append(float(answer.stdout) / 1024 / size)
    return Samples(tuple(values))
