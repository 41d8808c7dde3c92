"""Tests of blocks of breakers: one for each key, and probes that no user's call has to be."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.resilience import BreakerOpen, Breakers, CircuitBreaker, open_breakers

from ._things import Call, Failure, assert_lawful, attempt, fail, leaves_of, succeed, trip

# One for each key


async def test_a_breaker_is_made_when_it_is_first_asked_for(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        assert "a" not in breakers
        assert len(breakers) == 0
        breaker = breakers["a"]
        assert isinstance(breaker, CircuitBreaker)
        assert breakers["a"] is breaker
        assert ("a" in breakers, list(breakers), len(breakers)) == (True, ["a"], 1)
        assert repr(breakers) == "<Breakers ['a']>"


async def test_breakers_know_nothing_of_each_other(autojump_clock: MockClock) -> None:
    async with open_breakers(failure_threshold=1) as breakers:
        await trip(breakers["a"])
        assert (breakers["a"].state, breakers["b"].state) == ("open", "closed")


@pytest.mark.parametrize(
    ("key", "name"), [("a", "a"), (("a", 1), "('a', 1)"), (None, "None"), ("", "''")]
)
async def test_any_key_names_a_breaker(key: object, name: str, autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        assert breakers[key].name == name


async def test_asking_whether_one_is_there_makes_none(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        assert breakers.get("a") is None
        assert breakers.get("a", 3) == 3
        assert list(breakers) == []


async def test_the_defaults_are_for_all_and_a_key_may_have_its_own(
    autojump_clock: MockClock,
) -> None:
    async with open_breakers(failure_threshold=2, reset_timeout=5.0) as breakers:
        breakers.configure("strict", failure_threshold=1)
        for key in ("strict", "mild"):
            await attempt(breakers[key], "call", fail)
        assert (breakers["strict"].state, breakers["mild"].state) == ("open", "closed")
        assert breakers["strict"].statistics().retry_after == 5.0


async def test_one_that_is_there_cannot_be_configured(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        assert breakers["a"].state == "closed"
        with pytest.raises(
            ValueError, match=r"^the breaker of 'a' is made already: call configure\(\) before$"
        ):
            breakers.configure("a", failure_threshold=1)


async def test_a_snapshot_has_the_figures_of_all(autojump_clock: MockClock) -> None:
    async with open_breakers(failure_threshold=1) as breakers:
        await breakers["a"].call(succeed)
        await trip(breakers["b"])
        snapshot = breakers.snapshot()
        assert {key: one.state for key, one in snapshot.items()} == {"a": "closed", "b": "open"}
        assert snapshot["a"].succeeded == 1


async def test_one_may_ask_for_others_while_iterating(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        for key in "abc":
            assert breakers[key].state == "closed"
        for one in breakers:
            assert breakers[f"{one}2"].state == "closed"
        assert len(breakers) == 6


# The bound


async def test_who_was_not_asked_for_longest_goes_first(autojump_clock: MockClock) -> None:
    async with open_breakers(max_breakers=2) as breakers:
        for key in "abac":
            assert breakers[key].state == "closed"
        assert list(breakers) == ["a", "c"]


async def test_one_that_matters_is_never_dropped(autojump_clock: MockClock) -> None:
    async with (
        open_breakers(max_breakers=1, failure_threshold=1) as breakers,
        trio.open_nursery() as nursery,
    ):
        await trip(breakers["open"])
        breakers["disabled"].disable()
        call = Call(nursery, breakers["busy"], "call", trio.sleep, 1)
        await wait_all_tasks_blocked()
        for number in range(100):
            assert breakers[number].state == "closed"
        assert list(breakers) == ["open", "disabled", "busy", 99]
        await trio.sleep(1)
        await wait_all_tasks_blocked()
        assert call.at == 1.0
        assert breakers["new"].state == "closed"
        assert list(breakers) == ["open", "disabled", "new"]


async def test_thousands_of_keys_leave_a_bounded_block(autojump_clock: MockClock) -> None:
    async with open_breakers(max_breakers=10) as breakers:
        for number in range(2_000):
            await breakers[number].call(trio.sleep, 0)
        assert len(breakers) == 10


# Health


class Service:
    """What is called; it is up or down, and notes who asks how it is."""

    def __init__(self) -> None:
        self.is_up = False
        self.asked: list[float] = []

    async def health(self) -> None:
        """Raise if it is down."""
        self.asked.append(trio.current_time())
        if not self.is_up:
            raise ConnectionError("down")


async def test_no_call_of_a_user_is_the_probe(autojump_clock: MockClock) -> None:
    service = Service()
    service.is_up = True
    async with open_breakers(
        failure_threshold=1, reset_timeout=10.0, health=service.health
    ) as breakers:
        breaker = breakers["a"]
        await trip(breaker)
        await breaker.wait_state("closed")
        assert (service.asked, trio.current_time()) == ([10.0], 10.0)
        assert await breaker.call(succeed) == "good"


async def test_while_it_is_asked_how_it_is_calls_are_rejected(autojump_clock: MockClock) -> None:
    async def health() -> None:
        await trio.sleep(2)

    async with open_breakers(failure_threshold=1, reset_timeout=10.0, health=health) as breakers:
        await trip(breakers["a"])
        await trio.sleep(11)
        rejection = await attempt(breakers["a"], "call", succeed)
        assert isinstance(rejection, BreakerOpen)
        assert rejection.state == "half_open"
        await breakers["a"].wait_state("closed")
        assert trio.current_time() == 12.0


async def test_it_is_asked_again_after_longer_and_longer_times(autojump_clock: MockClock) -> None:
    service = Service()
    backoff = Backoff(initial=1.0, factor=2.0, maximum=100.0, jitter=0.0)
    async with open_breakers(
        failure_threshold=1, reset_timeout=backoff, health=service.health
    ) as breakers:
        await trip(breakers["a"])
        await trio.sleep(16)
        service.is_up = True
        await breakers["a"].wait_state("closed")
    assert service.asked == [1.0, 3.0, 7.0, 15.0, 31.0]


async def test_health_that_hangs_is_ended_and_counts_as_ill(autojump_clock: MockClock) -> None:
    asked: list[float] = []

    async def hang() -> None:
        asked.append(trio.current_time())
        await trio.sleep_forever()

    async with open_breakers(
        failure_threshold=1, reset_timeout=10.0, probe_timeout=2.0, health=hang
    ) as breakers:
        await trip(breakers["a"])
        await trio.sleep(30)
        assert asked == [10.0, 22.0]
        assert assert_lawful(breakers["a"]).failed == 3


async def test_an_error_of_health_that_says_nothing_of_calls_is_illness_all_the_same(
    autojump_clock: MockClock,
) -> None:
    # It was asked again and again without a pause, and nothing else ran.
    asked: list[float] = []

    async def health() -> None:
        asked.append(trio.current_time())
        raise ValueError("not an OSError")

    async with open_breakers(
        failure_threshold=1, reset_timeout=10.0, counts=Failure, health=health
    ) as breakers:
        await trip(breakers["a"])
        await trio.sleep(25)
        assert asked == [10.0, 20.0]


async def test_a_result_of_health_that_cannot_be_judged_is_illness_too(
    autojump_clock: MockClock,
) -> None:
    asked: list[float] = []

    async def health() -> str:
        asked.append(trio.current_time())
        return "up"

    async with open_breakers(
        failure_threshold=1,
        reset_timeout=10.0,
        result_is_failure=lambda result: bool(result + 1),
        health=health,
    ) as breakers:
        await trip(breakers["a"])
        await trio.sleep(25)
        assert asked == [10.0, 20.0]


async def test_health_with_no_open_time_lets_others_run(autojump_clock: MockClock) -> None:
    async def health() -> None:
        raise ConnectionError("down")

    async with open_breakers(failure_threshold=1, reset_timeout=0.0, health=health) as breakers:
        await attempt(breakers["a"], "call", fail)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        breakers["a"].force_open()


async def test_a_verb_ends_the_questions_and_the_next_trip_begins_them_again(
    autojump_clock: MockClock,
) -> None:
    service = Service()
    async with open_breakers(
        failure_threshold=1, reset_timeout=10.0, health=service.health
    ) as breakers:
        await trip(breakers["a"])
        breakers["a"].force_open()
        await trio.sleep(15)
        assert service.asked == []
        breakers["a"].reset()
        await trip(breakers["a"])
        await trio.sleep(12)
        assert service.asked == [25.0]


async def test_an_interrupt_of_health_leaves_the_block(autojump_clock: MockClock) -> None:
    fatal = SystemExit("health")

    async def health() -> None:
        raise fatal

    with pytest.raises(BaseException) as caught:  # noqa: PT011  with loose groups it is bare
        async with open_breakers(failure_threshold=1, reset_timeout=1.0, health=health) as breakers:
            await trip(breakers["a"])
            await trio.sleep_forever()
    assert leaves_of(caught.value) == [fatal]


# The end of the block


async def test_the_block_ends_while_health_is_asked(autojump_clock: MockClock) -> None:
    async def hang() -> None:
        await trio.sleep_forever()

    async with open_breakers(failure_threshold=1, reset_timeout=1.0, health=hang) as breakers:
        breaker = breakers["a"]
        await trip(breaker)
        await trio.sleep(1.5)
        assert assert_lawful(breaker).in_flight == 1
    assert trio.current_time() == 1.5
    assert assert_lawful(breaker).cancelled == 1


async def test_a_breaker_with_health_that_opens_after_its_block_loses_no_error(
    autojump_clock: MockClock,
) -> None:
    error = Failure("late")
    async with open_breakers(failure_threshold=1, health=succeed) as breakers:
        breaker = breakers["a"]
    with pytest.raises(Failure) as caught:
        async with breaker.guard():
            raise error
    assert caught.value is error
    assert breaker.state == "open"


@pytest.mark.parametrize("is_given_a_nursery", [False, True], ids=["block", "nursery"])
@pytest.mark.parametrize("ends_at", [0.5, 1.5], ids=["open", "half open"])
async def test_after_the_end_of_its_block_guards_are_its_probes(
    ends_at: float, is_given_a_nursery: bool, autojump_clock: MockClock
) -> None:
    async def hang() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)

    breaker: CircuitBreaker | None = None
    with trio.move_on_after(ends_at):
        async with (
            trio.open_nursery() as nursery,
            open_breakers(failure_threshold=1, reset_timeout=1.0, health=hang) as breakers,
        ):
            breaker = breakers["a"]
            if is_given_a_nursery:
                breaker = CircuitBreaker(
                    "a", failure_threshold=1, reset_timeout=1.0, health=hang, nursery=nursery
                )
            await attempt(breaker, "call", fail)
            await trio.sleep_forever()
    assert breaker is not None
    await breaker.wait_state("half_open")
    assert await attempt(breaker, "guard", succeed) == "good"
    assert (breaker.state, assert_lawful(breaker).in_flight) == ("closed", 0)


async def test_after_an_interrupt_of_health_guards_are_its_probes(
    autojump_clock: MockClock,
) -> None:
    async def health() -> None:
        raise SystemExit

    breaker: CircuitBreaker | None = None
    with pytest.raises(BaseException) as caught:  # noqa: PT011  with loose groups it is bare
        async with open_breakers(failure_threshold=1, reset_timeout=1.0, health=health) as breakers:
            breaker = breakers["a"]
            await attempt(breaker, "call", fail)
            await trio.sleep_forever()
    assert isinstance(leaves_of(caught.value)[0], SystemExit)
    assert breaker is not None
    assert await attempt(breaker, "guard", succeed) == "good"
    assert breaker.state == "closed"


async def test_a_block_is_entered_once(autojump_clock: MockClock) -> None:
    block = open_breakers()
    async with block:
        pass
    with pytest.raises(
        RuntimeError, match=r"^the block of breakers is entered once: call open_breakers\(\) again$"
    ):
        await block.__aenter__()


async def test_what_the_body_raises_leaves_as_itself(autojump_clock: MockClock) -> None:
    error = Failure("body")
    with pytest.raises(Failure) as caught:
        async with open_breakers() as breakers:
            assert isinstance(breakers, Breakers)
            raise error
    assert caught.value is error
