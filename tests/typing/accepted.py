"""What type checkers have to accept, and what they have to find out by it.

Nothing here is run. mypy and pyright check this file as they check all others, and
`typing.assert_type` is an error wherever they find another type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, assert_type

import trio

from trio_foundation.messaging import (
    Address,
    CallError,
    Mailbox,
    MailboxStatistics,
    Ref,
    Served,
    Server,
    State,
    StateServer,
    Timer,
    UndeliveredReason,
    open_mailbox,
    serve,
)
from trio_foundation.supervision import ChildOptions, ChildSpec, Exit, Liveness, open_supervisor

from ._servers import Counter, Limited, Other

# Serving


def serving() -> None:
    assert_type(serve(Counter, capacity=1), Served[Counter])
    assert_type(serve(partial(Counter, start=5), capacity=1), Served[Counter])
    assert_type(serve(Limited, capacity=1, overflow="drop_oldest"), Served[Limited])
    served = serve(Counter, capacity=1)
    assert_type(served.spec, ChildSpec)
    assert_type(served.ref, Ref[Counter])
    spec, counter = served
    assert_type(spec, ChildSpec)
    assert_type(counter, Ref[Counter])


def a_function_that_makes_one() -> None:
    def make() -> Limited:
        return Limited(3)

    assert_type(serve(make, capacity=1).ref, Ref[Limited])


def options() -> None:
    serve(
        Counter,
        capacity=1,
        overflow="reject",
        drain=True,
        name="counter",
        restart="transient",
        grace=1,
        significant=True,
        ready_within=1.0,
        liveness=Liveness(every=1.0),
    )
    shared: ChildOptions = {"restart": "temporary"}
    serve(Counter, capacity=1, **shared)


async def supervised() -> None:
    spec, counter = serve(Counter, capacity=1)
    async with open_supervisor([spec]) as sup:
        assert_type(await counter.call(Counter.increment), int)
        await sup.start_child(serve(Limited, capacity=1).spec)


# Messages


async def calls(counter: Ref[Counter]) -> None:
    assert_type(await counter.call(Counter.increment), int)
    assert_type(await counter.call(Counter.increment, 2), int)
    assert_type(await counter.call(Counter.increment, by=2), int)
    assert_type(await counter.call(Counter.rename, "a"), dict[str, str])
    assert_type(await counter.call(Counter.rename, "a", to="b"), dict[str, str])
    assert_type(await counter.call(Counter.add), float)
    assert_type(await counter.call(Counter.add, 1, 2.5, three=b"3"), float)


async def calls_for_nothing(counter: Ref[Counter]) -> None:
    assert_type(await counter.call(Counter.reset), None)


def casts(counter: Ref[Counter]) -> None:
    counter.cast(Counter.increment, by=2)
    counter.cast(Counter.reset)
    counter.cast(Counter.rename, "a", to=None)


async def casts_that_wait(counter: Ref[Counter]) -> None:
    await counter.cast_wait(Counter.increment, by=2)
    await counter.cast_wait(Counter.add, 1, 2)


def a_cast_is_of_one_type(counter: Ref[Counter]) -> None:
    cast: Callable[[Callable[[Counter], Awaitable[object]]], None] = counter.cast
    cast(Counter.reset)


def what_a_reference_knows(counter: Ref[Counter]) -> None:
    assert_type(counter.name, str)
    assert_type(counter.statistics(), MailboxStatistics)
    assert_type(counter.statistics().used, int)


# Subclasses


async def a_message_of_the_base_to_a_subclass(limited: Ref[Limited]) -> None:
    assert_type(await limited.call(Counter.increment, 2), int)
    assert_type(await limited.call(Limited.increment, 2, at_most=5), int)
    assert_type(await limited.call(Limited.limit), float)
    limited.cast(Counter.reset)


async def of_whichever_class(ref: Ref[Counter] | Ref[Limited]) -> None:
    assert_type(await ref.call(Counter.increment), int)


def reset(counter: Ref[Counter]) -> None:
    counter.cast(Counter.reset)


def reset_served(counter: Served[Counter]) -> None:
    reset(counter.ref)


def a_subclass_serves_for_its_base(limited: Ref[Limited], served: Served[Limited]) -> None:
    reset(limited)
    reset_served(served)
    servers: list[Ref[Server]] = [limited, served.ref]
    assert_type(servers, list[Ref[Server]])


async def anything_of_a_server(ref: Ref[Any]) -> None:
    assert_type(await ref.call(Counter.increment), int)
    assert_type(await ref.call(Other.increment), int)


# Within a server


class Clock(Server):
    """Sets timers, and hands itself to others."""

    async def setup(self) -> None:
        assert_type(self.every(1.0, self.tick), Timer)
        assert_type(self.every(60, Clock.tick, 5), Timer)
        assert_type(self.after(0, self.tick, 5), Timer)
        self.after(0, self.tick).cancel()

    async def tick(self, times: int = 1) -> None:
        self.ref.cast(Clock.tick, times=times)
        hand_out(self.ref)
        self.shutdown()
        self.shutdown("over")

    async def teardown(self, exit: Exit) -> None:
        assert_type(exit, Exit)


def hand_out(clock: Ref[Clock]) -> None:
    clock.cast(Clock.tick)


class Busy(CallError):
    """A refusal."""


class Door(StateServer):
    """Has states."""

    async def knock(self) -> str:
        raise Busy("nobody is at home")

    async def push(self, key: int = 0) -> str:
        self.become("open" if key else "closed")
        return self.state

    async def shut(self) -> None:
        assert_type(self.state, str)
        self.ref.cast(Door.push)

    async def _creak(self) -> None: ...

    initial = "closed"
    everywhere = [knock]  # noqa: RUF012
    states = {  # noqa: RUF012
        "closed": State({push: ("open", "closed")}, exit=_creak),
        "open": State({shut: "closed"}, postpone=[push], timeout=(30, shut), enter=_creak),
    }


async def a_server_with_states() -> None:
    spec, door = serve(Door, capacity=1)
    assert_type(spec, ChildSpec)
    assert_type(await door.call(Door.push, 3), str)
    door.cast(Door.shut)


# Mailboxes


async def mailboxes() -> None:
    address, mailbox = open_mailbox[int](1)
    assert_type(address, Address[int])
    assert_type(mailbox, Mailbox[int])
    await address.send(1)
    address.send_nowait(True)
    assert_type(address.statistics(), MailboxStatistics)
    assert_type(address.name, str)
    assert_type(await mailbox.receive(), int)
    assert_type(mailbox.receive_nowait(), int)
    assert_type(await mailbox.receive_batch(), list[int])
    assert_type(await mailbox.receive_batch(5), list[int])
    async for message in mailbox:
        assert_type(message, int)
    with mailbox as same:
        assert_type(same, Mailbox[int])
    async with mailbox as again:
        assert_type(again, Mailbox[int])
    mailbox.close()


def mailboxes_that_tell_what_is_lost() -> None:
    def note(order: str, why: UndeliveredReason) -> int:
        return len(order + why)

    address, _ = open_mailbox[str](1, overflow="drop_newest", name="orders", on_undelivered=note)
    assert_type(address, Address[str])
    # The type of what is lost says it all.
    named, mailbox = open_mailbox(1, on_undelivered=note)
    assert_type(named, Address[str])
    assert_type(mailbox, Mailbox[str])


async def send_one(address: Address[int]) -> None:
    await address.send(1)


async def receive_one(mailbox: Mailbox[int]) -> int:
    return await mailbox.receive()


async def what_takes_more_serves_for_less(numbers: Address[float], truths: Mailbox[bool]) -> None:
    await send_one(numbers)
    assert_type(await receive_one(truths), int)


async def relay(source: trio.abc.ReceiveChannel[int], target: trio.abc.SendChannel[int]) -> None:
    await target.send(await source.receive())


async def mailboxes_are_channels_of_trio(address: Address[int], mailbox: Mailbox[int]) -> None:
    await relay(mailbox, address)
