"""Tests of what an operator sees: the message in hand, and a handler that is stuck."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import CurrentMessage, Server, serve
from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    Liveness,
    Supervisor,
    current_child,
    open_supervisor,
    subtree,
)

from ._servers import Asked, Worker, attempt, worker


def status(sup: Supervisor) -> object:
    return sup.snapshot().children[0].status


async def test_an_idle_server_has_no_message_in_hand() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]) as sup:
        assert status(sup) is None
        await ref.call(Worker.echo, 1)
        assert status(sup) is None


async def test_a_handler_that_is_stuck_is_named(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        await trio.sleep(2)
        Asked(nursery, ref, Worker.nap, 100)
        await wait_all_tasks_blocked()
        ref.cast(Worker.echo, 1)
        await trio.sleep(3)
        seen = status(sup)
        assert seen == CurrentMessage(method="nap", since=2.0, running_for=3.0, queued=1)
        assert str(seen) == "nap for 3 s, 1 more wait"
        nursery.cancel_scope.cancel()
    assert status(sup) is None


async def test_each_message_has_a_since_of_its_own(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]) as sup:
        ref.cast(Worker.nap, 2)
        ref.cast(Worker.nap, 2)
        await trio.sleep(3)
        assert status(sup) == CurrentMessage(method="nap", since=2.0, running_for=1.0, queued=0)


async def test_setup_and_teardown_are_shown(autojump_clock: MockClock) -> None:
    class Leisurely(Server):
        async def setup(self) -> None:
            await trio.sleep(2)

        async def teardown(self, exit: Exit) -> None:
            await trio.sleep(2)

    spec, ref = serve(Leisurely, capacity=1)
    del ref
    async with open_supervisor() as sup, trio.open_nursery() as nursery:
        nursery.start_soon(sup.start_child, spec)
        await trio.sleep(1)
        assert status(sup) == CurrentMessage(method="setup", since=0.0, running_for=1.0, queued=0)
        await trio.sleep(2)
        assert status(sup) is None
        nursery.start_soon(sup.stop_child, "Leisurely")
        await trio.sleep(1)
        assert status(sup) == CurrentMessage(
            method="teardown", since=3.0, running_for=1.0, queued=0
        )


async def test_the_status_that_a_server_shows_is_kept(autojump_clock: MockClock) -> None:
    class Vocal(Worker):
        async def setup(self) -> None:
            current_child().status = "42 clients"

    spec, ref = serve(Vocal, capacity=1)
    async with open_supervisor([spec]) as sup:
        assert status(sup) == "42 clients"
        ref.cast(Worker.nap, 10)
        await trio.sleep(1)
        seen = status(sup)
        assert seen == CurrentMessage(
            method="nap", since=0.0, running_for=1.0, queued=0, shown="42 clients"
        )
        assert str(seen) == "42 clients; nap for 1 s"
        assert sup.children["Vocal"].status == "42 clients"


async def test_a_handler_can_look_at_itself() -> None:
    seen: list[object] = []

    class Mirror(Server):
        async def look(self, sup: Supervisor) -> None:
            seen.append(status(sup))

    spec, ref = serve(Mirror, capacity=1)
    async with open_supervisor([spec]) as sup:
        await ref.call(Mirror.look, sup)
    (one,) = seen
    assert isinstance(one, CurrentMessage)
    assert one.method == "look"


async def test_a_server_in_a_subtree_is_shown_too(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    async with open_supervisor([subtree([spec], name="sub")]) as sup:
        ref.cast(Worker.nap, 10)
        await trio.sleep(1)
        below = sup.snapshot().children[0].supervisor
        assert below is not None
        seen = below.children[0].status
        assert isinstance(seen, CurrentMessage)
        assert seen.method == "nap"


async def test_a_server_that_crashed_shows_nothing_more() -> None:
    spec, ref = worker(restart="transient")
    async with open_supervisor([spec]) as sup:
        await attempt(ref, Worker.finish)
        await wait_all_tasks_blocked()
        assert status(sup) is None


def test_the_picture_of_a_closed_supervisor_can_be_taken_after_the_run() -> None:
    async def main() -> Supervisor:
        async with open_supervisor([worker().spec]) as sup:
            return sup

    assert trio.run(main).snapshot().children[0].state == "stopped"


# Liveness


async def test_an_idle_server_beats_by_itself(autojump_clock: MockClock) -> None:
    spec, ref = worker(liveness=Liveness(every=1, misses=1))
    async with open_supervisor([spec], max_restarts=0):
        await trio.sleep(1_000)
        assert await ref.call(Worker.incarnation) == 1


async def test_a_server_that_is_busy_with_short_messages_lives(autojump_clock: MockClock) -> None:
    spec, ref = worker(liveness=Liveness(every=1, misses=2))
    async with open_supervisor([spec], max_restarts=0):
        for _ in range(20):
            assert await ref.call(Worker.nap, 1.5) == 1.5
        assert await ref.call(Worker.incarnation) == 1


@pytest.mark.parametrize("idle_for", [0.0, 0.3, 0.9, 10.0])
async def test_a_handler_that_is_stuck_is_ended(idle_for: float, autojump_clock: MockClock) -> None:
    spec, ref = worker(liveness=Liveness(every=1, misses=3))
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        await trio.sleep(idle_for)
        stuck = Asked(nursery, ref, Worker.nap, 100)
        await wait_all_tasks_blocked()
        queued = Asked(nursery, ref, Worker.echo, 1)
        await trio.sleep(50)
        exit = sup.children["w"].last_exit
        assert exit is not None
        assert exit.reason == "unresponsive"
        assert stuck.kind == "CallFailed"
        assert str(stuck.answer) == "server 'w' was unresponsive, and ended, while it handled 'nap'"
        assert (stuck.at, queued.at) == (idle_for + 3.0, idle_for + 3.0)
        assert queued.answer == 1
        assert sup.children["w"].incarnation == 2


@pytest.mark.parametrize("drain", [False, True], ids=["", "drain"])
async def test_a_stuck_handler_that_swallows_its_end_is_the_last_of_its_incarnation(
    drain: bool, autojump_clock: MockClock
) -> None:
    class Stubborn(Worker):
        async def hold_on(self) -> None:
            with suppress(trio.Cancelled):
                await trio.sleep_forever()

    spec, ref = serve(Stubborn, capacity=3, drain=drain, liveness=Liveness(every=1, misses=1))
    async with open_supervisor([spec]):
        ref.cast(Stubborn.hold_on)
        assert await ref.call(Worker.incarnation) == 2


async def test_a_handler_may_beat_by_itself(autojump_clock: MockClock) -> None:
    class Diligent(Worker):
        async def work(self) -> int:
            for _ in range(10):
                await trio.sleep(1)
                current_child().beat()
            return await self.incarnation()

    spec, ref = serve(Diligent, capacity=1, liveness=Liveness(every=1, misses=2))
    async with open_supervisor([spec], max_restarts=0):
        assert await ref.call(Diligent.work) == 1


async def test_a_slow_setup_is_not_a_matter_of_liveness(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def setup(self) -> None:
            await trio.sleep(50)

    spec, ref = serve(Slow, capacity=1, liveness=Liveness(every=1, misses=1))
    async with open_supervisor([spec], max_restarts=0):
        assert await ref.call(Worker.incarnation) == 1
        await trio.sleep(10)
        assert await ref.call(Worker.incarnation) == 1


async def test_a_stuck_temporary_server_is_gone(autojump_clock: MockClock) -> None:
    spec, ref = worker(liveness=Liveness(every=1, misses=1), restart="temporary")
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        stuck = Asked(nursery, ref, Worker.nap, 100)
        await wait_all_tasks_blocked()
        queued = Asked(nursery, ref, Worker.echo, 1)
        await trio.sleep(5)
        assert (stuck.kind, queued.kind) == ("CallFailed", "ServerGone")
        assert (stuck.at, queued.at) == (1.0, 1.0)


async def test_a_server_that_is_never_ready_is_ended(autojump_clock: MockClock) -> None:
    class Never(Worker):
        async def setup(self) -> None:
            await trio.sleep_forever()

    spec, ref = serve(partial(Never, []), capacity=1, ready_within=2)
    async with trio.open_nursery() as nursery:
        waiting = Asked(nursery, ref, Worker.echo, 1)
        with pytest.raises(ChildStartFailed):
            async with open_supervisor([spec]):
                pytest.fail("it must not start")
    assert (waiting.kind, waiting.at) == ("ServerGone", 2.0)
