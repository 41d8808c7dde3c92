"""What goes wrong when: the same with the same seed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias, TypeVar

import attrs

__all__ = ["CAPABILITIES", "Fault", "Kind", "Terms", "plan"]

T = TypeVar("T")

CAPABILITIES = ("python", "text")

Kind: TypeAlias = Literal[
    "crashes", "outage", "hang", "stop_agent", "stop_subtree", "open_circuit", "flood", "forget"
]

# How long each of them lasts, from and to, in seconds. A hang is longer than the 10 s that the
# demo gives an agent to handle a message, so that senders and circuits have to do with it.
SECONDS: dict[Kind, tuple[float, float]] = {
    "outage": (1.0, 4.0),
    "stop_agent": (0.5, 2.0),
    "flood": (1.0, 2.0),
    "hang": (10.5, 12.0),
    "stop_subtree": (0.5, 2.0),
    "open_circuit": (1.0, 3.0),
    "forget": (0.0, 0.0),
}
SPARED: dict[str, set[Kind]] = {"python": {"stop_agent", "stop_subtree"}, "text": set()}
"""What does not befall whom: with an agent that is stopped goes what has leaked with it, so some
have to be there from the beginning to the end."""

CRASH_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.3)

QUIET_END = 3.0
"""So many seconds before the end all faults are over."""


@attrs.frozen
class Terms:
    """How a load is made, and how it is measured."""

    seconds: float
    """How long it lasts."""

    seed: int = 0

    rate: float = 20.0
    """How many batches are sent in a second, on average and without the bursts."""

    burst_every: float = 7.0
    """How many seconds there are from one burst to the next, on average."""

    rest: float = 3.5
    """How many seconds there are between two faults of one capability, on average."""

    interval: float = 1.0
    """How many seconds there are between two samples."""

    look_every: float = 0.5
    """How many seconds there are between two looks for what is stuck."""

    @classmethod
    def real(cls, seconds: float, seed: int) -> Terms:
        """Return the terms of a load in real time."""
        # Many hours have many samples anyway, and need not have a fault every few seconds.
        rest = 3.5 if seconds < 600 else 10.0
        return cls(seconds, seed, rest=rest, interval=interval_for(seconds))

    @classmethod
    def virtual(cls, seconds: float, seed: int) -> Terms:
        """Return the terms of a load in virtual time, where only what is done takes time."""
        if seconds < 600:
            return cls(seconds, seed)
        interval = interval_for(seconds)
        slow = {"rate": 3.0, "burst_every": 60.0, "rest": 30.0, "look_every": 3.0}
        return cls(seconds, seed, interval=interval, **slow)

    @property
    def warm_up(self) -> float:
        """For how many seconds at the beginning it may grow."""
        return max(10.0, 0.15 * self.seconds)


def interval_for(seconds: float) -> float:
    return min(max(seconds / 300, 1.0), 60.0)


@attrs.frozen
class Fault:
    """One thing that goes wrong."""

    at: float
    """When it begins, in seconds from the beginning."""

    kind: Kind

    target: str
    """The capability whose agents it befalls; for crashes, all."""

    seconds: float
    """How long it lasts."""

    amount: float
    """A number from 0 to 1 for whatever else it has to choose; the rate of crashes."""

    @property
    def until(self) -> float:
        return self.at + self.seconds


def plan(terms: Terms) -> list[Fault]:
    """Return all that goes wrong, in order; nothing befalls a capability twice at once."""
    rng = random.Random(f"plan {terms.seed}")
    tracks = [_track(rng, terms, capability) for capability in CAPABILITIES]
    faults = itertools.chain(*tracks, _crash_rates(rng, terms))
    return sorted(faults, key=lambda fault: (fault.at, fault.target, fault.kind))


def _track(rng: random.Random, terms: Terms, target: str) -> Iterator[Fault]:
    at = _pause(rng, terms)
    kinds: list[Kind] = [kind for kind in SECONDS if kind not in SPARED[target]]
    for kind in _decks(rng, kinds):
        fault = Fault(at, kind, target, rng.uniform(*SECONDS[kind]), rng.random())
        if fault.until > terms.seconds - QUIET_END:
            return
        yield fault
        at = fault.until + _pause(rng, terms)


def _crash_rates(rng: random.Random, terms: Terms) -> Iterator[Fault]:
    # At first so many that all that is kept of crashes is full when the warm-up is over.
    at = min(0.9 * terms.warm_up, 60.0)
    if terms.rest < math.inf:
        yield Fault(0.0, "crashes", "all", at, max(CRASH_RATES))
    for rate in _decks(rng, CRASH_RATES):
        seconds = rng.uniform(1.0, 2 * terms.rest + 2.0)
        if at + seconds > terms.seconds - QUIET_END:
            return
        yield Fault(at, "crashes", "all", seconds, rate)
        at += seconds


def _pause(rng: random.Random, terms: Terms) -> float:
    return rng.uniform(0.75, 1.25) * terms.rest


def _decks(rng: random.Random, cards: Sequence[T]) -> Iterator[T]:
    """Yield the cards in random order, all of them before one comes again, for ever."""
    while True:
        yield from rng.sample(cards, len(cards))
