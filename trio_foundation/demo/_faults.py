"""What goes wrong on purpose."""

from __future__ import annotations

import random
from collections import Counter

import attrs

__all__ = ["Crash", "Dice", "StoreDown"]


class Crash(Exception):
    """What the demo does to itself."""


class StoreDown(Crash):
    """A store is out of order."""


@attrs.define(eq=False)
class Dice:
    """Says who crashes: by chance, but the same with the same seed, in whatever order."""

    seed: int
    crash_rate: float
    rolls: Counter[str] = attrs.field(factory=Counter[str])

    def roll(self, what: str, told: str) -> None:
        """Crash, if that is how the dice fall.

        Raises:
            Crash: As often as *crash_rate* says.
        """
        self.rolls[what] += 1
        dice = random.Random(f"{self.seed} {what!a} {self.rolls[what]}")  # noqa: S311
        if dice.random() < self.crash_rate:
            raise Crash(told)
