"""What a map does, worked out on paper: no task, no clock, one event after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

__all__ = ["Course", "Kind", "Plan", "course_of"]

Kind: TypeAlias = Literal["ok", "failed", "timed out"]


@attrs.frozen(kw_only=True)
class Plan:
    """What a map is to do. No two things happen at the same time, if the times are chosen so."""

    seconds: tuple[float, ...]
    """How long each item takes."""
    fails: frozenset[int] = frozenset()
    timeout: float = math.inf
    limit: float = 1
    limits: Mapping[float, float] = attrs.field(factory=dict[float, float])
    """To what the limit is changed, by the time."""
    buffer: float = math.inf
    ordered: bool = True
    pause: float = 0.0
    """How long the consumer is busy with a result."""
    left_at: float = math.inf
    """When it is all over."""

    def kind_of(self, item: int) -> Kind:
        if self.seconds[item] > self.timeout:
            return "timed out"
        return "failed" if item in self.fails else "ok"


@attrs.define
class Course:
    """What has happened to each item, and when."""

    started: dict[int, float] = attrs.field(factory=dict[int, float])
    ended: dict[int, float] = attrs.field(factory=dict[int, float])
    """Those that returned or failed."""
    cancelled: dict[int, float] = attrs.field(factory=dict[int, float])
    """Those that took too long, and those that ran when all was over."""
    received: list[tuple[int, Kind, float]] = attrs.field(factory=list[tuple[int, Kind, float]])
    pulled_ahead: int = 0
    """How many were pulled and not received, at most."""


def course_of(plan: Plan) -> Course:
    """Return what will happen."""
    run = _Run(plan)
    while True:
        while run.start() or run.receive():
            pass
        now = run.next_event()
        if now >= plan.left_at:
            break
        run.go_on(now)
    run.course.cancelled |= dict.fromkeys(run.running, plan.left_at)
    return run.course


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.course = Course()
        self.now = 0.0
        self.limit = plan.limit
        self.free_at = 0.0
        """When the consumer has time for a result."""
        self.running: dict[int, float] = {}
        """When each item ends."""
        self.waiting: list[int] = []

    def start(self) -> bool:
        """Start an item if it is time, and return whether it was."""
        item, taken = len(self.course.started), len(self.course.received)
        if (
            item == len(self.plan.seconds)
            or len(self.running) >= self.limit
            or item >= taken + self.limit + self.plan.buffer
        ):
            return False
        self.course.started[item] = self.now
        self.running[item] = self.now + min(self.plan.seconds[item], self.plan.timeout)
        self.course.pulled_ahead = max(self.course.pulled_ahead, item + 1 - taken)
        return True

    def receive(self) -> bool:
        """Receive a result if it is time, and return whether it was."""
        if not self.waiting or self.now < self.free_at:
            return False
        item = len(self.course.received) if self.plan.ordered else self.waiting[0]
        if item not in self.waiting:
            return False
        self.waiting.remove(item)
        self.course.received.append((item, self.plan.kind_of(item), self.now))
        self.free_at = self.now + self.plan.pause
        return True

    def next_event(self) -> float:
        if not self.running and not self.waiting:
            return math.inf
        changes = [*self.plan.limits, self.free_at]
        return min([*self.running.values(), *(time for time in changes if time > self.now)])

    def go_on(self, now: float) -> None:
        self.now = now
        self.limit = self.plan.limits.get(now, self.limit)
        for item in [item for item, end in self.running.items() if end == now]:
            del self.running[item]
            self.waiting.append(item)
            is_late = self.plan.kind_of(item) == "timed out"
            (self.course.cancelled if is_late else self.course.ended)[item] = now
