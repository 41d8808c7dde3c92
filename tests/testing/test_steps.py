"""Tests of cancelling at each step: that no step is left out, and how failures are told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

from trio_foundation.tasks import open_task_supervisor
from trio_foundation.testing import CancelAttempt, CancelledBy, cancel_at_each_step


async def test_it_starts_runs_of_its_own() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="cannot be called within a Trio run"):
        cancel_at_each_step(scenario)


@pytest.mark.parametrize("by", ["cancel", "deadline"])
def test_a_block_is_cancelled_at_each_of_its_checkpoints(by: CancelledBy) -> None:
    reached: list[tuple[int, int, bool]] = []

    async def scenario(attempt: CancelAttempt) -> None:
        passed = 0
        with attempt:
            for _ in range(3):
                await trio.lowlevel.checkpoint()
                passed += 1
        reached.append((passed, attempt.cancelled, attempt.caught))
        assert attempt.finished is (passed == 3)

    cancel_at_each_step(scenario, by=by)
    # At entry, and while it waits in each of the three checkpoints; when it has passed the
    # last it is too late; and once it is not cancelled at all.
    assert {each for each in reached if each[2]} == {
        (0, True, True),
        (1, True, True),
        (2, True, True),
    }
    assert reached[0] == (0, True, True)
    assert reached[-1] == (3, False, False)


def test_a_block_is_cancelled_between_what_wakes_it_and_its_waking() -> None:
    seen: set[tuple[bool, bool]] = set()

    async def scenario(attempt: CancelAttempt) -> None:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(set_later, event)
            with attempt:
                await event.wait()
            seen.add((event.is_set(), attempt.caught))
            assert attempt.finished is not attempt.caught

    async def set_later(event: trio.Event) -> None:
        await trio.sleep(1)
        event.set()

    cancel_at_each_step(scenario)
    # Before the second is over; in the tick in which it is, but before the event is set; and
    # when the event has woken it, so that it is too late.
    assert seen == {(False, True), (True, True), (True, False)}


def test_each_run_has_virtual_time_from_0_on() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        assert trio.current_time() == 0
        with attempt:
            await trio.sleep(1_000)
        assert trio.current_time() == 1_000 or attempt.caught

    assert cancel_at_each_step(scenario) > 1


def test_what_is_outside_of_the_block_is_not_cancelled() -> None:
    ends: list[bool] = []

    async def scenario(attempt: CancelAttempt) -> None:
        await trio.sleep(1)
        with attempt:
            await trio.sleep(1)
        await trio.sleep(1)
        ends.append(attempt.cancelled)

    steps = cancel_at_each_step(scenario)
    assert ends == [*[True] * steps, False]


def test_a_scenario_may_have_several_blocks() -> None:
    caught: list[int] = []

    async def scenario(attempt: CancelAttempt) -> None:
        for number in range(2):
            with attempt:
                await trio.sleep(1)
            if attempt.caught:
                caught.append(number)

    cancel_at_each_step(scenario)
    assert set(caught) == {0, 1}


def test_a_block_within_a_block_is_refused() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        with attempt, attempt:
            await trio.sleep(1)

    with pytest.raises(RuntimeError, match="in a block already"):
        cancel_at_each_step(scenario)


def test_a_function_may_be_called_instead() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        async with open_task_supervisor() as tasks:
            task = tasks.start_soon(trio.sleep, 1)
            with attempt.calling(task.cancel):
                result = await task.outcome()
            assert attempt.finished
            assert not attempt.caught
            assert await task.outcome() is result

    assert cancel_at_each_step(scenario) > 3


@pytest.mark.parametrize("step", [0, 1])
def test_what_that_function_raises_comes_out(step: int) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        with attempt.calling(lambda: 1 / 0):
            await trio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        cancel_at_each_step(scenario, only=step)


def test_the_check_is_called_after_each_run() -> None:
    steps: list[int] = []

    async def scenario(attempt: CancelAttempt) -> None:
        with attempt:
            await trio.sleep(1)

    count = cancel_at_each_step(scenario, check=lambda attempt: steps.append(attempt.step))
    assert steps == list(range(count + 1))


def test_a_failure_tells_the_step_and_how_to_see_it_again() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        with attempt:
            await trio.sleep(1)
            await trio.sleep(1)
        assert not (attempt.caught and trio.current_time() > 0), "too late"

    with pytest.raises(AssertionError, match="too late") as caught:
        cancel_at_each_step(scenario)
    (note,) = caught.value.__notes__
    assert "in test_a_failure_tells_the_step_and_how_to_see_it_again.<locals>.scenario" in note
    only = int(note.rpartition("only=")[2].rstrip(")"))
    with pytest.raises(AssertionError, match="too late"):
        cancel_at_each_step(scenario, only=only)
    assert cancel_at_each_step(scenario, only=only - 1) == 1
    assert cancel_at_each_step(scenario, only=1_000) == 0


def test_a_seed_stands_for_an_order_of_tasks() -> None:
    def order_of(seed: int) -> list[str]:
        order: list[str] = []

        async def note(name: str) -> None:
            await trio.lowlevel.checkpoint()
            order.append(name)

        async def scenario(attempt: CancelAttempt) -> None:
            with attempt:
                async with trio.open_nursery() as nursery:
                    for name in "abcd":
                        nursery.start_soon(note, name)

        cancel_at_each_step(scenario, seed=seed)
        return order

    assert order_of(1) == order_of(1)
    assert len({tuple(order_of(seed)) for seed in range(5)}) > 1


def test_a_scenario_that_hangs_shows_where() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        with attempt:
            await trio.sleep(1)
        if attempt.caught:
            await trio.sleep_forever()

    with pytest.raises(AssertionError) as caught:
        cancel_at_each_step(scenario, timeout=100)
    assert "it still runs after 100 virtual seconds" in str(caught.value)
    line = scenario.__code__.co_firstlineno + 4
    assert f"line {line}, in test_a_scenario_that_hangs_shows_where" in str(caught.value)


def test_one_that_hangs_and_cannot_be_cancelled_says_so_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Log(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event.set()

    async def scenario(attempt: CancelAttempt) -> None:
        with attempt, trio.CancelScope(shield=True):
            await event.wait()

    event = trio.Event()
    log = Log()
    logging.getLogger("trio_foundation.testing").addHandler(log)
    try:
        with pytest.raises(AssertionError, match="it still runs"):
            cancel_at_each_step(scenario)
    finally:
        logging.getLogger("trio_foundation.testing").removeHandler(log)
    assert "it hangs, and cannot be cancelled" in caplog.text


def test_a_scenario_without_a_block_is_refused() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        await trio.sleep(1)

    with pytest.raises(RuntimeError, match="write `with attempt:` around"):
        cancel_at_each_step(scenario)


def test_errors_of_the_scenario_come_out_as_they_are() -> None:
    mine = OSError("mine")

    async def scenario(attempt: CancelAttempt) -> None:
        with attempt:
            pass
        raise mine

    with pytest.raises(OSError, match="mine") as caught:
        cancel_at_each_step(scenario)
    assert caught.value is mine


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"by": "force"}, ValueError),
        ({"only": -1}, ValueError),
        ({"seed": 0.5}, TypeError),
        ({"timeout": 0}, ValueError),
    ],
    ids=str,
)
def test_nonsense_is_refused(options: Any, error: type[Exception]) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        raise AssertionError

    with pytest.raises(error, match=next(iter(options))):
        cancel_at_each_step(scenario, **options)


def test_what_is_no_async_function_is_refused() -> None:
    scenario: Any = 5
    with pytest.raises(TypeError, match="takes an async function"):
        cancel_at_each_step(scenario)
