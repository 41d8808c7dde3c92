"""Tests of batches that run one at a time."""

from __future__ import annotations

import contextvars
import gc
import re
import weakref
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation import Backoff, FoundationError
from trio_foundation.telemetry import subscribe
from trio_foundation.workflows import (
    BatchDeadlock,
    BatchFinished,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    SerialOperationsFull,
    open_serial_operations,
)

from ._things import (
    CANCELLED,
    WAITS,
    Execution,
    Failure,
    Log,
    TornApart,
    assert_lawful,
    leaves_of,
)


async def nothing() -> None:
    pass


async def test_the_results_are_handed_back_in_order() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        assert await serial.execute(log.ops("a b c")) == ["a", "b", "c"]
    assert log == ["a(", "a)", "b(", "b)", "c(", "c)"]


async def test_batches_run_one_at_a_time_in_the_order_in_which_they_come(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        for name in ("a", "b", "c"):
            Execution(nursery, serial, log.ops(f"{name}1 {name}2", seconds=1))
            await wait_all_tasks_blocked()
    assert log == [f"{name}{i}{end}" for name in "abc" for i in (1, 2) for end in "()"]
    assert trio.current_time() == pytest.approx(6)


async def test_batches_of_other_keys_do_not_wait(autojump_clock: MockClock) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        for key in ("alice", "bob", None, 7):
            for _ in range(2):
                Execution(nursery, serial, log.ops("x", seconds=1), key=key)
    assert trio.current_time() == pytest.approx(2)


async def test_two_of_them_have_nothing_to_do_with_each_other(autojump_clock: MockClock) -> None:
    async with (
        open_serial_operations(name="s") as one,
        open_serial_operations(name="s") as two,
        trio.open_nursery() as nursery,
    ):
        for serial in (one, two):
            Execution(nursery, serial, [partial(trio.sleep, 1)])
    assert trio.current_time() == pytest.approx(1)


async def test_a_batch_without_operations_waits_for_its_turn(autojump_clock: MockClock) -> None:
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        Execution(nursery, serial, [partial(trio.sleep, 5)])
        await wait_all_tasks_blocked()
        assert await serial.execute([]) == []
        assert trio.current_time() == pytest.approx(5)


async def test_it_is_a_checkpoint() -> None:
    async with open_serial_operations(name="s") as serial:
        with assert_checkpoints():
            await serial.execute([nothing])
        with assert_checkpoints():
            await serial.execute([])


async def test_operations_run_in_the_task_and_the_context_of_the_caller() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    lock = trio.Lock()

    async def work() -> tuple[str, bool, bool]:
        is_held = lock.statistics().owner is trio.lowlevel.current_task()
        return user.get(), is_held, trio.lowlevel.currently_ki_protected()

    async with open_serial_operations(name="s") as serial, lock:
        user.set("alice")
        assert await serial.execute([work]) == [("alice", True, False)]


async def test_any_iterable_will_do() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        assert await serial.execute(log.op(name) for name in "ab") == ["a", "b"]
        assert await serial.execute(tuple(log.ops("a b"))) == ["a", "b"]


async def test_it_can_be_looked_at() -> None:
    async with open_serial_operations(name="ledger", capacity=5) as serial:
        assert serial.name == "ledger"
        assert repr(serial) == "<SerialOperations 'ledger': 0 run, 0 wait>"
        figures = serial.statistics()
        assert (figures.capacity, figures.batches, figures.running) == (5, 0, 0)


# Failures: nothing is rolled back


async def test_what_was_done_before_a_failure_stays_done_and_the_rest_is_not_begun() -> None:
    log = Log()
    error = Failure("no funds")
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([*log.ops("a b"), log.op("c", error=error), log.op("d")], "t")
    assert log == ["a(", "a)", "b(", "b)", "c("]
    failed = caught.value
    assert (failed.tx_id, failed.index, failed.completed) == ("t", 2, ["a", "b"])
    assert failed.error is failed.__cause__ is error
    assert str(failed) == (
        "batch 't' failed at index 2 with Failure('no funds'); the 2 before it are done, and "
        "stay done"
    )


async def test_a_failure_lets_the_next_one_run(autojump_clock: MockClock) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        first = Execution(nursery, serial, [log.op("a", seconds=1, error=Failure())])
        await wait_all_tasks_blocked()
        second = Execution(nursery, serial, log.ops("b"))
    assert isinstance(first.answer, SerialOperationFailed)
    assert second.answer == ["b"]


async def test_a_batch_without_a_name_is_numbered() -> None:
    async def fail() -> None:
        raise Failure

    async with open_serial_operations(name="ledger") as serial:
        for number in (1, 2):
            with pytest.raises(SerialOperationFailed) as caught:
                await serial.execute([fail])
            assert caught.value.tx_id == f"ledger-{number}"


async def test_a_group_of_errors_is_a_failure_like_any_other() -> None:
    group = ExceptionGroup("both", [Failure(), OSError()])
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([Log().op("a", error=group)])
    assert caught.value.error is group


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(),
        trio.TrioInternalError(),
        ExceptionGroup("", [trio.TrioInternalError()]),
        BaseExceptionGroup("", [KeyboardInterrupt(), Failure()]),
    ],
    ids=repr,
)
async def test_what_is_no_mere_error_comes_out_as_itself(error: BaseException) -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(type(error)) as caught:
            await serial.execute([log.op("a", error=error), log.op("b")])
        assert caught.value is error
        assert await serial.execute(log.ops("c")) == ["c"]
        assert assert_lawful(serial).failed == 1


async def test_a_function_that_is_not_async_fails_its_batch() -> None:
    sync: Any = dict
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([sync])
    assert isinstance(caught.value.error, TypeError)


# A bounded queue


async def test_who_finds_as_many_waiting_as_may_is_told() -> None:
    log = Log()
    async with open_serial_operations(name="s", capacity=2) as serial:
        async with trio.open_nursery() as nursery:
            one = Execution(nursery, serial, [trio.sleep_forever])
            await wait_all_tasks_blocked()
            Execution(nursery, serial, log.ops("b"), key=None)
            Execution(nursery, serial, log.ops("c"))
            await wait_all_tasks_blocked()
            with pytest.raises(SerialOperationsFull) as caught, assert_checkpoints():
                await serial.execute(log.ops("d"), "t")
            assert await serial.execute(log.ops("e"), key="free") == ["e"]
            one.scope.cancel()
        assert assert_lawful(serial).rejected == 1
    assert (caught.value.name, caught.value.tx_id, caught.value.capacity) == ("s", "t", 2)
    assert str(caught.value) == "'s' takes no batch 't': 2 wait already; raise its capacity"
    assert "d(" not in log


async def test_the_capacity_is_that_of_all_lines_together() -> None:
    async with (
        open_serial_operations(name="s", capacity=1) as serial,
        trio.open_nursery() as nursery,
    ):
        for key in ("x", "y"):
            Execution(nursery, serial, [trio.sleep_forever], key=key)
        await wait_all_tasks_blocked()
        Execution(nursery, serial, [], key="x")
        await wait_all_tasks_blocked()
        with pytest.raises(SerialOperationsFull):
            await serial.execute([], key="y")
        nursery.cancel_scope.cancel()


async def test_with_no_capacity_nobody_waits() -> None:
    async with (
        open_serial_operations(name="s", capacity=0) as serial,
        trio.open_nursery() as nursery,
    ):
        assert await serial.execute([]) == []
        Execution(nursery, serial, [trio.sleep_forever])
        await wait_all_tasks_blocked()
        with pytest.raises(SerialOperationsFull):
            await serial.execute([])
        nursery.cancel_scope.cancel()


# Cancellation


async def test_a_batch_that_is_cancelled_while_it_waits_never_runs() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        async with trio.open_nursery() as nursery:
            first = Execution(nursery, serial, [trio.sleep_forever])
            await wait_all_tasks_blocked()
            second = Execution(nursery, serial, log.ops("b"))
            third = Execution(nursery, serial, log.ops("c"))
            await wait_all_tasks_blocked()
            await second.cancel()
            assert second.answer == CANCELLED
            assert serial.statistics().waiting == 1
            await first.cancel()
        assert third.answer == ["c"]
        assert assert_lawful(serial).cancelled == 2
    assert "b(" not in log


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_turn_given_to_one_who_is_cancelled_just_then_is_passed_on(
    cancelled_first: bool,
) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        first = Execution(nursery, serial, [trio.sleep_forever])
        await wait_all_tasks_blocked()
        second = Execution(nursery, serial, log.ops("b"))
        await wait_all_tasks_blocked()
        third = Execution(nursery, serial, log.ops("c"))
        await wait_all_tasks_blocked()
        scopes = [second.scope, first.scope]
        for scope in scopes if cancelled_first else reversed(scopes):
            scope.cancel()
    assert (second.answer, third.answer) == (CANCELLED, ["c"])
    assert "b(" not in log


async def test_one_that_is_cancelled_while_it_runs_ends_with_the_operation_in_hand(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    told: list[BatchFinished] = []
    notes: list[str] = []

    async def execute() -> None:
        try:
            await serial.execute(log.ops("a b c", seconds=1), "t")
        except trio.Cancelled as cancelled:
            notes.extend(cancelled.__notes__)
            raise

    async with open_serial_operations(name="s") as serial:
        with subscribe(told.append, BatchFinished), trio.move_on_after(1.5) as scope:
            await execute()
        assert scope.cancelled_caught
        assert await serial.execute(log.ops("d")) == ["d"]
    assert log == ["a(", "a)", "b(", "d(", "d)"]
    assert notes == ["batch 't': 1 of 3 completed"]
    assert (told[0].outcome, told[0].completed, told[0].operations) == ("cancelled", 1, 3)


async def test_an_operation_may_shield_itself_and_the_next_one_is_not_begun(
    autojump_clock: MockClock,
) -> None:
    log = Log()

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await log.op("a", seconds=2)()

    async with open_serial_operations(name="s") as serial:
        with trio.move_on_after(1) as scope:
            await serial.execute([shielded, log.op("b")])
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(2)
    assert log == ["a(", "a)"]


async def test_a_batch_whose_last_operation_is_done_hands_its_results_back(
    autojump_clock: MockClock,
) -> None:
    async def shielded() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        return "done"

    async with open_serial_operations(name="s") as serial:
        with trio.move_on_after(1) as scope:
            assert await serial.execute([shielded]) == ["done"]
        assert scope.cancel_called
        assert not scope.cancelled_caught


async def test_one_that_is_cancelled_already_is_not_begun() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        with trio.CancelScope() as scope:
            scope.cancel()
            await serial.execute(log.ops("a"))
        assert scope.cancelled_caught
        assert assert_lawful(serial).running == 0
    assert not log


async def test_an_error_beside_a_cancellation_is_not_lost(autojump_clock: MockClock) -> None:
    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async def family() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(untidy)

    with trio.move_on_after(1) as scope:
        try:
            async with open_serial_operations(name="s") as serial:
                await serial.execute([family])
        except BaseException as error:  # noqa: BLE001  whatever the nursery makes of it
            kinds = {type(leaf) for leaf in leaves_of(error)}
            assert kinds <= {trio.Cancelled, Failure}
            assert Failure in kinds
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_an_operation_that_is_too_slow_by_its_own_clock_has_failed(
    autojump_clock: MockClock,
) -> None:
    async def slow() -> None:
        with trio.fail_after(1):
            await trio.sleep_forever()

    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([slow])
        assert isinstance(caught.value.error, trio.TooSlowError)


async def test_who_is_cancelled_can_tell_what_is_done(autojump_clock: MockClock) -> None:
    log = Log()
    completed: list[str] = []
    async with open_serial_operations(name="s") as serial:
        with trio.move_on_after(2.5):
            await serial.execute(log.ops("a b c d", seconds=1), completed=completed)
    assert completed == ["a", "b"]


async def test_the_list_of_what_is_done_is_also_what_comes_out() -> None:
    log = Log()
    done: list[str] = []
    failed: list[str] = []
    async with open_serial_operations(name="s") as serial:
        assert await serial.execute(log.ops("a b"), completed=done) is done
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute(
                [log.op("c"), log.op("d", error=Failure()), log.op("e")], completed=failed
            )
    assert caught.value.completed is failed
    assert (done, failed) == (["a", "b"], ["c"])


async def test_of_several_attempts_it_tells_the_last_one(autojump_clock: MockClock) -> None:
    log = Log()
    completed: list[Any] = []
    flaky = Flaky(1)
    operations: list[Any] = [log.op("a"), flaky.run, trio.sleep_forever]
    async with open_serial_operations(name="s") as serial:
        with trio.move_on_after(5):
            await serial.execute_with_retry(operations, backoff=STEADY, completed=completed)
    assert completed == ["a", 2]


@pytest.mark.parametrize("completed", [["a"], (), {}])
async def test_only_an_empty_list_can_be_filled(completed: Any) -> None:
    async with open_serial_operations(name="s") as serial:
        for execute in (serial.execute, serial.execute_with_retry):
            with pytest.raises((TypeError, ValueError), match="completed must be an empty list, n"):
                await execute([nothing], completed=completed)
        assert serial.statistics().batches == 0


# Batches within batches


async def test_a_batch_that_would_wait_for_itself_is_refused() -> None:
    async with open_serial_operations(name="s") as serial:

        async def nest() -> None:
            with assert_checkpoints():
                await serial.execute([], "inner", key="x")

        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([nest], "outer", key="x")
        assert await serial.execute([], key="x") == []
    error = caught.value.error
    assert isinstance(error, BatchDeadlock)
    assert isinstance(error, RuntimeError)
    assert (error.tx_id, error.key, error.holder) == ("inner", "x", "outer")


async def test_so_is_one_in_a_task_that_an_operation_started() -> None:
    async with open_serial_operations(name="s") as serial:

        async def nest() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serial.execute, [nothing])

        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute([nest])
    error = caught.value.error
    (leaf,) = leaves_of(error)
    assert isinstance(leaf, BatchDeadlock)
    assert "the line without a key is held" in str(leaf)


async def test_one_of_another_key_or_of_another_object_may_run_within() -> None:
    async with (
        open_serial_operations(name="s") as serial,
        open_serial_operations(name="t") as other,
    ):

        async def deepest() -> str:
            return "deepest"

        async def deeper() -> Any:
            return await other.execute([deepest], key="x")

        async def deep() -> Any:
            return await serial.execute([deeper], key="y")

        assert await serial.execute([deep], key="x") == [[["deepest"]]]


async def test_two_that_would_wait_for_each_other_are_found(autojump_clock: MockClock) -> None:
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def take(key: str) -> None:
            await trio.sleep(1)
            await serial.execute([], f"inner {key}", key=key)

        one = Execution(nursery, serial, [partial(take, "b")], "ab", key="a")
        two = Execution(nursery, serial, [partial(take, "a")], "ba", key="b")
    answers = [one.answer, two.answer]
    failed = [one for one in answers if isinstance(one, SerialOperationFailed)]
    assert len(failed) == 1
    assert isinstance(failed[0].error, BatchDeadlock)
    assert [None] in answers


async def test_a_task_that_an_operation_left_behind_may_execute_batches(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def later() -> None:
            await trio.sleep(1)
            await serial.execute(log.ops("later"))

        async def leave_behind() -> None:
            nursery.start_soon(later)

        await serial.execute([leave_behind])
    assert log == ["later(", "later)"]


@pytest.mark.parametrize("is_in_the_same_task", [True, False])
async def test_a_task_in_a_nursery_outside_may_wait_for_the_batch_that_started_it(
    autojump_clock: MockClock, is_in_the_same_task: bool
) -> None:
    log = Log()
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def start() -> None:
            nursery.start_soon(serial.execute, log.ops("later"))

        operations = [start, log.op("slow", seconds=1)]
        if is_in_the_same_task:
            await serial.execute(operations)
        else:
            Execution(nursery, serial, operations)
    assert log == ["slow(", "slow)", "later(", "later)"]


async def test_a_task_that_is_being_started_may_not_and_then_it_may(
    autojump_clock: MockClock,
) -> None:
    log: list[Any] = []
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            with pytest.raises(BatchDeadlock):
                await serial.execute([nothing])
            task_status.started()
            log.append(await serial.execute([nothing]))

        await serial.execute([partial(nursery.start, serve), partial(trio.sleep, 1)])
    assert log == [[None]]


async def test_batches_that_wait_side_by_side_within_one_are_all_seen(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def take(key: str, after: float) -> None:
            await trio.sleep(after)
            await serial.execute([], f"in {key}", key=key)

        async def take_both() -> None:
            async with trio.open_nursery() as within:
                within.start_soon(take, "a", 1)
                within.start_soon(take, "busy", 2)

        # That one waits no more for what is busy does not mean that it waits no more.
        Execution(nursery, serial, [partial(trio.sleep, 3)], key="busy")
        a = Execution(nursery, serial, [partial(take, "x", 4)], "of a", key="a")
        x = Execution(nursery, serial, [take_both], "of x", key="x")
    assert isinstance(a.answer, SerialOperationFailed)
    assert isinstance(a.answer.error, BatchDeadlock)
    assert x.answer == [None]


async def test_one_in_a_task_that_its_starter_does_not_wait_for_closes_no_circle(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):

        async def start() -> None:
            nursery.start_soon(partial(serial.execute, [], key="b"))

        async def take_a() -> None:
            await trio.sleep(1)
            await serial.execute([], key="a")

        b = Execution(nursery, serial, [take_a], key="b")
        await wait_all_tasks_blocked()
        Execution(nursery, serial, [start, partial(trio.sleep, 2)], key="a")
    assert b.answer == [None]
    assert trio.current_time() == pytest.approx(2)


# Memory


async def test_a_line_is_there_only_while_somebody_holds_it() -> None:
    async with open_serial_operations(name="s") as serial:
        for key in range(1_000):
            await serial.execute([], key=key)
        assert len(serial._lines) == 0
        assert not serial._parked
        assert serial.statistics().batches == 1_000


async def fail_and_be_cancelled(serial: SerialOperations) -> None:
    async def fail() -> None:
        raise Failure

    with suppress(SerialOperationFailed):
        await serial.execute([fail])
    with trio.CancelScope() as scope:
        scope.cancel()
        await serial.execute([fail])


async def test_a_batch_leaves_no_cycle_and_keeps_no_result() -> None:
    class Thing:
        pass

    async def make() -> Thing:
        return Thing()

    async with open_serial_operations(name="s") as serial:
        gc.collect()
        gc.disable()
        try:
            thing = weakref.ref((await serial.execute([make]))[0])
            assert thing() is None
            for _ in range(100):
                await serial.execute([make, make])
                await fail_and_be_cancelled(serial)
            assert gc.collect() == 0
        finally:
            gc.enable()


# Trying again


class Flaky:
    """An operation that fails so many times first."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or Failure("not yet")
        self.runs = 0

    async def run(self) -> int:
        self.runs += 1
        if self.runs <= self.failures:
            raise self.error
        return self.runs


STEADY = Backoff(initial=1.0, factor=2.0, jitter=0.0)


async def test_a_batch_that_fails_is_executed_again_from_its_first_operation(
    autojump_clock: MockClock,
) -> None:
    first, flaky = Flaky(0), Flaky(2)
    async with open_serial_operations(name="s") as serial:
        results = await serial.execute_with_retry([first.run, flaky.run], backoff=STEADY)
        assert results == [3, 3]
        assert trio.current_time() == pytest.approx(3)
        assert (serial.statistics().failed, serial.statistics().done) == (2, 1)


async def test_the_last_failure_comes_out_with_a_note(autojump_clock: MockClock) -> None:
    flaky = Flaky(100)
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed) as caught:
            await serial.execute_with_retry([flaky.run], attempts=4)
        assert (flaky.runs, caught.value.tx_id) == (4, "s-1")
        assert caught.value.__notes__ == ["attempt 4 of 4"]


async def test_others_may_run_between_two_attempts(autojump_clock: MockClock) -> None:
    log = Log()
    flaky = Flaky(1)
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(partial(serial.execute_with_retry, [flaky.run], backoff=STEADY))
        await trio.sleep(0.5)
        await serial.execute(log.ops("between"))
        assert flaky.runs == 1
    assert flaky.runs == 2


async def test_only_errors_worth_it_are_tried_again() -> None:
    flaky = Flaky(1, ValueError("wrong"))
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(SerialOperationFailed):
            await serial.execute_with_retry([flaky.run], retry_on=(OSError, Failure))
    assert flaky.runs == 1


async def test_nobody_sleeps_towards_a_deadline(autojump_clock: MockClock) -> None:
    flaky = Flaky(100)
    async with open_serial_operations(name="s") as serial:
        with trio.move_on_after(2), pytest.raises(SerialOperationFailed) as caught:
            await serial.execute_with_retry([flaky.run], backoff=STEADY, attempts=9)
        assert trio.current_time() == pytest.approx(1)
    assert caught.value.__notes__ == ["attempt 2 of 9; there is no time for another"]


async def test_a_cancellation_ends_the_wait_between_two_attempts(
    autojump_clock: MockClock,
) -> None:
    flaky = Flaky(100)
    async with open_serial_operations(name="s") as serial:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serial.execute_with_retry, [flaky.run], backoff=STEADY))
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        assert assert_lawful(serial).running == 0
    assert flaky.runs == 1


async def test_a_full_queue_is_not_tried_again() -> None:
    async with (
        open_serial_operations(name="s", capacity=0) as serial,
        trio.open_nursery() as nursery,
    ):
        Execution(nursery, serial, [trio.sleep_forever])
        await wait_all_tasks_blocked()
        with pytest.raises(SerialOperationsFull):
            await serial.execute_with_retry([])
        nursery.cancel_scope.cancel()


# Events


async def test_each_batch_is_told_of_when_it_ends(autojump_clock: MockClock) -> None:
    told: list[BatchFinished] = []
    log = Log()
    with subscribe(told.append, BatchFinished):
        async with (
            open_serial_operations(name="s") as serial,
            trio.open_nursery() as nursery,
        ):
            Execution(nursery, serial, log.ops("a b", seconds=1), "one", key="k")
            await wait_all_tasks_blocked()
            Execution(nursery, serial, [log.op("c", error=Failure("x"))], "two", key="k")
            Execution(nursery, serial, log.ops("d"), "three", key="k", deadline=1)
    assert [(one.tx_id, one.outcome, one.completed, one.operations, one.error) for one in told] == [
        ("three", "cancelled", 0, 1, told[0].error),
        ("one", "done", 2, 2, ""),
        ("two", "failed", 0, 1, told[2].error),
    ]
    assert [(one.queued_for, one.ran_for) for one in told] == [
        pytest.approx(pair) for pair in [(1, 0), (0, 2), (2, 0)]
    ]
    assert told[0].key == "k"
    assert told[0].serial == "s"
    assert "Failure" in told[2].error
    assert [one.severity for one in told] == [20, 20, 30]


async def test_who_listens_from_the_middle_on_is_told_the_time_since(
    autojump_clock: MockClock,
) -> None:
    told: list[BatchFinished] = []
    async with (
        open_serial_operations(name="s") as serial,
        trio.open_nursery() as nursery,
    ):
        Execution(nursery, serial, [partial(trio.sleep, 5)])
        await trio.sleep(3)
        with subscribe(told.append, BatchFinished):
            await trio.sleep(3)
    assert (told[0].queued_for, told[0].ran_for) == (0, pytest.approx(2))


# Arguments


async def deposit(amount: int) -> None: ...


async def stream() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (deposit, "takes a list of async functions, not <function deposit at"),
        (deposit, r": write execute\(\[deposit\]\)"),
        (7, "takes a list of async functions, not 7"),
        ("ab", "takes a list of async functions, not 'ab'"),
        ([None], "takes async functions, but at index 0 got None"),
        (
            [trio.sleep_forever, (deposit, 5)],
            r"at index 1 got .*: write functools.partial\(deposit, ",
        ),
        (
            [deposit],
            r"but deposit, at index 0, takes some: write functools.partial\(deposit, \.\.\.\)",
        ),
    ],
)
async def test_nonsense_is_refused_before_anything_is_done(operations: Any, message: str) -> None:
    async with open_serial_operations(name="s") as serial:
        for execute in (serial.execute, serial.execute_with_retry):
            with pytest.raises(TypeError, match=message.replace("execute", execute.__name__)):
                await execute(operations)
        assert serial.statistics().batches == 0


async def test_coroutines_are_refused_and_closed() -> None:
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(
            TypeError, match=re.escape("write functools.partial(deposit, ...), not")
        ):
            await serial.execute([deposit(1), deposit(2)])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match=re.escape("write execute([functools.partial(deposit")):
            await serial.execute(deposit(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_key_that_cannot_be_one_is_refused() -> None:
    async with open_serial_operations(name="s") as serial:
        with pytest.raises(
            TypeError, match=r"key must be hashable, such as a string or a tuple, not \[1"
        ):
            await serial.execute([], key=[1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert assert_lawful(serial).batches == 0


WRONG: Any = None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "attempts must be 1 or more, not 0"),
        ({"attempts": 2.5}, "attempts must be a whole number"),
        ({"backoff": 1.0}, "backoff must be a Backoff, not 1.0"),
        ({"retry_on": KeyboardInterrupt}, "retry_on must be a subclass of Exception"),
        ({"retry_on": (OSError, 5)}, "retry_on must be a subclass of Exception"),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str
) -> None:
    async with open_serial_operations(name="s") as serial:
        with pytest.raises((TypeError, ValueError), match=message):
            await serial.execute_with_retry([], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name must not be empty"),
        ({"name": 5}, "name must be a string, not 5"),
        ({"name": "s", "capacity": -1}, "capacity must be 0 or more, not -1"),
        ({"name": "s", "capacity": float("inf")}, "capacity must be a whole number, not inf"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        open_serial_operations(**options)


# The end of the block


async def test_a_block_is_entered_once() -> None:
    block = open_serial_operations(name="s")
    async with block:
        pass
    with pytest.raises(RuntimeError, match="is entered once: call open_serial_operations again"):
        await block.__aenter__()


async def test_after_the_block_nothing_is_begun() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        pass
    with pytest.raises(SerialOperationsClosed) as caught, assert_checkpoints():
        await serial.execute(log.ops("a"), "t")
    assert (caught.value.name, caught.value.tx_id, caught.value.completed) == ("s", "t", [])
    assert str(caught.value) == "'s' is closed: batch 't' was not begun"
    assert not log


async def test_when_the_body_ends_those_that_run_come_to_their_end_and_the_others_do_not_begin(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    async with trio.open_nursery() as nursery:
        async with open_serial_operations(name="s") as serial:
            runs = [
                Execution(nursery, serial, log.ops(f"{key}1 {key}2", seconds=2), key=key)
                for key in "ab"
            ]
            await wait_all_tasks_blocked()
            waits = Execution(nursery, serial, log.ops("x"), "x", key="a")
            await trio.sleep(1)
        assert trio.current_time() == pytest.approx(4)
        assert assert_lawful(serial).running == 0
    assert [one.answer for one in runs] == [["a1", "a2"], ["b1", "b2"]]
    assert isinstance(waits.answer, SerialOperationsClosed)
    assert "x(" not in log
    assert assert_lawful(serial).closed == 1


async def test_what_an_operation_executes_belongs_to_a_batch_that_comes_to_its_end(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    async with (
        trio.open_nursery() as nursery,
        open_serial_operations(name="other") as other,
    ):
        async with open_serial_operations(name="s") as serial:

            async def nest() -> Any:
                await trio.sleep(1)
                return await serial.execute(log.ops("inner", seconds=1), key="free")

            async def wait() -> Any:
                return await serial.execute(log.ops("waits"), key="busy")

            runs = Execution(nursery, serial, [nest, nest], key="a")
            Execution(nursery, serial, [partial(trio.sleep, 2)], key="busy")
            await wait_all_tasks_blocked()
            waits = Execution(nursery, serial, [wait], key="b")
            stranger = Execution(nursery, other, [nest])
            await wait_all_tasks_blocked()
        assert trio.current_time() == pytest.approx(4)
        assert assert_lawful(serial).running == 0
        assert runs.answer == [["inner"], ["inner"]]
        assert waits.answer == [["waits"]]
    assert isinstance(stranger.answer, SerialOperationFailed)
    assert isinstance(stranger.answer.error, SerialOperationsClosed)


async def test_when_the_body_fails_what_an_operation_would_execute_is_not_begun(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    made: list[Execution] = []
    async with trio.open_nursery() as nursery:
        with suppress(Failure):
            async with open_serial_operations(name="s") as serial:

                async def nest(after: float) -> None:
                    await trio.sleep(after)
                    await serial.execute(log.ops("inner"), key="busy")

                Execution(nursery, serial, [partial(trio.sleep, 5)], key="busy")
                made.extend(
                    Execution(nursery, serial, [partial(nest, after)], key=after)
                    for after in (0, 2)
                )
                await trio.sleep(1)
                raise Failure
    for one in made:
        assert isinstance(one.answer, SerialOperationFailed)
        assert isinstance(one.answer.error, SerialOperationsClosed)
    assert not log


async def test_when_the_body_fails_those_that_run_end_with_the_operation_in_hand(
    autojump_clock: MockClock,
) -> None:
    log = Log()
    error = Failure("body")
    made: list[Execution] = []
    async with trio.open_nursery() as nursery:
        with pytest.raises(Failure) as caught:
            async with open_serial_operations(name="s") as serial:
                made.append(Execution(nursery, serial, log.ops("a b c", seconds=2), "t"))
                made.append(Execution(nursery, serial, log.ops("d", seconds=2), key="other"))
                await trio.sleep(1)
                raise error
        assert caught.value is error
        assert trio.current_time() == pytest.approx(2)
    run, last = made
    assert isinstance(run.answer, SerialOperationsClosed)
    assert run.answer.completed == ["a"]
    assert str(run.answer) == "'s' was closed under batch 't', of which 1 is done, and stays done"
    assert last.answer == ["d"]


@pytest.mark.parametrize("fails", [False, True])
async def test_who_is_cancelled_while_leaving_the_block_does_not_wait(
    autojump_clock: MockClock, fails: bool
) -> None:
    log = Log()
    made: list[Execution] = []
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1) as scope, suppress(Failure):
            async with open_serial_operations(name="s") as serial:
                made.append(Execution(nursery, serial, log.ops("a b", seconds=5), "t"))
                await wait_all_tasks_blocked()
                if fails:
                    raise Failure
        assert scope.cancelled_caught is not fails
        assert trio.current_time() == pytest.approx(1)
    assert isinstance(made[0].answer, SerialOperationsClosed)
    assert log == ["a(", "a)"]


async def test_one_whose_turn_has_come_when_the_body_fails_is_not_begun() -> None:
    log = Log()
    made: list[Execution] = []
    async with trio.open_nursery() as nursery:
        with suppress(Failure):
            async with open_serial_operations(name="s") as serial:
                for operation in (trio.sleep_forever, log.op("b")):
                    made.append(Execution(nursery, serial, [operation]))
                    await wait_all_tasks_blocked()
                made[0].scope.cancel()
                await trio.lowlevel.cancel_shielded_checkpoint()  # and the turn is passed on
                raise Failure
    assert made[0].answer == CANCELLED
    assert isinstance(made[1].answer, SerialOperationsClosed)
    assert not log


async def test_all_its_errors_are_foundation_errors() -> None:
    for error in (SerialOperationFailed, SerialOperationsFull, BatchDeadlock):
        assert issubclass(error, FoundationError)
    assert WAITS != CANCELLED


@pytest.mark.usefixtures("collects_when_told")
@pytest.mark.parametrize("within_a_run", [True, False])
def test_a_run_that_was_torn_apart_troubles_no_other(within_a_run: bool) -> None:
    log = Log()

    async def torn() -> None:
        async with (
            trio.open_nursery() as nursery,
            open_serial_operations(name="s") as serial,
        ):
            for name in "abc":
                Execution(nursery, serial, [trio.sleep_forever, log.op(name)])
                await trio.lowlevel.checkpoint()
            await trio.sleep(1)

    async def other() -> None:
        if within_a_run:
            gc.collect()
        async with open_serial_operations(name="s") as serial:
            assert await serial.execute(log.ops("d")) == ["d"]
        await wait_all_tasks_blocked()

    with pytest.raises(trio.TrioInternalError):
        trio.run(torn, clock=TornApart())
    if not within_a_run:
        gc.collect()
    trio.run(other)
    assert log == ["d(", "d)"]
