"""A supervisor without tasks: a list of children, a queue and a clock.

It says what a supervisor of puppets has to do, in the order in which OTP does it. All of it
happens at once here, as it does with puppets that take no time to start and to end.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

from trio_foundation import Backoff
from trio_foundation.supervision import AutoShutdown, Restart, Strategy

__all__ = ["BACKOFF", "Kid", "Model", "Plan"]

BACKOFF = Backoff(initial=2.0, factor=2.0, maximum=8.0, jitter=0.0, reset_after=10.0)

WITHIN = 5.0


@attrs.frozen
class Plan:
    """What is written down about a child."""

    restart: Restart = "permanent"
    backs_off: bool = False
    refusals: tuple[str, ...] = ()
    """How its first starts fail: ``crash`` or ``ignore``."""
    significant: bool = False


@attrs.define(eq=False)
class Kid:
    """A child in the book."""

    name: str
    plan: Plan
    refusals: list[str]
    state: str = "starting"
    incarnation: int = 0
    restarts: int = 0
    attempt: int = 0
    ready_at: float = 0.0
    retry: int = 0
    """The number of the restart that is due; others are void."""
    waits_for: Kid | None = None

    @property
    def at_rest(self) -> bool:
        return self.state in {"stopped", "ignored"}


@attrs.define(eq=False)
class Model:
    """A supervisor of kids."""

    strategy: Strategy = "one_for_one"
    max_restarts: int = 3
    auto_shutdown: AutoShutdown = "never"
    dynamic: bool = False
    max_children: float = math.inf

    now: float = 0.0
    kids: list[Kid] = attrs.field(factory=list[Kid])
    queue: deque[tuple[str, Kid, int]] = attrs.field(factory=deque[tuple[str, Kid, int]])
    dues: list[tuple[float, int, Kid]] = attrs.field(factory=list[tuple[float, int, Kid]])
    spent: list[tuple[float, str, int]] = attrs.field(factory=list[tuple[float, str, int]])
    lines: list[str] = attrs.field(factory=list[str])
    """What the diary of the puppets has to say."""
    over: str | None = None
    """How it ended: ``failed``, ``auto_shutdown`` or ``start failed``."""
    exits: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    """Those that a failure has to tell of."""
    numbers: int = 0

    # What the test does to it

    def boot(self, plans: dict[str, Plan]) -> None:
        self.kids = [Kid(name, plan, list(plan.refusals)) for name, plan in plans.items()]
        for kid in list(self.kids):
            if not self.start(kid):
                self.end("start failed")
                return

    def advance(self, seconds: float) -> None:
        then = self.now + seconds
        while self.over is None and self.dues and min(self.dues)[0] <= then:
            due = min(self.dues, key=lambda due: due[:2])
            self.dues.remove(due)
            self.now, number, kid = due
            self.queue.append(("retry", kid, number))
            self.settle()
        self.now = then

    def ends(self, name: str, how: str) -> None:
        """Note the end of a kid; it is handled in its turn."""
        kid = self.find(name)
        assert kid is not None
        self.lines.append(f"-{name}")
        kid.state = "ended"
        self.queue.append((how, kid, kid.incarnation))

    def settle(self) -> None:
        """Handle all that is in the queue."""
        while self.over is None and self.queue:
            what, kid, number = self.queue.popleft()
            if what == "retry":
                if kid.retry == number:
                    self.attempt(kid)
            elif (kid.state, kid.incarnation) == ("ended", number):
                self.on_exit(kid, what)

    def find(self, name: str) -> Kid | None:
        return next((kid for kid in self.kids if kid.name == name), None)

    def counted(self) -> int:
        self.spent = [one for one in self.spent if self.now - one[0] <= WITHIN]
        return len(self.spent)

    # Orders, each with its answer

    def order_start(self, name: str, plan: Plan) -> str:
        kid = self.enter(name, plan)
        if isinstance(kid, str):
            return kid
        if self.start(kid):
            return "start done"
        self.forget(kid)
        return "ChildStartFailed"

    def order_start_soon(self, name: str, plan: Plan) -> str:
        kid = self.enter(name, plan)
        if isinstance(kid, str):
            return kid
        if not self.start(kid):
            self.on_failed_start(kid)
        return "start_soon done"

    def order_stop(self, name: str) -> str:
        kid = self.find(name)
        if kid is None:
            return "ChildNotFound"
        answer = "stopped" if kid.state in {"running", "ended"} else "nothing ran"
        self.stop(kid)
        for other in self.kids:
            if other.waits_for is kid:
                self.rest(other)
        if not kid.at_rest:
            self.rest(kid)
        return answer

    def order_restart(self, name: str) -> str:
        kid = self.find(name)
        if kid is None:
            return "ChildNotFound"
        if not kid.at_rest:
            return f"ChildRunning {shown(kid)}"
        if self.start(kid):
            return "restart done"
        self.rest(kid)
        return "ChildStartFailed"

    def order_delete(self, name: str) -> str:
        kid = self.find(name)
        if kid is None:
            return "ChildNotFound"
        if not kid.at_rest:
            return f"ChildRunning {shown(kid)}"
        self.forget(kid)
        return "delete done"

    def enter(self, name: str, plan: Plan) -> Kid | str:
        if len(self.kids) >= self.max_children:
            return "TooManyChildren"
        there = self.find(name)
        if there is not None:
            return f"ChildExists {shown(there)}"
        kid = Kid(name, plan, list(plan.refusals))
        self.kids.append(kid)
        return kid

    # What it does itself

    def start(self, kid: Kid, *, again: bool = False) -> bool:
        """Start a kid; return whether that did not fail."""
        kid.incarnation += 1
        kid.restarts += again
        kid.retry, kid.waits_for = 0, None
        if not kid.refusals:
            self.lines.append(f"+{kid.name}")
            kid.state, kid.ready_at = "running", self.now
            return True
        self.lines.append(f"!{kid.name}")
        if kid.refusals.pop(0) == "crash":
            return False
        self.rest(kid, "ignored")
        return True

    def stop(self, kid: Kid) -> None:
        if kid.state == "running":
            self.lines.append(f"-{kid.name}")
            kid.state = "ended"

    def rest(self, kid: Kid, state: str = "stopped") -> None:
        kid.state, kid.retry, kid.waits_for = state, 0, None
        if self.dynamic or kid.plan.restart == "temporary":
            self.forget(kid)

    def forget(self, kid: Kid) -> None:
        self.kids.remove(kid)
        kid.state = "gone"

    def on_exit(self, kid: Kid, how: str) -> None:
        if kid.plan.restart == "permanent" or (kid.plan.restart, how) == ("transient", "crash"):
            if self.now - kid.ready_at >= BACKOFF.reset_after:
                kid.attempt = 0
            self.plan_restart(kid, was_ready=True)
            return
        self.finish(kid)

    def on_failed_start(self, kid: Kid) -> None:
        if kid.plan.restart == "temporary":
            self.finish(kid)
        else:
            self.plan_restart(kid, was_ready=False)

    def finish(self, kid: Kid) -> None:
        self.rest(kid)
        others = any(one.plan.significant and not one.at_rest for one in self.kids)
        if (
            kid.plan.significant
            and {
                "never": False,
                "any_significant": True,
                "all_significant": not others,
            }[self.auto_shutdown]
        ):
            self.end("auto_shutdown")

    def plan_restart(self, kid: Kid, *, was_ready: bool) -> None:
        delay = BACKOFF.delay(kid.attempt) if kid.plan.backs_off else 0.0
        kid.attempt += 1
        if was_ready and not delay:
            self.attempt(kid)
            return
        self.numbers += 1
        kid.state, kid.retry = "backing_off", self.numbers
        if delay:
            self.dues.append((self.now + delay, kid.retry, kid))
            self.stop_group(kid)
        else:
            self.queue.append(("retry", kid, kid.retry))

    def attempt(self, leader: Kid) -> None:
        if self.counted() >= self.max_restarts:
            self.exits = [one[1:] for one in [*self.spent, (0, leader.name, leader.incarnation)]]
            self.end("failed")
            return
        self.spent.append((self.now, leader.name, leader.incarnation))
        group = self.stop_group(leader)
        for place, kid in enumerate(group):
            if not self.start(kid, again=True):
                for waiting in group[place + 1 :]:
                    waiting.waits_for = kid
                self.plan_restart(kid, was_ready=False)
                return

    def stop_group(self, leader: Kid) -> list[Kid]:
        """Stop those that are restarted with *leader*, newest first, and return all."""
        if self.strategy == "one_for_one":
            return [leader]
        first = 0 if self.strategy == "one_for_all" else self.kids.index(leader)
        for kid in reversed(self.kids[first:]):
            if kid is leader:
                continue
            self.stop(kid)
            if kid.plan.restart == "temporary":
                self.forget(kid)
            else:
                kid.state, kid.retry, kid.waits_for = "backing_off", 0, leader
        return self.kids[first:]

    def end(self, how: str) -> None:
        self.over = how
        for kid in reversed(self.kids):
            self.stop(kid)


def shown(kid: Kid) -> str:
    """Return the state as the supervisor has noticed: of an end it will only be told."""
    return "running" if kid.state == "ended" else kid.state
