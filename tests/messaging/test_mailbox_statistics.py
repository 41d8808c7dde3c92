"""Tests of the figures of a mailbox: what counts as what, and that they always add up."""

from __future__ import annotations

from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation import messaging
from trio_foundation.messaging import (
    Address,
    Mailbox,
    Overflow,
    UndeliveredReason,
    open_mailbox,
)

# As somebody without a type checker sees it.
untyped = cast("Any", messaging)

EVERY_POLICY = pytest.mark.parametrize(
    "overflow", ["block", "reject", "drop_oldest", "drop_newest"]
)


def figures_of(ends: tuple[Address[Any], Mailbox[Any]]) -> dict[str, int]:
    """Return the figures that are not 0, when both ends agree on them and they add up."""
    address, mailbox = ends
    figures = mailbox.statistics()
    assert figures == address.statistics()
    assert figures.sent == figures.received + figures.dropped + figures.used
    assert figures.used <= figures.peak <= figures.capacity
    return {name: value for name, value in attrs.asdict(figures).items() if value}


def test_a_new_mailbox_has_a_capacity_and_nothing_else() -> None:
    assert figures_of(open_mailbox[int](7)) == {"capacity": 7}


def test_figures_are_those_of_one_moment() -> None:
    address, mailbox = open_mailbox[int](7)
    before = mailbox.statistics()
    address.send_nowait(1)
    assert (before.sent, mailbox.statistics().sent) == (0, 1)


def test_figures_cannot_be_changed() -> None:
    _, mailbox = open_mailbox[int](7)
    figures: Any = mailbox.statistics()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        figures.used = 3


def test_equal_figures_are_equal() -> None:
    (_, one), (_, other) = open_mailbox[int](7), open_mailbox[str](7)
    assert one.statistics() == other.statistics()


@EVERY_POLICY
def test_a_message_is_sent_when_it_enters_and_received_when_it_leaves(overflow: Overflow) -> None:
    ends = address, mailbox = open_mailbox[int](3, overflow=overflow)
    address.send_nowait(1)
    assert figures_of(ends) == {"capacity": 3, "used": 1, "peak": 1, "sent": 1}
    mailbox.receive_nowait()
    assert figures_of(ends) == {"capacity": 3, "peak": 1, "sent": 1, "received": 1}


def test_the_peak_is_the_most_there_ever_was() -> None:
    ends = address, mailbox = open_mailbox[int](5)
    peaks: list[int] = []
    for sends, receives in ((2, 1), (1, 2), (3, 3), (1, 1)):
        for _ in range(sends):
            address.send_nowait(0)
        for _ in range(receives):
            mailbox.receive_nowait()
        peaks.append(figures_of(ends)["peak"])
    assert peaks == [2, 2, 3, 3]


@pytest.mark.parametrize(
    ("overflow", "more"),
    [
        ("block", {"sent": 1, "rejected": 2}),
        ("reject", {"sent": 1, "rejected": 2}),
        ("drop_oldest", {"sent": 3, "dropped": 2}),
        ("drop_newest", {"sent": 3, "dropped": 2}),
    ],
)
def test_what_there_is_no_room_for_is_rejected_or_dropped(
    overflow: Overflow, more: dict[str, int]
) -> None:
    ends = address, _ = open_mailbox[int](1, overflow=overflow)
    for message in (1, 2, 3):
        try:
            address.send_nowait(message)
        except trio.WouldBlock:
            assert "rejected" in more
    assert figures_of(ends) == {"capacity": 1, "used": 1, "peak": 1, **more}


async def test_what_is_handed_over_never_was_in_the_mailbox() -> None:
    ends = address, mailbox = open_mailbox[int](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive)
        await wait_all_tasks_blocked()
        address.send_nowait(1)
        assert figures_of(ends) == {"capacity": 1, "sent": 1, "received": 1}
    assert figures_of(ends) == {"capacity": 1, "sent": 1, "received": 1}


async def test_what_waits_with_its_sender_is_not_sent_yet() -> None:
    full = {"capacity": 1, "used": 1, "peak": 1}
    ends = address, mailbox = open_mailbox[int](1)
    address.send_nowait(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(address.send, 1)
        nursery.start_soon(address.send, 2)
        await wait_all_tasks_blocked()
        assert figures_of(ends) == {**full, "sent": 1, "waiting_senders": 2}
        mailbox.receive_nowait()
        assert figures_of(ends) == {**full, "sent": 2, "received": 1, "waiting_senders": 1}
        mailbox.receive_nowait()
        assert figures_of(ends) == {**full, "sent": 3, "received": 2}


async def test_a_receive_that_finds_nothing_counts_nothing() -> None:
    ends = _, mailbox = open_mailbox[int](1)
    with pytest.raises(trio.WouldBlock):
        mailbox.receive_nowait()
    assert figures_of(ends) == {"capacity": 1}


def test_the_figures_outlive_the_mailbox() -> None:
    ends = address, mailbox = open_mailbox[int](2)
    address.send_nowait(1)
    address.send_nowait(2)
    mailbox.receive_nowait()
    mailbox.close()
    assert figures_of(ends) == {"capacity": 2, "peak": 2, "sent": 2, "received": 1, "dropped": 1}


@EVERY_POLICY
def test_they_add_up_also_while_messages_are_being_dropped(overflow: Overflow) -> None:
    def look(message: int, why: UndeliveredReason) -> None:
        seen.append((message, why, figures_of(ends).get("used", 0)))

    seen: list[tuple[int, str, int]] = []
    ends = address, mailbox = open_mailbox[int](2, overflow=overflow, on_undelivered=look)
    for message in (1, 2, 3):
        try:
            address.send_nowait(message)
        except trio.WouldBlock:
            assert overflow in ("block", "reject")
    mailbox.close()
    assert (
        seen
        == {
            "block": [(1, "closed", 1), (2, "closed", 0)],
            "reject": [(1, "closed", 1), (2, "closed", 0)],
            "drop_oldest": [(1, "overflow", 2), (2, "closed", 1), (3, "closed", 0)],
            "drop_newest": [(3, "overflow", 2), (1, "closed", 1), (2, "closed", 0)],
        }[overflow]
    )


def test_figures_are_written_by_name() -> None:
    with pytest.raises(TypeError):
        untyped.MailboxStatistics(1, 0, 0, 0, 0, 0, 0, 0)
