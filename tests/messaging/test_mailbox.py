"""Tests of a mailbox as its senders and its receiver see it."""

from __future__ import annotations

import functools
import logging
import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation import messaging
from trio_foundation.messaging import (
    Address,
    Mailbox,
    MailboxClosed,
    MailboxFull,
    MessageDropped,
    MessagingEvent,
    Overflow,
    UndeliveredReason,
    open_mailbox,
)
from trio_foundation.telemetry import Event, HandlerFailed, subscribe

# As somebody without a type checker sees it.
untyped = cast("Any", messaging)

Send: TypeAlias = Callable[[Address[int], int], Awaitable[None]]
Receive: TypeAlias = Callable[[Mailbox[Any]], Awaitable[Any]]


async def send_now(address: Address[int], message: int) -> None:
    address.send_nowait(message)


async def receive_now(mailbox: Mailbox[Any]) -> Any:
    return mailbox.receive_nowait()


async def receive_some(mailbox: Mailbox[Any]) -> Any:
    [message] = await mailbox.receive_batch(1)
    return message


async def receive_next(mailbox: Mailbox[Any]) -> Any:
    async for message in mailbox:
        return message
    raise StopAsyncIteration


EVERY_SEND = pytest.mark.parametrize(
    "send", [send_now, Address[int].send], ids=["send_nowait", "send"]
)
EVERY_RECEIVE = pytest.mark.parametrize(
    "receive",
    [receive_now, Mailbox[Any].receive, receive_some, receive_next],
    ids=["receive_nowait", "receive", "receive_batch", "async for"],
)
WAITING_RECEIVE = pytest.mark.parametrize(
    "receive",
    [Mailbox[Any].receive, receive_some, receive_next],
    ids=["receive", "receive_batch", "async for"],
)
POLICIES: list[Overflow] = ["block", "reject", "drop_oldest", "drop_newest"]
EVERY_POLICY = pytest.mark.parametrize("overflow", POLICIES)


class Undelivered(list[tuple[Any, UndeliveredReason]]):
    """Keeps what it is handed, and may do something else then."""

    def __init__(self, then: Callable[[Any], object] | None = None) -> None:
        super().__init__()
        self.then = then

    def __call__(self, message: Any, why: UndeliveredReason) -> None:
        self.append((message, why))
        if self.then is not None:
            self.then(message)


def fail(error: BaseException) -> Callable[[object], None]:
    def then(_: object) -> None:
        raise error

    return then


class Receiving:
    """A task that receives once, and what came of it."""

    def __init__(self, nursery: trio.Nursery, receive: Receive, mailbox: Mailbox[Any]) -> None:
        self.came: list[Any] = []
        nursery.start_soon(self._run, receive, mailbox)

    async def _run(self, receive: Receive, mailbox: Mailbox[Any]) -> None:
        try:
            self.came.append(await receive(mailbox))
        except (MailboxClosed, StopAsyncIteration, trio.BusyResourceError) as error:
            self.came.append(type(error))


async def parked_receiver(
    nursery: trio.Nursery, mailbox: Mailbox[Any], receive: Receive = Mailbox[Any].receive
) -> Receiving:
    receiving = Receiving(nursery, receive, mailbox)
    await wait_all_tasks_blocked()
    return receiving


async def parked_senders(nursery: trio.Nursery, address: Address[int], *messages: int) -> list[Any]:
    """Let senders stand in line in this order, and return what becomes of them."""
    ends: list[Any] = []

    async def send(message: int) -> None:
        try:
            await address.send(message)
        except MailboxClosed:
            ends.append((message, MailboxClosed))
        else:
            ends.append(message)

    for message in messages:
        nursery.start_soon(send, message)
        await wait_all_tasks_blocked()
    return ends


def drained(mailbox: Mailbox[Any]) -> list[Any]:
    return [mailbox.receive_nowait() for _ in range(mailbox.statistics().used)]


# Sending and receiving


@EVERY_SEND
@EVERY_RECEIVE
async def test_messages_are_received_in_the_order_in_which_they_were_sent(
    send: Send, receive: Receive
) -> None:
    address, mailbox = open_mailbox[int](3)
    for message in (1, 2, 3):
        await send(address, message)
    assert [await receive(mailbox) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "message",
    [None, False, 0, "", [], ..., ValueError("x"), StopAsyncIteration(), MailboxClosed("other")],
    ids=repr,
)
@EVERY_RECEIVE
async def test_every_value_may_be_a_message(receive: Receive, message: object) -> None:
    address, mailbox = open_mailbox[Any](1)
    address.send_nowait(message)
    assert await receive(mailbox) is message


@pytest.mark.parametrize(
    "message", [None, False, ValueError("x"), MailboxClosed("other")], ids=repr
)
@WAITING_RECEIVE
async def test_every_value_may_be_handed_over(receive: Receive, message: object) -> None:
    address, mailbox = open_mailbox[Any](1)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox, receive)
        address.send_nowait(message)
    assert receiver.came[0] is message


async def test_every_value_may_wait_with_its_sender() -> None:
    address, mailbox = open_mailbox[Any](1)
    async with trio.open_nursery() as nursery:
        address.send_nowait(1)
        await parked_senders(nursery, address, cast("Any", None))
        assert drained(mailbox) == [1]
    assert drained(mailbox) == [None]


def test_receiving_at_once_needs_a_message() -> None:
    _, mailbox = open_mailbox[int](1)
    with pytest.raises(trio.WouldBlock) as caught:
        mailbox.receive_nowait()
    assert type(caught.value) is trio.WouldBlock


def test_a_mailbox_has_a_name() -> None:
    address, mailbox = open_mailbox[int](1, name="orders")
    assert (address.name, mailbox.name) == ("orders", "orders")
    assert (repr(address), repr(mailbox)) == ("<Address of mailbox 'orders'>", "<Mailbox 'orders'>")


def test_a_mailbox_without_a_name_is_called_what_it_is() -> None:
    address, mailbox = open_mailbox[int](1)
    assert (address.name, mailbox.name) == ("mailbox", "mailbox")


def test_opening_one_gives_a_pair_that_knows_the_type_of_its_messages() -> None:
    opened: tuple[Address[int], Mailbox[int]] = open_mailbox[int](1)
    assert [type(end) for end in opened] == [Address, Mailbox]


def test_addresses_and_mailboxes_fit_where_less_is_asked_of_them() -> None:
    # For the type checkers: who sends anything sends whole numbers, and the other way round.
    address, _ = open_mailbox[object](1)
    to_numbers: Address[int] = address
    _, mailbox = open_mailbox[int](1)
    from_anybody: Mailbox[object] = mailbox
    assert (to_numbers, from_anybody) == (address, mailbox)


# No room


@EVERY_SEND
async def test_a_full_mailbox_that_rejects_says_so(send: Send) -> None:
    address, mailbox = open_mailbox[int](2, overflow="reject", name="orders")
    await send(address, 1)
    await send(address, 2)
    with pytest.raises(MailboxFull) as caught:
        await send(address, 3)
    assert (caught.value.mailbox, caught.value.capacity) == ("orders", 2)
    assert drained(mailbox) == [1, 2]


def test_a_rejection_is_what_trio_raises_when_there_is_no_room() -> None:
    address, _ = open_mailbox[int](1, overflow="reject")
    address.send_nowait(1)
    with pytest.raises(trio.WouldBlock):
        address.send_nowait(2)


def test_a_full_mailbox_whose_senders_wait_cannot_be_sent_to_at_once() -> None:
    address, mailbox = open_mailbox[int](1)
    address.send_nowait(1)
    with pytest.raises(trio.WouldBlock) as caught:
        address.send_nowait(2)
    assert type(caught.value) is trio.WouldBlock
    assert drained(mailbox) == [1]


@EVERY_SEND
async def test_dropping_the_oldest_makes_room_for_the_new(send: Send) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](2, overflow="drop_oldest", on_undelivered=undelivered)
    for message in (1, 2, 3, 4):
        await send(address, message)
    assert undelivered == [(1, "overflow"), (2, "overflow")]
    assert drained(mailbox) == [3, 4]


@EVERY_SEND
async def test_dropping_the_newest_leaves_the_others_alone(send: Send) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](2, overflow="drop_newest", on_undelivered=undelivered)
    for message in (1, 2, 3, 4):
        await send(address, message)
    assert undelivered == [(3, "overflow"), (4, "overflow")]
    assert drained(mailbox) == [1, 2]


@EVERY_POLICY
@EVERY_SEND
async def test_while_there_is_room_no_policy_matters(overflow: Overflow, send: Send) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](3, overflow=overflow, on_undelivered=undelivered)
    for message in (1, 2, 3):
        await send(address, message)
    assert (drained(mailbox), undelivered) == ([1, 2, 3], [])


@EVERY_POLICY
async def test_room_comes_back_with_each_message_received(overflow: Overflow) -> None:
    address, mailbox = open_mailbox[int](1, overflow=overflow)
    for message in range(10):
        address.send_nowait(message)
        assert mailbox.receive_nowait() == message
    assert mailbox.statistics().dropped == 0


# Senders that wait


async def test_senders_wait_for_room_and_are_served_in_order() -> None:
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        ends = await parked_senders(nursery, address, 1, 2, 3)
        assert ends == []
        assert [await mailbox.receive() for _ in range(4)] == [0, 1, 2, 3]
    assert sorted(ends) == [1, 2, 3]


@EVERY_RECEIVE
async def test_one_message_received_lets_one_sender_in(receive: Receive) -> None:
    address, mailbox = open_mailbox[int](2)
    async with trio.open_nursery() as nursery:
        address.send_nowait(-1)
        address.send_nowait(0)
        ends = await parked_senders(nursery, address, 1, 2)
        assert await receive(mailbox) == -1
        await wait_all_tasks_blocked()
        assert (ends, mailbox.statistics().waiting_senders) == ([1], 1)
        mailbox.close()


async def test_nobody_overtakes_a_sender_that_waits() -> None:
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        await parked_senders(nursery, address, 1)
        assert mailbox.receive_nowait() == 0
        # The place is taken, though the one who waited for it has not run yet.
        with pytest.raises(trio.WouldBlock):
            address.send_nowait(2)
        assert mailbox.receive_nowait() == 1


async def test_a_sender_that_waits_does_not_count_as_rejected() -> None:
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        await parked_senders(nursery, address, 1)
        assert mailbox.statistics().rejected == 0
        assert drained(mailbox) == [0]


@pytest.mark.parametrize("overflow", ["reject", "drop_oldest", "drop_newest"])
async def test_nobody_waits_under_another_policy(overflow: Overflow) -> None:
    address, mailbox = open_mailbox[int](1, overflow=overflow)
    for message in range(5):
        try:
            await address.send(message)
        except MailboxFull:
            assert overflow == "reject"
        assert mailbox.statistics().waiting_senders == 0


# A receiver that waits


@WAITING_RECEIVE
@EVERY_SEND
async def test_a_receiver_that_waits_is_handed_the_next_message(
    receive: Receive, send: Send
) -> None:
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox, receive)
        await send(address, 1)
    assert receiver.came == [1]


@EVERY_POLICY
async def test_what_is_handed_over_takes_no_room(overflow: Overflow) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, overflow=overflow, on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox)
        address.send_nowait(1)
        address.send_nowait(2)
        assert (mailbox.statistics().used, mailbox.statistics().dropped) == (1, 0)
    assert (receiver.came, drained(mailbox), undelivered) == ([1], [2], [])


async def test_what_was_handed_over_is_not_the_oldest_to_be_dropped() -> None:
    address, mailbox = open_mailbox[int](1, overflow="drop_oldest")
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox)
        for message in (1, 2, 3):
            address.send_nowait(message)
    assert (receiver.came, drained(mailbox)) == ([1], [3])


async def test_messages_sent_before_the_receiver_runs_keep_their_order() -> None:
    address, mailbox = open_mailbox[int](3)
    got: list[int] = []

    async def receive() -> None:
        got.extend([message async for message in mailbox])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        for message in (1, 2, 3, 4):
            address.send_nowait(message)
        await wait_all_tasks_blocked()
        mailbox.close()
    assert got == [1, 2, 3, 4]


# Batches


@pytest.mark.parametrize(
    ("max_items", "batches"),
    [
        (None, [[1, 2, 3, 4, 5]]),
        (1, [[1], [2], [3], [4], [5]]),
        (2, [[1, 2], [3, 4], [5]]),
        (5, [[1, 2, 3, 4, 5]]),
        (10**9, [[1, 2, 3, 4, 5]]),
    ],
)
async def test_a_batch_is_what_is_there_or_as_much_as_is_wanted(
    max_items: int | None, batches: list[list[int]]
) -> None:
    address, mailbox = open_mailbox[int](5)
    for message in (1, 2, 3, 4, 5):
        address.send_nowait(message)
    assert [await mailbox.receive_batch(max_items) for _ in batches] == batches
    assert mailbox.statistics().used == 0


@pytest.mark.parametrize(
    ("max_items", "batch"), [(None, [1, 2, 3]), (1, [1]), (2, [1, 2]), (3, [1, 2, 3])]
)
async def test_a_batch_that_was_waited_for_has_all_that_came_meanwhile(
    max_items: int | None, batch: list[int]
) -> None:
    address, mailbox = open_mailbox[int](5)
    async with trio.open_nursery() as nursery:
        receive = functools.partial(Mailbox[Any].receive_batch, max_items=max_items)
        receiver = await parked_receiver(nursery, mailbox, receive)
        for message in (1, 2, 3):
            address.send_nowait(message)
    assert receiver.came == [batch]
    assert batch + drained(mailbox) == [1, 2, 3]


async def test_a_batch_lets_as_many_senders_in_as_it_takes_messages() -> None:
    address, mailbox = open_mailbox[int](2)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        address.send_nowait(1)
        ends = await parked_senders(nursery, address, 2, 3, 4)
        assert await mailbox.receive_batch(1) == [0]
        assert await mailbox.receive_batch() == [1, 2]
        await wait_all_tasks_blocked()
        assert sorted(ends) == [2, 3, 4]
        assert await mailbox.receive_batch() == [3, 4]


async def test_a_batch_is_a_list_of_the_receivers_own() -> None:
    address, mailbox = open_mailbox[int](2)
    address.send_nowait(1)
    batch = await mailbox.receive_batch()
    batch.clear()
    address.send_nowait(2)
    assert await mailbox.receive_batch() == [2]


class Steps(trio.abc.Instrument):
    """Counts the steps that a task makes."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.of[task.name] = self.of.get(task.name, 0) + 1


async def test_the_receiver_of_a_batch_is_woken_once() -> None:
    address, mailbox = open_mailbox[int](100)
    batches: list[list[int]] = []

    async def receive() -> None:
        batches.append(await mailbox.receive_batch())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive, name="receiver")
        await wait_all_tasks_blocked()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        for message in range(100):
            address.send_nowait(message)
    trio.lowlevel.remove_instrument(steps)
    assert batches == [list(range(100))]
    assert steps.of["receiver"] == 1


# Closing


@EVERY_POLICY
@EVERY_SEND
async def test_nothing_can_be_sent_to_a_closed_mailbox(overflow: Overflow, send: Send) -> None:
    address, mailbox = open_mailbox[int](1, overflow=overflow, name="orders")
    mailbox.close()
    with pytest.raises(MailboxClosed) as caught:
        await send(address, 1)
    assert caught.value.mailbox == "orders"
    assert (mailbox.statistics().sent, mailbox.statistics().rejected) == (0, 0)


@EVERY_POLICY
@EVERY_SEND
async def test_a_mailbox_that_was_closed_full_is_closed_and_not_full(
    overflow: Overflow, send: Send
) -> None:
    address, mailbox = open_mailbox[int](1, overflow=overflow)
    address.send_nowait(1)
    mailbox.close()
    with pytest.raises(MailboxClosed):
        await send(address, 2)


@pytest.mark.parametrize(
    "receive",
    [receive_now, Mailbox[Any].receive, receive_some],
    ids=["receive_nowait", "receive", "receive_batch"],
)
async def test_nothing_can_be_received_from_a_closed_mailbox(receive: Receive) -> None:
    address, mailbox = open_mailbox[int](1, name="orders")
    address.send_nowait(1)
    mailbox.close()
    with pytest.raises(MailboxClosed) as caught:
        await receive(mailbox)
    assert caught.value.mailbox == "orders"


def test_that_it_is_closed_is_news_in_trios_words_for_both_ends() -> None:
    address, mailbox = open_mailbox[int](1)
    mailbox.close()
    with pytest.raises(trio.BrokenResourceError):
        address.send_nowait(1)
    with pytest.raises(trio.ClosedResourceError):
        mailbox.receive_nowait()


async def test_iteration_over_a_closed_mailbox_is_over() -> None:
    address, mailbox = open_mailbox[int](1)
    address.send_nowait(1)
    mailbox.close()
    assert [message async for message in mailbox] == []


async def test_iteration_ends_when_the_mailbox_is_closed() -> None:
    address, mailbox = open_mailbox[int](3)
    for message in (1, 2, 3):
        address.send_nowait(message)
    got: list[int] = []
    async for message in mailbox:
        got.append(message)
        if message == 2:
            mailbox.close()
    assert got == [1, 2]
    assert mailbox.statistics().dropped == 1


async def test_what_a_message_raises_in_a_loop_is_not_taken_for_the_end() -> None:
    address, mailbox = open_mailbox[int](1)
    address.send_nowait(1)
    with pytest.raises(MailboxClosed) as caught:
        async for _ in mailbox:
            raise MailboxClosed("another one")
    assert caught.value.mailbox == "another one"


def test_what_is_in_a_mailbox_when_it_is_closed_is_dropped_in_order() -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](3, on_undelivered=undelivered)
    for message in (1, 2, 3):
        address.send_nowait(message)
    mailbox.close()
    assert undelivered == [(1, "closed"), (2, "closed"), (3, "closed")]
    assert (mailbox.statistics().dropped, mailbox.statistics().used) == (3, 0)


def test_closing_twice_is_closing_once() -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](3, on_undelivered=undelivered)
    address.send_nowait(1)
    mailbox.close()
    before = mailbox.statistics()
    mailbox.close()
    assert (undelivered, mailbox.statistics()) == ([(1, "closed")], before)


@pytest.mark.parametrize(
    ("receive", "came"),
    [
        (Mailbox[Any].receive, MailboxClosed),
        (receive_some, MailboxClosed),
        (receive_next, StopAsyncIteration),
    ],
    ids=["receive", "receive_batch", "async for"],
)
async def test_closing_lets_a_receiver_that_waits_go(receive: Receive, came: object) -> None:
    _, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox, receive)
        mailbox.close()
    assert receiver.came == [came]


async def test_closing_lets_senders_that_wait_go_and_their_messages_are_not_sent() -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        ends = await parked_senders(nursery, address, 1, 2)
        mailbox.close()
        assert mailbox.statistics().waiting_senders == 0
    assert sorted(ends) == [(1, MailboxClosed), (2, MailboxClosed)]
    assert (undelivered, mailbox.statistics().sent) == ([(0, "closed")], 1)


async def test_senders_that_wait_get_an_error_each() -> None:
    # Rule R18: one object in two tasks would grow the tracebacks of both.
    address, mailbox = open_mailbox[int](1)
    errors: list[BaseException] = []

    async def send() -> None:
        with pytest.raises(MailboxClosed) as caught:
            await address.send(1)
        errors.append(caught.value)

    address.send_nowait(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        mailbox.close()
    assert len({id(error) for error in errors}) == 2


@WAITING_RECEIVE
async def test_what_was_handed_over_before_the_end_is_received(receive: Receive) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox, receive)
        address.send_nowait(1)
        address.send_nowait(2)
        mailbox.close()
        assert mailbox.statistics().received == 1
    assert (receiver.came, undelivered) == ([1], [(2, "closed")])


async def test_a_batch_handed_over_before_the_end_is_the_first_message() -> None:
    address, mailbox = open_mailbox[int](3)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox, Mailbox[Any].receive_batch)
        for message in (1, 2, 3):
            address.send_nowait(message)
        mailbox.close()
    assert receiver.came == [[1]]
    assert mailbox.statistics().dropped == 2


async def test_a_sender_that_was_let_in_before_the_end_has_sent() -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        ends = await parked_senders(nursery, address, 1)
        assert mailbox.receive_nowait() == 0
        mailbox.close()
    assert (ends, undelivered) == ([1], [(1, "closed")])


def test_a_with_block_closes_it() -> None:
    address, mailbox = open_mailbox[int](1)
    with mailbox as same:
        assert same is mailbox
        address.send_nowait(1)
    assert mailbox.statistics().dropped == 1


async def test_an_async_with_block_closes_it() -> None:
    address, mailbox = open_mailbox[int](1)
    async with mailbox as same:
        assert same is mailbox
        address.send_nowait(1)
    assert mailbox.statistics().dropped == 1


async def test_a_block_closes_it_also_when_something_is_raised_there() -> None:
    address, mailbox = open_mailbox[int](1)
    with pytest.raises(ZeroDivisionError):
        with mailbox:
            raise ZeroDivisionError
    with pytest.raises(MailboxClosed):
        await address.send(1)
    address, mailbox = open_mailbox[int](1)
    with pytest.raises(ZeroDivisionError):
        async with mailbox:
            raise ZeroDivisionError
    with pytest.raises(MailboxClosed):
        await address.send(1)


async def test_closing_an_address_closes_nothing() -> None:
    address, mailbox = open_mailbox[int](1)
    async with address:
        await address.aclose()
    await address.send(1)
    assert await mailbox.receive() == 1


# What is undelivered


async def test_what_on_undelivered_raises_is_logged_and_not_the_senders_business(
    caplog: pytest.LogCaptureFixture,
) -> None:
    undelivered = Undelivered(fail(ZeroDivisionError("of the hook")))
    address, mailbox = open_mailbox[int](
        1, overflow="drop_oldest", name="orders", on_undelivered=undelivered
    )
    address.send_nowait(1)
    address.send_nowait(2)
    await address.send(3)
    assert (undelivered, drained(mailbox)) == ([(1, "overflow"), (2, "overflow")], [3])
    assert [record.name for record in caplog.records] == ["trio_foundation.messaging"] * 2
    assert "on_undelivered of mailbox 'orders' raised" in caplog.records[0].getMessage()
    assert caplog.records[0].levelno == logging.ERROR
    assert "of the hook" in caplog.text


def test_closing_hands_over_all_messages_though_on_undelivered_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    undelivered = Undelivered(fail(ZeroDivisionError("of the hook")))
    address, mailbox = open_mailbox[int](2, on_undelivered=undelivered)
    address.send_nowait(1)
    address.send_nowait(2)
    mailbox.close()
    assert undelivered == [(1, "closed"), (2, "closed")]
    assert len(caplog.records) == 2


@contextmanager
def broken_log() -> Generator[None]:
    def refuse(_: logging.LogRecord) -> bool:
        raise OSError("the disk is full")

    logger = logging.getLogger("trio_foundation.messaging")
    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)


def test_a_log_that_is_broken_as_well_is_not_the_senders_business() -> None:
    undelivered = Undelivered(fail(ZeroDivisionError()))
    address, mailbox = open_mailbox[int](1, overflow="drop_newest", on_undelivered=undelivered)
    address.send_nowait(1)
    with broken_log():
        address.send_nowait(2)
        mailbox.close()
    assert undelivered == [(2, "overflow"), (1, "closed")]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
@EVERY_SEND
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_an_interrupt_in_on_undelivered_goes_on_and_upsets_nothing(
    interrupt: type[BaseException], send: Send, overflow: Overflow
) -> None:
    undelivered = Undelivered(fail(interrupt()))
    address, mailbox = open_mailbox[int](1, overflow=overflow, on_undelivered=undelivered)
    address.send_nowait(1)
    with pytest.raises(interrupt):
        await send(address, 2)
    figures = mailbox.statistics()
    assert (figures.sent, figures.dropped, figures.used) == (2, 1, 1)
    [(lost, why)] = undelivered
    assert ([lost, *drained(mailbox)], why) in (([1, 2], "overflow"), ([2, 1], "overflow"))


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_while_closing_goes_on_when_all_messages_are_handed_over(
    interrupt: type[BaseException],
) -> None:
    undelivered = Undelivered(fail(interrupt()))
    address, mailbox = open_mailbox[int](3, on_undelivered=undelivered)
    for message in (1, 2, 3):
        address.send_nowait(message)
    with pytest.raises(interrupt):
        mailbox.close()
    assert undelivered == [(1, "closed"), (2, "closed"), (3, "closed")]
    figures = mailbox.statistics()
    assert (figures.sent, figures.dropped, figures.used) == (3, 3, 0)
    mailbox.close()


async def test_an_interrupt_while_closing_leaves_nobody_waiting() -> None:
    undelivered = Undelivered(fail(KeyboardInterrupt()))
    address, mailbox = open_mailbox[int](1, on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        address.send_nowait(0)
        ends = await parked_senders(nursery, address, 1, 2)
        with pytest.raises(KeyboardInterrupt):
            mailbox.close()
    assert sorted(ends) == [(1, MailboxClosed), (2, MailboxClosed)]


def test_on_undelivered_may_put_the_message_into_another_mailbox() -> None:
    spare, spare_mailbox = open_mailbox[int](10)
    address, mailbox = open_mailbox[int](
        1, overflow="drop_oldest", on_undelivered=lambda message, _: spare.send_nowait(message)
    )
    for message in (1, 2, 3):
        address.send_nowait(message)
    mailbox.close()
    assert drained(spare_mailbox) == [1, 2, 3]


@pytest.mark.parametrize(
    ("overflow", "lost", "left"),
    [("drop_oldest", [1, 2, 3, -1], [-2, -3]), ("drop_newest", [3, -3], [1, 2])],
)
def test_on_undelivered_may_send_to_the_same_mailbox(
    overflow: Overflow, lost: list[int], left: list[int]
) -> None:
    def send_once_more(message: int, _: UndeliveredReason) -> None:
        handed_over.append(message)
        if message > 0:
            address.send_nowait(-message)

    handed_over: list[int] = []
    address, mailbox = open_mailbox[int](2, overflow=overflow, on_undelivered=send_once_more)
    for message in (1, 2, 3):
        address.send_nowait(message)
    figures = mailbox.statistics()
    assert figures.sent == figures.dropped + figures.used
    assert (handed_over, drained(mailbox)) == (lost, left)


def test_on_undelivered_may_make_room_and_send_to_the_same_mailbox() -> None:
    def replace(message: int, _: UndeliveredReason) -> None:
        replaced.append((message, mailbox.receive_nowait()))
        address.send_nowait(message)

    replaced: list[tuple[int, int]] = []
    address, mailbox = open_mailbox[int](2, overflow="drop_newest", on_undelivered=replace)
    for message in (1, 2, 3):
        address.send_nowait(message)
    assert (replaced, drained(mailbox)) == ([(3, 1)], [2, 3])


def test_nothing_can_be_sent_while_the_mailbox_is_being_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](2, on_undelivered=undelivered)
    undelivered.then = address.send_nowait
    address.send_nowait(1)
    address.send_nowait(2)
    mailbox.close()
    assert undelivered == [(1, "closed"), (2, "closed")]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "mailbox 'mailbox' is closed"
    ] * 2


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_on_undelivered_may_close_the_mailbox(overflow: Overflow) -> None:
    undelivered = Undelivered(lambda _: mailbox.close())
    address, mailbox = open_mailbox[int](2, overflow=overflow, on_undelivered=undelivered)
    for message in (1, 2, 3):
        address.send_nowait(message)
    assert sorted(undelivered) == sorted(
        (
            message,
            "overflow" if message == {"drop_oldest": 1, "drop_newest": 3}[overflow] else "closed",
        )
        for message in (1, 2, 3)
    )
    with pytest.raises(MailboxClosed):
        address.send_nowait(4)


def test_what_on_undelivered_sees_adds_up() -> None:
    def look(_: object) -> None:
        figures = mailbox.statistics()
        seen.append((figures.sent, figures.received + figures.dropped + figures.used))

    seen: list[tuple[int, int]] = []
    address, mailbox = open_mailbox[int](
        2, overflow="drop_oldest", on_undelivered=Undelivered(look)
    )
    for message in (1, 2, 3):
        address.send_nowait(message)
    mailbox.close()
    assert seen == [(3, 3)] * 3


async def test_what_its_sender_keeps_is_not_undelivered(autojump_clock: object) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, on_undelivered=undelivered)
    address.send_nowait(1)
    with pytest.raises(trio.WouldBlock):
        address.send_nowait(2)
    with trio.move_on_after(1.0):
        await address.send(3)
    mailbox.close()
    with pytest.raises(MailboxClosed):
        address.send_nowait(4)
    assert undelivered == [(1, "closed")]


# What is told


async def test_each_message_that_is_dropped_is_told() -> None:
    heard: list[Event] = []
    with subscribe(heard.append, MessagingEvent):
        address, mailbox = open_mailbox[str](1, overflow="drop_oldest", name="orders")
        address.send_nowait("apples")
        address.send_nowait("pears")
        mailbox.close()
    assert all(isinstance(event, MessageDropped) for event in heard)
    dropped = cast("list[MessageDropped]", heard)
    assert [(event.mailbox, event.message, event.why) for event in dropped] == [
        ("orders", "apples", "overflow"),
        ("orders", "pears", "closed"),
    ]


async def test_nothing_is_told_of_messages_that_are_received_or_refused() -> None:
    heard: list[Event] = []
    with subscribe(heard.append, MessagingEvent):
        address, mailbox = open_mailbox[int](1, overflow="reject")
        address.send_nowait(1)
        with pytest.raises(MailboxFull):
            address.send_nowait(2)
        await mailbox.receive()
        mailbox.close()
    assert heard == []


async def test_it_is_told_before_it_is_handed_to_on_undelivered() -> None:
    order: list[str] = []
    address, _ = open_mailbox[int](
        1, overflow="drop_newest", on_undelivered=lambda _, __: order.append("handed over")
    )
    address.send_nowait(1)
    with subscribe(lambda _: order.append("told"), MessageDropped):
        address.send_nowait(2)
    assert order == ["told", "handed over"]


async def test_a_handler_that_raises_hurts_neither_sender_nor_on_undelivered() -> None:
    undelivered = Undelivered()
    reports: list[HandlerFailed] = []
    address, mailbox = open_mailbox[int](1, overflow="drop_oldest", on_undelivered=undelivered)
    address.send_nowait(1)
    with subscribe(fail(ZeroDivisionError()), MessageDropped):
        with subscribe(reports.append, HandlerFailed):
            address.send_nowait(2)
            await address.send(3)
            mailbox.close()
    assert undelivered == [(1, "overflow"), (2, "overflow"), (3, "closed")]
    assert [report.event for report in reports] == ["foundation.messaging.message_dropped"]


async def test_an_interrupt_in_a_handler_goes_on_and_on_undelivered_is_called_all_the_same() -> (
    None
):
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, overflow="drop_newest", on_undelivered=undelivered)
    address.send_nowait(1)
    with subscribe(fail(KeyboardInterrupt()), MessageDropped):
        with pytest.raises(KeyboardInterrupt):
            address.send_nowait(2)
        with pytest.raises(KeyboardInterrupt):
            mailbox.close()
    assert undelivered == [(2, "overflow"), (1, "closed")]


def test_a_drop_is_a_warning_and_has_a_name() -> None:
    assert MessageDropped.level == logging.WARNING
    assert MessageDropped.name == "foundation.messaging.message_dropped"


def test_drops_are_compared_without_their_messages() -> None:
    # A message may be anything, also something whose comparison raises.
    one = MessageDropped(mailbox="orders", message=object(), why="closed")
    assert one == MessageDropped(mailbox="orders", message=object(), why="closed")
    assert one != MessageDropped(mailbox="orders", message=one.message, why="overflow")


# One receiver at a time


@EVERY_RECEIVE
async def test_a_mailbox_has_one_receiver_at_a_time(receive: Receive) -> None:
    # Rule R37.
    address, mailbox = open_mailbox[int](1, name="orders")
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox)
        with pytest.raises(trio.BusyResourceError) as caught:
            await receive(mailbox)
        assert str(caught.value) == (
            "another task is receiving from mailbox 'orders': a mailbox has one receiver at a time"
        )
        address.send_nowait(1)
    assert receiver.came == [1]


@EVERY_RECEIVE
async def test_it_is_one_also_if_that_has_its_message_but_did_not_run(receive: Receive) -> None:
    address, mailbox = open_mailbox[int](2)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox)
        address.send_nowait(1)
        address.send_nowait(2)
        with pytest.raises(trio.BusyResourceError):
            await receive(mailbox)
    assert (receiver.came, drained(mailbox)) == ([1], [2])


class AfterFirstStep(trio.abc.Instrument):
    """Does something when a task has made its first step, whatever Trio would run next."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.name = name
        self.act = act
        self.came: list[object] = []

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == self.name and not self.came:
            try:
                self.came.append(self.act())
            except trio.BusyResourceError as error:
                self.came.append(type(error))


@WAITING_RECEIVE
async def test_it_is_one_also_if_that_is_at_its_checkpoint(receive: Receive) -> None:
    address, mailbox = open_mailbox[int](2)
    address.send_nowait(1)
    address.send_nowait(2)
    came: list[object] = []

    async def run() -> None:
        came.append(await receive(mailbox))

    instrument = AfterFirstStep("receiver", mailbox.receive_nowait)
    trio.lowlevel.add_instrument(instrument)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, name="receiver")
    trio.lowlevel.remove_instrument(instrument)
    assert (instrument.came, came, drained(mailbox)) == ([trio.BusyResourceError], [1], [2])


async def test_of_two_that_iterate_one_is_refused() -> None:
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        receivers = [Receiving(nursery, receive_next, mailbox) for _ in range(2)]
        await wait_all_tasks_blocked()
        address.send_nowait(1)
    assert sorted(map(repr, receivers[0].came + receivers[1].came)) == sorted(
        ["1", repr(trio.BusyResourceError)]
    )


async def test_receivers_may_take_turns() -> None:
    address, mailbox = open_mailbox[int](2)
    async with trio.open_nursery() as nursery:
        first = await parked_receiver(nursery, mailbox)
        address.send_nowait(1)
        await wait_all_tasks_blocked()
        second = await parked_receiver(nursery, mailbox)
        address.send_nowait(2)
    assert (first.came, second.came) == ([1], [2])


async def test_whoever_was_refused_does_not_stand_in_the_way() -> None:
    address, mailbox = open_mailbox[int](1)
    with pytest.raises(ValueError, match="max_items"):
        await mailbox.receive_batch(0)
    with pytest.raises(trio.WouldBlock):
        mailbox.receive_nowait()
    address.send_nowait(1)
    assert await mailbox.receive() == 1


# Nonsense at the door

SLOW_CRASH = (
    "capacity must be a whole number, not inf: a queue without a cap is a slow crash; write "
    "open_mailbox(100) for at most 100 messages"
)
WORDS = "overflow must be 'block', 'reject', 'drop_oldest' or 'drop_newest'"


@pytest.mark.parametrize(
    ("capacity", "error", "sentence"),
    [
        (0, ValueError, "capacity must be 1 or more, not 0"),
        (-5, ValueError, "capacity must be 1 or more, not -5"),
        (math.inf, ValueError, SLOW_CRASH),
        (-math.inf, TypeError, "capacity must be a whole number, not -inf"),
        (math.nan, TypeError, "capacity must be a whole number, not nan"),
        (1.0, TypeError, "capacity must be a whole number, not 1.0"),
        (True, TypeError, "capacity must be a whole number, not True"),
        ("10", TypeError, "capacity must be a whole number, not '10'"),
        (None, TypeError, "capacity must be a whole number, not None"),
    ],
    ids=repr,
)
def test_a_capacity_that_makes_no_sense_is_refused(
    capacity: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        untyped.open_mailbox(capacity)
    assert str(caught.value) == sentence


def test_a_mailbox_does_not_open_without_a_capacity() -> None:
    with pytest.raises(TypeError, match="capacity"):
        untyped.open_mailbox()


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"overflow": "drop"}, ValueError, f"{WORDS}, not 'drop'"),
        ({"overflow": None}, TypeError, f"{WORDS}, not None"),
        ({"overflow": ["block"]}, TypeError, f"{WORDS}, not ['block']"),
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": 3}, TypeError, "name must be a string, not 3"),
    ],
    ids=repr,
)
def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        untyped.open_mailbox(1, **options)
    assert str(caught.value) == sentence


def test_options_are_named() -> None:
    with pytest.raises(TypeError, match="positional"):
        untyped.open_mailbox(1, "reject")


async def async_hook(message: object, why: object) -> None: ...


async def async_generator_hook(message: object, why: object) -> AsyncIterator[object]:
    yield message


class AsyncHook:
    async def __call__(self, message: object, why: object) -> None: ...


@pytest.mark.parametrize(
    "hook",
    [
        3,
        "print",
        async_hook,
        functools.partial(async_hook, 1),
        open_mailbox[int](1)[0].send,
        AsyncHook(),
        async_generator_hook,
    ],
    ids=[
        "a number",
        "a string",
        "an async function",
        "a partial of one",
        "an async method",
        "an object that is called async",
        "an async generator",
    ],
)
def test_on_undelivered_has_to_be_a_plain_function(hook: object) -> None:
    with pytest.raises(TypeError) as caught:
        untyped.open_mailbox(1, on_undelivered=hook)
    assert str(caught.value) == (
        "on_undelivered takes a plain function of the message and the reason, which is called at "
        f"once, but got {hook!r}: to do more, let it put the message into another mailbox"
    )


@pytest.mark.parametrize(
    ("max_items", "error", "sentence"),
    [
        (0, ValueError, "max_items must be 1 or more, not 0"),
        (-1, ValueError, "max_items must be 1 or more, not -1"),
        (1.5, TypeError, "max_items must be a whole number, not 1.5"),
        (math.inf, TypeError, "max_items must be a whole number, not inf"),
        (True, TypeError, "max_items must be a whole number, not True"),
    ],
    ids=repr,
)
async def test_a_size_of_batches_that_makes_no_sense_is_refused(
    max_items: Any, error: type[Exception], sentence: str
) -> None:
    address, mailbox = open_mailbox[int](1)
    address.send_nowait(1)
    with pytest.raises(error) as caught:
        await mailbox.receive_batch(max_items)
    assert str(caught.value) == sentence
    assert drained(mailbox) == [1]


# Where Trio wants a channel

Channels: TypeAlias = tuple[trio.abc.SendChannel[int], trio.abc.ReceiveChannel[int]]

EVERY_CHANNEL = pytest.mark.parametrize(
    "open_channel", [trio.open_memory_channel[int], open_mailbox[int]], ids=["trio", "mailbox"]
)


async def double(
    source: trio.abc.ReceiveChannel[int], sink: trio.abc.SendChannel[int], last: int
) -> None:
    """Do what any function of Trio's channels might do with both."""
    async with source, sink:
        async for number in source:
            await sink.send(2 * number)
            if number == last:
                return


@EVERY_CHANNEL
async def test_it_stands_where_trio_wants_a_channel(
    open_channel: Callable[[int], Channels],
) -> None:
    (numbers, source), (sink, doubles) = open_channel(1), open_channel(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(double, source, sink, 3)
        for number in (1, 2, 3):
            await numbers.send(number)
            assert await doubles.receive() == 2 * number
    with pytest.raises(trio.BrokenResourceError):
        await numbers.send(4)


@EVERY_CHANNEL
async def test_it_is_closed_as_a_channel_is(open_channel: Callable[[int], Channels]) -> None:
    sender, receiver = open_channel(1)
    await sender.send(1)
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await sender.send(2)

        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        await receiver.aclose()
    await receiver.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await receiver.receive()
    with pytest.raises(trio.BrokenResourceError):
        await sender.send(3)
    await sender.aclose()
    await sender.aclose()


@EVERY_CHANNEL
async def test_it_is_cancelled_as_a_channel_is(
    open_channel: Callable[[int], Channels], autojump_clock: object
) -> None:
    sender, receiver = open_channel(1)
    with trio.move_on_after(1.0) as scope:
        await receiver.receive()
    assert scope.cancelled_caught
    await sender.send(1)
    with trio.move_on_after(1.0) as scope:
        await sender.send(2)
    assert scope.cancelled_caught
    assert await receiver.receive() == 1


@EVERY_CHANNEL
async def test_it_keeps_a_slow_reader_and_a_fast_writer_in_step(
    open_channel: Callable[[int], Channels],
) -> None:
    sender, receiver = open_channel(2)
    got: list[int] = []

    async def send() -> None:
        for number in range(50):
            await sender.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        for _ in range(50):
            await wait_all_tasks_blocked()
            got.append(await receiver.receive())
    assert got == list(range(50))


# Runs and threads


@EVERY_POLICY
def test_the_half_that_does_not_wait_needs_no_trio(overflow: Overflow) -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[int](1, overflow=overflow, on_undelivered=undelivered)
    address.send_nowait(1)
    try:
        address.send_nowait(2)
    except trio.WouldBlock:
        assert overflow in ("block", "reject")
    drained(mailbox)
    address.send_nowait(3)
    mailbox.close()
    assert undelivered[-1] == (3, "closed")


def test_a_mailbox_may_be_used_in_one_run_after_another() -> None:
    # Rule R36: only messages are left of the first run.
    address, mailbox = open_mailbox[int](2)

    async def first() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await parked_receiver(nursery, mailbox)
                scope.cancel()
        address.send_nowait(1)
        address.send_nowait(2)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await parked_senders(nursery, address, 3)
                scope.cancel()

    async def second() -> list[int]:
        await address.send(4)
        return [await mailbox.receive(), await mailbox.receive()]

    trio.run(first)
    assert mailbox.receive_nowait() == 1
    assert trio.run(second) == [2, 4]


def test_two_runs_in_two_threads_share_nothing() -> None:
    async def main(number: int) -> list[int]:
        address, mailbox = open_mailbox[int](1)
        heard: list[Event] = []

        async def send() -> None:
            for message in range(100):
                await address.send(100 * number + message)

        with subscribe(heard.append, MessageDropped):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                got = [await mailbox.receive() for _ in range(100)]
            address.send_nowait(number)
            mailbox.close()
        assert [event.message for event in cast("list[MessageDropped]", heard)] == [number]
        return got

    def run(number: int) -> list[int]:
        return trio.run(main, number)

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(run, (1, 2)))
    assert results == [list(range(100, 200)), list(range(200, 300))]


async def test_a_thread_sends_by_way_of_trio() -> None:
    # Rule R35.
    address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        receiver = await parked_receiver(nursery, mailbox)
        await trio.to_thread.run_sync(trio.from_thread.run_sync, address.send_nowait, 1)
    assert receiver.came == [1]


async def test_the_half_that_does_not_wait_works_in_a_cancelled_scope() -> None:
    # Rule R35.
    address, mailbox = open_mailbox[int](1, overflow="drop_oldest")
    with trio.CancelScope() as scope:
        scope.cancel()
        with mailbox:
            address.send_nowait(1)
            address.send_nowait(2)
            assert mailbox.receive_nowait() == 2
    assert not scope.cancelled_caught


# Interrupts


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let an interrupt be one, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@trio.lowlevel.enable_ki_protection
async def interrupt_main() -> None:
    """Raise an interrupt that Trio then delivers to the main task."""
    await wait_all_tasks_blocked()
    signal.raise_signal(signal.SIGINT)


@pytest.mark.realtime
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_takes_no_message_from_a_receiver_that_waits() -> None:
    # Rule R46.
    address, mailbox = open_mailbox[int](1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt_main)
            with pytest.raises(KeyboardInterrupt):
                await mailbox.receive()
        address.send_nowait(1)
        assert await mailbox.receive() == 1

    trio.run(main)
    assert mailbox.statistics().received == 1


@pytest.mark.realtime
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_sends_nothing_for_a_sender_that_waits() -> None:
    # Rule R46.
    address, mailbox = open_mailbox[int](1)
    address.send_nowait(1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt_main)
            with pytest.raises(KeyboardInterrupt):
                await address.send(2)

    trio.run(main)
    assert (mailbox.statistics().sent, mailbox.statistics().waiting_senders) == (1, 0)
    assert drained(mailbox) == [1]


@pytest.mark.realtime
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_messages_are_dropped_waits_until_all_are() -> None:
    # Rule R46: the signal comes in the middle of it.
    undelivered = Undelivered(lambda _: signal.raise_signal(signal.SIGINT))
    address, mailbox = open_mailbox[int](3, on_undelivered=undelivered)

    async def main() -> None:
        for message in (1, 2, 3):
            address.send_nowait(message)
        mailbox.close()
        await trio.lowlevel.checkpoint()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert undelivered == [(1, "closed"), (2, "closed"), (3, "closed")]
