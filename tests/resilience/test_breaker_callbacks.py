"""Tests of what a breaker calls, and does not trust: judges, refusers, handlers, errors.

Whatever they raise, and whatever they do to the breaker meanwhile, each call that was let
through is counted once, and each probe gives its slot back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

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
    Verdict,
    open_breakers,
)
from trio_foundation.telemetry import HandlerFailed, subscribe

from ._things import (
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    each_way_of_call,
    fail,
    leaves_of,
    open_breaker,
    succeed,
    trip,
    use,
)

EVENTS: Final[list[type[BreakerEvent]]] = [
    StateChanged,
    CallSucceeded,
    CallFailedThrough,
    CallRejected,
    ProbeStarted,
    StaleResult,
    SlowCall,
]


async def try_it(breaker: CircuitBreaker, way: Way, fatal: BaseException | None) -> None:
    """Go through all that a breaker tells of; an interrupt ends one step of it, not the rest."""

    async def step(async_fn: Callable[..., Any], *args: Any) -> None:
        try:
            with suppress(Failure, BreakerOpen):
                await use(breaker, way, async_fn, *args)
        except BaseException as error:
            if fatal is None or leaves_of(error) != [fatal]:
                raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(step, trio.sleep, 10)  # stale
        nursery.start_soon(step, trio.sleep, 4)  # slow, and trips it
        await step(succeed)
        await trio.sleep(5)
        await step(succeed)  # rejected, where it has tripped
        await trio.sleep(4)
        await step(fail)  # a probe
        await trio.sleep(4)
        await step(succeed)  # and another


async def assert_usable(breaker: CircuitBreaker, way: Way) -> None:
    """Assert that no call has vanished, and that it lets calls and probes through."""
    assert assert_lawful(breaker).in_flight == 0
    breaker.reset()
    assert await use(breaker, way, succeed) == "good"
    await trip(breaker, "half_open")
    assert await use(breaker, way, succeed) == "good"
    assert breaker.state == "closed"
    assert assert_lawful(breaker).in_flight == 0


def breaker_of(way: Way, **options: Any) -> Any:
    # In a block the task that looks after slow calls would end the block by the interrupt.
    return open_breaker(way, reset_timeout=3.0, slow_after=3.0, **options)


# Handlers


@each_way
@pytest.mark.parametrize("event", EVENTS)
async def test_a_handler_that_raises_is_detached_and_harms_no_call(
    event: type[BreakerEvent], way: Way, autojump_clock: MockClock
) -> None:
    def broken(event: BreakerEvent) -> None:
        raise ValueError("broken handler")

    failed: list[HandlerFailed] = []
    async with breaker_of(way) as breaker:
        with subscribe(failed.append, HandlerFailed), subscribe(broken, event):
            await try_it(breaker, way, None)
        assert [one.event for one in failed] == [event.name]
        await assert_usable(breaker, way)


@pytest.mark.parametrize("way", ["call", "guard"])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_in_a_handler_goes_up_and_leaves_the_figures_lawful(
    kind: type[BaseException], event: type[BreakerEvent], way: Way, autojump_clock: MockClock
) -> None:
    fatal = kind("in a handler")
    told: list[BreakerEvent] = []

    def interrupt(event: BreakerEvent) -> None:
        told.append(event)
        raise fatal

    async with breaker_of(way) as breaker:
        with subscribe(interrupt, event):
            await try_it(breaker, way, fatal)
        assert told
        await assert_usable(breaker, way)


@pytest.mark.parametrize("event", [one for one in EVENTS if one is not SlowCall])
async def test_an_interrupt_in_a_handler_goes_up_from_a_call_in_a_block_too(
    event: type[BreakerEvent], autojump_clock: MockClock
) -> None:
    # What the block's own tasks run into ends the block; see the tests of blocks.
    fatal = SystemExit("in a handler")

    def interrupt(event: BreakerEvent) -> None:
        raise fatal

    async with open_breakers(failure_threshold=1, reset_timeout=3.0) as breakers:
        breaker = breakers["b"]
        with subscribe(interrupt, event):
            await try_it(breaker, "call", fatal)
        await assert_usable(breaker, "call")


VERBS: Final[dict[str, Callable[[CircuitBreaker], object]]] = {
    "force_open": CircuitBreaker.force_open,
    "force_closed": CircuitBreaker.force_closed,
    "disable": CircuitBreaker.disable,
    "reset": CircuitBreaker.reset,
    "statistics": CircuitBreaker.statistics,
}


@contextmanager
def interfering(breaker: CircuitBreaker, event: type[BreakerEvent], verb: str) -> Generator[None]:
    """Have a handler call a verb of the breaker, for the first few events."""
    told: list[BreakerEvent] = []

    def interfere(event: BreakerEvent) -> None:
        told.append(event)
        assert_lawful(breaker)
        if len(told) <= 3:
            VERBS[verb](breaker)

    with subscribe(interfere, event):
        yield


@each_way
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("cancel_in_flight", [False, True], ids=["go on", "cancelled"])
async def test_a_handler_may_do_anything_to_its_breaker(
    cancel_in_flight: bool,
    verb: str,
    event: type[BreakerEvent],
    way: Way,
    autojump_clock: MockClock,
) -> None:
    async with breaker_of(way, cancel_in_flight=cancel_in_flight) as breaker:
        with interfering(breaker, event, verb):
            await try_it(breaker, way, None)
        await assert_usable(breaker, way)


@each_way
async def test_a_probe_that_a_handler_ends_as_it_begins_is_ended(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, cancel_in_flight=True) as breaker:
        await trip(breaker, "half_open")
        with interfering(breaker, ProbeStarted, "force_open"):
            answer = await attempt(breaker, way, trio.sleep_forever)
        assert (type(answer), answer.state) == (BreakerOpen, "forced_open")
        assert assert_lawful(breaker).cancelled == 1


async def test_a_handler_may_guard_something_itself(autojump_clock: MockClock) -> None:
    async with open_breakers(failure_threshold=1, cancel_in_flight=True) as breakers:
        breaker = breakers["b"]
        answers: list[Any] = []

        async def answer() -> None:
            answers.append(await attempt(breaker, "guard", succeed))
            answers.append(await attempt(breaker, "call", succeed))

        async with trio.open_nursery() as nursery:

            def start(event: StateChanged) -> None:
                nursery.start_soon(answer)

            with subscribe(start, StateChanged):
                await attempt(breaker, "call", fail)
                await wait_all_tasks_blocked()
        assert [type(one) for one in answers] == [BreakerOpen, BreakerOpen]
        assert assert_lawful(breaker).rejected == 2


# Judges

VERDICTS: Final[dict[str, Verdict]] = {}


@each_way
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("is_probe", [False, True], ids=["call", "probe"])
async def test_a_judge_that_raises_is_told_with_the_error_that_it_judged(
    is_probe: bool, kind: type[BaseException], way: Way, autojump_clock: MockClock
) -> None:
    broken, error = kind("judge"), Failure("judged")

    def judge(judged: BaseException) -> Verdict:
        if judged is not error:
            return "failure"
        try:
            return VERDICTS[str(judged)]
        except LookupError:
            raise broken  # noqa: B904  it comes of that

    async with open_breaker(way, counts=judge) as breaker:
        if is_probe:
            await trip(breaker, "half_open")
        with pytest.raises(kind) as caught:
            await use(breaker, way, fail, error)
        assert caught.value is broken
        lookup = broken.__context__
        assert isinstance(lookup, LookupError)
        assert lookup.__context__ is error
        assert error.__context__ is None
        assert assert_lawful(breaker).ignored == 1
        await assert_usable(breaker, way)


@each_way
async def test_a_judge_may_raise_what_it_judges(way: Way, autojump_clock: MockClock) -> None:
    error = Failure("judged")

    def judge(judged: BaseException) -> Verdict:
        raise judged

    async with open_breaker(way, counts=judge) as breaker:
        with pytest.raises(Failure) as caught:
            await use(breaker, way, fail, error)
        assert caught.value is error
        assert error.__context__ is None
        assert assert_lawful(breaker).ignored == 1


@each_way
async def test_a_judge_with_a_verdict_of_its_own_is_refused(
    way: Way, autojump_clock: MockClock
) -> None:
    def judge(error: BaseException) -> Any:
        return "guilty"

    async with open_breaker(way, counts=judge) as breaker:
        with pytest.raises(ValueError, match=r"^what counts\(\) returns must be .* not 'guilty'$"):
            await use(breaker, way, fail)
        assert assert_lawful(breaker).ignored == 1


@each_way_of_call
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("is_probe", [False, True], ids=["call", "probe"])
async def test_a_judge_of_results_that_raises_costs_no_slot(
    is_probe: bool, kind: type[BaseException], way: Way, autojump_clock: MockClock
) -> None:
    broken = kind("judge")
    is_broken = False

    def judge(result: object) -> bool:
        if is_broken:
            raise broken
        return False

    async with open_breaker(way, result_is_failure=judge) as breaker:
        if is_probe:
            await trip(breaker, "half_open")
        is_broken = True
        with pytest.raises(kind) as caught:
            await use(breaker, way, succeed)
        is_broken = False
        assert caught.value is broken
        assert assert_lawful(breaker).ignored == 1
        await assert_usable(breaker, way)


@each_way
@pytest.mark.parametrize("verb", VERBS)
async def test_a_judge_may_do_anything_to_its_breaker(
    verb: str, way: Way, autojump_clock: MockClock
) -> None:
    def judge(error: BaseException) -> Verdict:
        VERBS[verb](breaker)
        return "failure"

    def judge_result(result: object) -> bool:
        VERBS[verb](breaker)
        return False

    async with open_breaker(
        way, counts=judge, result_is_failure=judge_result, cancel_in_flight=True
    ) as breaker:
        assert isinstance(await attempt(breaker, way, fail), Failure)
        breaker.reset()
        assert await attempt(breaker, way, succeed, None) is None
        seen = assert_lawful(breaker)
        assert (seen.calls, seen.in_flight) == (2, 0)


# Refusers


@each_way
async def test_a_refuser_that_raises_is_told_and_nothing_is_booked(
    way: Way, autojump_clock: MockClock
) -> None:
    broken = ValueError("refuser")

    def refuse() -> bool:
        raise broken

    async with open_breaker(way) as breaker:
        with breaker.refuse_when(refuse):
            assert await attempt(breaker, way, succeed) is broken
        seen = assert_lawful(breaker)
        assert (seen.calls, seen.rejected) == (0, 0)


@each_way
async def test_a_refuser_that_forces_it_open_lets_nothing_through(
    way: Way, autojump_clock: MockClock
) -> None:
    def force_open() -> bool:
        breaker.force_open()
        return False

    async with open_breaker(way) as breaker:
        with breaker.refuse_when(force_open):
            answer = await attempt(breaker, way, succeed)
        assert (type(answer), answer.state) == (BreakerOpen, "forced_open")
        assert assert_lawful(breaker).calls == 0
