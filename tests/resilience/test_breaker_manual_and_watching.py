"""Tests of the verbs that change a breaker by hand, and of the ways to watch it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.resilience import (
    BreakerEvent,
    BreakerOpen,
    CallFailedThrough,
    CallRejected,
    CallSucceeded,
    CircuitBreaker,
    ProbeStarted,
    SlowCall,
    StaleResult,
    StateChanged,
)
from trio_foundation.telemetry import subscribe

from ._things import (
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    fail,
    open_breaker,
    succeed,
    trip,
    use,
)


def changed(old: Any, new: Any, cause: Any) -> StateChanged:
    return StateChanged(breaker="b", old=old, new=new, cause=cause)


# By hand


@each_way
async def test_disabled_it_lets_all_through_whatever_comes_of_them(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        breaker.disable()
        for _ in range(10):
            assert isinstance(await attempt(breaker, way, fail), Failure)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.failed, seen.opened_at) == ("disabled", 10, None)


@pytest.mark.parametrize("verb", ["force_open", "disable"])
@pytest.mark.parametrize("way_out", ["reset", "force_closed"])
async def test_what_sticks_ends_by_hand_only(
    verb: str, way_out: str, autojump_clock: MockClock
) -> None:
    breaker = CircuitBreaker("b", failure_threshold=1, reset_timeout=1.0)
    getattr(breaker, verb)()
    await trio.sleep(1_000)
    assert breaker.state == {"force_open": "forced_open", "disable": "disabled"}[verb]
    getattr(breaker, way_out)()
    assert breaker.state == "closed"
    assert await breaker.call(succeed) == "good"


async def test_forced_closed_does_not_stick(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    breaker.force_closed()
    await attempt(breaker, "call", fail)
    assert breaker.state == "open"


@pytest.mark.parametrize("verb", ["force_open", "force_closed", "disable", "reset"])
async def test_a_verb_makes_earlier_results_late(verb: str, autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    async with trio.open_nursery() as nursery:
        Call(nursery, breaker, "call", fail, None, 1)
        await wait_all_tasks_blocked()
        getattr(breaker, verb)()
        await trio.sleep(2)
    seen = assert_lawful(breaker)
    assert (seen.failed, seen.stale, seen.counted) == (0, 1, 0)


async def test_a_reset_forgets_the_last_error_too(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_threshold=2)
    await attempt(breaker, "call", fail)
    breaker.reset()
    breaker.force_open()
    assert (await attempt(breaker, "call", fail)).last_error is None


async def test_a_verb_that_changes_nothing_tells_nothing(autojump_clock: MockClock) -> None:
    told: list[StateChanged] = []
    breaker = CircuitBreaker("b")
    with subscribe(told.append, StateChanged):
        for verb in (breaker.reset, breaker.force_closed, breaker.force_open, breaker.force_open):
            verb()
    assert told == [changed("closed", "forced_open", "forced")]


# Waiting


async def test_waiting_wakes_by_itself_when_the_open_time_is_over(
    autojump_clock: MockClock,
) -> None:
    breaker = CircuitBreaker("b", failure_threshold=1, reset_timeout=7.0)
    async with trio.open_nursery() as nursery:
        times: list[tuple[str, float]] = []

        async def watch() -> None:
            times.append((await breaker.wait_state("half_open"), trio.current_time()))

        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        await attempt(breaker, "call", fail)
    assert times == [("half_open", 7.0)]


async def test_waiting_is_for_any_of_the_states(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    async with trio.open_nursery() as nursery:
        seen: list[str] = []

        async def watch() -> None:
            seen.append(await breaker.wait_state("open", "forced_open"))

        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        breaker.disable()
        await wait_all_tasks_blocked()
        assert seen == []
        breaker.force_open()
    assert seen == ["forced_open"]


async def test_waiting_does_not_spin_after_a_reset_that_changed_nothing(
    autojump_clock: MockClock,
) -> None:
    # It once saw a number that no one had been told of, and looked again and again.
    breaker = CircuitBreaker("b")
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(breaker.wait_state, "open")
            await wait_all_tasks_blocked()
            breaker.reset()
        await wait_all_tasks_blocked()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()


async def test_what_was_missed_in_one_tick_does_not_end_the_wait(autojump_clock: MockClock) -> None:
    # Rule R52.
    breaker = CircuitBreaker("b")
    with trio.move_on_after(1) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(breaker.wait_state, "forced_open")
            await wait_all_tasks_blocked()
            breaker.force_open()
            breaker.reset()
    assert scope.cancelled_caught


async def test_one_can_stop_waiting(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    with trio.move_on_after(3):
        await breaker.wait_state("open")
    assert trio.current_time() == 3.0


async def test_waiting_needs_a_state_that_there_is(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    with pytest.raises(
        ValueError, match=r"^wait_state takes one state or more: write wait_state\('closed'\)$"
    ):
        await breaker.wait_state()
    with pytest.raises(ValueError, match=r"^state must be 'closed', 'open', .* not 'ajar'$"):
        await breaker.wait_state("ajar")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# Subscriptions


async def test_a_subscriber_receives_each_change(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    with breaker.subscribe() as changes:
        await trip(breaker, "half_open")
        await breaker.call(succeed)
        received = [changes.receive_nowait() for _ in range(3)]
        with pytest.raises(trio.WouldBlock):
            changes.receive_nowait()
    assert received == [
        changed("closed", "open", "failures"),
        changed("open", "half_open", "reset_timeout"),
        changed("half_open", "closed", "probe_succeeded"),
    ]


async def test_a_full_channel_loses_the_oldest_change(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    with breaker.subscribe(2) as changes:
        for _ in range(3):
            breaker.force_open()
            breaker.disable()
        received = [changes.receive_nowait().new for _ in range(2)]
        assert received == ["forced_open", "disabled"]
        assert changes.statistics().current_buffer_used == 0


async def test_a_subscriber_that_closes_its_end_is_harmless(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    with breaker.subscribe(1) as changes:
        changes.close()
        for _ in range(3):
            breaker.force_open()
            breaker.reset()
    breaker.force_open()
    assert breaker.state == "forced_open"


async def test_a_subscription_has_room_for_one_at_least(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match=r"^capacity must be 1 or more, not 0$"):
        with CircuitBreaker("b").subscribe(0):
            pass


# Events


async def test_all_is_told_with_its_fields(autojump_clock: MockClock) -> None:
    told: list[BreakerEvent] = []
    breaker = CircuitBreaker("b", failure_threshold=1, reset_timeout=10.0, slow_after=5.0)
    with subscribe(told.append, BreakerEvent):
        async with trio.open_nursery() as nursery:
            Call(nursery, breaker, "call", trio.sleep, 20)
            await trio.sleep(1)
            await breaker.call(succeed)
            await attempt(breaker, "call", fail, None, 2)
            await attempt(breaker, "call", fail)
            await breaker.wait_state("half_open")
            await breaker.call(succeed)
    assert told == [
        CallSucceeded(breaker="b", after=0.0),
        changed("closed", "open", "failures"),
        CallFailedThrough(breaker="b", after=2.0, error="Failure: as told"),
        CallRejected(breaker="b", state="open", retry_after=10.0),
        SlowCall(breaker="b", after=5.0),
        changed("open", "half_open", "reset_timeout"),
        ProbeStarted(breaker="b"),
        changed("half_open", "closed", "probe_succeeded"),
        CallSucceeded(breaker="b", after=0.0),
        StaleResult(breaker="b", after=20.0),
    ]


@each_way
async def test_for_a_hundred_failures_at_once_one_change_is_told(
    way: Way, autojump_clock: MockClock
) -> None:
    told: list[StateChanged] = []
    with subscribe(told.append, StateChanged):
        async with open_breaker(way, failure_threshold=5) as breaker:
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    Call(nursery, breaker, way, fail, None, 1)
            seen = assert_lawful(breaker)
            assert (seen.failed, seen.stale) == (5, 95)
    assert told == [changed("closed", "open", "failures")]


@each_way
async def test_a_handler_that_takes_long_costs_nobody_a_result(
    way: Way, autojump_clock: MockClock
) -> None:
    def take_long(event: StateChanged) -> None:
        autojump_clock.jump(3)

    error = Failure()
    with subscribe(take_long, StateChanged):
        async with open_breaker(way, reset_timeout=10.0) as breaker:
            assert await attempt(breaker, way, fail, error) is error
            assert breaker.statistics().retry_after == 7.0


@each_way
async def test_the_figures_are_lawful_whenever_something_is_told(
    way: Way, autojump_clock: MockClock
) -> None:
    told: list[object] = []

    def look(event: BreakerEvent) -> None:
        told.append(event)
        assert_lawful(breaker)

    async with open_breaker(
        way, slow_after=3.0, cancel_in_flight=True, reset_timeout=2.0
    ) as breaker:
        with subscribe(look, BreakerEvent):
            async with trio.open_nursery() as nursery:
                for after in (1, 2, 5):
                    Call(nursery, breaker, way, trio.sleep, after)
                Call(nursery, breaker, way, fail, None, 2)
                await trio.sleep(3)
                assert_lawful(breaker)
                Call(nursery, breaker, way, fail, None, 1)
                await wait_all_tasks_blocked()
                Call(nursery, breaker, way, succeed)
                await trio.sleep(5)
                await use(breaker, way, succeed)
        assert {type(one) for one in told} >= {StateChanged, CallRejected, ProbeStarted}
        assert assert_lawful(breaker).in_flight == 0


async def test_a_breaker_tells_what_it_is(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("prices")
    assert (repr(breaker), breaker.name) == ("<CircuitBreaker 'prices' closed>", "prices")


# Refusals on top


async def test_a_refusal_comes_before_everything_and_changes_nothing(
    autojump_clock: MockClock,
) -> None:
    breaker = CircuitBreaker("b")
    with breaker.refuse_when(lambda: True):
        assert isinstance(await attempt(breaker, "call", succeed), BreakerOpen)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.calls, seen.rejected) == ("closed", 0, 1)
    assert await breaker.call(succeed) == "good"


async def test_what_refuses_is_a_plain_function(autojump_clock: MockClock) -> None:
    with pytest.raises(
        TypeError,
        match=r"^refuse_when takes a plain function, not 3: write refuse_when\(lambda: True\)$",
    ):
        with CircuitBreaker("b").refuse_when(3):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            pass
