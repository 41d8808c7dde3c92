"""Tests of not waiting for the slowest."""

from __future__ import annotations

import gc
import math
import re
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any, NoReturn

import attrs
import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock, assert_checkpoints

from trio_foundation.resilience import Hedge, hedge
from trio_foundation.resilience._family_events import HedgedCallFailed
from trio_foundation.resilience._rules import leaves_of
from trio_foundation.telemetry import subscribe


@attrs.define(eq=False)
class Tries:
    """A function whose tries each take their time, and then return or raise."""

    plans: list[tuple[float, Any]]
    begun: list[float] = attrs.field(factory=list[float])
    ended: list[tuple[int, float]] = attrs.field(factory=list[tuple[int, float]])

    async def __call__(self) -> Any:
        number = len(self.begun)
        self.begun.append(trio.current_time())
        seconds, answer = self.plans[number]
        try:
            await trio.sleep(seconds)
        finally:
            self.ended.append((number, trio.current_time()))
        if isinstance(answer, BaseException):
            raise answer
        return answer


# What a reader should know


async def test_a_quick_answer_needs_no_other_try(autojump_clock: MockClock) -> None:
    tries = Tries([(1.0, "first")])
    assert await hedge(tries, after=2.0) == "first"
    assert tries.begun == [0.0]


async def test_a_late_answer_is_asked_for_again_and_the_first_to_come_wins(
    autojump_clock: MockClock,
) -> None:
    tries = Tries([(60.0, "first"), (1.0, "second")])
    assert await hedge(tries, after=2.0) == "second"
    assert (tries.begun, trio.current_time()) == ([0.0, 2.0], 3.0)


async def test_the_first_may_still_win(autojump_clock: MockClock) -> None:
    tries = Tries([(3.0, "first"), (60.0, "second")])
    assert await hedge(tries, after=2.0) == "first"
    assert (tries.ended, trio.current_time()) == ([(0, 3.0), (1, 3.0)], 3.0)


async def test_there_are_so_many_others_and_no_more(autojump_clock: MockClock) -> None:
    tries = Tries([(60.0, "first")] * 4)
    assert await hedge(tries, after=2.0, max_extra=3) == "first"
    assert tries.begun == [0.0, 2.0, 4.0, 6.0]


async def test_the_others_have_ended_when_it_returns(autojump_clock: MockClock) -> None:
    cleaned = False

    async def ask(speeds: list[float]) -> float:
        nonlocal cleaned
        seconds = speeds.pop()
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(10.0)
            cleaned = True
            raise
        return seconds

    assert await hedge(ask, [1.0, 60.0], after=2.0) == 1.0
    assert cleaned
    assert trio.current_time() == 13.0


async def test_it_can_be_written_down_once(autojump_clock: MockClock) -> None:
    twice = Hedge(after=2.0)
    for _ in range(2):
        assert await twice.call(Tries([(60.0, 1), (1.0, 2)])) == 2
    assert repr(twice) == "Hedge(after=2.0, max_extra=1)"


async def test_context_variables_of_the_caller_are_seen(autojump_clock: MockClock) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("seen")

    async def read() -> str:
        return variable.get()

    with assert_checkpoints():
        assert await hedge(read, after=1.0) == "seen"


# Failures


async def test_a_failure_before_there_is_another_try_comes_out_at_once(
    autojump_clock: MockClock,
) -> None:
    error = OSError("first")
    with pytest.raises(OSError, match="first") as caught:
        await hedge(Tries([(1.0, error)]), after=2.0)
    assert caught.value is error
    assert caught.value.__context__ is None
    assert trio.current_time() == 1.0


async def test_one_that_fails_beside_another_leaves_it_to_that(autojump_clock: MockClock) -> None:
    assert await hedge(Tries([(3.0, OSError()), (5.0, "second")]), after=2.0) == "second"
    assert trio.current_time() == 7.0
    assert await hedge(Tries([(9.0, "first"), (1.0, OSError())]), after=2.0) == "first"


@pytest.mark.parametrize("first", [3.0, 60.0], ids=["failing first", "failing last"])
async def test_if_all_fail_the_error_of_the_first_comes_out(
    first: float, autojump_clock: MockClock
) -> None:
    error = OSError("first")
    with pytest.raises(OSError, match="first") as caught:
        await hedge(Tries([(first, error), (9.0, OSError("second"))]), after=2.0)
    assert caught.value is error
    assert error.__notes__ == ["another call of the hedge failed too: OSError('second')"]


async def test_notes_do_not_pile_up_on_an_error_that_is_raised_again_and_again(
    autojump_clock: MockClock,
) -> None:
    error, same = OSError("first"), KeyError()
    for _ in range(3):
        with pytest.raises(OSError, match="first"):
            await hedge(Tries([(3.0, error), (9.0, OSError("second"))]), after=2.0)
        with pytest.raises(KeyError):
            await hedge(Tries([(3.0, same), (9.0, same)]), after=2.0)
    assert (len(error.__notes__), hasattr(same, "__notes__")) == (1, False)


async def test_an_error_that_does_not_come_out_is_told(autojump_clock: MockClock) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cleanup")

    async def ask(plans: list[Any]) -> Any:
        return await plans.pop(0)()

    told: list[HedgedCallFailed] = []
    with subscribe(told.append, HedgedCallFailed):
        await hedge(Tries([(3.0, KeyError("early")), (5.0, "second")]), after=2.0)
        await hedge(ask, [fail_when_cancelled, Tries([(1.0, "second")])], after=2.0)
        with trio.move_on_after(4.0):
            await hedge(Tries([(3.0, KeyError("left")), (5.0, "second")]), after=2.0)
        with pytest.raises(KeyError):
            await hedge(Tries([(3.0, KeyError("out"))]), after=5.0)
    assert [(one.what, one.extra, one.error) for one in told] == [
        ("Tries", 0, "KeyError('early')"),
        ("ask", 0, "OSError('cleanup')"),
        ("Tries", 0, "KeyError('left')"),
    ]


@pytest.mark.parametrize(
    "group",
    [
        ExceptionGroup("x", [trio.TrioInternalError()]),
        BaseExceptionGroup("x", [KeyboardInterrupt()]),
    ],
    ids=repr,
)
async def test_what_is_no_mere_error_comes_out_also_in_a_group(
    group: BaseExceptionGroup[BaseException], autojump_clock: MockClock
) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        await hedge(Tries([(3.0, group), (9.0, "second")]), after=2.0)
    assert caught.value.exceptions == group.exceptions
    assert trio.current_time() == 3.0


async def test_a_group_comes_out_as_itself(autojump_clock: MockClock) -> None:
    group = ExceptionGroup("x", [OSError()])
    with pytest.raises(ExceptionGroup) as caught:
        await hedge(Tries([(1.0, group)]), after=2.0)
    assert caught.value is group


@pytest.mark.parametrize("in_group", [False, True])
async def test_what_a_loser_raises_when_it_is_cancelled_is_of_no_interest(
    in_group: bool, autojump_clock: MockClock
) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def ask(winners: list[str]) -> str:
        if winners:
            winners.pop()
            if not in_group:
                await fail_when_cancelled()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_when_cancelled)
                nursery.start_soon(trio.sleep_forever)
        return "second"

    assert await hedge(ask, ["x"], after=2.0) == "second"


async def test_a_loser_that_answers_late_is_not_heard(autojump_clock: MockClock) -> None:
    async def ask(answers: list[str]) -> str:
        answer = answers.pop()
        if answer == "first":
            with trio.CancelScope(shield=True):
                await trio.sleep(10.0)
        return answer

    assert await hedge(ask, ["second", "first"], after=2.0) == "second"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), trio.TrioInternalError()])
@pytest.mark.parametrize("beside", [False, True])
async def test_what_is_no_mere_error_comes_out_at_once_and_alone(
    error: BaseException, beside: bool, autojump_clock: MockClock
) -> None:
    plans: list[tuple[float, Any]] = [(60.0, 1), (1.0, error)] if beside else [(1.0, error)]
    with pytest.raises(type(error)) as caught:
        await hedge(Tries(plans), after=2.0)
    assert caught.value is error
    assert trio.current_time() < 60.0


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
async def test_an_error_is_not_kept_alive(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    class Local:
        pass

    async def fail() -> weakref.ref[Local]:
        local = Local()
        refs.append(weakref.ref(local))
        raise kind

    refs: list[weakref.ref[Local]] = []
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(kind, match=r"^$"):
            await hedge(fail, after=1.0)
        assert refs[0]() is None
    finally:
        gc.enable()


# Cancellation


@pytest.mark.parametrize("at", [0.0, 1.0, 2.5], ids=["at once", "first alone", "both"])
async def test_a_cancellation_goes_into_all_and_comes_out(
    at: float, autojump_clock: MockClock
) -> None:
    tries = Tries([(60.0, 1), (60.0, 2)])
    with trio.move_on_after(at) as scope, pytest.raises(trio.Cancelled):
        await hedge(tries, after=2.0)
    with trio.move_on_after(at) as scope:
        await hedge(Tries([(60.0, 1), (60.0, 2)]), after=2.0)
    assert scope.cancelled_caught
    assert len(tries.ended) == len(tries.begun)


async def test_a_failure_before_the_cancellation_is_not_mistaken_for_the_end(
    autojump_clock: MockClock,
) -> None:
    with trio.move_on_after(5.0) as scope:
        await hedge(Tries([(3.0, OSError()), (60.0, 2)]), after=2.0)
    assert scope.cancelled_caught


async def test_an_error_in_the_cleanup_comes_out_beside_the_cancellation(
    autojump_clock: MockClock,
) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    with pytest.RaisesGroup(OSError, allow_unwrapped=True), trio.move_on_after(5.0) as scope:
        await hedge(fail_when_cancelled, after=10.0)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": -1}, "after must be 0 seconds or more, not -1"),
        ({"after": math.nan}, "after must be 0 seconds or more, not nan"),
        ({"after": 1, "max_extra": 0}, "max_extra must be 1 or more, not 0"),
    ],
)
async def test_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        await hedge(trio.sleep, 1, **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        Hedge(**options)


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    with pytest.raises(TypeError, match=re.escape("write hedge(doze, 1), not hedge(doze(1))")):
        await hedge(doze(1), after=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# The promise, by a plainer model: who begins when, and who is there first


@given(
    plans=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=4, max_size=4),
    after=st.integers(1, 4),
    max_extra=st.integers(1, 3),
)
def test_the_first_success_wins_at_its_time_and_nothing_is_left(
    plans: list[tuple[int, bool]], after: int, max_extra: int
) -> None:
    # Halves, so that no try ends at the moment at which another one begins.
    tries = Tries([(n + (i + 1) / 16, i if ok else OSError(i)) for i, (n, ok) in enumerate(plans)])
    ends: list[tuple[float, int]] = []
    running: Callable[[float], bool] = lambda now: any(end > now for end, _ in ends)  # noqa: E731
    for number in range(max_extra + 1):
        begins = float(number * after)
        won = any(end <= begins and plans[i][1] for end, i in ends)
        if number and (won or not running(begins)):
            break
        ends.append((begins + tries.plans[number][0], number))
    successes = [(end, number) for end, number in ends if plans[number][1]]

    async def main() -> None:
        if successes:
            assert await hedge(tries, after=after, max_extra=max_extra) == min(successes)[1]
            assert trio.current_time() == min(successes)[0]
        else:
            with pytest.raises(OSError, match=r"^0\b"):
                await hedge(tries, after=after, max_extra=max_extra)
            assert trio.current_time() == max(ends)[0]
        assert len(tries.begun) == len(tries.ended) == len(ends)

    trio.run(main, clock=MockClock(autojump_threshold=0))


class Lost(Exception):
    """An error that must not be."""


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"Lost\((\d+)\)", text)]


@attrs.define(eq=False)
class Unclean:
    """A function whose tries may fail in the end, and when they are cancelled."""

    plans: list[tuple[float, bool, bool, bool]]
    begun: int = 0
    ended: int = 0
    raised: list[int] = attrs.field(factory=list[int])

    async def __call__(self) -> None:
        number = self.begun
        self.begun += 1
        seconds, fails, fails_when_cancelled, in_nursery = self.plans[number]
        try:
            async with trio.open_nursery() if in_nursery else nullcontext() as nursery:
                if nursery:
                    nursery.start_soon(trio.sleep, seconds + number / 16)
                await self._sleep(seconds + number / 16, number, fails_when_cancelled)
        finally:
            self.ended += 1
        if fails:
            self._fail(number)

    async def _sleep(self, seconds: float, number: int, fails_when_cancelled: bool) -> None:
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            if not fails_when_cancelled:
                raise
            self._fail(number)

    def _fail(self, number: int) -> NoReturn:
        self.raised.append(number)
        raise Lost(number) from None


@given(
    # How long each takes, whether it fails then, whether when cancelled, and whether in a group.
    plans=st.lists(
        st.tuples(st.integers(0, 8), st.booleans(), st.booleans(), st.booleans()),
        min_size=3,
        max_size=3,
    ),
    after=st.integers(1, 3),
    patience=st.integers(0, 12) | st.just(1000),
)
def test_no_error_is_lost_nor_told_twice_and_no_cancellation_leaks(
    plans: list[tuple[float, bool, bool, bool]], after: int, patience: int
) -> None:
    unclean = Unclean(plans)
    told: list[HedgedCallFailed] = []
    out: list[int] = []

    async def main() -> None:
        with subscribe(told.append, HedgedCallFailed):
            with trio.move_on_after(max(patience - 1 / 32, 0.0)):
                try:
                    await hedge(unclean, after=after, max_extra=2)
                except* Lost as group:
                    for leaf in leaves_of(group):
                        out.extend(numbers_in(f"{leaf!r} {getattr(leaf, '__notes__', '')}"))

    trio.run(main, clock=MockClock(autojump_threshold=0))
    out += [number for one in told for number in numbers_in(one.error)]
    assert sorted(out) == sorted(unclean.raised)
    assert unclean.begun == unclean.ended
