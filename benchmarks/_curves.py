"""What one of many costs: the same question at each of some sizes."""

from __future__ import annotations

import gc
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from time import perf_counter
from typing import TypeAlias, final

import attrs

from ._runner import Finding, Job, Plan, Samples, compare, take_turns

__all__ = ["GROWTH", "AmongMany", "Curve", "picks", "timed"]

AmongMany: TypeAlias = Callable[[int, int], Awaitable[float]]
"""A job that is done so many times (second) among so many others that are there (first). It
returns the seconds that it took, without those in which the others were made."""

USUAL = 1_000
"""What the largest size is compared with: so many fit into the caches of the processor."""

GROWTH = "growth"
"""The reading that says how many times as long one takes among the most as among a thousand."""


@final
@attrs.frozen(kw_only=True)
class Curve:
    """A question that is asked at each size."""

    what: str
    ours: AmongMany
    bare: AmongMany
    beside: str = "bare"
    count: int
    """How often the job is done in a sample."""

    samples_in: str
    largest: int = 100_000
    rounds: int = 30

    def asked(self, plan: Plan) -> Finding:
        """Return what each size costs, and how the growth from a thousand compares with bare.

        That is the promise, as what is bare grows too: 1,000 small things fit into the caches of
        a processor, and 100,000 do not.

        All sizes take turns, ours and bare, so that a machine that is slow for a while is slow
        for all of them.
        """
        sizes = [5, 10] if plan.smoke else [10**n for n in range(1, len(f"{self.largest}"))]
        usual = USUAL if USUAL in sizes else sizes[0]
        count = plan.size(self.count, smoke=10)
        jobs: list[tuple[Job, int]] = [
            (partial(job, size), count) for size in sizes for job in (self.ours, self.bare)
        ]
        warm_ups = plan.size(1, smoke=0)
        taken = take_turns(*jobs, rounds=plan.rounds(self.rounds), warm_ups=warm_ups)
        ours = dict(zip(sizes, taken[::2], strict=True))
        bare = dict(zip(sizes, taken[1::2], strict=True))
        many, few = sizes[-1], usual
        growth, bare_growth = quotient(ours, many, few), quotient(bare, many, few)
        figure, readings = compare(growth, bare_growth)
        del readings["ratio of bests"]  # the smallest of such quotients are accidents
        readings |= {
            GROWTH: growth.median,
            f"{GROWTH}, {self.beside}": bare_growth.median,
            f"x {self.beside}, among {many:,}": compare(ours[many], bare[many])[0],
        }
        return Finding(
            what=self.what,
            figure=figure,
            target=2.0,
            unit=f"x the growth of {self.beside}",
            ours=ours[many],
            bare=bare[many],
            beside=self.beside,
            samples_in=self.samples_in,
            readings=readings,
            points={"ours": ours, self.beside: bare},
        )


def quotient(points: Mapping[int, Samples], many: int, few: int) -> Samples:
    """Return how many times as long it took among many as among few, in each round."""
    pairs = zip(points[many].values, points[few].values, strict=True)
    return Samples(tuple(long / brief for long, brief in pairs))


def picks(size: int, count: int) -> list[int]:
    """Return which of so many are used, one after the other: any, and each time the same."""
    return random.Random(1).choices(range(size), k=count)


async def timed(part: Callable[[int], Awaitable[object]], places: Iterable[int]) -> float:
    """Return the seconds that it takes to do something at each of some places.

    What there is of garbage from making the others is collected before; it is theirs.
    """
    gc.collect()
    begun = perf_counter()
    for place in places:
        await part(place)
    return perf_counter() - begun
