"""Tests of a time limit that says whose it was."""

from __future__ import annotations

import copy
import math
import pickle
import re
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_no_checkpoints

from trio_foundation import FoundationError
from trio_foundation.resilience import (
    BulkheadFull,
    NotCalled,
    RateLimited,
    TimedOut,
    Timeout,
    timeout,
)


async def test_what_is_in_time_passes(autojump_clock: MockClock) -> None:
    async def add(a: int, b: int) -> int:
        await trio.sleep(1.0)
        return a + b

    assert await timeout(2.0, add, 1, 2) == 3


async def test_what_takes_too_long_is_cancelled_and_named(autojump_clock: MockClock) -> None:
    with pytest.raises(TimedOut) as caught:
        await timeout(2.0, trio.sleep, 60.0)
    assert trio.current_time() == 2.0
    assert (caught.value.name, caught.value.seconds) == ("sleep", 2.0)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("kind", [FoundationError, trio.TooSlowError])
async def test_it_is_an_error_of_ours_and_of_trio(
    kind: type[Exception], autojump_clock: MockClock
) -> None:
    with pytest.raises(kind):
        await timeout(2.0, trio.sleep, 60.0, name="prices")


async def test_the_name_is_the_one_given_or_that_of_the_function(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(TimedOut, match=r"^prices took longer than 2 s$"):
        await timeout(2.0, trio.sleep, 60.0, name="prices")
    with pytest.raises(TimedOut, match=r"^sleep took"):
        await timeout(2.0, partial(trio.sleep, 60.0))


async def test_an_expiry_further_in_comes_through_unchanged(autojump_clock: MockClock) -> None:
    async def work() -> None:
        with trio.fail_after(1.0):
            await trio.sleep_forever()

    with pytest.raises(trio.TooSlowError) as caught:
        await timeout(2.0, work)
    assert type(caught.value) is trio.TooSlowError
    with pytest.raises(TimedOut, match=r"^inner took longer than 1 s$"):
        await timeout(2.0, partial(timeout, 1.0, trio.sleep_forever, name="inner"), name="outer")


async def test_a_deadline_further_out_is_the_callers(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1.0) as scope:
        await timeout(2.0, trio.sleep_forever)
    assert scope.cancelled_caught


async def test_at_the_same_moment_the_caller_is_cancelled(autojump_clock: MockClock) -> None:
    with trio.move_on_after(2.0) as scope:
        await timeout(2.0, trio.sleep_forever)
    assert scope.cancelled_caught


async def test_an_error_in_the_cleanup_comes_out(autojump_clock: MockClock) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cleanup")

    with pytest.raises(OSError, match="cleanup"):
        await timeout(2.0, work)


async def test_a_result_in_spite_of_the_cancellation_counts(autojump_clock: MockClock) -> None:
    async def work() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(5.0)
        return "late"

    assert await timeout(2.0, work) == "late"


async def test_it_adds_no_checkpoint() -> None:
    async def answer() -> int:
        return 3

    with assert_no_checkpoints():
        assert await timeout(2.0, answer) == 3


async def test_it_can_be_written_down_once(autojump_clock: MockClock) -> None:
    limit = Timeout(2.0, name="prices")
    assert (limit.seconds, repr(limit)) == (2.0, "Timeout(2.0)")
    for _ in range(2):
        with pytest.raises(TimedOut, match=r"^prices took"):
            await limit.call(trio.sleep, 3.0)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (-1, "seconds must be 0 seconds or more, not -1"),
        (math.nan, "seconds must be 0 seconds or more, not nan"),
        ("2", "seconds must be a number of seconds, not '2'"),
    ],
)
async def test_a_time_of_nonsense_is_refused(seconds: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        await timeout(seconds, trio.sleep, 1)
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Timeout(seconds)


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    with pytest.raises(TypeError, match=re.escape("write timeout(2, doze, 1), not timeout(2, ")):
        await timeout(2, doze(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# The errors of the family


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimedOut("fetch", 0.5), "fetch took longer than 0.5 s"),
        (RateLimited("api", 2.5), "rate limiter 'api' lets nobody pass now: try again in 2.5 s"),
        (BulkheadFull("db", 10, 5), "bulkhead 'db' is full: 10 run at once, and 5 wait"),
        (BulkheadFull("db", 10, 0), "bulkhead 'db' is full: 10 run at once, and none may wait"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_sentence_and_survives_pickling_and_copying(
    error: FoundationError, sentence: str
) -> None:
    for again in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (type(again), str(again), vars(again)) == (type(error), sentence, vars(error))


def test_who_is_not_called_says_so() -> None:
    assert isinstance(BulkheadFull("db", 10, 5), NotCalled)
    assert isinstance(RateLimited("api", 2.5), NotCalled)
    assert not isinstance(TimedOut("fetch", 0.5), NotCalled)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.25, "0.25 s"), (86400, "86400 s"), (math.inf, "inf s")]
)
def test_a_long_time_is_written_in_full(seconds: float, words: str) -> None:
    assert str(TimedOut("fetch", seconds)) == f"fetch took longer than {words}"
    assert str(RateLimited("api", seconds)).endswith(f": try again in {words}")
