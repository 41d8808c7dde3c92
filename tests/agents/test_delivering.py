"""A message is delivered when its receiver has handled it, and every other end has a name."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_foundation.agents import (
    Agent,
    AgentRegistry,
    CoordinatorClosed,
    DeliveryFailed,
    DeliveryTimeout,
    MessageDelivered,
    Receipt,
    ReceiverNotFound,
    open_coordinator,
)
from trio_foundation.messaging import CallFailed, MailboxFull, SelfCall, ServerGone, serve
from trio_foundation.resilience import BreakerOpen
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe

from ._robots import Orders, Refusal, at_work


async def test_a_receipt_comes_when_the_handler_has_returned(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders(takes=2.0)) as works:
        receipt = await works.coordinator.deliver("ann", 1, sender="bob")
        assert trio.current_time() == 2.0
        assert receipt == Receipt("delivered")
        assert (receipt.agent_id, receipt.sequence, receipt.reply) == ("ann", 1, "did 1")
        (delivery,) = works.orders["ann"].deliveries
        assert (delivery.agent_id, delivery.message, delivery.sender) == ("ann", 1, "bob")
        assert (delivery.sequence, delivery.attempt, delivery.is_redelivery) == (1, 1, False)
        assert works.coordinator.statistics().delivered == 1


async def test_each_receiver_counts_its_messages(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob") as works:
        for name, number in (("ann", 1), ("bob", 1), ("ann", 2)):
            assert (await works.coordinator.deliver(name, "hello")).sequence == number


async def test_who_is_not_registered_is_not_found(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with trio.testing.assert_checkpoints(), pytest.raises(ReceiverNotFound) as failure:
            await works.coordinator.deliver("joe", 1)
        assert (failure.value.agent_id, failure.value.outcome) == ("joe", "not_done")
        assert works.coordinator.statistics().messages == 0


async def test_who_was_stopped_is_not_found(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        await works.coordinator.deliver("ann", 1)
        await works.supervisor.stop_child("ann")
        with pytest.raises(ReceiverNotFound):
            await works.coordinator.deliver("ann", 2)
        await works.supervisor.restart_child("ann")
        assert (await works.coordinator.deliver("ann", 3)).sequence == 1  # it is another lane
        assert works.coordinator.statistics().delivered == 2


async def test_a_server_that_is_gone_though_registered_is_not_found(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        ref = works.agents.lookup("ann").value
        await works.supervisor.stop_child("ann")
        with works.agents.register("joe", ref, capability="none"):
            with pytest.raises(ReceiverNotFound) as failure:
                await works.coordinator.deliver("joe", 1)
            assert isinstance(failure.value.__cause__, ServerGone)
            assert works.coordinator.breaker("joe").state == "closed"


async def test_a_handler_that_hangs_is_a_timeout_with_unknown_outcome(
    autojump_clock: MockClock,
) -> None:
    async with at_work(orders=Orders("hang"), delivery_timeout=3.0) as works:
        with pytest.raises(DeliveryTimeout) as failure:
            await works.coordinator.deliver("ann", 1)
        assert trio.current_time() == 3.0
        assert (failure.value.seconds, failure.value.outcome) == (3.0, "unknown")


async def test_what_waits_in_the_mailbox_is_withdrawn_by_a_timeout(
    autojump_clock: MockClock,
) -> None:
    orders = Orders(takes=4.0)
    async with at_work(orders=orders, delivery_timeout=3.0, failure_threshold=9) as works:
        failures: dict[int, DeliveryTimeout] = {}

        async def send(number: int) -> None:
            with pytest.raises(DeliveryTimeout) as failure:
                await works.coordinator.deliver("ann", number)
            failures[number] = failure.value

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, 1)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(send, 2)
        assert {number: one.outcome for number, one in failures.items()} == {
            1: "unknown",
            2: "not_done",
        }
        await trio.sleep(10)
        assert orders.begun == [1]


async def test_a_crash_is_a_failure_from_its_error(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("crash")) as works:
        with pytest.raises(DeliveryFailed) as failure:
            await works.coordinator.deliver("ann", 1)
        assert (failure.value.reason, failure.value.outcome) == ("crashed", "unknown")
        assert isinstance(failure.value.__cause__, CallFailed)
        assert isinstance(failure.value.__cause__.__cause__, RuntimeError)
        assert "while it handled the message (RuntimeError: cannot bear 1)" in str(failure.value)
        assert works.coordinator.breaker("ann").state == "open"


async def test_a_refusal_is_a_failure_that_does_not_count(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("refuse")) as works:
        with pytest.raises(DeliveryFailed) as failure:
            await works.coordinator.deliver("ann", 1)
        assert (failure.value.reason, failure.value.outcome) == ("refused", "not_done")
        assert isinstance(failure.value.__cause__, Refusal)
        assert works.coordinator.breaker("ann").state == "closed"
        assert works.supervisor.children["ann"].incarnation == 1


async def test_a_full_mailbox_is_a_failure(autojump_clock: MockClock) -> None:
    agents = AgentRegistry()
    served = serve(HangingAgent, capacity=1, overflow="reject", name="ann")
    spec = agents.register_on_start("ann", served, capability="hang")
    async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
        async with trio.open_nursery() as nursery:
            for number in range(2):
                nursery.start_soon(coordinator.deliver, "ann", number)
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(DeliveryFailed) as failure:
                await coordinator.deliver("ann", 3)
            assert failure.value.reason == "mailbox_full"
            assert isinstance(failure.value.__cause__, MailboxFull)
            nursery.cancel_scope.cancel()


class HangingAgent(Agent):
    async def receive(self, message: object, *, sender: str | None = None) -> object:
        await trio.sleep_forever()


async def test_who_sends_to_itself_does_not_wait_for_itself(autojump_clock: MockClock) -> None:
    agents = AgentRegistry()

    class Selfish(Agent):
        async def receive(self, message: object, *, sender: str | None = None) -> object:
            with pytest.raises(DeliveryFailed) as failure:
                await coordinator.deliver("ann", "to myself")
            assert isinstance(failure.value.__cause__, SelfCall)
            return failure.value.reason

    spec = agents.register_on_start("ann", serve(Selfish, capacity=9), capability="none")
    async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
        assert (await coordinator.deliver("ann", 1)).reply == "self_call"


async def test_an_agent_that_is_being_started_again_is_waited_for(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=2) as works:
        orders = works.orders["ann"]
        orders.bad = {"bad"}
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "bad")
        assert (await works.coordinator.deliver("ann", 2)).reply == "did 2"
        assert works.supervisor.children["ann"].incarnation == 2


async def test_attempts_are_made_at_once_and_are_told_apart(autojump_clock: MockClock) -> None:
    async with at_work(failure_threshold=9, attempts=3, delivery_timeout=2.0) as works:
        orders = works.orders["ann"]
        orders.mode = "crash"

        async def mend() -> None:
            while len(orders.begun) < 2:
                await trio.lowlevel.checkpoint()
            orders.mode = "work"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(mend)
            receipt = await works.coordinator.deliver("ann", 1)
        assert receipt.status == "delivered"
        tries = [(one.sequence, one.attempt, one.is_redelivery) for one in orders.deliveries]
        assert tries == [(1, 1, False), (1, 2, True), (1, 3, True)]
        assert works.coordinator.statistics().redelivered == 2


async def test_a_refusal_is_not_tried_again(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("refuse"), attempts=3) as works:
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", 1)
        assert works.orders["ann"].begun == [1]


async def test_attempts_that_open_the_circuit_leave_the_message_in_the_buffer(
    autojump_clock: MockClock,
) -> None:
    async with at_work(orders=Orders("crash"), attempts=3) as works:
        receipt = await works.coordinator.deliver("ann", 1)
        assert receipt.status == "buffered"
        works.orders["ann"].mode = "work"
        await trio.sleep(11)
        assert works.orders["ann"].done == [1]
        assert works.orders["ann"].deliveries[-1].is_redelivery


async def test_a_cancelled_sender_takes_back_what_has_not_begun(
    autojump_clock: MockClock,
) -> None:
    async with at_work(orders=Orders(takes=5.0), delivery_timeout=99.0) as works:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(works.coordinator.deliver, "ann", 1)
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                nursery.start_soon(partial(_cancel_soon, scope))
                await works.coordinator.deliver("ann", 2)
        await trio.sleep(20)
        assert works.orders["ann"].done == [1]
        told = works.coordinator.statistics()
        assert (told.delivered, told.cancelled) == (1, 1)
        assert works.coordinator.breaker("ann").state == "closed"


async def _cancel_soon(scope: trio.CancelScope) -> None:
    await trio.sleep(1)
    scope.cancel()


async def test_a_deadline_of_the_sender_is_a_failure_of_the_receiver(
    autojump_clock: MockClock,
) -> None:
    async with at_work(orders=Orders("hang")) as works:
        with trio.move_on_after(1):
            await works.coordinator.deliver("ann", 1)
        assert works.coordinator.breaker("ann").state == "open"


async def test_a_cancelled_sender_sends_nothing(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with trio.CancelScope() as scope:
            scope.cancel()
            await works.coordinator.deliver("ann", 1)
        assert works.coordinator.statistics().messages == 0


async def test_to_deliver_is_a_checkpoint(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with trio.testing.assert_checkpoints():
            await works.coordinator.deliver("ann", 1)
        works.coordinator.breaker("ann").force_open()
        with trio.testing.assert_checkpoints():
            await works.coordinator.deliver("ann", 2)


async def test_what_the_breaker_breaks_off_fails(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("hang"), cancel_in_flight=True) as works:
        errors: list[Any] = []

        async def send(number: int) -> None:
            try:
                errors.append(await works.coordinator.deliver("ann", number))
            except DeliveryFailed as failure:
                errors.append(failure)

        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(send, number)
                await trio.testing.wait_all_tasks_blocked()
            works.coordinator.breaker("ann").force_open()
        failed = next(one for one in errors if isinstance(one, DeliveryFailed))
        assert (failed.reason, failed.outcome) == ("broken_off", "unknown")
        assert isinstance(failed.__cause__, BreakerOpen)
        # What had not begun waits instead.
        assert Receipt("buffered") in errors
        assert works.coordinator.buffered("ann") == 1


async def test_a_delivery_is_told(autojump_clock: MockClock) -> None:
    events: list[MessageDelivered] = []
    async with at_work(orders=Orders(takes=1.5)) as works:
        with subscribe(events.append, MessageDelivered):
            await works.coordinator.deliver("ann", 1)
    (event,) = events
    assert (event.coordinator, event.agent, event.sequence) == ("coordinator", "ann", 1)
    assert (event.attempt, event.was_buffered, event.after) == (1, False, 1.5)


async def test_after_the_block_nothing_is_taken(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        pass
    with pytest.raises(CoordinatorClosed):
        await works.coordinator.deliver("ann", 1)


async def test_an_agent_without_receive_says_what_is_missing(autojump_clock: MockClock) -> None:
    agents = AgentRegistry()
    spec = agents.register_on_start("ann", serve(Agent, capacity=1), capability="none")
    async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
        with pytest.raises(DeliveryFailed) as failure:
            await coordinator.deliver("ann", 1)
        cause = failure.value.__cause__
        assert cause is not None
        assert "write `async def receive" in str(cause.__cause__)


def test_receive_has_to_be_async() -> None:
    with pytest.raises(TypeError, match=r"Wrong\.receive has to be async: write `async def"):

        class Wrong(Agent):  # pyright: ignore[reportUnusedClass]
            def receive(self, message: object, *, sender: str | None = None) -> Any:
                return None


def test_delivery_is_there_in_receive_only() -> None:
    with pytest.raises(RuntimeError, match="in `receive` only"):
        _ = Agent().delivery


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delivery_timeout": 0}, "delivery_timeout"),
        ({"attempts": 0}, "attempts"),
        ({"buffer_capacity": 0}, "buffer_capacity"),
        ({"drain_rate": 0}, "must be more than 0, not 0: no buffer would"),
        ({"drain_concurrency": 0}, "drain_concurrency"),
        ({"max_age": -1}, "max_age"),
        ({"overflow": "drop_newest"}, "write 'reject'"),
        ({"overflow": "block_all"}, "overflow"),
        ({"on_dead_letter": 3}, "plain function of the dead letter"),
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"failure_treshold": 3}, "has no option 'failure_treshold'; its options are name"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_door(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        open_coordinator(AgentRegistry(), **options)


def test_a_coordinator_needs_a_registry_of_agents() -> None:
    with pytest.raises(TypeError, match="takes the AgentRegistry of the agents, not"):
        open_coordinator({})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_key_is_a_name(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with pytest.raises(TypeError, match="key must be"):
            await works.coordinator.deliver("ann", 1, key=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_block_is_entered_once(autojump_clock: MockClock) -> None:
    block = open_coordinator(AgentRegistry())
    async with block:
        pass
    with pytest.raises(RuntimeError, match="entered once: call open_coordinator again"):
        async with block:
            pass
