"""Tests of what a cancellation leaves behind, whenever it comes.

`cancel_everywhere` plays a scenario again and again, and cancels one task of it at its first
checkpoint, at its second, and so on to the last; as it comes to rest there, and as it is about
to go on. Whatever the moment, nothing may be lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import (
    MockClock,
    assert_checkpoints,
    assert_no_checkpoints,
    wait_all_tasks_blocked,
)

from trio_foundation import Backoff
from trio_foundation.resilience import (
    Bulkhead,
    BulkheadFull,
    Fallback,
    Hedge,
    KeyedRateLimiter,
    NotCalled,
    Pipeline,
    RateLimiter,
    Retry,
    RetryBudget,
    TimedOut,
    Timeout,
)

SECOND = Backoff(initial=1.0, factor=1.0, jitter=0.0)


@attrs.define(eq=False)
class CancelAt(trio.abc.Instrument):
    """Cancels a task when it has come to its n-th checkpoint, or as it goes on from there."""

    n: int
    as_it_goes_on: bool
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    task: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    seen: int = attrs.field(default=0, init=False)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.seen += 1
            if self.seen == self.n and not self.as_it_goes_on:
                self.scope.cancel()

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if task is self.task and self.seen == self.n and self.as_it_goes_on:
            self.scope.cancel()


def cancel_everywhere(
    set_up: Callable[[trio.Nursery], Awaitable[Callable[[], Awaitable[Any]]]],
    check: Callable[[bool], Awaitable[None]],
) -> int:
    """Cancel what a scenario does at each of its checkpoints.

    Args:
        set_up: Prepares, and returns what is to be cancelled.
        check: Is told whether that came to its end, and looks whether all is as it should be.

    Returns:
        How many checkpoints there are.
    """

    async def main(instrument: CancelAt) -> bool:
        ended = False
        async with trio.open_nursery() as nursery:
            victim = await set_up(nursery)
            instrument.task = trio.lowlevel.current_task()
            with instrument.scope:
                await victim()
                ended = True
            instrument.task = None
            assert ended is not instrument.scope.cancelled_caught
            await wait_all_tasks_blocked()
            await check(ended)
            nursery.cancel_scope.cancel()
        return ended

    count = 0
    for as_it_goes_on in (False, True):
        for n in range(1, 1000):
            instrument = CancelAt(n, as_it_goes_on)
            clock = MockClock(autojump_threshold=0)
            trio.run(main, instrument, clock=clock, instruments=[instrument])
            if instrument.seen < n:
                count = n - 1
                break
    return count


def test_a_slot_is_never_lost_whoever_waits_or_leaves() -> None:
    bulkhead = Bulkhead(1, max_waiting=5)
    ran: list[str] = []

    async def work(name: str) -> None:
        ran.append(name)
        await trio.sleep(1.0)
        await trio.lowlevel.checkpoint()

    async def set_up(nursery: trio.Nursery) -> Callable[[], Awaitable[None]]:
        ran.clear()
        nursery.start_soon(bulkhead.call, work, "before")
        await wait_all_tasks_blocked()

        async def come_later() -> None:
            await trio.sleep(0.5)
            await bulkhead.call(work, "after")

        nursery.start_soon(come_later)

        async def victim() -> None:
            await bulkhead.call(work, "victim")
            async with bulkhead:
                await trio.lowlevel.checkpoint()

        return victim

    async def check(ended: bool) -> None:
        await trio.sleep(5.0)
        assert {"before", "after"} <= set(ran)
        assert (bulkhead.statistics().running, bulkhead.statistics().waiting) == (0, 0)
        with trio.fail_after(1.0):
            async with bulkhead:
                pass

    assert cancel_everywhere(set_up, check) == 5


@pytest.mark.parametrize("keyed", [False, True])
def test_who_is_cancelled_in_line_has_not_passed_and_leaves_no_gap(keyed: bool) -> None:
    limiter: RateLimiter
    logins: KeyedRateLimiter[str]
    passed: dict[str, float] = {}

    async def wait(name: str) -> None:
        await (logins.wait("key") if keyed else limiter.wait())
        passed[name] = trio.current_time()

    async def set_up(nursery: trio.Nursery) -> Callable[[], Awaitable[None]]:
        nonlocal limiter, logins
        limiter, logins = RateLimiter(1), KeyedRateLimiter[str](1)
        passed.clear()
        await wait("first")
        nursery.start_soon(wait, "second")
        await wait_all_tasks_blocked()

        async def come_later() -> None:
            await trio.sleep(0.5)
            await wait("last")

        nursery.start_soon(come_later)

        async def victim() -> None:
            await wait("victim")
            await wait("victim again")

        return victim

    async def check(ended: bool) -> None:
        await trio.sleep(10.0)
        assert sorted(passed.values()) == [float(n) for n in range(len(passed))]
        assert len(passed) == 3 + ("victim" in passed) + ("victim again" in passed)
        assert ended is ("victim again" in passed)

    assert cancel_everywhere(set_up, check) >= 2


def test_a_retry_is_called_no_more_and_its_budget_is_whole() -> None:
    budget: RetryBudget
    begun = calls = 0

    async def fail_once(before: list[str]) -> None:
        if not before:
            before.append("failed")
            raise OSError

    async def set_up(_: trio.Nursery) -> Callable[[], Awaitable[None]]:
        nonlocal budget, begun, calls
        budget, begun, calls = RetryBudget(ratio=0.0, floor=2), 0, 0

        async def fail_twice() -> None:
            nonlocal begun, calls
            begun += 1
            await trio.lowlevel.checkpoint()
            calls += 1
            if calls < 3:
                raise OSError

        return lambda: Retry(budget=budget, backoff=SECOND).call(fail_twice)

    async def check(ended: bool) -> None:
        made = calls
        await trio.sleep(10.0)
        assert calls == made
        assert ended is (calls == 3)
        left = 0
        with pytest.raises(OSError, match="budget is spent"):
            while True:
                await Retry(attempts=2, budget=budget, backoff=SECOND).call(fail_once, list[str]())
                left += 1
        assert left == 2 - (begun - 1)

    assert cancel_everywhere(set_up, check) == 5


def test_no_call_of_a_hedge_outlives_it() -> None:
    running = 0

    async def ask() -> None:
        nonlocal running
        running += 1
        try:
            await trio.sleep(10.0 if running == 1 else 1.0)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            running -= 1

    async def set_up(_: trio.Nursery) -> Callable[[], Awaitable[None]]:
        async def victim() -> None:
            try:
                await Hedge(after=2.0).call(ask)
            finally:
                assert running == 0

        return victim

    async def check(ended: bool) -> None:
        assert running == 0

    assert cancel_everywhere(set_up, check) >= 3


def test_a_pipeline_gives_everything_back() -> None:
    bulkhead = Bulkhead(2, max_waiting=1)
    answered = 0

    async def second_best() -> None:
        nonlocal answered
        answered += 1
        await trio.lowlevel.checkpoint()

    async def fail() -> None:
        await trio.sleep(0.25)
        raise OSError

    async def set_up(_: trio.Nursery) -> Callable[[], Awaitable[None]]:
        nonlocal answered
        answered = 0
        pipeline = Pipeline(
            fallback=Fallback(second_best),
            retry=Retry(attempts=2, backoff=SECOND),
            hedge=Hedge(after=0.1),
            bulkhead=bulkhead,
            rate_limit=RateLimiter(10, burst=2),
            timeout=2.0,
        )
        return lambda: pipeline.call(fail)

    async def check(ended: bool) -> None:
        assert (bulkhead.statistics().running, bulkhead.statistics().waiting) == (0, 0)
        assert not ended or answered == 1

    assert cancel_everywhere(set_up, check) >= 5


def test_a_time_limit_says_nothing_of_the_cancellation_of_others() -> None:
    async def set_up(_: trio.Nursery) -> Callable[[], Awaitable[None]]:
        async def victim() -> None:
            with suppress(TimedOut):
                await Timeout(1.0).call(trio.sleep_forever)
            await Timeout(1.0).call(trio.sleep, 0.5)

        return victim

    async def check(ended: bool) -> None:
        pass

    assert cancel_everywhere(set_up, check) == 2


@pytest.mark.parametrize("order", ["fifo", "lifo"])
async def test_a_long_line_moves_on_whoever_leaves_it(order: Any) -> None:
    bulkhead = Bulkhead(1, max_waiting=5_000, order=order)
    ended: list[str] = []

    async def one() -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            try:
                await bulkhead.call(trio.lowlevel.checkpoint)
            except BulkheadFull:
                ended.append("turned away")
            else:
                ended.append("ran")
        if scope.cancelled_caught:
            ended.append("cancelled")

    scopes: list[trio.CancelScope] = []
    async with trio.open_nursery() as nursery:
        async with bulkhead:
            for _ in range(5_100):
                nursery.start_soon(one)
                await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
            for scope in scopes[:5_000:2]:
                scope.cancel()
    assert Counter(ended) == {"ran": 2_500, "cancelled": 2_500, "turned away": 100}
    assert (bulkhead.statistics().running, bulkhead.statistics().waiting) == (0, 0)


async def test_a_long_line_before_a_rate_limiter_passes_in_order(
    autojump_clock: MockClock,
) -> None:
    limiter = RateLimiter(1.0, max_waiting=10_000)
    passed: list[int] = []

    async def one(number: int, scope: trio.CancelScope) -> None:
        with scope:
            await limiter.wait()
            passed.append(number)

    scopes = [trio.CancelScope() for _ in range(5_000)]
    async with trio.open_nursery() as nursery:
        for number, scope in enumerate(scopes):
            nursery.start_soon(one, number, scope)
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        for scope in scopes[1::2]:
            scope.cancel()
    assert passed == list(range(0, 5_000, 2))
    assert trio.current_time() == 2_499.0


# What is a checkpoint


async def answer() -> int:
    return 3


async def break_down() -> int:
    raise OSError


async def enter(guard: Any) -> None:
    async with guard:
        pass


FULL = Bulkhead(1)
SPENT = RateLimiter(1, per=1e6, max_waiting=0)
CROWDED = KeyedRateLimiter[str](1, per=1e6, max_keys=1)

CHECKPOINTS: dict[str, Callable[[], Awaitable[Any]]] = {
    "a bulkhead's call": lambda: Bulkhead(1).call(answer),
    "a bulkhead's call that fails": lambda: Bulkhead(1).call(break_down),
    "a bulkhead's block": lambda: enter(Bulkhead(1)),
    "a full bulkhead": lambda: FULL.call(answer),
    "a rate limiter's wait": lambda: RateLimiter(1).wait(),
    "a rate limiter's call": lambda: RateLimiter(1).call(answer),
    "a rate limiter's block": lambda: enter(RateLimiter(1)),
    "a rate limiter that turns away": SPENT.wait,
    "a keyed rate limiter": lambda: KeyedRateLimiter[str](1).wait("a"),
    "a keyed rate limiter that turns away": lambda: CROWDED.wait("b"),
    "a hedge": lambda: Hedge(after=1.0).call(answer),
    "a hedge that fails": lambda: Hedge(after=1.0).call(break_down),
    "a fallback to a value": lambda: Fallback(0).call(break_down),
    "a retry that waits": lambda: Retry(attempts=2, backoff=SECOND).call(break_down),
}

NONE: dict[str, Callable[[], Awaitable[Any]]] = {
    "a retry": lambda: Retry(attempt_timeout=2.0).call(answer),
    "a retry that does not wait": lambda: Retry(attempts=1).call(break_down),
    "a fallback to a function": lambda: Fallback(answer).call(break_down),
    "a time limit": lambda: Timeout(1.0).call(answer),
    "an empty pipeline": lambda: Pipeline().call(answer),
}


@pytest.mark.parametrize("what", CHECKPOINTS)
async def test_it_is_a_checkpoint_however_it_ends(what: str, autojump_clock: MockClock) -> None:
    SPENT.take()
    CROWDED.take("a")
    async with FULL:
        with assert_checkpoints(), suppress(OSError, NotCalled):
            await CHECKPOINTS[what]()


@pytest.mark.parametrize("what", NONE)
async def test_it_adds_no_checkpoint_of_its_own(what: str) -> None:
    with assert_no_checkpoints(), suppress(OSError):
        await NONE[what]()


@pytest.mark.parametrize(
    "what", [what for what in CHECKPOINTS if "that" not in what and "to a" not in what]
)
async def test_who_is_cancelled_at_once_is_let_through_nowhere(
    what: str, autojump_clock: MockClock
) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await CHECKPOINTS[what]()
    assert scope.cancelled_caught
