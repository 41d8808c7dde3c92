"""Tests of servers that call themselves, and so would wait for ever.

Rule R40. Whoever is part of what a server has in hand cannot wait for that server.
"""

from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import CallFailed, Ref, SelfCall, Served, Server, serve
from trio_foundation.supervision import ChildStartFailed, Exit, open_supervisor

from ._servers import WAITS, Asked, Worker, assert_conserved, attempt, worker


class Narcissus(Worker):
    """Calls itself, in many ways."""

    async def call_itself(self) -> object:
        return await self.ref.call(Worker.echo, "me")

    async def call_itself_in_a_task(self) -> object:
        async with trio.open_nursery() as nursery:
            asked = Asked(nursery, self.ref, Worker.echo, "me")
        return asked.answer

    async def call_itself_late(self, nursery: trio.Nursery) -> Asked:
        return Asked(nursery, self.ref, Worker.echo, "me")

    async def cast_to_itself(self, times: int) -> None:
        for _ in range(times):
            await self.ref.cast_wait(Worker.note, "me")


async def test_a_handler_that_calls_its_own_server_is_told_so() -> None:
    spec, ref = serve(Narcissus, capacity=1)
    async with open_supervisor([spec]):
        failure = await attempt(ref, Narcissus.call_itself)
    assert isinstance(failure, CallFailed)
    cause = failure.__cause__
    assert isinstance(cause, SelfCall)
    assert isinstance(cause, RuntimeError)
    assert (cause.server, cause.method) == ("Narcissus", "echo")
    assert "write `await self.echo(...)`" in str(cause)
    assert_conserved(ref)


async def test_a_task_within_a_handler_is_told_so_too() -> None:
    spec, ref = serve(Narcissus, capacity=1)
    async with open_supervisor([spec]):
        assert isinstance(await ref.call(Narcissus.call_itself_in_a_task), SelfCall)


async def test_a_thread_within_a_handler_is_told_so_too() -> None:
    class Threaded(Worker):
        async def work(self) -> object:
            return await trio.to_thread.run_sync(
                trio.from_thread.run, partial(attempt, self.ref, Worker.echo, 1)
            )

    spec, ref = serve(Threaded, capacity=1)
    async with open_supervisor([spec]):
        assert isinstance(await ref.call(Threaded.work), SelfCall)


async def test_a_task_that_outlives_its_handler_may_call() -> None:
    spec, ref = serve(Narcissus, capacity=1)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        asked = await ref.call(Narcissus.call_itself_late, nursery)
        await wait_all_tasks_blocked()
        assert asked.answer == "me"


async def test_a_task_that_outlives_its_handler_may_call_while_the_server_is_busy(
    autojump_clock: MockClock,
) -> None:
    class Late(Worker):
        async def call_later(self, nursery: trio.Nursery) -> None:
            nursery.start_soon(self.sleep_and_call)

        async def sleep_and_call(self) -> None:
            await trio.sleep(1)
            self.log.append(await self.ref.call(Worker.echo, "called"))

    log: list[str] = []
    spec, ref = serve(partial(Late, log), capacity=1)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        await ref.call(Late.call_later, nursery)
        await ref.call(Worker.nap, 3)
    assert log == ["nap", "called"]


class InSetup(Worker):
    """Calls itself before it is ready."""

    async def setup(self) -> None:
        await self.ref.call(Worker.echo, 1)


async def test_a_setup_that_calls_its_own_server_fails() -> None:
    spec, _ = serve(InSetup, capacity=1)
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert isinstance(caught.value.__cause__, SelfCall)


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_a_teardown_that_calls_its_own_server_is_told_so(how: str) -> None:
    answers: list[object] = []

    class InTeardown(Worker):
        async def teardown(self, exit: Exit) -> None:
            answers.append(await attempt(self.ref, Worker.echo, 1))

    spec, ref = serve(InTeardown, capacity=1)
    async with open_supervisor([spec]) as sup:
        if how == "crash":
            await attempt(ref, Worker.crash)
            await ref.call(Worker.echo, 1)
            assert len(answers) == 1
        else:
            await sup.stop_child("InTeardown")
    assert all(isinstance(answer, SelfCall) for answer in answers)


async def test_a_server_may_cast_to_itself() -> None:
    log: list[str] = []
    spec, ref = serve(partial(Narcissus, log), capacity=3)
    async with open_supervisor([spec]):
        await ref.call(Narcissus.cast_to_itself, 3)
        await ref.call(Worker.echo, 1)
    assert log == ["me", "me", "me"]


async def test_a_server_that_waits_for_room_in_its_own_mailbox_is_told_so() -> None:
    log: list[str] = []
    spec, ref = serve(partial(Narcissus, log), capacity=3, restart="temporary")
    async with open_supervisor([spec]):
        failure = await attempt(ref, Narcissus.cast_to_itself, 4)
        assert isinstance(failure.__cause__, SelfCall)


async def test_to_call_a_base_class_or_a_method_itself_is_no_call() -> None:
    class Sum(Worker):
        async def twice(self) -> list[object]:
            return [await self.echo(1), await Worker.echo(self, 2)]

    spec, ref = serve(Sum, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Sum.twice) == [1, 2]


# Cycles of several are not found, but ended by whoever set a deadline


class Link(Server):
    """Passes a question on to the next one."""

    following: Ref[Link]

    def __init__(self, following: Ref[Link] | None = None) -> None:
        if following is not None:
            self.following = following

    async def ask(self, hops: int) -> str:
        if hops == 0:
            return "answer"
        return await self.following.call(Link.ask, hops - 1)

    async def ask_in_time(self, hops: int) -> str:
        with trio.move_on_after(2):
            return await self.ask(hops)
        return "gave up"


def cycle() -> tuple[Served[Link], Served[Link]]:
    first = serve(Link, capacity=3, name="first")
    second: Served[Link] = serve(partial(Link, first.ref), capacity=3, name="second")
    Link.following = second.ref
    return first, second


async def test_a_cycle_ends_by_the_deadline_of_a_caller_within(autojump_clock: MockClock) -> None:
    first, second = cycle()
    async with open_supervisor([first.spec, second.spec]), trio.open_nursery() as nursery:
        assert await first.ref.call(Link.ask, 1) == "answer"
        asked = Asked(nursery, first.ref, Link.ask_in_time, 2)
        await trio.sleep(1)
        assert asked.answer == WAITS
        await trio.sleep(2)
        assert (asked.answer, asked.at) == ("gave up", 2.0)
        assert await first.ref.call(Link.ask, 1) == "answer"


async def test_a_cycle_ends_by_the_deadline_of_its_caller_only_for_the_caller(
    autojump_clock: MockClock,
) -> None:
    first, second = cycle()
    async with open_supervisor([first.spec, second.spec]):
        with trio.move_on_after(2) as scope:
            await first.ref.call(Link.ask, 2)
        assert scope.cancelled_caught
        assert trio.current_time() == 2.0


async def test_a_cycle_ends_when_a_server_in_it_is_stopped(autojump_clock: MockClock) -> None:
    first, second = cycle()
    async with open_supervisor([first.spec, second.spec]) as sup:
        async with trio.open_nursery() as nursery:
            asked = Asked(nursery, first.ref, Link.ask, 2)
            await trio.sleep(1)
            await sup.stop_child("second")
        assert asked.kind == "CallFailed"
        assert isinstance(asked.answer.__cause__, CallFailed)


async def test_another_server_of_the_same_class_is_another(autojump_clock: MockClock) -> None:
    class Pair(Worker):
        other: Ref[Worker]

        async def ask(self) -> object:
            return await self.other.call(Worker.echo, "other")

    other_spec, Pair.other = worker()
    spec, ref = serve(Pair, capacity=1)
    async with open_supervisor([spec, other_spec]):
        assert await ref.call(Pair.ask) == "other"
