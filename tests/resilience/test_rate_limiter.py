"""Tests of so often, and no more."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.resilience import KeyedRateLimiter, RateLimited, RateLimiter


class Crowd:
    """Tasks that wait for their turn, and when each had it."""

    def __init__(self, nursery: trio.Nursery, limiter: RateLimiter) -> None:
        self.nursery = nursery
        self.limiter = limiter
        self.passed: list[tuple[str, float]] = []
        self.scopes: dict[str, trio.CancelScope] = {}

    async def send(self, *names: str) -> None:
        for name in names:
            self.scopes[name] = trio.CancelScope()
            self.nursery.start_soon(self._be, name)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()

    async def _be(self, name: str) -> None:
        with self.scopes[name]:
            await self.limiter.wait()
            self.passed.append((name, trio.current_time()))


# What a reader should know


async def test_they_pass_in_order_and_at_the_rate(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, RateLimiter(2, per=1.0, burst=2))
        await crowd.send("a", "b", "c", "d", "e")
    assert crowd.passed == [("a", 0.0), ("b", 0.0), ("c", 0.5), ("d", 1.0), ("e", 1.5)]


async def test_after_a_rest_a_burst_passes_at_once(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, burst=3)
    for _ in range(2):
        began = trio.current_time()
        for _ in range(3):
            await limiter.wait()
        assert trio.current_time() == began
        await trio.sleep(10.0)


async def test_who_will_not_wait_is_told_when_to_come_again(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, per=10.0, name="api")
    limiter.take()
    await trio.sleep(4.0)
    with pytest.raises(RateLimited) as caught:
        limiter.take()
    assert (caught.value.name, caught.value.retry_after) == ("api", 6.0)
    await trio.sleep(caught.value.retry_after)
    limiter.take()


async def test_who_will_not_wait_does_not_overtake(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, per=10.0)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, limiter)
        await crowd.send("a", "b", "c")
        with pytest.raises(RateLimited) as caught:
            limiter.take()
        assert caught.value.retry_after == 30.0


async def test_nobody_overtakes_one_who_is_just_being_woken(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, per=10.0)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, limiter)
        await crowd.send("a", "b")
        autojump_clock.jump(10.0)  # and nobody has run since
        with pytest.raises(RateLimited):
            limiter.take()
    assert crowd.passed == [("a", 0.0), ("b", 10.0)]


async def test_if_too_many_wait_one_more_is_turned_away(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, per=10.0, max_waiting=1)
    async with trio.open_nursery() as nursery:
        await Crowd(nursery, limiter).send("a", "b")
        with pytest.raises(RateLimited) as caught, assert_checkpoints():
            await limiter.wait()
        assert caught.value.retry_after == 20.0
        assert limiter.statistics().rejected == 1


async def test_a_block_and_a_call_wait_too(autojump_clock: MockClock) -> None:
    async def now(shift: float) -> float:
        return trio.current_time() + shift

    limiter = RateLimiter(1, per=5.0)
    async with limiter:
        assert trio.current_time() == 0.0
    async with limiter:
        assert trio.current_time() == 5.0
    assert await limiter.call(now, 100.0) == 110.0


async def test_the_figures_tell_what_happened(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1, max_waiting=1)
    async with trio.open_nursery() as nursery:
        await Crowd(nursery, limiter).send("a", "b")
        with pytest.raises(RateLimited):
            limiter.take()
        figures = limiter.statistics()
        assert (figures.passed, figures.waiting, figures.max_waiting) == (1, 1, 1)
        assert repr(limiter) == "<RateLimiter 'rate limiter': 1 wait>"
    assert (limiter.statistics().passed, limiter.statistics().rejected) == (2, 1)


# Cancellation


async def test_waiting_is_a_checkpoint_in_each_way(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1)
    for _ in range(2):
        with assert_checkpoints():
            await limiter.wait()


async def test_who_is_cancelled_at_once_has_not_passed(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await limiter.wait()
    assert scope.cancelled_caught
    limiter.take()


@pytest.mark.parametrize("gone", ["b", "c", "d"], ids=["the first", "one between", "the last"])
async def test_who_is_cancelled_in_the_line_leaves_no_gap(
    gone: str, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, RateLimiter(1))
        await crowd.send("a", "b", "c", "d")
        crowd.scopes[gone].cancel()
    left = [name for name in "abcd" if name != gone]
    assert crowd.passed == list(zip(left, [0.0, 1.0, 2.0], strict=True))


async def test_all_can_be_cancelled_at_once(autojump_clock: MockClock) -> None:
    limiter = RateLimiter(1)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, limiter)
        await crowd.send(*"abcd")
        nursery.cancel_scope.cancel()
    assert limiter.statistics().waiting == 0
    await trio.sleep(1.0)
    limiter.take()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RateLimiter(0), "rate must be more than 0, not 0"),
        (lambda: RateLimiter(1, per=0), "per must be more than 0 seconds and finite, not 0"),
        (lambda: RateLimiter(1, burst=0), "burst must be 1 or more, not 0"),
        (lambda: RateLimiter(1, max_waiting=-1), "max_waiting must be 0 or more, not -1"),
        (lambda: RateLimiter(1, name=""), "name must not be empty"),
        (lambda: KeyedRateLimiter[str](0), "rate must be more than 0, not 0"),
        (lambda: KeyedRateLimiter[str](1, max_keys=0), "max_keys must be 1 or more, not 0"),
    ],
)
def test_nonsense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused_and_nobody_passes() -> None:
    limiter = RateLimiter(1)
    with pytest.raises(TypeError, match="takes an async function, but got a coroutine"):
        await limiter.call(doze(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    limiter.take()


# By key


async def test_each_key_has_its_own_pace(autojump_clock: MockClock) -> None:
    logins = KeyedRateLimiter[str](1, per=10.0, name="logins")
    logins.take("alice")
    await logins.wait("bob")
    with pytest.raises(RateLimited, match=r"'logins'.* in 10 s"):
        logins.take("alice")
    await logins.wait("bob")
    assert trio.current_time() == 10.0
    assert (logins.statistics("alice").rejected, logins.statistics("bob").passed) == (1, 2)


async def test_a_key_that_is_at_rest_is_forgotten(autojump_clock: MockClock) -> None:
    logins = KeyedRateLimiter[str](1, per=5.0, max_keys=2, name="logins")
    for key, then in (("a", 3.0), ("b", 3.0), ("a", 3.0), ("c", 0.0)):
        await logins.wait(key)
        await trio.sleep(then)
    assert ("a" in logins, "b" in logins, "c" in logins, len(logins)) == (True, False, True, 2)
    assert (logins.name, repr(logins)) == ("logins", "<KeyedRateLimiter 'logins': 2 keys>")


@given(
    uses=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), max_size=60),
    max_keys=st.integers(1, 4),
    burst=st.integers(1, 3),
)
def test_forgetting_keys_changes_nothing_but_turns_new_ones_away_while_none_rests(
    uses: list[tuple[str, int]], max_keys: int, burst: int
) -> None:
    async def main() -> None:
        few = KeyedRateLimiter[str](1, per=2.0, burst=burst, max_keys=max_keys)
        plain = {key: RateLimiter(1, per=2.0, burst=burst) for key in "abcdef"}
        rests_at = dict.fromkeys("abcdef", 0.0)
        for key, gap in uses:
            await trio.sleep(gap)
            now = trio.current_time()
            if key not in few and sum(time > now for time in rests_at.values()) >= max_keys:
                soonest = min(time for time in rests_at.values() if time > now)
                with pytest.raises(RateLimited) as caught:
                    few.take(key)
                assert caught.value.retry_after == soonest - now
            else:
                passed = can_take(plain[key])
                assert (wait_to_take(few, key) == 0.0) is passed
                rests_at[key] = max(rests_at[key], now) + 2.0 * passed
            assert len(few) <= max_keys

    trio.run(main, clock=MockClock(autojump_threshold=0))


def wait_to_take(limiter: KeyedRateLimiter[str], key: str) -> float:
    try:
        limiter.take(key)
    except RateLimited as error:
        return error.retry_after
    return 0.0


async def test_a_key_that_is_not_at_rest_is_not_forgotten(autojump_clock: MockClock) -> None:
    logins = KeyedRateLimiter[str](1, per=10.0, max_keys=2)
    logins.take("a")
    await trio.sleep(3.0)
    logins.take("b")
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            logins.take("c")
        assert caught.value.retry_after == 7.0
    with pytest.raises(RateLimited), assert_checkpoints():
        await logins.wait("c")
    await trio.sleep(7.0)
    logins.take("c")
    assert "a" not in logins


async def test_a_key_that_somebody_waits_for_is_not_forgotten(autojump_clock: MockClock) -> None:
    logins = KeyedRateLimiter[str](1, per=10.0, max_keys=1)
    logins.take("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(logins.wait, "a")
        await wait_all_tasks_blocked()
        autojump_clock.jump(10.0)  # and nobody has run since
        with pytest.raises(RateLimited):
            logins.take("b")
    assert trio.current_time() == 10.0
    with pytest.raises(RateLimited):
        logins.take("b")
    await trio.sleep(10.0)
    logins.take("b")


async def test_a_key_whose_waiters_all_leave_is_forgotten_when_it_rests(
    autojump_clock: MockClock,
) -> None:
    logins = KeyedRateLimiter[str](1, per=10.0, max_keys=1)
    logins.take("a")
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(logins.wait, "a")
        await wait_all_tasks_blocked()
        with pytest.raises(RateLimited):
            logins.take("b")
        nursery.cancel_scope.cancel()
    await trio.sleep(10.0)
    logins.take("b")


async def test_who_is_cancelled_at_once_makes_no_key(autojump_clock: MockClock) -> None:
    logins = KeyedRateLimiter[str](1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await logins.wait("a")
    assert scope.cancelled_caught
    assert len(logins) == 0


# The promise: whoever waits, and whoever leaves


@given(
    burst=st.integers(1, 3),
    calls=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40) | st.just(1000), st.booleans()),
        max_size=20,
    ),
)
def test_in_no_stretch_of_time_pass_more_than_its_share_and_nobody_waits_in_vain(
    burst: int, calls: list[tuple[int, int, bool]]
) -> None:
    limiter = RateLimiter(1, per=2.0, burst=burst)
    passed: list[float] = []

    async def one(starts: int, patience: int, waits: bool) -> None:
        await trio.sleep(starts / 4)
        with trio.move_on_after(patience / 4) as scope:
            if waits:
                await limiter.wait()
            elif not can_take(limiter):
                return
            passed.append(trio.current_time())
        assert not (patience == 1000 and scope.cancelled_caught)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(one, *call)
        assert (limiter.statistics().passed, limiter.statistics().waiting) == (len(passed), 0)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], start=first):
            assert last - first + 1 <= (end - begin) / 2.0 + burst


def can_take(limiter: RateLimiter) -> bool:
    try:
        limiter.take()
    except RateLimited:
        return False
    return True
