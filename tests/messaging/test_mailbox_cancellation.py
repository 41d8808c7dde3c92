"""Tests of what a cancelled call leaves behind, and that each call can be cancelled.

Rules R1 and R2: every call is a checkpoint in each way in which it returns, and has had no
effect if it raises ``Cancelled``.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.messaging import (
    Address,
    Mailbox,
    MailboxClosed,
    MailboxFull,
    MailboxStatistics,
    Overflow,
    UndeliveredReason,
    open_mailbox,
)

Ends = tuple[Address[Any], Mailbox[Any]]
Act = Callable[[Address[Any], Mailbox[Any]], Any]
Call = Callable[[Address[Any], Mailbox[Any]], Awaitable[Any]]


# What there is to call, and what may come before it


async def send(address: Address[Any], _: Mailbox[Any]) -> None:
    await address.send("new")


async def receive(_: Address[Any], mailbox: Mailbox[Any]) -> Any:
    return await mailbox.receive()


async def receive_batch(_: Address[Any], mailbox: Mailbox[Any]) -> Any:
    return await mailbox.receive_batch()


async def receive_small_batch(_: Address[Any], mailbox: Mailbox[Any]) -> Any:
    return await mailbox.receive_batch(1)


async def receive_next(_: Address[Any], mailbox: Mailbox[Any]) -> Any:
    return await mailbox.__anext__()


async def close_address(address: Address[Any], _: Mailbox[Any]) -> None:
    await address.aclose()


async def close_mailbox(_: Address[Any], mailbox: Mailbox[Any]) -> None:
    await mailbox.aclose()


def nothing(_: Address[Any], __: Mailbox[Any]) -> None:
    pass


def fill(address: Address[Any], _: Mailbox[Any]) -> None:
    address.send_nowait("old")
    address.send_nowait("young")


def close(_: Address[Any], mailbox: Mailbox[Any]) -> None:
    mailbox.close()


@attrs.frozen
class Way:
    """One way in which a call returns or raises, of a mailbox for two messages."""

    call: Call
    before: Act
    overflow: Overflow = "block"
    meanwhile: Act | None = None
    """What lets it go on, if it waits."""


def take(_: Address[Any], mailbox: Mailbox[Any]) -> None:
    mailbox.receive_nowait()


AT_ONCE = {
    "send, with room": Way(send, nothing),
    "send, dropping the oldest": Way(send, fill, "drop_oldest"),
    "send, dropping the newest": Way(send, fill, "drop_newest"),
    "receive, with a message": Way(receive, fill),
    "receive_batch, with messages": Way(receive_batch, fill),
    "receive_batch, with more than wanted": Way(receive_small_batch, fill),
    "async for, with a message": Way(receive_next, fill),
    "aclose of an address": Way(close_address, fill),
}
CLOSING = {
    "aclose of a mailbox": Way(close_mailbox, fill),
    "aclose of a closed mailbox": Way(close_mailbox, close),
}
WAITING = {
    "send, waiting": Way(send, fill, meanwhile=take),
    "receive, waiting": Way(receive, nothing, meanwhile=fill),
    "receive_batch, waiting": Way(receive_batch, nothing, meanwhile=fill),
    "receive_batch, waiting for one": Way(receive_small_batch, nothing, meanwhile=fill),
    "async for, waiting": Way(receive_next, nothing, meanwhile=fill),
}
REFUSED = {
    "send, rejected": Way(send, fill, "reject"),
    "send, closed": Way(send, close),
    "receive, closed": Way(receive, close),
    "receive_batch, closed": Way(receive_batch, close),
    "async for, closed": Way(receive_next, close),
}


BATCHES = (receive_batch, receive_small_batch)


def every(ways: dict[str, Way]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", ways.values(), ids=ways)


class Undelivered(list[tuple[Any, UndeliveredReason]]):
    def __call__(self, message: Any, why: UndeliveredReason) -> None:
        self.append((message, why))


class Called:
    """A task with one call in a scope of its own, and what came of it."""

    def __init__(self, nursery: trio.Nursery, async_fn: Callable[[], Awaitable[Any]]) -> None:
        self.scope = trio.CancelScope()
        self.came: Any = "nothing yet"
        nursery.start_soon(self._run, async_fn)

    async def _run(self, async_fn: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.came = await async_fn()
            except (MailboxClosed, MailboxFull, StopAsyncIteration) as error:
                self.came = type(error)
        if self.scope.cancelled_caught:
            self.came = "cancelled"


async def called(
    nursery: trio.Nursery, async_fn: Callable[..., Awaitable[Any]], *args: Any
) -> Called:
    task = Called(nursery, functools.partial(async_fn, *args))
    await wait_all_tasks_blocked()
    return task


def drained(mailbox: Mailbox[Any]) -> list[Any]:
    return [mailbox.receive_nowait() for _ in range(mailbox.statistics().used)]


# Checkpoints


@every(AT_ONCE | CLOSING)
async def test_a_call_that_returns_at_once_is_a_checkpoint(way: Way) -> None:
    ends = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    with assert_checkpoints():
        await way.call(*ends)


@every(WAITING)
async def test_a_call_that_waited_is_a_checkpoint(way: Way) -> None:
    ends = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)

    async def call() -> str:
        with assert_checkpoints():
            await way.call(*ends)
        return "returned"

    async with trio.open_nursery() as nursery:
        task = await called(nursery, call)
        assert task.came == "nothing yet"
        assert way.meanwhile is not None
        way.meanwhile(*ends)
    assert task.came == "returned"


# Cancelled before


@every(AT_ONCE | WAITING | REFUSED)
async def test_a_call_in_a_cancelled_scope_does_nothing(way: Way) -> None:
    undelivered = Undelivered()
    ends = address, mailbox = open_mailbox[Any](
        2, overflow=way.overflow, on_undelivered=undelivered
    )
    way.before(*ends)
    before = address.statistics()
    with trio.CancelScope() as scope:
        scope.cancel()
        await way.call(*ends)
    assert scope.cancelled_caught
    assert (address.statistics(), undelivered) == (before, [])
    assert drained(mailbox) == ["old", "young"][: before.used]


@pytest.mark.parametrize("block", ["aclose", "async with"])
async def test_closing_in_a_cancelled_scope_closes_all_the_same(block: str) -> None:
    address, mailbox = open_mailbox[int](2)
    address.send_nowait(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        if block == "aclose":
            await mailbox.aclose()
        else:
            async with mailbox:
                pass
    assert scope.cancelled_caught
    assert address.statistics().dropped == 1
    with pytest.raises(MailboxClosed):
        address.send_nowait(2)


@every(AT_ONCE | WAITING)
async def test_a_call_that_was_cancelled_is_not_in_the_way_of_the_next(way: Way) -> None:
    ends = address, mailbox = open_mailbox[Any](2, overflow=way.overflow)
    with trio.CancelScope() as scope:
        scope.cancel()
        await way.call(*ends)
    await address.send(1)
    assert await mailbox.receive() == 1


# Cancelled while waiting


@every(WAITING)
async def test_a_call_that_is_cancelled_while_it_waits_does_nothing(way: Way) -> None:
    undelivered = Undelivered()
    ends = address, mailbox = open_mailbox[Any](
        2, overflow=way.overflow, on_undelivered=undelivered
    )
    way.before(*ends)
    before = address.statistics()
    async with trio.open_nursery() as nursery:
        task = await called(nursery, way.call, *ends)
        task.scope.cancel()
    assert task.came == "cancelled"
    assert (address.statistics(), undelivered) == (before, [])
    assert drained(mailbox) == ["old", "young"][: before.used]


@every(WAITING)
async def test_a_deadline_is_the_callers_own(way: Way, autojump_clock: MockClock) -> None:
    ends = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    with pytest.raises(trio.TooSlowError), trio.fail_after(7.0):
        await way.call(*ends)
    assert trio.current_time() == 7.0


@every(WAITING)
async def test_a_call_that_is_cancelled_when_it_is_over_has_returned(way: Way) -> None:
    ends = address, mailbox = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, way.call, *ends)
        assert way.meanwhile is not None
        way.meanwhile(*ends)
        after = address.statistics()
        task.scope.cancel()
    assert task.came not in ("nothing yet", "cancelled")
    # Of a batch the first message is handed over, the others are taken by the receiver.
    more = len(messages_in(way.call, task.came)) - 1 if way.call in BATCHES else 0
    left = drained(mailbox)
    assert mailbox.statistics().received == after.received + more + len(left)


@every(WAITING)
async def test_a_call_that_is_over_when_it_was_cancelled_is_cancelled(way: Way) -> None:
    ends = address, _ = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, way.call, *ends)
        task.scope.cancel()
        assert way.meanwhile is not None
        way.meanwhile(*ends)
        after = address.statistics()
    assert task.came == "cancelled"
    assert address.statistics() == after


RECEIVES = pytest.mark.parametrize("call", [receive, receive_batch, receive_next])


def messages_in(call: Call, came: Any) -> list[Any]:
    if came == "cancelled":
        return []
    return list(came) if call in BATCHES else [came]


@RECEIVES
async def test_a_message_that_comes_first_is_received_though_its_receiver_is_cancelled(
    call: Call,
) -> None:
    ends = address, mailbox = open_mailbox[Any](2)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, call, *ends)
        address.send_nowait("message")
        task.scope.cancel()
    assert (messages_in(call, task.came), drained(mailbox)) == (["message"], [])


@RECEIVES
async def test_a_message_that_comes_after_the_cancellation_waits_for_the_next_receiver(
    call: Call,
) -> None:
    ends = address, mailbox = open_mailbox[Any](2)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, call, *ends)
        task.scope.cancel()
        address.send_nowait("message")
        assert mailbox.statistics().used == 1
    assert (task.came, drained(mailbox)) == ("cancelled", ["message"])


async def test_under_drop_oldest_a_cancelled_receiver_takes_no_message_along() -> None:
    undelivered = Undelivered()
    address, mailbox = open_mailbox[Any](1, overflow="drop_oldest", on_undelivered=undelivered)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, mailbox.receive)
        task.scope.cancel()
        address.send_nowait(1)
        address.send_nowait(2)
    assert (task.came, undelivered, drained(mailbox)) == ("cancelled", [(1, "overflow")], [2])


async def test_a_sender_that_was_let_in_has_sent_though_it_is_cancelled() -> None:
    address, mailbox = open_mailbox[Any](1)
    address.send_nowait("first")
    async with trio.open_nursery() as nursery:
        task = await called(nursery, address.send, "second")
        assert mailbox.receive_nowait() == "first"
        task.scope.cancel()
    assert (task.came, drained(mailbox)) == (None, ["second"])


async def test_a_sender_that_was_cancelled_is_not_let_in() -> None:
    address, mailbox = open_mailbox[Any](1)
    address.send_nowait("first")
    async with trio.open_nursery() as nursery:
        task = await called(nursery, address.send, "second")
        task.scope.cancel()
        assert mailbox.receive_nowait() == "first"
    assert (task.came, drained(mailbox)) == ("cancelled", [])


@pytest.mark.parametrize("leaver", [0, 1, 2], ids=["first", "second", "last"])
async def test_whoever_leaves_the_line_leaves_the_others_in_order(leaver: int) -> None:
    address, mailbox = open_mailbox[Any](1)
    address.send_nowait("first")
    async with trio.open_nursery() as nursery:
        tasks = [await called(nursery, address.send, number) for number in range(3)]
        tasks[leaver].scope.cancel()
        assert mailbox.statistics().waiting_senders == 2
        others = [number for number in range(3) if number != leaver]
        assert [mailbox.receive_nowait() for _ in range(3)] == ["first", *others]
    assert [task.came for task in tasks].index("cancelled") == leaver


async def test_whoever_comes_back_to_the_line_stands_at_its_end() -> None:
    address, mailbox = open_mailbox[Any](1)
    address.send_nowait("first")
    async with trio.open_nursery() as nursery:
        tasks = [await called(nursery, address.send, number) for number in range(2)]
        tasks[0].scope.cancel()
        await called(nursery, address.send, "again")
        assert [mailbox.receive_nowait() for _ in range(3)] == ["first", 1, "again"]


@pytest.mark.parametrize("close_first", [True, False], ids=["closed first", "cancelled first"])
@every(WAITING)
async def test_between_the_end_and_a_cancellation_the_first_one_counts(
    way: Way, close_first: bool
) -> None:
    ends = _, mailbox = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    async with trio.open_nursery() as nursery:
        task = await called(nursery, way.call, *ends)
        if close_first:
            mailbox.close()
            task.scope.cancel()
        else:
            task.scope.cancel()
            mailbox.close()
    expected = StopAsyncIteration if way.call is receive_next else MailboxClosed
    assert task.came == (expected if close_first else "cancelled")


# Cancelled at its checkpoint


class AfterFirstStep(trio.abc.Instrument):
    """Does something when a task has made its first step, whatever Trio would run next."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.name = name
        self.act = act
        self.is_done = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == self.name and not self.is_done:
            self.is_done = True
            self.act()


TAKING_EFFECT = {name: way for name, way in AT_ONCE.items() if way.call is not close_address}


@pytest.mark.parametrize("end", ["cancelled", "closed"])
@every(TAKING_EFFECT)
async def test_a_call_that_took_effect_returns_whatever_comes_at_its_checkpoint(
    way: Way, end: str
) -> None:
    ends = address, mailbox = open_mailbox[Any](2, overflow=way.overflow)
    way.before(*ends)
    scope = trio.CancelScope()
    came: list[Any] = []

    async def call() -> None:
        with scope:
            came.append(await way.call(*ends))

    def act() -> None:
        after.append(address.statistics())
        if end == "cancelled":
            scope.cancel()
        else:
            mailbox.close()

    after: list[MailboxStatistics] = []
    instrument = AfterFirstStep("caller", act)
    trio.lowlevel.add_instrument(instrument)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, name="caller")
    trio.lowlevel.remove_instrument(instrument)
    assert came
    figures = address.statistics()
    assert (figures.sent, figures.received) == (after[0].sent, after[0].received)
    assert figures.received == (0 if way.call is send else len(messages_in(way.call, came[0])))


# In the same tick, in whatever order Trio takes


@RECEIVES
def test_a_message_at_the_very_deadline_is_received_or_there(call: Call) -> None:
    async def main() -> None:
        ends = address, mailbox = open_mailbox[Any](2)
        async with trio.open_nursery() as nursery:

            async def send_at_the_deadline() -> None:
                await trio.sleep_until(1.0)
                await address.send("message")

            nursery.start_soon(send_at_the_deadline)
            task = Called(nursery, functools.partial(call, *ends))
            task.scope.deadline = 1.0
        assert messages_in(call, task.came) + drained(mailbox) == ["message"]

    for _ in range(30):
        trio.run(main, clock=MockClock(autojump_threshold=0))


def test_room_at_the_very_deadline_of_a_sender_is_taken_or_left() -> None:
    async def main() -> None:
        address, mailbox = open_mailbox[Any](1)
        address.send_nowait("first")
        got: list[Any] = []
        async with trio.open_nursery() as nursery:

            async def receive_at_the_deadline() -> None:
                await trio.sleep_until(1.0)
                got.append(await mailbox.receive())

            nursery.start_soon(receive_at_the_deadline)
            task = Called(nursery, functools.partial(address.send, "second"))
            task.scope.deadline = 1.0
        got += drained(mailbox)
        assert got == (["first"] if task.came == "cancelled" else ["first", "second"])

    for _ in range(30):
        trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_message_and_a_cancellation_by_two_tasks_lose_nothing() -> None:
    # The order in which Trio runs them is by chance; 50 times it is hardly always the same.
    ways: set[str] = set()
    for _ in range(50):
        address, mailbox = open_mailbox[Any](2)

        async def cancel(task: Called) -> None:
            task.scope.cancel()

        async with trio.open_nursery() as nursery:
            task = await called(nursery, mailbox.receive)
            nursery.start_soon(cancel, task)
            nursery.start_soon(address.send, "message")
        assert messages_in(receive, task.came) + drained(mailbox) == ["message"]
        ways.add(task.came)
    assert ways == {"cancelled", "message"}
