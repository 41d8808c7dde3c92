"""Tests of trying again."""

from __future__ import annotations

import gc
import math
import random
import re
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock, assert_checkpoints, assert_no_checkpoints

from trio_foundation import Backoff
from trio_foundation.resilience import (
    RateLimited,
    Retry,
    RetryBudget,
    RetryScheduled,
    TimedOut,
    retry,
    retrying,
)
from trio_foundation.telemetry import subscribe

SECOND = Backoff(initial=1.0, factor=1.0, jitter=0.0)


class Flaky(OSError):
    """An error that may pass."""


@attrs.define(eq=False)
class Script:
    """A function that does one thing after the other, and notes when it was called."""

    answers: list[Any]
    times: list[float] = attrs.field(factory=list[float])

    async def __call__(self) -> Any:
        self.times.append(trio.current_time())
        answer = self.answers[min(len(self.times), len(self.answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, float):
            await trio.sleep(answer)
        return answer


def notes_of(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


# What a reader should know


async def test_what_fails_is_called_again_after_a_delay(autojump_clock: MockClock) -> None:
    script = Script([Flaky(), Flaky(), "hello"])
    assert await retry(script, attempts=3, backoff=SECOND) == "hello"
    assert script.times == [0.0, 1.0, 2.0]


async def test_the_last_error_comes_out_as_itself_with_a_note(autojump_clock: MockClock) -> None:
    errors = [OSError("one"), OSError("two"), OSError("three")]
    with pytest.raises(OSError, match="three") as caught:
        await retry(Script([*errors]), attempts=3)
    assert caught.value is errors[2]
    assert [notes_of(error) for error in errors] == [[], [], ["attempt 3 of 3"]]
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_the_note_is_never_added_twice(autojump_clock: MockClock) -> None:
    error = Flaky()
    inner = retrying(attempts=3)(Script([error]))
    for _ in range(2):
        with pytest.raises(Flaky):
            await retry(inner, attempts=2)
    assert notes_of(error) == ["attempt 2 of 2"]


async def test_an_error_raised_again_later_says_how_often_it_was_tried_now(
    autojump_clock: MockClock,
) -> None:
    error = Flaky()
    error.add_note("the cable is out")
    for total, note in ((None, "attempt 3 of 3"), (0.0, "attempt 1 of 3; there is no time for")):
        with pytest.raises(Flaky):
            await retry(Script([error]), total=total)
        assert len(notes_of(error)) == 2
        assert notes_of(error)[1].startswith(note)


class Hostile(Exception):
    """An error that fails whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        if name in {"retry_after", "__notes__"}:
            raise ValueError(name)
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        raise ValueError("repr")


async def test_an_error_that_fails_when_asked_is_not_lost_by_that(
    autojump_clock: MockClock,
) -> None:
    told: list[RetryScheduled] = []
    error = Hostile()
    with subscribe(told.append, RetryScheduled), pytest.raises(Hostile) as caught:
        await retry(Script([error]), attempts=2)
    assert caught.value is error
    assert [one.error for one in told] == ["<Hostile>"]


@pytest.mark.parametrize("asked", ["retry_on", "retry_result"])
async def test_an_error_of_a_function_that_is_asked_comes_out_at_once(
    asked: str, autojump_clock: MockClock
) -> None:
    def fail(_: object) -> bool:
        raise ZeroDivisionError

    options: dict[str, Any] = {asked: fail}
    script = Script([Flaky() if asked == "retry_on" else 1])
    with pytest.raises(ZeroDivisionError):
        await retry(script, **options)
    assert len(script.times) == 1


async def test_an_error_that_refuses_a_note_comes_out_all_the_same(
    autojump_clock: MockClock,
) -> None:
    class StubbornError(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    with pytest.raises(StubbornError):
        await retry(Script([StubbornError()]), attempts=1)


async def test_an_error_that_is_not_meant_comes_out_at_once(autojump_clock: MockClock) -> None:
    script = Script([KeyError()])
    with pytest.raises(KeyError) as caught:
        await retry(script, retry_on=OSError)
    assert (len(script.times), notes_of(caught.value)) == (1, [])


async def test_an_error_that_is_not_meant_says_which_attempt_it_was(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(KeyError) as caught:
        await retry(Script([Flaky(), KeyError()]), retry_on=OSError, name="prices")
    assert notes_of(caught.value) == ["prices: attempt 2 of 3; this error is not worth another"]


async def test_a_result_that_is_not_good_enough_is_tried_again(autojump_clock: MockClock) -> None:
    script = Script(["", "", "hello"])
    assert await retry(script, retry_result=lambda result: not result, backoff=SECOND) == "hello"
    assert script.times == [0.0, 1.0, 2.0]


async def test_the_last_result_has_to_do(autojump_clock: MockClock) -> None:
    assert await retry(Script([""]), retry_result=lambda result: not result) == ""


async def test_without_a_limit_it_goes_on_until_it_succeeds(autojump_clock: MockClock) -> None:
    script = Script([*[Flaky()] * 50, "hello"])
    assert await retry(script, attempts=math.inf, backoff=SECOND) == "hello"
    assert len(script.times) == 51


async def test_arguments_are_passed_on(autojump_clock: MockClock) -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    assert await retry(add, 1, 2) == 3


# Time


async def test_no_sleep_goes_past_the_total(autojump_clock: MockClock) -> None:
    script = Script([Flaky()])
    with pytest.raises(Flaky) as caught:
        await retry(script, attempts=100, backoff=SECOND, total=3.5)
    assert trio.current_time() == 3.0
    assert script.times == [0.0, 1.0, 2.0, 3.0]
    assert notes_of(caught.value) == ["attempt 4 of 100; there is no time for another"]


async def test_nobody_sleeps_towards_a_deadline(autojump_clock: MockClock) -> None:
    script = Script([Flaky()])
    with trio.move_on_after(2.5) as scope, pytest.raises(Flaky):
        await retry(script, attempts=100, backoff=SECOND)
    assert trio.current_time() == 2.0
    assert not scope.cancelled_caught


async def test_when_the_deadline_has_passed_the_error_comes_out(autojump_clock: MockClock) -> None:
    async def fail_late() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10.0)
        raise Flaky

    with trio.move_on_after(1.0), pytest.raises(Flaky):
        await retry(fail_late, backoff=Backoff(initial=0.0))
    assert trio.current_time() == 10.0


async def test_a_result_that_has_to_do_is_not_waited_for(autojump_clock: MockClock) -> None:
    with trio.move_on_after(0.5):
        assert await retry(Script([""]), retry_result=lambda r: not r, backoff=SECOND) == ""
    assert trio.current_time() == 0.0


async def test_an_error_that_asks_for_time_gets_it(autojump_clock: MockClock) -> None:
    script = Script([RateLimited("api", 7.0), RateLimited("api", 1e9), "hello"])
    assert await retry(script, backoff=Backoff(initial=1.0, maximum=20.0)) == "hello"
    assert script.times == [0.0, 7.0, 27.0]


async def test_an_attempt_that_takes_too_long_is_tried_again(autojump_clock: MockClock) -> None:
    script = Script([60.0, 60.0, 0.5])
    # Whatever errors are meant: this one was asked for.
    assert await retry(script, attempt_timeout=2.0, backoff=SECOND, retry_on=KeyError) == 0.5
    assert script.times == [0.0, 3.0, 6.0]


async def test_the_last_attempt_that_takes_too_long_says_so(autojump_clock: MockClock) -> None:
    with pytest.raises(TimedOut) as caught:
        await retry(Script([60.0]), attempts=2, attempt_timeout=2.0, name="prices")
    assert str(caught.value) == "prices took longer than 2 s"
    assert notes_of(caught.value) == ["prices: attempt 2 of 2"]


async def test_an_attempt_that_took_too_long_is_not_kept_alive(autojump_clock: MockClock) -> None:
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(TimedOut) as caught:
            await retry(Script([60.0]), attempts=1, attempt_timeout=2.0)
        gone = weakref.ref(caught.value)
        del caught
        assert gone() is None
    finally:
        gc.enable()


async def test_a_time_limit_further_in_is_an_error_like_others(autojump_clock: MockClock) -> None:
    inner = trio.TooSlowError("inner")
    with pytest.raises(trio.TooSlowError) as caught:
        await retry(Script([inner]), attempt_timeout=2.0, retry_on=KeyError)
    assert caught.value is inner


@given(
    seed=st.integers(0, 1000),
    total=st.floats(0.0, 50.0),
    deadline=st.floats(0.0, 50.0),
    took=st.floats(0.0, 5.0),
    jitter=st.floats(0.0, 1.0),
    asked=st.floats(0.0, 10.0),
)
def test_no_try_begins_when_time_is_up_and_no_sleep_goes_past_it(
    seed: int, total: float, deadline: float, took: float, jitter: float, asked: float
) -> None:
    begun: list[float] = []
    failed: list[float] = []

    async def fail() -> None:
        begun.append(trio.current_time())
        with trio.CancelScope(shield=True):
            await trio.sleep(took)
        failed.append(trio.current_time())
        raise RateLimited("api", asked)

    async def main() -> None:
        backoff = Backoff(initial=0.3, maximum=9.0, jitter=jitter)
        with trio.move_on_after(deadline) as scope:
            with pytest.raises(RateLimited):
                await retry(
                    fail, attempts=30, total=total, backoff=backoff, rng=random.Random(seed)
                )
            assert trio.current_time() == failed[-1]
        assert not scope.cancelled_caught
        assert all(time < min(total, deadline) for time in begun[1:])

    trio.run(main, clock=MockClock(autojump_threshold=0))


# Cancellation


async def test_a_success_adds_no_checkpoint(autojump_clock: MockClock) -> None:
    async def answer() -> int:
        return 3

    with assert_no_checkpoints():
        assert await retry(answer, attempt_timeout=2.0, total=5.0, budget=RetryBudget()) == 3


async def test_another_try_comes_after_a_checkpoint_even_without_a_delay(
    autojump_clock: MockClock,
) -> None:
    with assert_checkpoints():
        await retry(Script([Flaky(), 1]), backoff=Backoff(initial=0.0))


async def test_a_cancelled_try_is_not_tried_again(autojump_clock: MockClock) -> None:
    script = Script([60.0])
    with trio.move_on_after(5.0) as scope:
        await retry(script)
    assert scope.cancelled_caught
    assert script.times == [0.0]


async def test_a_cancelled_wait_is_not_tried_again(autojump_clock: MockClock) -> None:
    script = Script([Flaky()])
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_after, 5.0, scope)
            await retry(script, backoff=Backoff(initial=10.0))
    assert scope.cancelled_caught
    assert (len(script.times), trio.current_time()) == (1, 5.0)


async def cancel_after(seconds: float, scope: trio.CancelScope) -> None:
    await trio.sleep(seconds)
    scope.cancel()


async def test_a_cancellation_in_a_group_is_not_tried_again(autojump_clock: MockClock) -> None:
    calls = 0

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def work() -> None:
        nonlocal calls
        calls += 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            nursery.start_soon(trio.sleep_forever)

    with pytest.RaisesGroup(OSError, allow_unwrapped=True), trio.move_on_after(1.0) as scope:
        await retry(work)
    assert (calls, scope.cancelled_caught) == (1, True)


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
        trio.TrioInternalError(),
        BaseExceptionGroup("", [Flaky(), KeyboardInterrupt()]),
        ExceptionGroup("", [Flaky(), trio.TrioInternalError()]),
    ],
    ids=repr,
)
async def test_what_is_no_mere_error_is_not_tried_again(
    error: BaseException, autojump_clock: MockClock
) -> None:
    script = Script([error])
    with pytest.raises(type(error)) as caught:
        await retry(script)
    assert caught.value is error
    assert (len(script.times), notes_of(error)) == (1, [])


@pytest.mark.parametrize(("second", "calls"), [(ConnectionError(), 3), (KeyError(), 1)])
async def test_a_group_is_tried_again_if_each_error_in_it_is_worth_it(
    second: Exception, calls: int, autojump_clock: MockClock
) -> None:
    group = ExceptionGroup("", [Flaky(), ExceptionGroup("", [second])])
    script = Script([group])
    with pytest.raises(ExceptionGroup) as caught:
        await retry(script, retry_on=OSError)
    assert caught.value is group
    assert len(script.times) == calls


# The shared budget


async def test_callers_share_a_budget(autojump_clock: MockClock) -> None:
    budget = RetryBudget(ratio=0.0, floor=3)
    scripts = [Script([Flaky()]) for _ in range(5)]
    for script in scripts:
        with pytest.raises(Flaky):
            await retry(script, budget=budget, backoff=Backoff(initial=0.0))
    assert [len(script.times) for script in scripts] == [3, 2, 1, 1, 1]
    assert notes_of(scripts[-1].answers[0]) == ["attempt 1 of 3; the retry budget is spent"]


async def test_a_try_that_there_is_no_time_for_spends_nothing(autojump_clock: MockClock) -> None:
    budget = RetryBudget(ratio=0.0, floor=1)
    with pytest.raises(Flaky):
        await retry(Script([Flaky()]), budget=budget, total=0.5, backoff=SECOND)
    script = Script([Flaky()])
    with pytest.raises(Flaky):
        await retry(script, budget=budget, backoff=SECOND)
    assert len(script.times) == 2


async def test_a_wait_that_is_cancelled_spends_nothing(autojump_clock: MockClock) -> None:
    budget = RetryBudget(ratio=0.0, floor=1)
    for _ in range(5):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_after, 0.5, scope)
                await retry(Script([Flaky()]), budget=budget, backoff=SECOND)
    assert await retry(Script([Flaky(), "hello"]), budget=budget, backoff=SECOND) == "hello"


# Other ways to write it


async def test_a_function_can_be_decorated(autojump_clock: MockClock) -> None:
    calls = 0

    @retrying(attempts=5, backoff=SECOND)
    async def fetch(url: str, *, port: int = 80) -> str:
        """Fetch it."""
        nonlocal calls
        calls += 1
        if calls < 3:
            raise OSError
        return f"{url}:{port}"

    assert await fetch("prices", port=443) == "prices:443"
    assert (fetch.__name__, fetch.__doc__, trio.current_time()) == ("fetch", "Fetch it.", 2.0)


async def test_a_function_can_be_decorated_without_options(autojump_clock: MockClock) -> None:
    failing = [Flaky(), Flaky()]

    @retrying
    async def fetch(url: str) -> str:
        if failing:
            raise failing.pop()
        return url

    assert await fetch("prices") == "prices"
    with pytest.raises(TypeError, match="retrying takes an async function, but got 3"):
        retrying(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def test_a_shield_keeps_the_deadline_further_out_away(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1.5), trio.CancelScope(shield=True):
        assert await retry(Script([Flaky(), Flaky(), "hello"]), backoff=SECOND) == "hello"
    assert trio.current_time() == 2.0


async def test_a_policy_can_be_used_again_and_again(autojump_clock: MockClock) -> None:
    policy = Retry(attempts=2, backoff=SECOND)
    for _ in range(3):
        assert await policy.call(Script([Flaky(), "hello"])) == "hello"
    assert trio.current_time() == 3.0


async def test_each_other_try_is_told(autojump_clock: MockClock) -> None:
    told: list[RetryScheduled] = []
    with subscribe(told.append, RetryScheduled):
        await retry(
            Script([OSError("x"), "", "hello"]), backoff=SECOND, retry_result=lambda r: not r
        )
    assert [(one.attempt, one.attempts, one.delay, one.error) for one in told] == [
        (1, 3, 1.0, "OSError('x')"),
        (2, 3, 1.0, ""),
    ]
    assert told[0].what == "Script"


async def is_empty(result: object) -> bool:
    return not result


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "attempts must be 1 or more, not 0"),
        ({"attempts": 2.5}, "attempts must be a whole number or math.inf, not 2.5"),
        ({"backoff": 1.0}, "backoff must be a Backoff, not 1.0: write Backoff(initial=1)"),
        ({"retry_on": 3}, "retry_on must be a subclass of Exception, a tuple of them, or a plain"),
        ({"retry_result": is_empty}, "retry_result must be a plain function of the result, not"),
        ({"attempt_timeout": 0}, "attempt_timeout must be more than 0 seconds, not 0"),
        ({"total": math.nan}, "total must be 0 seconds or more, not nan"),
        ({"budget": 3}, "budget must be a RetryBudget, not 3: write RetryBudget(ratio=0.1)"),
        ({"name": ""}, "name must not be empty"),
        ({"rng": 3}, "rng must be a random.Random, not 3: write random.Random(1)"),
    ],
)
async def test_options_of_no_use_are_refused(options: dict[str, Any], message: str) -> None:
    script = Script([1])
    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: retry(script, **options),
        lambda: retrying(**options)(script)(),  # noqa: PLW0108  it is refused when called
        lambda: Retry(**options).call(script),
    ]
    for way in ways:
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            await way()
    assert not script.times


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    with pytest.raises(TypeError, match=re.escape("write retry(doze, 1), not retry(doze(1))")):
        await retry(doze(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
