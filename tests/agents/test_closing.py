"""At the end nothing is lost without a word: it is drained, returned, or a dead letter."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_foundation.agents import (
    CoordinatorClosed,
    DeadLetter,
    DeliveryFailed,
    MessageBuffered,
    Receipt,
    ReceiverNotFound,
)
from trio_foundation.telemetry import subscribe
from trio_foundation.testing import explore

from ._robots import Orders, Works, at_work


async def test_what_waits_when_the_block_ends_is_handed_over(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob") as works:
        for name in ("ann", "bob"):
            works.coordinator.breaker(name).force_open()
            for number in range(2):
                await works.coordinator.deliver(name, number)
    assert [(one.agent_id, one.message, one.reason) for one in works.letters] == [
        ("ann", 0, "closed"),
        ("ann", 1, "closed"),
        ("bob", 0, "closed"),
        ("bob", 1, "closed"),
    ]


async def test_what_is_in_hand_when_the_block_ends_is_in_doubt(autojump_clock: MockClock) -> None:
    async with at_work(delivery_timeout=60.0) as works:
        works.coordinator.breaker("ann").force_open()
        works.orders["ann"].mode = "hang"
        for number in range(2):
            await works.coordinator.deliver("ann", number)
        works.coordinator.breaker("ann").reset()
        await trio.testing.wait_all_tasks_blocked()
    assert [(one.message, one.outcome, one.attempts) for one in works.letters] == [
        (0, "unknown", 1),
        (1, "not_done", 0),
    ]


async def test_drain_waits_until_all_is_delivered(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders(takes=1.0)) as works:
        works.coordinator.breaker("ann").force_open()
        for number in range(5):
            await works.coordinator.deliver("ann", number)
        works.coordinator.breaker("ann").reset()
        with trio.testing.assert_checkpoints():
            assert await works.coordinator.drain() == []
        assert trio.current_time() == 5.0
        assert works.orders["ann"].done == [*range(5)]
        assert works.letters == []


async def test_drain_returns_what_is_left_at_its_deadline(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob", orders=Orders(takes=1.0)) as works:
        for name in ("ann", "bob"):
            works.coordinator.breaker(name).force_open()
            for number in range(4):
                await works.coordinator.deliver(name, number, key=f"{name} {number}")
        works.coordinator.breaker("ann").reset()
        left = await works.coordinator.drain(2.5)
        assert trio.current_time() == 2.5
        assert [(one.agent_id, one.message, one.outcome) for one in left] == [
            ("ann", 2, "unknown"),  # it was in hand
            ("ann", 3, "not_done"),
            ("bob", 0, "not_done"),
            ("bob", 1, "not_done"),
            ("bob", 2, "not_done"),
            ("bob", 3, "not_done"),
        ]
        assert works.coordinator.statistics().returned == 6
    assert works.letters == []


async def test_while_draining_nothing_new_is_taken(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(works.coordinator.drain, 5.0)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(CoordinatorClosed, match="takes no more messages"):
                await works.coordinator.deliver("ann", 2)
        assert await works.coordinator.drain() == []  # a second time there is nothing left


@pytest.mark.parametrize("within", [None, True, "soon", math.nan, -1])
async def test_how_long_it_may_take_is_a_number_of_seconds(
    autojump_clock: MockClock, within: Any
) -> None:
    async with at_work() as works:
        with pytest.raises((TypeError, ValueError), match="within must be"):
            await works.coordinator.drain(within)


async def test_drain_ends_at_the_earlier_of_its_two_limits(autojump_clock: MockClock) -> None:
    for within, deadline in ((2.0, 99.0), (99.0, 2.0)):
        async with at_work() as works:
            began = trio.current_time()
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            assert len(await works.coordinator.drain(within, deadline=began + deadline)) == 1
            assert trio.current_time() - began == 2.0


@pytest.mark.parametrize("deadline", [None, True, "soon", math.nan])
async def test_a_deadline_is_a_time(autojump_clock: MockClock, deadline: Any) -> None:
    async with at_work() as works:
        with pytest.raises((TypeError, ValueError), match="deadline must be a time, in seconds"):
            await works.coordinator.drain(deadline=deadline)
        await works.coordinator.deliver("ann", 1)  # it goes on


async def test_a_drain_that_is_cancelled_leaves_the_rest_to_the_end_of_the_block(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        with trio.move_on_after(3) as scope:
            await works.coordinator.drain()
        assert scope.cancelled_caught
        assert works.coordinator.buffered("ann") == 1
    assert [letter.reason for letter in works.letters] == ["closed"]


async def test_who_waits_for_room_is_sent_away_at_the_end(autojump_clock: MockClock) -> None:
    async with at_work(buffer_capacity=1, overflow="block", delivery_timeout=60.0) as works:
        async with trio.open_nursery() as nursery:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)

            @nursery.start_soon
            async def send() -> None:
                with pytest.raises(CoordinatorClosed):
                    await works.coordinator.deliver("ann", 2)

            await trio.testing.wait_all_tasks_blocked()
            (left,) = await works.coordinator.drain(1)
        assert left.message == 1


async def test_a_delivery_of_another_task_comes_to_its_end_after_the_block(
    autojump_clock: MockClock,
) -> None:
    receipts: list[Receipt] = []
    async with trio.open_nursery() as nursery, at_work(orders=Orders(takes=2.0)) as works:
        async with trio.open_nursery() as inner:

            @inner.start_soon
            async def send() -> None:
                receipts.append(await works.coordinator.deliver("ann", 1))

            await trio.testing.wait_all_tasks_blocked()
            await works.coordinator.drain()  # has nothing to wait for
        nursery.cancel_scope.cancel()
    assert receipts == [Receipt("delivered")]


async def test_an_error_of_the_body_leaves_as_itself(autojump_clock: MockClock) -> None:
    error = KeyError("body")
    letters: list[DeadLetter] = []
    with pytest.raises(KeyError) as failure:
        async with at_work(on_dead_letter=letters.append) as works:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            raise error
    assert failure.value is error
    assert [letter.reason for letter in letters] == ["closed"]


async def test_a_cancelled_body_hands_over_what_waits(autojump_clock: MockClock) -> None:
    letters: list[DeadLetter] = []
    with trio.move_on_after(5) as scope:
        async with at_work(on_dead_letter=letters.append) as works:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert [letter.reason for letter in letters] == ["closed"]


async def test_what_no_hook_may_raise_leaves_the_block_alone(autojump_clock: MockClock) -> None:
    def stop(letter: object) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as failure:
        async with at_work(on_dead_letter=stop, max_age=2.0) as works:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            await trio.sleep_forever()
    assert failure.value.code == 3


async def test_a_listener_may_deliver_and_stop_agents(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob") as works:

        def hear(event: MessageBuffered) -> None:
            works.supervisor.shutdown()

        works.coordinator.breaker("ann").force_open()
        with subscribe(hear, MessageBuffered):
            await works.coordinator.deliver("ann", 1)
        await trio.testing.wait_all_tasks_blocked()
    # The supervisor has cancelled the body, and the buffer was handed over all the same.
    assert [letter.message for letter in works.letters] == [1]


async def test_an_agent_that_comes_again_under_its_name_begins_anew(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        breaker = works.coordinator.breaker("ann")
        breaker.force_open()
        await works.supervisor.stop_child("ann")
        with pytest.raises(ReceiverNotFound):
            works.coordinator.breaker("ann")
        await works.supervisor.restart_child("ann")
        assert works.coordinator.breaker("ann") is not breaker
        assert await works.coordinator.deliver("ann", 1) == Receipt("delivered")


async def test_the_count_of_one_who_is_gone_stays_in_the_sum(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob", orders=Orders(takes=3.0), delivery_timeout=60.0) as works:
        await works.coordinator.deliver("bob", 1)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def send() -> None:
                with pytest.raises(DeliveryFailed) as failure:
                    await works.coordinator.deliver("ann", 1)
                assert failure.value.reason == "stopped"

            await trio.testing.wait_all_tasks_blocked()
            await works.supervisor.stop_child("ann")
        told = works.coordinator.statistics()
        assert (told.messages, told.delivered, told.failed) == (2, 1, 1)
        assert [*told.receivers] == ["bob"]


async def a_failure_at_the_end_of_a_drain() -> None:
    async with (
        at_work(orders=Orders("hang"), attempts=2, drain_concurrency=2) as works,
        trio.open_nursery() as nursery,
    ):
        # It fails at five seconds, and is then put into the buffer, or is too late for that.
        nursery.start_soon(_send_or_be_late, works)
        await trio.testing.wait_all_tasks_blocked()
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 2)
        left = await works.coordinator.drain(5.0)
        assert trio.current_time() == 5.0
        assert [letter.message for letter in left] in ([2], [1, 2])


async def _send_or_be_late(works: Works) -> None:
    with suppress(CoordinatorClosed):
        assert await works.coordinator.deliver("ann", 1) == Receipt("buffered")


def test_a_message_that_fails_just_then_does_not_hold_up_the_end_of_a_drain() -> None:
    explore(a_failure_at_the_end_of_a_drain, seeds=range(20))
