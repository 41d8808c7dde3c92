"""Breakers held against a naive model: a list of outcomes, and a clock.

The model knows no windows that slide, no generations and no counters. It keeps what has happened
since the last change, and looks through all of it whenever it is asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import floor
from typing import Any, Literal, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.resilience import BreakerState, CircuitBreaker, Verdict
from trio_foundation.resilience._rules import (
    Circuit,
    ConsecutiveFailures,
    CountWindow,
    TimeWindow,
    Window,
)

from ._things import Call, Failure, Way, assert_lawful

HISTORIES = 10_000
STEPS = 25

Rule: TypeAlias = Literal["in a row", "calls", "seconds"]

RULES: list[Rule] = ["in a row", "calls", "seconds"]


@attrs.frozen(kw_only=True)
class Settings:
    """How a breaker is made."""

    rule: Rule
    threshold: int
    """Of failures in a row."""
    rate: float
    window: int
    minimum: int
    open_for: float
    max_probes: int
    success_threshold: int


class Model:
    """What a breaker has to do."""

    def __init__(self, chosen: Settings) -> None:
        self.chosen = chosen
        self.now = 0.0
        self.state: BreakerState = "closed"
        self.since: list[tuple[float, Verdict]] = []
        """What has happened since the last change."""
        self.flying: dict[int, bool] = {}
        """The calls that this state has let through."""
        self.until = 0.0
        self.changes = 0

    def go(self, state: BreakerState) -> None:
        self.changes += state != self.state
        self.state = state
        self.since = []
        self.flying = {}
        if state == "open":
            self.until = self.now + self.chosen.open_for

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    def look(self) -> None:
        if self.state == "open" and self.now >= self.until:
            self.go("half_open")

    def admit(self, call: int) -> bool:
        self.look()
        admits = self.state in {"closed", "disabled"} or (
            self.state == "half_open" and len(self.flying) < self.chosen.max_probes
        )
        if admits:
            self.flying[call] = True
        return admits

    def settle(self, call: int, verdict: Verdict) -> bool:
        """Let a call end; return whether it was one of the present state."""
        self.look()
        if not self.flying.pop(call, False):
            return False
        self.since.append((self.now, verdict))
        if self.state == "closed" and verdict != "ignored" and self.is_too_much():
            self.go("open")
        elif self.state == "half_open":
            if verdict == "failure":
                self.go("open")
            elif self.count("success") >= self.chosen.success_threshold:
                self.go("closed")
        return True

    def count(self, verdict: Verdict) -> int:
        return sum(one == verdict for _, one in self.since)

    def counted(self) -> list[bool]:
        """Return which of the outcomes that count were failures."""
        bad = [(at, one == "failure") for at, one in self.since if one != "ignored"]
        if self.chosen.rule == "calls":
            bad = bad[-self.chosen.window :]
        elif self.chosen.rule == "seconds":
            # A slice is a tenth of the window, and the newest one has begun already.
            width = self.chosen.window / 10
            bad = [(at, one) for at, one in bad if floor(at / width) > floor(self.now / width) - 10]
        else:
            while not all(one for _, one in bad):
                bad.pop(0)
        return [one for _, one in bad]

    def is_too_much(self) -> bool:
        counted = self.counted()
        if self.chosen.rule == "in a row":
            return len(counted) >= self.chosen.threshold
        minimum = self.chosen.minimum
        if self.chosen.rule == "calls":
            minimum = min(minimum, self.chosen.window)
        return len(counted) >= minimum and sum(counted) / len(counted) >= self.chosen.rate


def random_settings(dice: random.Random) -> Settings:
    return Settings(
        rule=dice.choice(RULES),
        threshold=dice.randint(1, 4),
        rate=dice.choice([0.25, 0.5, 0.75, 1.0]),
        window=dice.randint(1, 8),
        minimum=dice.randint(1, 5),
        open_for=dice.choice([0.0, 1.0, 5.0]),
        max_probes=dice.randint(1, 3),
        success_threshold=dice.randint(1, 3),
    )


# The state machine


def window_of(chosen: Settings) -> Window:
    if chosen.rule == "in a row":
        return ConsecutiveFailures(chosen.threshold)
    if chosen.rule == "calls":
        return CountWindow(chosen.window, rate=chosen.rate, minimum=chosen.minimum)
    return TimeWindow(float(chosen.window), rate=chosen.rate, minimum=chosen.minimum)


def walk(  # noqa: C901, PLR0915  a history, from its beginning to its end
    dice: random.Random,
) -> set[BreakerState]:
    """Walk the machine and the model through one random history; return what was seen."""
    chosen = random_settings(dice)
    model = Model(chosen)
    circuit = Circuit(
        window_of(chosen),
        open_for=lambda attempt: chosen.open_for,
        max_probes=chosen.max_probes,
        success_threshold=chosen.success_threshold,
    )
    tickets: dict[int, int] = {}
    seen: set[BreakerState] = {"closed"}
    changes = 0
    verbs: dict[str, tuple[Callable[[float], Any], BreakerState]] = {
        "force_open": (circuit.force_open, "forced_open"),
        "disable": (circuit.disable, "disabled"),
        "reset": (lambda now: circuit.close("reset", now), "closed"),
    }
    for number in range(STEPS):
        changes += circuit.touch(model.now) is not None
        model.look()
        step = dice.choices(["call", "end", "wait", "verb"], [8, 8, 4, 1])[0]
        if step == "call":
            has_room = circuit.has_room
            assert has_room == model.admit(number)
            if has_room:
                tickets[number] = circuit.admit()
        elif step == "end" and tickets:
            call = dice.choice(list(tickets))
            ticket = tickets.pop(call)
            verdict: Verdict = dice.choice(["failure", "failure", "success", "ignored"])
            is_current = ticket == circuit.generation
            changes += circuit.settle(ticket, verdict, model.now) is not None
            assert model.settle(call, verdict) == is_current
        elif step == "wait":
            model.wait(dice.choice([0.25, 0.5, 1.0, 2.0, 6.0]))
            changes += circuit.touch(model.now) is not None
        elif step == "verb":
            verb, state = verbs[dice.choice(["force_open", "disable", "reset", "reset"])]
            changes += verb(model.now) is not None
            # To be what one is already is no change, unless it clears the counts.
            if state != model.state or state == "closed":
                model.go(state)
        assert circuit.state == model.state
        assert changes == model.changes
        if model.state == "closed":
            counted = model.counted()
            assert circuit.counts(model.now) == (len(counted), sum(counted))
        seen.add(model.state)
    return seen


@pytest.mark.parametrize("seed", range(10))
def test_the_machine_does_what_the_model_does(seed: int) -> None:
    dice = random.Random(seed)
    seen: set[BreakerState] = set()
    for _ in range(HISTORIES // 10):
        seen |= walk(dice)
    assert seen == {"closed", "open", "half_open", "forced_open", "disabled"}


@given(st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_hypothesis_finds_no_history_in_which_it_does_not(dice: random.Random) -> None:
    walk(dice)


# A breaker in a run


def breaker_of(chosen: Settings, nursery: trio.Nursery | None) -> CircuitBreaker:
    options: dict[str, Any] = {"failure_threshold": chosen.threshold}
    if chosen.rule != "in a row":
        window = chosen.window if chosen.rule == "calls" else float(chosen.window)
        options = {"failure_rate": chosen.rate, "window": window, "minimum_calls": chosen.minimum}
    return CircuitBreaker(
        "b",
        reset_timeout=chosen.open_for,
        half_open_max_calls=chosen.max_probes,
        success_threshold=chosen.success_threshold,
        probe_timeout=1_000.0,
        ignores=KeyError,
        nursery=nursery,
        **options,
    )


async def until(event: trio.Event, ends: dict[trio.Event, Verdict]) -> None:
    await event.wait()
    if ends[event] == "failure":
        raise Failure
    if ends[event] == "ignored":
        raise KeyError


async def run(  # noqa: C901, PLR0915  a history, from its beginning to its end
    dice: random.Random,
) -> None:
    chosen = random_settings(dice)
    model = Model(chosen)
    way: Way = dice.choice(["call", "call in breakers", "guard"])
    ends: dict[trio.Event, Verdict] = {}
    calls: dict[int, tuple[Call, trio.Event]] = {}
    stale = cancelled = rejected = 0
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        breaker = breaker_of(chosen, nursery if way == "call in breakers" else None)
        verbs: dict[str, tuple[Callable[[], None], BreakerState]] = {
            "force_open": (breaker.force_open, "forced_open"),
            "disable": (breaker.disable, "disabled"),
            "reset": (breaker.reset, "closed"),
        }
        for number in range(STEPS):
            model.look()
            step = dice.choices(["call", "end", "leave", "wait", "verb"], [8, 6, 2, 4, 1])[0]
            if step == "call":
                event = trio.Event()
                call = Call(nursery, breaker, way, until, event, ends)
                await wait_all_tasks_blocked()
                assert call.is_rejected != model.admit(number)
                rejected += call.is_rejected
                if not call.is_rejected:
                    calls[number] = call, event
            elif step == "end" and calls:
                one = dice.choice(list(calls))
                call, event = calls.pop(one)
                ends[event] = dice.choice(["failure", "failure", "success", "ignored"])
                stale += not model.settle(one, ends[event])
                event.set()
                await wait_all_tasks_blocked()
            elif step == "leave" and calls:
                one = dice.choice(list(calls))
                call, _ = calls.pop(one)
                model.settle(one, "ignored")
                cancelled += 1
                await call.leave()
            elif step == "wait":
                model.wait(dice.choice([0.25, 0.5, 1.0, 2.0, 6.0]))
                await trio.sleep_until(start + model.now)
            elif step == "verb":
                verb, state = verbs[dice.choice(["force_open", "disable", "reset", "reset"])]
                verb()
                if state != model.state or state == "closed":
                    model.go(state)
            model.look()
            assert breaker.state == model.state
            seen = assert_lawful(breaker)
            assert (seen.stale, seen.cancelled, seen.rejected) == (stale, cancelled, rejected)
            assert seen.in_flight == len(calls)
        nursery.cancel_scope.cancel()
    assert assert_lawful(breaker).in_flight == 0


@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_a_breaker_in_a_run_does_what_the_model_does(seed: int) -> None:
    trio.run(run, random.Random(seed), clock=MockClock(autojump_threshold=0))
