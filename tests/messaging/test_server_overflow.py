"""Tests of full mailboxes of servers: who loses, and how it is told."""

from __future__ import annotations

from typing import get_args

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import (
    MailboxFull,
    MailboxStatistics,
    MessageDropped,
    Overflow,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe

from ._servers import WAITS, Asked, Worker, assert_conserved, attempt, cast_and_wait, worker

ALL = get_args(Overflow)


@pytest.mark.parametrize(
    ("overflow", "raised"),
    [
        ("block", trio.WouldBlock),
        ("reject", MailboxFull),
        ("drop_oldest", None),
        ("drop_newest", None),
    ],
)
async def test_a_cast_to_a_full_mailbox(overflow: Overflow, raised: type[Exception] | None) -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=1, overflow=overflow)
    ref.cast(Worker.note, "old")
    if raised is None:
        ref.cast(Worker.note, "new")
    else:
        with pytest.raises(raised) as caught:
            ref.cast(Worker.note, "new")
        assert type(caught.value) is raised
    assert (ref.statistics().dropped, ref.statistics().rejected) == (raised is None, bool(raised))
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
    assert log == ["new" if overflow == "drop_oldest" else "old"]
    assert_conserved(ref)


@pytest.mark.parametrize("overflow", ALL)
async def test_a_cast_wait_to_a_full_mailbox(overflow: Overflow) -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=1, overflow=overflow)
    ref.cast(Worker.note, "old")
    async with trio.open_nursery() as nursery:
        if overflow == "reject":
            with pytest.raises(MailboxFull):
                await ref.cast_wait(Worker.note, "new")
        else:
            nursery.start_soon(cast_and_wait, ref, Worker.note, "new")
            await wait_all_tasks_blocked()
        assert ref.statistics().waiting_senders == (overflow == "block")
        async with open_supervisor([spec]):
            await wait_all_tasks_blocked()
    assert (
        log
        == {
            "block": ["old", "new"],
            "reject": ["old"],
            "drop_oldest": ["new"],
            "drop_newest": ["old"],
        }[overflow]
    )
    assert_conserved(ref)


@pytest.mark.parametrize("overflow", ALL)
async def test_a_call_to_a_full_mailbox(overflow: Overflow) -> None:
    spec, ref = worker(capacity=1, overflow=overflow)
    async with trio.open_nursery() as nursery:
        old = Asked(nursery, ref, Worker.echo, "old")
        await wait_all_tasks_blocked()
        new = Asked(nursery, ref, Worker.echo, "new")
        await wait_all_tasks_blocked()
        async with open_supervisor([spec]):
            await wait_all_tasks_blocked()
    assert (old.kind, new.kind) == {
        "block": ("old", "new"),
        "reject": ("old", "MailboxFull"),
        "drop_oldest": ("MailboxFull", "new"),
        "drop_newest": ("old", "MailboxFull"),
    }[overflow]
    assert_conserved(ref)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_a_dropped_call_is_told_at_once_and_not_when_its_turn_comes(
    overflow: Overflow, autojump_clock: MockClock
) -> None:
    spec, ref = worker(capacity=1, overflow=overflow)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        ref.cast(Worker.nap, 100)
        await wait_all_tasks_blocked()
        old = Asked(nursery, ref, Worker.echo, "old")
        await trio.sleep(1)
        new = Asked(nursery, ref, Worker.echo, "new")
        await trio.sleep(1)
        loser, winner = (old, new) if overflow == "drop_oldest" else (new, old)
        assert (loser.kind, loser.at, winner.answer) == ("MailboxFull", 1.0, WAITS)
        assert loser.answer.capacity == 1


async def test_each_dropped_call_gets_an_error_of_its_own() -> None:
    # Rule R18.
    _, ref = worker(capacity=1, overflow="drop_oldest")
    async with trio.open_nursery() as nursery:
        asked: list[Asked] = []
        for number in range(3):
            asked.append(Asked(nursery, ref, Worker.echo, number))
            await wait_all_tasks_blocked()
        assert [one.kind for one in asked] == ["MailboxFull", "MailboxFull", WAITS]
        assert asked[0].answer is not asked[1].answer
        nursery.cancel_scope.cancel()


async def test_the_place_of_a_caller_that_left_is_the_oldest_too() -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=2, overflow="drop_oldest")
    async with trio.open_nursery() as nursery:
        leaver = Asked(nursery, ref, Worker.note, "left")
        await wait_all_tasks_blocked()
        leaver.leave()
        await wait_all_tasks_blocked()
        ref.cast(Worker.note, "a")
        ref.cast(Worker.note, "b")
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
    assert log == ["a", "b"]
    assert ref.statistics().dropped == 1
    assert_conserved(ref)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_what_a_policy_drops_is_told(overflow: Overflow) -> None:
    _, ref = worker(capacity=1, overflow=overflow)
    told: list[MessageDropped] = []
    with subscribe(told.append, MessageDropped):
        ref.cast(Worker.note, "old")
        ref.cast(Worker.echo, "new")
    dropped = "note" if overflow == "drop_oldest" else "echo"
    assert told == [MessageDropped(mailbox="w", message=dropped, why="overflow")]
    assert told[0].message == dropped


async def test_a_server_that_waits_for_messages_takes_one_more_than_there_is_room_for() -> None:
    spec, ref = worker(capacity=1)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
        ref.cast(Worker.note, "handed over")
        ref.cast(Worker.note, "queued")
        with pytest.raises(trio.WouldBlock):
            ref.cast(Worker.note, "one too many")
        assert ref.statistics() == MailboxStatistics(
            capacity=1,
            used=1,
            peak=1,
            sent=2,
            received=1,
            dropped=0,
            rejected=1,
            waiting_senders=0,
        )


async def test_the_figures_count_over_all_incarnations() -> None:
    spec, ref = worker(capacity=4)
    async with open_supervisor([spec]):
        for _ in range(3):
            await attempt(ref, Worker.crash)
        await ref.call(Worker.echo, 1)
        figures = ref.statistics()
    assert (figures.sent, figures.received, figures.dropped) == (4, 4, 0)
