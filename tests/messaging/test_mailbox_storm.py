"""Storms: senders that lose patience, a slow receiver that does so too, and an early end.

Whatever happens, each message has one fate: it was received, or it was handed to
``on_undelivered``, or its sender was told that it was not sent. Times are halves of seconds,
so that much comes at the same moment, in whatever order Trio takes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from random import Random
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock

from trio_foundation.messaging import (
    Address,
    Mailbox,
    MailboxClosed,
    MailboxStatistics,
    Overflow,
    UndeliveredReason,
    open_mailbox,
)

SEEDS = st.integers(0, 2**32 - 1)
POLICIES: list[Overflow] = ["block", "reject", "drop_oldest", "drop_newest"]

SENDERS = 4
MESSAGES = 10

# Who sent it, and which one of theirs it is.
Message: TypeAlias = tuple[int, int]


@attrs.define(eq=False)
class Storm(trio.abc.Instrument):
    """A mailbox in bad weather, and what became of each message."""

    rng: Random
    overflow: Overflow
    fates: defaultdict[Message, list[str]] = attrs.field(factory=lambda: defaultdict(list))
    received: list[Message] = attrs.field(factory=list[Message])
    out_of_balance: list[MailboxStatistics] = attrs.field(factory=list[MailboxStatistics])
    seen: Counter[str] = attrs.field(factory=Counter[str])
    address: Address[Message] = attrs.field(init=False)
    mailbox: Mailbox[Message] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.address, self.mailbox = open_mailbox[Message](
            self.rng.randint(1, 4), overflow=self.overflow, on_undelivered=self.lose
        )

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note whatever does not add up, between any two steps that Trio takes."""
        del task
        figures = self.mailbox.statistics()
        adds_up = figures.sent == figures.received + figures.dropped + figures.used
        fits = figures.used <= figures.peak <= figures.capacity
        waits_for_a_reason = not figures.waiting_senders or figures.used == figures.capacity
        if not (adds_up and fits and waits_for_a_reason):
            self.out_of_balance.append(figures)

    async def pause(self) -> None:
        await trio.sleep(self.rng.choice([0.0, 0.0, 0.5, 1.0, 2.0]))

    def patience(self) -> trio.CancelScope:
        return trio.move_on_after(self.rng.choice([0.0, 0.5, 0.5, 1.0, math.inf]))

    # Senders

    async def send_all(self, who: int) -> None:
        for number in range(MESSAGES):
            await self.pause()
            with self.patience():
                await self.send((who, number))

    async def send(self, message: Message) -> None:
        fates = self.fates[message]
        was_sent = False
        try:
            if self.rng.random() < 0.3:
                self.address.send_nowait(message)
            else:
                await self.address.send(message)
            was_sent = True
        except (trio.WouldBlock, MailboxClosed) as refused:
            self.seen[type(refused).__name__] += 1
        finally:
            if not was_sent:  # refused or cancelled
                fates.append("not sent")

    def lose(self, message: Message, why: UndeliveredReason) -> None:
        self.fates[message].append(why)

    # Receivers

    async def receive_all(self) -> None:
        """Receive to the end, in all ways and without patience."""
        while True:
            await self.pause()
            try:
                with self.patience() as scope:
                    for message in await self.receive():
                        self.received.append(message)
                        self.fates[message].append("received")
                self.seen["a receiver was cancelled"] += scope.cancelled_caught
            except (trio.WouldBlock, trio.BusyResourceError) as refused:
                self.seen[type(refused).__name__] += 1
            except MailboxClosed:
                return

    async def receive(self) -> list[Message]:
        way = self.rng.randrange(4)
        if way == 0:
            return [self.mailbox.receive_nowait()]
        if way == 1:
            return await self.mailbox.receive_batch(self.rng.choice([1, 2, None]))
        return [await self.mailbox.receive()]

    # Together

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):  # one of them is sometimes in the way of the other
                nursery.start_soon(self.receive_all)
            with trio.move_on_after(self.rng.randint(1, 40) / 2):
                async with trio.open_nursery() as senders:
                    for who in range(SENDERS - 1):
                        senders.start_soon(self.send_all, who)
                    nursery.start_soon(self.send_all, SENDERS - 1)
            self.mailbox.close()

    def check(self) -> None:
        assert self.out_of_balance == []
        assert self.mailbox.statistics().used == 0
        for message, fates in self.fates.items():
            assert len(fates) == 1, message
        self.check_order()
        self.check_figures()

    def check_order(self) -> None:
        for who in range(SENDERS):
            numbers = [number for sender, number in self.received if sender == who]
            assert numbers == sorted(numbers)

    def check_figures(self) -> None:
        figures = self.mailbox.statistics()
        count = Counter(fate for fates in self.fates.values() for fate in fates)
        assert figures.received == count["received"]
        assert figures.dropped == count["overflow"] + count["closed"]
        self.seen.update(count)


def raged(seed: int, overflow: Overflow) -> Storm:
    storm = Storm(Random(seed), overflow)
    clock: Any = MockClock(autojump_threshold=0)
    trio.run(storm.run, clock=clock, instruments=[storm])
    storm.check()
    return storm


@pytest.mark.parametrize("overflow", POLICIES)
@given(SEEDS)
def test_each_message_has_one_fate_and_each_sender_its_order(overflow: Overflow, seed: int) -> None:
    raged(seed, overflow)


def test_storms_are_storms() -> None:
    # Or else the test above would pass for want of wind.
    seen = Counter[str]()
    for seed in range(40):
        seen.update(raged(seed, POLICIES[seed % 4]).seen)
    assert {what for what, often in seen.items() if often >= 10} == {
        "received", "overflow", "closed", "not sent", "a receiver was cancelled",
        "WouldBlock", "MailboxFull", "MailboxClosed", "BusyResourceError",
    }  # fmt: skip
