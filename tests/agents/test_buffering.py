"""While a circuit is open messages wait, with a cap, and follow in order when it closes."""

from __future__ import annotations

import gc
import logging
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_foundation.agents import (
    BufferDrained,
    CoordinatorEvent,
    DeadLetter,
    DeliveryFailed,
    DeliveryTimeout,
    MessageBuffered,
    MessageDeadLettered,
    Receipt,
    ReceiverNotFound,
)
from trio_foundation.messaging import ServerGone
from trio_foundation.telemetry import subscribe

from ._robots import Orders, Works, at_work


async def break_down(works: Works, agent_id: str = "ann") -> None:
    """Have the circuit of an agent opened by a failure, at the time that it is."""
    orders = works.orders[agent_id]
    orders.mode = "crash"
    with pytest.raises(DeliveryFailed):
        await works.coordinator.deliver(agent_id, "breaks")
    assert works.coordinator.breaker(agent_id).state == "open"
    orders.begun.clear()
    orders.deliveries.clear()


async def test_messages_wait_while_the_circuit_is_open_and_follow_in_order(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        await break_down(works)
        for number in range(50):
            assert await works.coordinator.deliver("ann", number) == Receipt("buffered")
        assert works.coordinator.buffered("ann") == 50
        works.orders["ann"].mode = "work"
        await trio.sleep(9.9)
        assert works.orders["ann"].begun == []
        await trio.sleep(0.2)
        assert works.orders["ann"].done == [*range(50)]
        assert works.coordinator.breaker("ann").state == "closed"
        assert works.coordinator.statistics().delivered == 50


async def test_the_head_is_the_probe_and_goes_back_to_the_head_if_it_fails(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        await break_down(works)
        orders = works.orders["ann"]
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        for outages in range(1, 4):
            await trio.sleep(10.5)
            assert orders.begun == [0] * outages
            assert works.coordinator.breaker("ann").state == "open"
            assert works.coordinator.buffered("ann") == 3
        orders.mode = "work"
        await trio.sleep(10.5)
        assert orders.done == [0, 1, 2]
        head = [one for one in orders.deliveries if one.message == 0]
        assert [one.attempt for one in head] == [1, 2, 3, 4]
        assert [one.is_redelivery for one in head] == [False, True, True, True]
        assert {one.sequence for one in head} == {2}


async def test_newer_messages_queue_behind_older_ones(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        await break_down(works)
        for number in range(5):
            await works.coordinator.deliver("ann", number)
        works.orders["ann"].mode = "work"
        works.orders["ann"].takes = 1.0
        await trio.sleep(11.5)  # the probe has been delivered, and the second is in hand
        assert works.coordinator.breaker("ann").state == "closed"
        assert await works.coordinator.deliver("ann", 5) == Receipt("buffered")
        await trio.sleep(10)
        assert works.orders["ann"].done == [*range(6)]


async def test_the_cap_holds_for_the_whole_outage_and_the_oldest_go(
    autojump_clock: MockClock,
) -> None:
    events: list[CoordinatorEvent] = []
    async with at_work(buffer_capacity=10) as works:
        await break_down(works)
        with subscribe(events.append, MessageDeadLettered):
            for number in range(2000):
                await works.coordinator.deliver("ann", number)
                assert works.coordinator.buffered("ann") <= 10
                if not number % 100:
                    await trio.sleep(1)
        assert len(works.letters) == len(events) == 1990
        told = works.coordinator.statistics()
        assert (told.overflowed, told.receivers["ann"].peak) == (1990, 10)
        assert {letter.reason for letter in works.letters} == {"overflow"}
        works.orders["ann"].mode = "work"
        await trio.sleep(20)
        assert works.orders["ann"].done == [*range(1990, 2000)]


async def test_a_flood_while_the_probe_is_in_hand_takes_its_way_back_first(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=2, delivery_timeout=3.0) as works:
        await break_down(works)
        orders = works.orders["ann"]
        orders.mode = "hang"
        for number in (1, 2):
            await works.coordinator.deliver("ann", number)
        await trio.sleep(11)
        assert orders.begun == [1]
        await works.coordinator.deliver("ann", 3)
        assert works.letters == []  # 1 may still be delivered
        assert works.coordinator.buffered("ann") == 2
        await trio.sleep(4)
        (letter,) = works.letters
        assert (letter.message, letter.reason, letter.outcome) == (1, "overflow", "unknown")
        assert isinstance(letter.error, DeliveryTimeout)
        await works.supervisor.stop_child("ann")
        assert [letter.message for letter in works.letters] == [1, 2, 3]


async def test_a_superseded_probe_that_is_delivered_is_no_loss(autojump_clock: MockClock) -> None:
    async with at_work(buffer_capacity=1) as works:
        await break_down(works)
        works.orders["ann"].mode = "work"
        works.orders["ann"].takes = 2.0
        await works.coordinator.deliver("ann", 1)
        await trio.sleep(11)
        await works.coordinator.deliver("ann", 2)
        await trio.sleep(11)
        assert works.orders["ann"].done == [1, 2]
        assert works.letters == []


async def test_a_full_buffer_rejects_if_it_is_told_to(autojump_clock: MockClock) -> None:
    async with at_work(buffer_capacity=1, overflow="reject") as works:
        await break_down(works)
        await works.coordinator.deliver("ann", 1)
        with trio.testing.assert_checkpoints(), pytest.raises(DeliveryFailed) as failure:
            await works.coordinator.deliver("ann", 2)
        assert (failure.value.reason, failure.value.outcome) == ("buffer_full", "not_done")
        works.orders["ann"].mode = "work"
        await trio.sleep(11)
        assert works.orders["ann"].done == [1]


async def test_senders_wait_for_room_in_order_if_they_are_told_to(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=1, overflow="block", delivery_timeout=60.0) as works:
        await break_down(works)
        works.orders["ann"].mode = "work"
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(works.coordinator.deliver, "ann", number)
                await trio.testing.wait_all_tasks_blocked()
            assert works.coordinator.buffered("ann") == 1
            assert works.coordinator.statistics().in_flight == 4
            works.check()
        await trio.sleep(1)
        assert works.orders["ann"].done == [*range(5)]


async def test_a_sender_waits_for_room_no_longer_than_for_a_delivery(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=1, overflow="block", delivery_timeout=3.0) as works:
        await break_down(works)
        await works.coordinator.deliver("ann", 1)
        began = trio.current_time()
        with pytest.raises(DeliveryTimeout) as failure:
            await works.coordinator.deliver("ann", 2)
        assert trio.current_time() - began == 3.0
        assert failure.value.outcome == "not_done"


async def test_a_cancelled_sender_does_not_wait_for_room_any_more(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=1, overflow="block", delivery_timeout=60.0) as works:
        await break_down(works)
        await works.coordinator.deliver("ann", 1)
        with trio.move_on_after(2) as scope:
            await works.coordinator.deliver("ann", 2)
        assert scope.cancelled_caught
        works.orders["ann"].mode = "work"
        await trio.sleep(20)
        assert works.orders["ann"].done == [1]
        assert works.coordinator.statistics().cancelled == 1


async def test_who_waits_for_room_is_told_that_the_receiver_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=1, overflow="block", delivery_timeout=60.0) as works:
        await break_down(works)
        await works.coordinator.deliver("ann", 1)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def send() -> None:
                with pytest.raises(ReceiverNotFound):
                    await works.coordinator.deliver("ann", 2)

            await trio.testing.wait_all_tasks_blocked()
            await works.supervisor.stop_child("ann")
        assert [letter.message for letter in works.letters] == [1]


async def test_what_becomes_too_old_is_a_dead_letter_at_that_time(
    autojump_clock: MockClock,
) -> None:
    times: list[tuple[float, object]] = []

    def note(letter: DeadLetter) -> None:
        assert letter.reason == "expired"
        times.append((trio.current_time(), letter.message))

    async with at_work(max_age=4.0, on_dead_letter=note, reset_timeout=100.0) as works:
        await break_down(works)
        for number in range(3):
            await works.coordinator.deliver("ann", number)
            await trio.sleep(1)
        await trio.sleep(10)
        assert [(round(time, 6), number) for time, number in times] == [(4, 0), (5, 1), (6, 2)]
        assert works.coordinator.buffered("ann") == 0
        assert works.coordinator.statistics().dead_lettered == 3


async def test_the_buffer_of_one_who_is_gone_for_good_is_handed_over(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        await break_down(works)
        for number in range(3):
            await works.coordinator.deliver("ann", number, sender="bob", key=f"key {number}")
        await works.supervisor.stop_child("ann")
        assert [letter.message for letter in works.letters] == [0, 1, 2]
        assert {(one.reason, one.outcome, one.sender, one.attempts) for one in works.letters} == {
            ("gone", "not_done", "bob", 0)
        }
        assert [one.key for one in works.letters] == ["key 0", "key 1", "key 2"]
        assert works.coordinator.statistics().receivers == {}


async def test_nobody_waits_any_more_for_one_who_is_gone(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()  # which ends by no time
        await works.coordinator.deliver("ann", 1)
        await trio.testing.wait_all_tasks_blocked()
        assert waiting_tasks() == ["deliver what waits for ann"]
        await works.supervisor.stop_child("ann")
        await trio.testing.wait_all_tasks_blocked()
        assert waiting_tasks() == []


def waiting_tasks() -> list[str]:
    """Return the names of the tasks of coordinators."""
    found: list[str] = []
    tasks = [trio.lowlevel.current_root_task()]
    while tasks:
        task = tasks.pop()
        assert task is not None
        found += [task.name] if task.name.startswith("deliver what waits") else []
        tasks += [each for nursery in task.child_nurseries for each in nursery.child_tasks]
    return found


async def test_the_buffer_of_one_who_is_started_again_stays(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        await break_down(works)
        await works.coordinator.deliver("ann", 1)
        for _ in range(3):
            await trio.sleep(11)  # another probe, and another crash
        assert works.supervisor.children["ann"].incarnation > 3
        assert works.letters == []
        works.orders["ann"].mode = "work"
        await trio.sleep(11)
        assert works.orders["ann"].done == [1]


async def test_a_server_that_is_gone_though_registered_leaves_its_buffer(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        ref = works.agents.lookup("ann").value
        with works.agents.register("joe", ref, capability="work"):
            works.coordinator.breaker("joe").force_open()
            await works.coordinator.deliver("joe", 1)
            await works.supervisor.stop_child("ann")
            assert works.letters == []
            works.coordinator.breaker("joe").reset()
            await trio.testing.wait_all_tasks_blocked()
            (letter,) = works.letters
            assert letter.reason == "gone"
            assert letter.error is not None
            assert isinstance(letter.error.__cause__, ServerGone)


async def test_what_is_refused_on_the_way_is_a_dead_letter_and_the_rest_follows(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        await break_down(works)
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        works.orders["ann"].mode = "refuse"
        await trio.sleep(11)
        assert [(letter.message, letter.reason) for letter in works.letters] == [
            (0, "refused"),
            (1, "refused"),
            (2, "refused"),
        ]
        assert {letter.outcome for letter in works.letters} == {"not_done"}
        assert works.coordinator.breaker("ann").state == "closed"


async def test_one_that_fails_while_the_circuit_is_closed_is_tried_again_with_growing_pauses(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=4) as works:
        works.coordinator.breaker("ann").force_open()
        orders = works.orders["ann"]
        orders.bad = {"bad"}
        for message in ("good", "bad", "after"):
            await works.coordinator.deliver("ann", message)
        works.coordinator.breaker("ann").reset()
        await trio.sleep(0.05)
        assert orders.begun == ["good", "bad"]
        await trio.sleep(0.1)
        assert orders.begun == ["good", "bad", "bad"]
        await trio.sleep(0.1)
        assert orders.begun == ["good", "bad", "bad"]
        await trio.sleep(1)
        assert works.coordinator.breaker("ann").state == "open"
        assert orders.begun == ["good", "bad", "bad", "bad", "bad"]
        orders.bad = set()
        await trio.sleep(11)
        assert orders.done == ["good", "bad", "after"]


async def test_the_rest_follows_at_the_pace_that_was_set(autojump_clock: MockClock) -> None:
    times: list[float] = []
    async with at_work(drain_rate=2.0) as works:
        await break_down(works)
        works.orders["ann"].mode = "work"
        works.orders["ann"].done = TimedList(times)
        for number in range(5):
            await works.coordinator.deliver("ann", number)
        await trio.sleep(20)
    assert [round(time, 6) for time in times] == [10.0, 10.5, 11.0, 11.5, 12.0]


class TimedList(list[Any]):
    def __init__(self, times: list[float]) -> None:
        self.times = times

    def append(self, item: object) -> None:
        self.times.append(trio.current_time())


@pytest.mark.parametrize(("concurrency", "seconds"), [(1, 8.0), (4, 3.0)])
async def test_as_many_are_sent_at_once_as_was_said(
    autojump_clock: MockClock, concurrency: int, seconds: float
) -> None:
    async with at_work(drain_concurrency=concurrency, failure_threshold=1) as works:
        await break_down(works)
        orders = works.orders["ann"]
        orders.mode = "work"
        for number in range(8):
            await works.coordinator.deliver("ann", number)
        most = 0
        with trio.move_on_after(30):
            while len(orders.done) < 8:
                used = works.agents.lookup("ann").value.statistics().used if orders.begun else 0
                most = max(most, used + 1)
                orders.takes = 1.0
                await trio.sleep(0.25)
        assert orders.done == [*range(8)]
        assert most <= concurrency


async def test_the_probe_is_alone_whatever_the_concurrency(autojump_clock: MockClock) -> None:
    async with at_work(drain_concurrency=4, half_open_max_calls=4) as works:
        await break_down(works)
        for number in range(4):
            await works.coordinator.deliver("ann", number)
        await trio.sleep(10.5)
        assert works.orders["ann"].begun == [0]


async def test_a_direct_probe_that_is_cancelled_lets_the_next_one_try(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        await break_down(works)
        orders = works.orders["ann"]
        orders.mode = "hang"
        await trio.sleep(11)
        assert works.coordinator.breaker("ann").state == "half_open"
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(works.coordinator.deliver, "ann", "direct")
                await trio.testing.wait_all_tasks_blocked()
                assert await works.coordinator.deliver("ann", 2) == Receipt("buffered")
                await trio.testing.wait_all_tasks_blocked()
                assert orders.begun == ["direct"]
                orders.mode = "work"
                scope.cancel()
        await works.supervisor.stop_child("ann")
        await trio.testing.wait_all_tasks_blocked()
        assert [letter.message for letter in works.letters] == [2]


async def test_what_happens_in_an_outage_is_told(autojump_clock: MockClock) -> None:
    events: list[CoordinatorEvent] = []
    async with at_work() as works:
        await break_down(works)
        with subscribe(events.append, MessageBuffered, BufferDrained):
            for number in range(2):
                await works.coordinator.deliver("ann", number)
            works.orders["ann"].mode = "work"
            await trio.sleep(11)
    first, second, drained = events
    assert isinstance(first, MessageBuffered)
    assert isinstance(second, MessageBuffered)
    assert (first.sequence, first.buffered, first.state) == (2, 1, "open")
    assert (second.sequence, second.buffered) == (3, 2)
    assert isinstance(drained, BufferDrained)
    assert (drained.agent, drained.delivered, drained.after) == ("ann", 2, 10.0)


async def test_a_hook_that_raises_is_logged_and_ignored(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(letter: DeadLetter) -> None:
        raise ValueError("no room in here")

    async with at_work(buffer_capacity=1, on_dead_letter=refuse) as works:
        await break_down(works)
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        assert works.coordinator.statistics().overflowed == 2
    assert "on_dead_letter of 'coordinator' raised, and is ignored" in caplog.text


async def test_a_circuit_that_was_disabled_lets_all_through(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("crash")) as works:
        works.coordinator.breaker("ann").disable()
        for number in range(3):
            with pytest.raises(DeliveryFailed):
                await works.coordinator.deliver("ann", number)


async def test_a_health_probe_closes_the_circuit_and_the_buffer_follows(
    autojump_clock: MockClock,
) -> None:
    is_well = False

    async def health() -> None:
        await trio.lowlevel.checkpoint()
        if not is_well:
            raise OSError("not yet")

    async with at_work(health=health) as works:
        await break_down(works)
        works.orders["ann"].mode = "work"
        await works.coordinator.deliver("ann", 1)
        await trio.sleep(25)
        assert works.orders["ann"].begun == []
        is_well = True
        await trio.sleep(11)
        assert works.orders["ann"].done == [1]


async def test_one_slow_receiver_delays_no_other(autojump_clock: MockClock) -> None:
    names = [f"agent {number}" for number in range(100)]
    slow, quick = names[:10], names[10:]
    delays: list[float] = []
    async with at_work(*names) as works, trio.open_nursery() as nursery:
        for name in slow:
            works.orders[name].mode = "hang"
            nursery.start_soon(send_in_vain, works, name)
        for name in quick:
            nursery.start_soon(send_and_note_delays, works, name, delays)
    assert len(delays) == 90 * 20
    assert max(delays) == 0.0
    for name in quick:
        assert works.orders[name].done == [*range(20)]


async def send_and_note_delays(works: Works, name: str, delays: list[float]) -> None:
    for number in range(20):
        began = trio.current_time()
        await works.coordinator.deliver(name, number)
        delays.append(trio.current_time() - began)
        await trio.sleep(1)


async def send_in_vain(works: Works, name: str) -> None:
    for number in range(20):
        with trio.move_on_after(1):
            await works.coordinator.deliver(name, number)


async def test_outages_leave_nothing_behind(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "trio_foundation.supervision")  # a record keeps its exit
    async with at_work(buffer_capacity=10, reset_timeout=1.0) as works:
        orders = works.orders["ann"]
        counts: list[int] = []
        for outage in range(160):
            orders.mode = "crash"
            with pytest.raises(DeliveryFailed):
                await works.coordinator.deliver("ann", "breaks")
            orders.mode = "work"
            for number in range(20):
                await works.coordinator.deliver("ann", number, key=f"{outage} {number}")
            await trio.sleep(2)
            assert works.coordinator.buffered("ann") == 0
            orders.begun.clear()
            orders.done.clear()
            orders.deliveries.clear()
            works.letters.clear()
            if outage in {110, 159}:  # a supervisor keeps its last exits
                gc.collect()
                counts.append(len(gc.get_objects()))
        assert counts[1] - counts[0] < 150


async def test_unsubscribed_or_not_a_buffer_is_bounded_while_nobody_listens(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=5, on_dead_letter=None) as works:
        works.coordinator.breaker("ann").force_open()
        send = partial(works.coordinator.deliver, "ann")
        for number in range(100):
            await send(number)
        assert works.coordinator.buffered("ann") == 5
        assert works.coordinator.statistics().overflowed == 95
