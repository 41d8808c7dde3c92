"""Which fault is due; the same with the same seed, checkpoints and messages."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import final

import attrs

from ._fault import Fault, FaultKind, is_meant

__all__ = ["Chance", "Course"]


@final
@attrs.frozen(kw_only=True)
class Chance:
    """Faults at random, at the checkpoints of these children."""

    names: tuple[str, ...]
    """The children; none stands for all."""

    kinds: tuple[FaultKind, ...]
    rate: float
    seconds: float
    limit: float
    """How many faults at most."""

    def is_for(self, path: str) -> bool:
        return not self.names or any(is_meant(name, path) for name in self.names)


@final
class Course:
    """What is left of a plan, and the dice."""

    def __init__(
        self, rng: random.Random, plan: Iterable[Fault], chances: Iterable[Chance]
    ) -> None:
        self.checkpoints = Counter[str]()
        self._rng = rng
        self._left = list(plan)
        self._chances = list(chances)
        self._made = Counter[int]()
        """The faults of each chance so far."""
        self._messages = Counter[str]()

    def add(self, more: Fault | Chance) -> None:
        if isinstance(more, Fault):
            self._left.append(more)
        else:
            self._chances.append(more)

    def at_checkpoint(self, path: str) -> list[Fault]:
        """Count a checkpoint of a child; return the faults due."""
        self.checkpoints[path] += 1
        number = self.checkpoints[path]
        due = self._take(path, lambda fault: fault.at_checkpoint == number)
        for index, chance in enumerate(self._chances):
            if not chance.is_for(path) or self._rng.random() >= chance.rate:
                continue
            kind = self._rng.choice(chance.kinds)
            if self._made[index] < chance.limit:
                self._made[index] += 1
                due.append(Fault(path, kind, at_checkpoint=number, seconds=chance.seconds))
        return due

    def at_message(self, path: str) -> list[Fault]:
        """Count a message of a server; return the faults due."""
        self._messages[path] += 1
        number = self._messages[path]
        return self._take(path, lambda fault: fault.at_message == number)

    def _take(self, path: str, is_due: Callable[[Fault], bool]) -> list[Fault]:
        if not self._left:
            return []
        due = [fault for fault in self._left if is_due(fault) and is_meant(fault.child, path)]
        for fault in due:
            self._left.remove(fault)
        return due
