"""Tests of an ordered stop: what a server still handles, and what it refuses."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import Server, ServerGone, serve
from trio_foundation.supervision import Exit, open_dynamic_supervisor, open_supervisor

from ._servers import WAITS, Asked, Worker, assert_conserved, attempt, worker


@pytest.mark.parametrize("how", ["block ends", "stop_child", "shutdown", "dynamic"])
async def test_a_server_that_drains_finishes_what_is_queued(
    how: str, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    spec, ref = worker(log, drain=True)
    opened = open_dynamic_supervisor() if how == "dynamic" else open_supervisor()
    async with opened as sup:
        await sup.start_child(spec)
        for line in "abc":
            ref.cast(Worker.nap, 1, line)
        if how == "shutdown":
            sup.shutdown()
        elif how == "stop_child":
            await sup.stop_child("w")
    assert log == ["a", "b", "c"]
    assert trio.current_time() == 3.0
    assert ref.statistics().dropped == 0


async def test_an_idle_server_that_drains_stops_at_once(autojump_clock: MockClock) -> None:
    spec, _ = worker(drain=True)
    async with open_supervisor([spec]) as sup:
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("w")
        assert exit is not None
        assert (exit.reason, exit.error, exit.ended_at) == ("stopped", None, 0.0)


async def test_a_server_that_drains_refuses_new_messages_at_once(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker(drain=True)
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        old = Asked(nursery, ref, Worker.nap, 3)
        await wait_all_tasks_blocked()
        nursery.start_soon(sup.stop_child, "w")
        await trio.sleep(1)
        assert isinstance(await attempt(ref, Worker.echo, 1), ServerGone)
        with pytest.raises(ServerGone):
            ref.cast(Worker.echo, 1)
        with pytest.raises(ServerGone):
            await ref.cast_wait(Worker.echo, 1)
        assert trio.current_time() == 1.0
        assert old.answer == WAITS
    assert (old.answer, old.at) == (3, 3.0)


class Counting(Server):
    """Counts down by messages to itself."""

    def __init__(self, log: list[int]) -> None:
        self.log = log

    async def count_down(self, number: int) -> None:
        await trio.sleep(1)
        self.log.append(number)
        if number:
            self.ref.cast(Counting.count_down, number - 1)


async def test_a_server_that_drains_takes_what_it_casts_to_itself(
    autojump_clock: MockClock,
) -> None:
    log: list[int] = []
    spec, ref = serve(lambda: Counting(log), capacity=1, drain=True)
    async with open_supervisor([spec]):
        ref.cast(Counting.count_down, 3)
        await wait_all_tasks_blocked()
    assert log == [3, 2, 1, 0]
    assert trio.current_time() == 4.0
    assert_conserved(ref)


async def test_a_server_that_never_has_done_drains_for_its_grace(
    autojump_clock: MockClock,
) -> None:
    log: list[int] = []
    spec, ref = serve(lambda: Counting(log), capacity=1, drain=True, grace=4.5)
    async with open_supervisor([spec]):
        ref.cast(Counting.count_down, 1_000)
        await wait_all_tasks_blocked()
    assert len(log) == 4
    assert trio.current_time() == 4.5
    assert_conserved(ref)


async def test_a_server_that_drains_takes_nothing_of_others_between_two_messages() -> None:
    refused: list[str] = []

    def send(state: str) -> None:
        try:
            ref.cast(Worker.note, "too late")
        except ServerGone:
            refused.append(state)

    log: list[str] = []
    spec, ref = worker(log, drain=True)
    async with open_supervisor([spec]) as sup:
        await wait_all_tasks_blocked()
        sup.children["w"].on_state(send)
        await sup.stop_child("w")
    assert refused == ["stopping", "stopped"]
    assert log == []


async def test_when_the_grace_is_over_the_rest_is_refused(autojump_clock: MockClock) -> None:
    spec, ref = worker(drain=True, grace=3, capacity=2)
    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec]):
            done = Asked(nursery, ref, Worker.nap, 2)
            await wait_all_tasks_blocked()
            in_hand = Asked(nursery, ref, Worker.nap, 2)
            await wait_all_tasks_blocked()
            queued = Asked(nursery, ref, Worker.nap, 2)
            await wait_all_tasks_blocked()
    assert (done.answer, done.at) == (2, 2.0)
    assert (in_hand.kind, in_hand.at) == ("CallFailed", 3.0)
    assert in_hand.answer.how == "was stopped"
    assert (queued.kind, queued.at) == ("ServerGone", 3.0)
    assert_conserved(ref)


async def test_without_draining_the_message_in_hand_is_cancelled_at_once(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, ref = worker(log)
    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec]):
            in_hand = Asked(nursery, ref, Worker.nap, 2)
            await wait_all_tasks_blocked()
            queued = Asked(nursery, ref, Worker.note, "queued")
            await wait_all_tasks_blocked()
    assert (in_hand.kind, queued.kind) == ("CallFailed", "ServerGone")
    assert (log, trio.current_time()) == ([], 0.0)
    assert_conserved(ref)


async def test_those_who_wait_for_room_at_the_stop_are_answered(autojump_clock: MockClock) -> None:
    spec, ref = worker(drain=True, capacity=1)
    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec]):
            asked = [Asked(nursery, ref, Worker.nap, 1) for _ in range(4)]
            await wait_all_tasks_blocked()
            assert ref.statistics().waiting_senders == 2
    assert all(one.answer == 1 or one.kind == "ServerGone" for one in asked)
    assert [one.answer for one in asked].count(1) >= 2
    assert_conserved(ref)


async def test_a_server_without_grace_does_not_drain(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, ref = worker(log, drain=True, grace=0)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
        ref.cast(Worker.nap, 1)
    assert (log, trio.current_time()) == ([], 0.0)
    assert_conserved(ref)


async def test_teardown_comes_after_draining_and_has_a_grace_of_its_own(
    autojump_clock: MockClock,
) -> None:
    class Tidy(Worker):
        async def teardown(self, exit: Exit) -> None:
            await self.nap(4, f"teardown {exit.reason}")

    log: list[str] = []
    spec, ref = serve(lambda: Tidy(log), capacity=3, drain=True, grace=5)
    async with open_supervisor([spec]):
        ref.cast(Worker.nap, 4, "queued")
    assert log == ["queued", "teardown stopped"]
    assert trio.current_time() == 8.0


async def test_an_outer_cancellation_drains_too(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, ref = worker(log, drain=True)
    with trio.CancelScope() as scope:
        async with open_supervisor([spec]):
            ref.cast(Worker.nap, 1, "a")
            ref.cast(Worker.nap, 1, "b")
            scope.cancel()
    assert log == ["a", "b"]


async def test_before_a_restart_of_the_group_it_finishes_the_old_and_keeps_the_new(
    autojump_clock: MockClock,
) -> None:
    class Told(Worker):
        async def setup(self) -> None:
            self.log.append(f"+{len(self.log)}")

    log: list[str] = []
    elder_spec, elder = worker(name="elder")
    spec, ref = serve(lambda: Told(log), capacity=5, drain=True, name="w")
    async with open_supervisor([elder_spec, spec], strategy="one_for_all") as sup:
        ref.cast(Worker.nap, 2, "in hand")
        ref.cast(Worker.nap, 1, "queued")
        await wait_all_tasks_blocked()
        elder.cast(Worker.crash)
        await trio.sleep(1)
        assert sup.children["w"].state == "stopping"
        assert await ref.call(Worker.note, "new") == "new"
        assert trio.current_time() == 3.0
        assert sup.children["w"].incarnation == 2
    assert log == ["+0", "in hand", "queued", "+3", "new"]
    assert_conserved(ref)


async def test_a_flood_of_new_messages_does_not_hold_up_a_restart_of_the_group(
    autojump_clock: MockClock,
) -> None:
    class Flooded(Worker):
        async def again(self) -> None:
            await trio.sleep(0.1)
            self.ref.cast(Flooded.again)

    elder_spec, elder = worker(name="elder")
    spec, ref = serve(Flooded, capacity=5, drain=True, grace=50, name="w")
    async with open_supervisor([elder_spec, spec], strategy="one_for_all") as sup:
        ref.cast(Flooded.again)
        await trio.sleep(1)
        await attempt(elder, Worker.crash)
        await trio.sleep(0.01)
        assert await ref.call(Worker.incarnation) == 2
        assert trio.current_time() < 2.0
        await sup.stop_child("w")


async def test_a_stop_during_setup_lets_what_is_queued_be_drained(
    autojump_clock: MockClock,
) -> None:
    class Slow(Worker):
        async def setup(self) -> None:
            await trio.sleep(2)

    log: list[str] = []
    spec, ref = serve(lambda: Slow(log), capacity=5, drain=True, name="w")
    async with open_supervisor() as sup:
        ref.cast(Worker.note, "queued")
        with trio.move_on_after(1):
            await sup.start_child(spec)
    assert_conserved(ref)
    assert ref.statistics().used == 0
    assert isinstance(await attempt(ref, Worker.echo, 1), ServerGone)
