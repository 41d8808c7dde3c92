"""Tests of steps that are undone if a later one fails."""

from __future__ import annotations

import contextvars
import gc
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.telemetry import subscribe
from trio_foundation.workflows import (
    Saga,
    SagaFailed,
    SagaResult,
    SagaStep,
    StepFinished,
    StepUndone,
    UndoTimedOut,
)

from ._things import Failure, Log, TornApart, leaves_of

A = TypeVarTuple("A")
R = TypeVar("R")


async def nothing() -> None:
    pass


def told_to_undos(log: Log) -> list[Any]:
    return [one for one in log if isinstance(one, tuple)]


async def failure_of(saga: Saga) -> SagaFailed:
    with pytest.raises(SagaFailed) as caught:
        await saga.run()
    return caught.value


def causes(error: BaseException) -> list[BaseException]:
    """Return the errors in the group that is the cause."""
    cause: BaseException | None = error.__cause__
    assert cause is not None
    assert hasattr(cause, "exceptions")
    return leaves_of(cause)


# Doing


async def test_steps_are_done_in_order_and_their_results_handed_back() -> None:
    log = Log()
    saga = Saga("trip")
    for name in ("a", "b", "c"):
        saga.step(name, log.op(name), log.undo(name))
    result = await saga.run()
    assert result == SagaResult("trip", {"a": "a", "b": "b", "c": "c"})
    assert (result["b"], list(result.results)) == ("b", ["a", "b", "c"])
    assert log == ["a(", "a)", "b(", "b)", "c(", "c)"]


async def test_a_step_sees_the_results_of_those_before_it() -> None:
    async def first() -> int:
        return 1

    async def second(results: Any) -> int:
        return int(results["first"]) + 1

    async def third(results: Any, *, factor: int = 10) -> int:
        with pytest.raises(TypeError):
            results["first"] = 5
        return factor * int(sum(results.values()))

    saga = Saga().step("first", first).step("second", second)
    assert (await saga.step("third", third).run())["third"] == 30


async def test_a_function_is_told_only_what_it_needs() -> None:
    log: list[Any] = []

    async def plain(amount: int = 5) -> int:
        return amount

    async def greedy(*told: Any) -> None:
        log.append(told)

    async def one(result: Any, reason: str = "") -> None:
        log.append((result, reason))

    async def fail(results: Any) -> None:
        raise Failure

    saga = Saga().step("a", plain, greedy).step("b", plain, one)
    saga.step("c", plain, partial(plain, 7)).step("d", greedy, nothing).step("e", fail, greedy)
    with pytest.raises(SagaFailed):
        await saga.run()
    assert log == [({"a": 5, "b": 5, "c": 5},), (None, "not_done"), (5, ""), (5, "done")]


async def test_a_saga_is_a_checkpoint_even_without_steps() -> None:
    with assert_checkpoints():
        assert (await Saga().run()).results == {}
    with assert_checkpoints():
        await Saga().step("a", nothing).run()


async def test_steps_run_in_the_context_of_the_caller() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    seen: list[Any] = []

    async def look() -> None:
        seen.append((user.get(), trio.lowlevel.currently_ki_protected()))

    async def fail() -> None:
        await look()
        raise Failure

    user.set("alice")
    saga = Saga().step("a", look, look)
    saga.parallel(SagaStep("b", look, look), SagaStep("c", look)).step("d", fail)
    with pytest.raises(SagaFailed):
        await saga.run()
    assert seen == 6 * [("alice", False)]


async def test_each_run_is_for_itself_also_two_at_once(autojump_clock: MockClock) -> None:
    answers = iter([Failure("first"), None, None])

    async def flaky() -> int:
        await trio.sleep(1)
        error = next(answers)
        if error is not None:
            raise error
        return 1

    saga = Saga().step("a", nothing).step("flaky", flaky)
    with pytest.raises(SagaFailed):
        await saga.run()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(saga.run)
        nursery.start_soon(saga.run)
    assert trio.current_time() == pytest.approx(2)


async def test_steps_added_during_a_run_belong_to_the_next_one() -> None:
    saga = Saga()

    async def add() -> None:
        saga.step("b", nothing)

    assert list((await saga.step("a", add).run()).results) == ["a"]
    assert repr(saga) == "<Saga 'saga': a, b>"


# Undoing


async def test_what_was_done_is_undone_newest_first() -> None:
    log = Log()
    error = Failure("no room")
    saga = Saga("trip").step("a", log.op("a"), log.undo("a")).step("b", log.op("b"))
    saga.step("c", log.op("c"), log.undo("c")).step("d", log.op("d", error=error), log.undo("d"))
    with pytest.raises(SagaFailed) as caught:
        await saga.step("e", log.op("e"), log.undo("e")).run()
    assert log[7:] == [("d", None, "not_done"), ("c", "c", "done"), ("a", "a", "done")]
    failed = caught.value
    assert failed.error is failed.__cause__ is error
    assert (failed.saga, failed.step, failed.errors) == ("trip", "d", (error,))
    assert (failed.undo_errors, failed.undone) == ((), ("d", "c", "a"))
    assert failed.fates == {
        "a": "done",
        "b": "done",
        "c": "done",
        "d": "not_done",
        "e": "not_done",
    }
    assert str(failed) == (
        "saga 'trip' failed with Failure('no room') at step 'd'; undone: d, c, a"
    )


async def test_a_failure_with_nothing_to_undo_says_so() -> None:
    with pytest.raises(SagaFailed, match=r"at step 'a'; undone: nothing$"):
        await Saga().step("a", Log().op("a", error=Failure())).run()


async def test_the_undo_is_known_before_the_step_begins() -> None:
    effects = {"seat"}

    async def half() -> None:
        effects.add("half a booking")
        raise Failure

    async def undo() -> None:
        effects.discard("half a booking")

    with pytest.raises(SagaFailed):
        await Saga().step("half", half, undo).run()
    assert effects == {"seat"}


async def test_undos_that_fail_do_not_stop_the_others_and_are_all_reported() -> None:
    log = Log()
    first, second, cause = Failure("first"), OSError("second"), Failure("cause")
    saga = Saga("s").step("a", log.op("a"), log.undo("a", error=second))
    saga.step("b", log.op("b"), log.undo("b")).step("c", log.op("c"), log.undo("c", error=first))
    with pytest.raises(SagaFailed) as caught:
        await saga.step("d", log.op("d", error=cause)).run()
    failed = caught.value
    assert [one[0] for one in told_to_undos(log)] == ["c", "b", "a"]
    assert (failed.error, failed.undo_errors) == (cause, (first, second))
    assert failed.undone == ("b",)
    assert causes(failed) == [cause, first, second]
    assert first.__notes__ == ["in the undo of step 'c' of saga 's'"]
    assert str(failed) == (
        "saga 's' failed with Failure('cause') at step 'd'; undone: b; an undo failed with "
        "Failure: first; an undo failed with OSError: second"
    )


async def test_an_undo_that_hangs_is_cut_off_and_reported(autojump_clock: MockClock) -> None:
    log = Log()
    saga = Saga("s", undo_timeout=5.0).step("a", log.op("a"), log.undo("a"))
    saga.step("b", log.op("b"), log.undo("b", seconds=1_000))
    saga.step("c", log.op("c"), log.undo("c", seconds=1_000), undo_timeout=2.0)
    with pytest.raises(SagaFailed) as caught:
        await saga.step("d", log.op("d", error=Failure())).run()
    assert trio.current_time() == pytest.approx(7)
    assert caught.value.undone == ("a",)
    (first, second) = caught.value.undo_errors
    assert isinstance(first, UndoTimedOut)
    assert isinstance(first, trio.TooSlowError)
    assert (first.saga, first.step, first.seconds) == ("s", "c", 2.0)
    assert str(second) == "the undo of step 'b' of saga 's' took longer than 5 s"


async def test_an_undo_that_fails_when_it_is_cut_off_reports_that(
    autojump_clock: MockClock,
) -> None:
    error = Failure("clean-up")

    async def undo() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise error

    saga = Saga().step("a", nothing, undo).step("b", Log().op("b", error=Failure()))
    with pytest.raises(SagaFailed) as caught:
        await saga.run()
    assert caught.value.undo_errors == (error,)


async def test_a_second_failure_of_the_same_saga_is_reported_afresh() -> None:
    log = Log()
    saga = Saga().step("a", log.op("a"), log.undo("a", error=OSError()))
    saga.step("b", log.op("b", error=Failure()))
    for _ in range(2):
        with pytest.raises(SagaFailed) as caught:
            await saga.run()
        assert len(caught.value.undo_errors) == 1


async def test_a_saga_within_a_saga_is_a_step_like_any_other() -> None:
    log = Log()
    inner = Saga("inner").step("x", log.op("x"), log.undo("x"))
    inner.step("y", log.op("y", error=Failure()))
    outer = Saga("outer").step("a", log.op("a"), log.undo("a")).step("inner", inner.run)
    with pytest.raises(SagaFailed) as caught:
        await outer.run()
    assert isinstance(caught.value.error, SagaFailed)
    assert [one[0] for one in told_to_undos(log)] == ["x", "a"]


# Cancellation: the third fate


async def test_a_step_that_is_cut_off_has_an_unknown_fate_and_the_cancellation_goes_on(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    notes: list[str] = []

    async def run() -> None:
        try:
            await saga.run()
        except trio.Cancelled as cancelled:
            notes.extend(cancelled.__notes__)
            raise

    saga = Saga("s").step("a", log.op("a"), log.undo("a", seconds=1))
    saga.step("b", log.op("b", seconds=10), log.undo("b", seconds=1)).step("c", log.op("c"))
    with trio.move_on_after(5) as scope:
        await run()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(7)
    assert log[2:] == ["b(", ("b", None, "unknown"), ("a", "a", "done")]
    assert notes == ["in step 'b' of saga 's'; undone: b, a"]


async def test_a_step_that_is_done_all_the_same_is_done(autojump_clock: MockClock) -> None:
    log = Log()

    async def shielded() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        return "done"

    with trio.move_on_after(1) as scope:
        await Saga().step("a", shielded, log.undo("a")).step("b", log.op("b"), log.undo("b")).run()
    assert scope.cancelled_caught
    assert log == [("a", "done", "done")]


async def test_a_saga_whose_last_step_is_done_has_succeeded(autojump_clock: MockClock) -> None:
    async def shielded() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        return "done"

    for saga in (
        Saga().step("a", shielded, nothing),
        Saga().parallel(SagaStep("a", shielded), SagaStep("b", shielded)),
    ):
        with trio.move_on_after(1) as scope:
            assert (await saga.run())["a"] == "done"
        assert scope.cancel_called
        assert not scope.cancelled_caught


async def test_a_saga_that_is_cancelled_already_is_not_begun() -> None:
    log = Log()
    with trio.CancelScope() as scope:
        scope.cancel()
        await Saga().step("a", log.op("a"), log.undo("a")).run()
    assert scope.cancelled_caught
    assert not log


async def test_an_undo_that_fails_after_a_cancellation_comes_out(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    error = OSError("no route")
    saga = Saga("s").step("a", trio.sleep_forever, log.undo("a", error=error))
    failed: SagaFailed | None = None
    with trio.move_on_after(1) as scope:
        failed = await failure_of(saga)
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert failed is not None
    assert isinstance(failed.error, trio.Cancelled)
    assert failed.undo_errors == (error,)
    assert str(failed) == (
        "saga 's' was cancelled at step 'a'; undone: nothing; an undo failed with OSError: no route"
    )
    assert causes(failed) == [failed.error, error]


async def test_an_error_beside_a_cancellation_is_a_failure_and_the_fate_is_unknown(
    autojump_clock: MockClock,
) -> None:
    log = Log()

    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async def family() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(untidy)

    kinds: list[type] = []
    with trio.move_on_after(1) as scope:
        failed = await failure_of(Saga().step("a", family, log.undo("a")))
        kinds = [type(leaf) for leaf in leaves_of(failed.error)]
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert kinds == [Failure]
    assert log == [("a", None, "unknown")]


async def test_a_step_that_is_too_slow_by_its_own_clock_has_failed_and_its_fate_is_unknown(
    autojump_clock: MockClock,
) -> None:
    async def slow() -> None:
        with trio.fail_after(1):
            await trio.sleep_forever()

    with pytest.raises(SagaFailed) as caught:
        await Saga().step("a", slow).run()
    assert isinstance(caught.value.error, trio.TooSlowError)
    assert caught.value.fates == {"a": "unknown"}


async def too_late() -> None:
    raise ValueError("no answer") from TimeoutError()


async def too_slow_beside() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nothing)
        raise trio.TooSlowError


async def refused_at_last() -> None:
    with trio.move_on_after(1):
        await trio.sleep_forever()
    raise Failure("refused")


@pytest.mark.parametrize(
    ("action", "fate"),
    [(too_late, "unknown"), (too_slow_beside, "unknown"), (refused_at_last, "not_done")],
)
async def test_what_came_of_a_lack_of_time_has_an_unknown_fate(
    autojump_clock: MockClock, action: Callable[[], Awaitable[None]], fate: str
) -> None:
    assert (await failure_of(Saga().step("a", action))).fates == {"a": fate}


async def test_a_saga_within_the_handling_of_a_timeout_is_not_out_of_time_for_that() -> None:
    fates: list[Any] = []
    try:
        await too_late()
    except ValueError:
        failed = await failure_of(Saga().step("a", Log().op("a", error=Failure())))
        fates.append(failed.fates)
    assert fates == [{"a": "not_done"}]


async def test_a_step_that_raises_when_it_is_cancelled_has_an_unknown_fate(
    autojump_clock: MockClock,
) -> None:
    log = Log()

    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    with trio.move_on_after(1):
        await failure_of(Saga().step("a", untidy, log.undo("a")))
    assert log == [("a", None, "unknown")]


async def test_a_cancellation_goes_on_without_the_groups_of_nurseries_within(
    autojump_clock: MockClock,
) -> None:
    async def family() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    kinds: list[type] = []

    async def run(saga: Saga) -> None:
        try:
            await saga.run()
        except BaseException as error:
            kinds.append(type(error))
            raise

    for saga in (
        Saga().step("a", family),
        Saga().parallel(SagaStep("a", family), SagaStep("b", family)),
    ):
        with trio.move_on_after(1):
            await run(saga)
    with trio.move_on_after(1):
        failed = await failure_of(Saga().step("a", family, Log().undo("a", error=Failure())))
        kinds.append(type(failed.error))
    assert kinds == 3 * [trio.Cancelled]


# What is no mere error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()], ids=repr)
@pytest.mark.parametrize("beside", [True, False])
async def test_an_interrupt_runs_the_undos_and_goes_on_up(
    error: BaseException, beside: bool
) -> None:
    log = Log()
    saga = Saga("s").step("a", log.op("a"), log.undo("a", error=Failure("x")))
    steps = [SagaStep("b", log.op("b", error=error), log.undo("b"))]
    if beside:
        steps.append(SagaStep("c", trio.sleep_forever, log.undo("c")))
    error.__notes__ = []
    with pytest.raises(type(error)) as caught:
        await saga.parallel(*steps).run()
    assert caught.value is error
    undone = told_to_undos(log)
    assert undone[-2:] == [("b", None, "unknown"), ("a", "a", "done")]
    assert len(undone) == (3 if beside else 2)
    assert error.__notes__ == ["in saga 's', besides: Failure: x"]


@pytest.mark.realtime
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_finds_the_saga_waiting_for_a_stage_runs_the_undos_too() -> None:
    log = Log()

    @trio.lowlevel.enable_ki_protection
    async def interrupt() -> None:
        await wait_all_tasks_blocked()
        # This task is protected, so it is the main one that is interrupted.
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()

    saga = Saga("s").step("a", log.op("a"), log.undo("a"))
    saga.parallel(
        SagaStep("b", interrupt, log.undo("b")), SagaStep("c", trio.sleep_forever, log.undo("c"))
    )
    with pytest.raises(KeyboardInterrupt):
        trio.run(saga.run)
    assert log[2:] == [("c", None, "unknown"), ("b", None, "unknown"), ("a", "a", "done")]


@pytest.mark.usefixtures("collects_when_told")
def test_a_run_that_was_torn_apart_undoes_nothing() -> None:
    log = Log()

    async def torn(nursery: trio.Nursery) -> None:
        for name in "ab":
            saga = Saga().step("a", log.op("a"), log.undo("a"))
            steps = [SagaStep("b", trio.sleep_forever, log.undo("b"))]
            if name == "b":
                steps.append(SagaStep("c", trio.sleep_forever, log.undo("c")))
            nursery.start_soon(saga.parallel(*steps).run)
        undoing = Saga().step("a", nothing, trio.sleep_forever)
        nursery.start_soon(undoing.step("b", log.op("b", error=Failure())).run)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await torn(nursery)
            await trio.sleep(1)

    with pytest.raises(trio.TrioInternalError):
        trio.run(main, clock=TornApart())
    gc.collect()
    trio.run(nothing)
    assert not told_to_undos(log)


async def test_an_interrupt_in_an_undo_lets_the_others_run() -> None:
    log = Log()
    error = KeyboardInterrupt()
    saga = Saga("s").step("a", log.op("a"), log.undo("a"))
    saga.step("b", log.op("b"), log.undo("b", error=error))
    with pytest.raises(KeyboardInterrupt) as caught:
        await saga.step("c", log.op("c", error=Failure("cause"))).run()
    assert caught.value is error
    assert log[-1] == ("a", "a", "done")
    assert error.__notes__ == [
        "in the undo of step 'b' of saga 's'",
        "in saga 's', besides: Failure: cause",
    ]


async def test_when_trio_itself_breaks_in_an_undo_no_other_runs() -> None:
    log = Log()
    error = trio.TrioInternalError()
    saga = Saga().step("a", log.op("a"), log.undo("a"))
    saga.step("b", log.op("b", error=Failure()), log.undo("b", error=error))
    with pytest.raises(trio.TrioInternalError):
        await saga.run()
    assert told_to_undos(log) == [("b", None, "not_done")]


@pytest.mark.parametrize("beside", [True, False])
async def test_when_trio_itself_is_broken_nothing_is_undone(beside: bool) -> None:
    log = Log()
    error = trio.TrioInternalError()
    steps = [SagaStep("a", log.op("a", error=error), log.undo("a"))]
    if beside:
        steps.append(SagaStep("b", nothing, log.undo("b")))
    with pytest.raises((trio.TrioInternalError, ExceptionGroup)):
        await Saga().parallel(*steps).run()
    assert log == ["a("]


# Side by side


async def test_steps_of_a_stage_run_side_by_side(autojump_clock: MockClock) -> None:
    log = Log()

    async def look(results: Any) -> list[str]:
        await trio.sleep(2)
        return sorted(results)

    saga = Saga().step("a", log.op("a"))
    saga.parallel(SagaStep("b", log.op("b", seconds=1)), SagaStep("c", look))
    result = await saga.step("d", look).run()
    assert trio.current_time() == pytest.approx(4)
    assert list(result.results) == ["a", "b", "c", "d"]
    assert (result["c"], result["d"]) == (["a"], ["a", "b", "c"])


async def test_when_one_fails_the_others_are_cancelled_and_the_last_written_is_undone_first(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    error = Failure()
    saga = (
        Saga("s")
        .step("a", log.op("a"), log.undo("a"))
        .parallel(
            SagaStep("quick", log.op("quick", seconds=1), log.undo("quick", seconds=1)),
            SagaStep("fails", log.op("fails", seconds=2, error=error), log.undo("fails")),
            SagaStep("slow", log.op("slow", seconds=3), log.undo("slow", seconds=1)),
        )
    )
    with pytest.raises(SagaFailed) as caught:
        await saga.run()
    assert trio.current_time() == pytest.approx(4)
    assert told_to_undos(log) == [
        ("slow", None, "unknown"),
        ("fails", None, "not_done"),
        ("quick", "quick", "done"),
        ("a", "a", "done"),
    ]
    assert (caught.value.step, caught.value.error) == ("fails", error)
    assert caught.value.__cause__ is error


async def test_several_that_fail_are_all_reported_the_first_one_first(
    autojump_clock: MockClock,
) -> None:
    first, second = Failure("first"), OSError("second")

    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise second

    saga = Saga().parallel(
        SagaStep("a", untidy), SagaStep("b", Log().op("b", seconds=1, error=first))
    )
    with pytest.raises(SagaFailed) as caught:
        await saga.run()
    failed = caught.value
    assert (failed.step, failed.error, failed.errors) == ("b", first, (first, second))
    assert causes(failed) == [first, second]


async def test_a_cancellation_reaches_all_of_them(autojump_clock: MockClock) -> None:
    log = Log()
    steps = [SagaStep(name, log.op(name, seconds=5), log.undo(name)) for name in "abc"]
    with trio.move_on_after(1) as scope:
        await Saga().parallel(*steps).run()
    assert scope.cancelled_caught
    assert log[3:] == [(name, None, "unknown") for name in "cba"]


async def test_the_tasks_of_a_stage_have_names() -> None:
    async with trio.open_nursery() as nursery:
        saga = Saga("s").parallel(
            SagaStep("a", trio.sleep_forever), SagaStep("b", trio.sleep_forever)
        )
        nursery.start_soon(saga.run)
        await wait_all_tasks_blocked()
        (runner,) = nursery.child_tasks
        (stage,) = runner.child_nurseries
        names = {task.name for task in stage.child_tasks}
        assert names == {"step 'a' of saga 's'", "step 'b' of saga 's'"}
        nursery.cancel_scope.cancel()


# Retries


class Twice:
    """What calls a second time."""

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        try:
            return await async_fn(*args)
        except Failure:
            return await async_fn(*args)


async def test_a_step_is_called_by_its_retry_with_what_it_takes() -> None:
    log = Log()
    errors = iter([Failure(), None])

    async def flaky(results: Any) -> list[str]:
        if error := next(errors):
            raise error
        return list(results)

    saga = Saga().step("a", log.op("a")).step("b", flaky, log.undo("b"), retry=Twice())
    assert (await saga.run())["b"] == ["a"]


async def test_a_retry_that_gives_up_is_a_failure() -> None:
    log = Log()
    op = log.op("a", error=Failure())
    with pytest.raises(SagaFailed):
        await Saga().step("a", op, log.undo("a"), retry=Twice()).run()
    assert log == ["a(", "a(", ("a", None, "not_done")]


async def test_a_step_of_which_one_attempt_was_cut_off_is_not_known_to_be_not_done(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    attempts: Iterator[Any] = iter([partial(trio.sleep, 5), log.op("a", error=Failure())])
    names: list[str] = []

    class Impatient:
        async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
            names.append(async_fn.__name__)
            with trio.move_on_after(1):
                await async_fn(*args)
            return await async_fn(*args)

    async def book() -> None:
        await next(attempts)()

    saga = Saga().step("a", partial(book), log.undo("a"), retry=Impatient())
    assert isinstance((await failure_of(saga)).error, Failure)
    assert log == ["a(", ("a", None, "unknown")]
    assert names == ["book"]


# Events, plans, garbage


async def test_every_step_and_every_undo_is_told_of(autojump_clock: MockClock) -> None:
    log = Log()
    told: list[StepFinished | StepUndone] = []
    saga = Saga("s").step("a", log.op("a", seconds=1), log.undo("a", seconds=2))
    saga.step("b", log.op("b", seconds=1, error=Failure("x")), log.undo("b", error=OSError("y")))
    with subscribe(told.append, StepFinished, StepUndone):
        for _ in range(2):
            with pytest.raises(SagaFailed):
                await saga.run()
    common = {"saga": "s", "run": 1}
    assert told[:4] == [
        StepFinished(**common, step="a", fate="done", ran_for=1.0, error=""),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        StepFinished(**common, step="b", fate="not_done", ran_for=1.0, error="Failure: x"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        StepUndone(**common, step="b", fate="not_done", ran_for=0.0, error="OSError: y"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        StepUndone(**common, step="a", fate="done", ran_for=2.0, error=""),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ]
    assert [one.severity for one in told[:4]] == [20, 30, 40, 30]
    assert {one.run for one in told[4:]} == {2}


async def test_a_step_of_which_nobody_knows_whether_it_is_done_is_a_warning(
    autojump_clock: MockClock,
) -> None:
    told: list[StepFinished] = []
    with subscribe(told.append, StepFinished), trio.move_on_after(1):
        await Saga().step("a", trio.sleep_forever).run()
    assert [(one.fate, one.severity) for one in told] == [("unknown", 30)]


async def test_a_dry_run_tells_the_plan_and_does_nothing(capsys: Any) -> None:
    log = Log()
    saga = Saga("trip", undo_timeout=20.0).step("a", nothing, nothing, retry=Twice())
    saga.parallel(
        SagaStep("b", partial(nothing), partial(nothing), undo_timeout=1.5),
        SagaStep("c", log.op("c")),
    )
    saga.dry_run()
    plan = [
        "saga 'trip': 3 steps",
        "1. a: nothing, retried; undo: nothing, within 20 s",
        "2. b: nothing; undo: nothing, within 1.5 s, side by side",
        "   c: operation; no undo, side by side",
    ]
    assert capsys.readouterr().out.splitlines() == plan
    lines: list[str] = []
    saga.dry_run(lines.append)
    assert lines == plan
    assert not log


async def test_a_saga_leaves_no_cycle() -> None:
    async def fail() -> None:
        raise Failure

    async def run(saga: Saga) -> None:
        with suppress(SagaFailed):
            await saga.run()

    sagas = [
        Saga().step("a", nothing, nothing),
        Saga().step("a", nothing, nothing).step("b", fail, nothing),
        Saga().step("a", nothing, fail).step("b", fail, nothing),
    ]
    for saga in sagas:
        await run(saga)
    gc.collect()
    gc.disable()
    try:
        for saga in sagas:
            for _ in range(50):
                await run(saga)
            assert gc.collect() == 0, saga
    finally:
        gc.enable()


# Arguments


async def deposit(amount: int) -> None: ...


async def stream() -> Any:
    yield 1


async def too_much(a: int, b: int, c: int) -> None: ...


async def keyword(*, a: int) -> None: ...


SAGA: Any = Saga


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SAGA(""), "name must not be empty"),
        (lambda: SAGA(5), "name must be a string, not 5"),
        (lambda: SAGA(undo_timeout=0), "undo_timeout must be more than 0 seconds and finite"),
        (lambda: SAGA(undo_timeout=float("inf")), "undo_timeout must be more than 0 seconds and"),
        (lambda: SAGA(undo_timeout=float("nan")), "undo_timeout must be more than 0 seconds and"),
        (lambda: SAGA().step("", nothing), "name must not be empty"),
        (lambda: SAGA().step("a", None), "the action of 'a' is an async function, but got None"),
        (lambda: SAGA().step("a", stream), "the action of 'a' is an async function, but got <func"),
        (lambda: SAGA().step("a", deposit(1)), r"write functools.partial\(deposit, ...\), not dep"),
        (lambda: SAGA().step("a", nothing, 5), "the undo of 'a' is an async function, but got 5"),
        (
            lambda: SAGA().step("a", partial(too_much, 1)),
            "the action of 'a' is called with at most the results, but too_much takes 2 arguments",
        ),
        (lambda: SAGA().step("a", nothing, too_much), "is called with at most the result and the"),
        (
            lambda: SAGA().step("a", keyword),
            "is called with at most the results, but keyword takes",
        ),
        (lambda: SAGA().step("a", nothing, retry=5), "retry must have an async method call"),
        (lambda: SAGA().step("a", nothing, retry=Twice), "retry must have an async method call"),
        (lambda: SAGA().step("a", nothing, undo_timeout=-1), "undo_timeout must be more than 0"),
        (
            lambda: SAGA().step("a", nothing).step("a", nothing),
            "the steps of a saga have names of their own, and there is a 'a' already",
        ),
        (
            lambda: SAGA().parallel(SagaStep("a", nothing), SagaStep("a", nothing)),
            "there is a 'a' already",
        ),
        (lambda: SAGA().parallel(), "parallel takes one step or more"),
        (lambda: SAGA().parallel("a"), r"parallel takes steps, SagaStep\(name, action\), not 'a'"),
        (
            lambda: SAGA().dry_run(nothing),
            "dry_run takes a plain function of a line, such as print, not",
        ),
    ],
)
def test_nonsense_is_refused(build: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        build()


def test_a_step_that_is_refused_is_not_added() -> None:
    saga = Saga().step("a", nothing)
    for _ in range(2):
        with pytest.raises(ValueError, match="already"):
            saga.step("a", nothing)
    assert repr(saga.step("b", nothing)) == "<Saga 'saga': a, b>"
    assert saga.name == "saga"
