"""A message that is sent again is told apart from a new one, if it has a key."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_foundation.agents import AnsweredKeys, DeliveryFailed, DeliveryTimeout, Receipt

from ._robots import Orders, at_work


async def test_a_redelivery_after_an_unknown_outcome_keeps_its_number(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=9, delivery_timeout=2.0) as works:
        orders = works.orders["ann"]
        orders.takes = 3.0
        with pytest.raises(DeliveryTimeout) as failure:
            await works.coordinator.deliver("ann", "order", key="order 7")
        assert failure.value.outcome == "unknown"
        orders.takes = 0.0
        await works.coordinator.deliver("ann", "other", key="order 8")
        receipt = await works.coordinator.deliver("ann", "order", key="order 7")
        assert receipt.sequence == 1
        assert [(one.sequence, one.attempt, one.is_redelivery) for one in orders.deliveries] == [
            (1, 1, False),
            (2, 1, False),
            (1, 2, True),
        ]
        # And when it was acknowledged, the same key is a new message.
        assert (await works.coordinator.deliver("ann", "order", key="order 7")).sequence == 3


async def test_the_deadline_of_the_sender_leaves_an_unknown_outcome_too(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=9) as works:
        orders = works.orders["ann"]
        orders.takes = 3.0
        with trio.move_on_after(1):
            await works.coordinator.deliver("ann", "order", key="order 7")
        orders.takes = 0.0
        await works.coordinator.deliver("ann", "order", key="order 7")
        assert [one.is_redelivery for one in orders.deliveries] == [False, True]
        assert orders.done == ["order", "order"]  # at least once


async def test_what_was_not_begun_is_a_new_message(autojump_clock: MockClock) -> None:
    async with at_work(failure_threshold=9, delivery_timeout=2.0) as works:
        orders = works.orders["ann"]
        orders.takes = 3.0
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def block() -> None:
                with pytest.raises(DeliveryTimeout):
                    await works.coordinator.deliver("ann", "blocks")

            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(DeliveryTimeout) as failure:
                await works.coordinator.deliver("ann", "order", key="order 7")
        assert failure.value.outcome == "not_done"
        orders.takes = 0.0
        await works.coordinator.deliver("ann", "order", key="order 7")
        last = orders.deliveries[-1]
        assert (last.sequence, last.attempt, last.is_redelivery) == (3, 1, False)


async def test_a_receiver_that_remembers_keys_handles_each_once(
    autojump_clock: MockClock,
) -> None:
    orders = Orders(answered=AnsweredKeys(100))
    async with at_work(orders=orders, failure_threshold=9, delivery_timeout=2.0) as works:
        orders.takes = 3.0
        with pytest.raises(DeliveryTimeout):
            await works.coordinator.deliver("ann", "order", key="order 7")
        await trio.sleep(2)
        receipt = await works.coordinator.deliver("ann", "order", key="order 7")
        assert receipt.reply == "did 'order'"
        assert orders.done == ["order"]


async def test_what_is_remembered_outlives_a_crash(autojump_clock: MockClock) -> None:
    orders = Orders(answered=AnsweredKeys(100))
    async with at_work(orders=orders, failure_threshold=9) as works:
        await works.coordinator.deliver("ann", "order", key="order 7")
        orders.bad = {"bad"}
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "bad", key="bad one")
        await works.coordinator.deliver("ann", "order", key="order 7")
        assert orders.done == ["order"]
        assert works.supervisor.children["ann"].incarnation == 2


async def test_one_that_waits_already_does_not_wait_twice(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        first = await works.coordinator.deliver("ann", "order", key="order 7")
        with trio.testing.assert_checkpoints():
            second = await works.coordinator.deliver("ann", "order", key="order 7")
        assert first == second == Receipt("buffered")
        assert first.sequence == second.sequence
        assert works.coordinator.buffered("ann") == 1
        works.coordinator.breaker("ann").reset()
        await works.coordinator.drain()
        assert works.orders["ann"].done == ["order"]


async def test_a_dead_letter_in_doubt_is_a_redelivery_when_it_is_sent_again(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=1, delivery_timeout=2.0, failure_threshold=1) as works:
        orders = works.orders["ann"]
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", "order", key="order 7")
        orders.mode = "hang"
        works.coordinator.breaker("ann").reset()
        await trio.sleep(3)  # it has failed, and is at the head again
        await works.coordinator.deliver("ann", "newer")
        (letter,) = works.letters
        assert (letter.key, letter.outcome, letter.attempts) == ("order 7", "unknown", 1)
        await works.coordinator.deliver("ann", "order", key="order 7")
        assert [letter.message for letter in works.letters] == ["order", "newer"]
        await works.supervisor.stop_child("ann")
        last = works.letters[-1]
        assert (last.key, last.sequence, last.outcome) == ("order 7", 1, "unknown")


async def test_only_so_many_keys_in_doubt_are_kept(autojump_clock: MockClock) -> None:
    async with at_work(buffer_capacity=3, failure_threshold=99, delivery_timeout=1.0) as works:
        orders = works.orders["ann"]
        orders.mode = "crash"
        for number in range(5):
            with pytest.raises(DeliveryFailed):
                await works.coordinator.deliver("ann", number, key=f"{number}")
        orders.mode = "work"
        orders.deliveries.clear()
        for number in range(5):
            await works.coordinator.deliver("ann", number, key=f"{number}")
        assert [one.is_redelivery for one in orders.deliveries] == [False, False, True, True, True]


def test_answered_keys_forget_the_oldest() -> None:
    answered = AnsweredKeys(2)
    for number in range(3):
        answered.keep(f"{number}", number)
    assert (len(answered), "0" in answered, answered["2"]) == (2, False, 2)
    assert repr(answered) == "<AnsweredKeys, 2 of at most 2>"


def test_answered_keys_have_a_cap() -> None:
    with pytest.raises(ValueError, match="capacity"):
        AnsweredKeys(0)
