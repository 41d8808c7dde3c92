"""Tests of a mailbox that outlives the incarnations, and of when a server is gone.

Gone means that no incarnation runs and none is scheduled. Then whoever waits gets
`ServerGone` at once, and so does whoever comes. As long as one is to come, messages wait.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.messaging import Ref, Server, ServerGone, serve
from trio_foundation.supervision import (
    ChildStartFailed,
    IgnoreChild,
    RestartLimitReached,
    Strategy,
    Supervisor,
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)

from ._servers import WAITS, Asked, Crash, Worker, assert_conserved, attempt, cast_and_wait, worker

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)


class Slow(Worker):
    """Takes its time to be ready."""

    async def setup(self) -> None:
        await trio.sleep(3)


class Ignored(Worker):
    """Is not to run."""

    async def setup(self) -> None:
        await trio.sleep(3)
        raise IgnoreChild("not today")


class Broken(Worker):
    """Cannot be started."""

    async def setup(self) -> None:
        await trio.sleep(3)
        raise Crash("setup")


async def fail_to_start(*, task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep(3)
    raise Crash("elder sibling")


async def assert_gone(ref: Ref[Any]) -> None:
    before = ref.statistics()
    with pytest.raises(ServerGone, match=f"^server '{ref.name}' is gone") as caught:
        await ref.call(Worker.echo, 1)
    assert caught.value.server == ref.name
    with pytest.raises(ServerGone):
        ref.cast(Worker.echo, 1)
    with pytest.raises(ServerGone):
        await ref.cast_wait(Worker.echo, 1)
    assert ref.statistics() == before
    assert before.used == before.waiting_senders == 0
    assert_conserved(ref)


# Messages wait for what is to come


async def test_what_is_queued_before_the_supervisor_is_opened_is_handled(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, ref = worker(log)
    ref.cast(Worker.note, "a")
    async with trio.open_nursery() as nursery:
        asked = Asked(nursery, ref, Worker.note, "b")
        await trio.sleep(5)
        assert asked.answer == WAITS
        async with open_supervisor([spec]):
            await ref.call(Worker.note, "c")
    assert log == ["a", "b", "c"]


async def test_what_comes_during_a_slow_setup_waits_for_it(autojump_clock: MockClock) -> None:
    spec, ref = serve(Slow, capacity=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast_and_wait, ref, Worker.echo, 1)
        asked = [Asked(nursery, ref, Worker.echo, number) for number in range(3)]
        async with open_supervisor([spec]):
            assert trio.current_time() == 3.0
    assert [one.answer for one in asked] == [0, 1, 2]
    assert {one.at for one in asked} == {3.0}


async def test_what_comes_while_the_server_backs_off_waits(autojump_clock: MockClock) -> None:
    spec, ref = worker(backoff=TEN_SECONDS)
    async with open_supervisor([spec]) as sup:
        await attempt(ref, Worker.crash)
        await wait_all_tasks_blocked()
        assert sup.children["w"].state == "backing_off"
        assert await ref.call(Worker.incarnation) == 2
        assert trio.current_time() == 10.0


async def test_nothing_queued_is_lost_or_moved_by_a_crash() -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=4)
    for line in ("a", "crash", "b", "c"):
        if line == "crash":
            ref.cast(Worker.crash)
        else:
            ref.cast(Worker.note, line)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast_and_wait, ref, Worker.note, "d")
        await wait_all_tasks_blocked()
        async with open_supervisor([spec]):
            await ref.call(Worker.note, "e")
            assert await ref.call(Worker.incarnation) == 2
    assert log == ["a", "b", "c", "d", "e"]
    assert ref.statistics().dropped == 0


async def test_what_was_handed_to_a_waiting_server_that_then_ends_is_not_lost() -> None:
    # The message is on its way to a task that is cancelled before it runs.
    log: list[str] = []
    other_spec, other = worker(name="other")
    spec, ref = worker(log)
    async with open_supervisor([spec, other_spec], strategy="one_for_all") as sup:
        await wait_all_tasks_blocked()
        forget = sup.children["other"].on_exit(lambda _: ref.cast(Worker.note, "in between"))
        other.cast(Worker.crash)
        await wait_all_tasks_blocked()
        forget()
        assert sup.children["w"].incarnation == 2
    assert log == ["in between"]
    assert_conserved(ref)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_nothing_is_lost_by_a_restart_of_the_group(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    first, elder = worker(name="elder")
    second, ref = worker(log, name="younger")
    async with open_supervisor([first, second], strategy=strategy) as sup:
        async with trio.open_nursery() as nursery:
            in_hand = Asked(nursery, ref, Worker.nap, 100)
            await wait_all_tasks_blocked()
            asked = [Asked(nursery, ref, Worker.note, line) for line in "abc"]
            await wait_all_tasks_blocked()
            await attempt(elder, Worker.crash)
        assert in_hand.kind == "CallFailed"
        assert in_hand.answer.how == "was stopped"
        assert in_hand.answer.__cause__ is None
        assert sorted(one.answer for one in asked) == ["a", "b", "c"]
        assert sup.children["younger"].incarnation == 2
    assert sorted(log) == ["a", "b", "c"]


async def test_what_comes_while_a_group_waits_for_its_crashed_child_waits_too(
    autojump_clock: MockClock,
) -> None:
    first, elder = worker(name="elder", backoff=TEN_SECONDS)
    second, ref = worker(name="younger")
    async with open_supervisor([first, second], strategy="one_for_all"):
        await attempt(elder, Worker.crash)
        await trio.sleep(1)
        assert await ref.call(Worker.incarnation) == 2
        assert trio.current_time() == 10.0


async def test_a_start_that_fails_and_is_tried_again_keeps_the_messages() -> None:
    class Flaky(Worker):
        starts = 0

        async def setup(self) -> None:
            Flaky.starts += 1
            if Flaky.starts in (2, 3):
                raise Crash("not yet")

    spec, ref = serve(Flaky, capacity=5)
    async with open_supervisor([spec]):
        ref.cast(Worker.crash)
        assert await ref.call(Worker.incarnation) == 4
        assert ref.statistics().dropped == 0


# Gone


async def test_a_stopped_server_is_gone_and_answers_again_when_it_is_restarted() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]) as sup:
        await sup.stop_child("w")
        await assert_gone(ref)
        await sup.restart_child("w")
        assert await ref.call(Worker.incarnation) == 2
        await sup.stop_child("w")
        await assert_gone(ref)
        sup.delete_child("w")
        await assert_gone(ref)
        await sup.start_child(spec)
        assert await ref.call(Worker.incarnation) == 1


async def test_whoever_waits_for_a_server_that_is_stopped_is_told_at_once(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker(capacity=2)
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        in_hand = Asked(nursery, ref, Worker.nap, 100)
        await wait_all_tasks_blocked()
        waiting = [Asked(nursery, ref, Worker.echo, number) for number in range(5)]
        await trio.sleep(1)
        assert ref.statistics().waiting_senders == 3
        await sup.stop_child("w")
        await wait_all_tasks_blocked()
        assert in_hand.kind == "CallFailed"
        assert [(one.kind, one.at) for one in waiting] == [("ServerGone", 1.0)] * 5
        assert len({id(one.answer) for one in waiting}) == 5
        assert ref.statistics().dropped == 2  # those in line had sent nothing
        await assert_gone(ref)


async def test_one_that_waits_to_cast_is_told_too() -> None:
    spec, ref = worker(capacity=1)
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        ref.cast(Worker.wait, trio.Event())
        await wait_all_tasks_blocked()
        ref.cast(Worker.echo, 1)

        async def wait_for_room() -> None:
            with pytest.raises(ServerGone):
                await ref.cast_wait(Worker.echo, 2)

        nursery.start_soon(wait_for_room)
        await wait_all_tasks_blocked()
        await sup.stop_child("w")


async def test_a_transient_server_that_has_finished_is_gone() -> None:
    spec, ref = worker(restart="transient")
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        finished = Asked(nursery, ref, Worker.finish)
        await wait_all_tasks_blocked()
        assert finished.answer == "bye"
        await assert_gone(ref)


async def test_a_temporary_server_that_has_crashed_is_gone() -> None:
    spec, ref = worker(restart="temporary")
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        ref.cast(Worker.crash)
        waiting = Asked(nursery, ref, Worker.echo, 1)
        await wait_all_tasks_blocked()
        assert waiting.kind == "ServerGone"
        assert "w" not in sup.children
        await assert_gone(ref)
        await sup.start_child(spec)
        assert await ref.call(Worker.echo, 1) == 1


async def test_a_temporary_server_is_gone_when_its_group_is_restarted() -> None:
    first, elder = worker(name="elder")
    second, ref = worker(restart="temporary")
    async with open_supervisor([first, second], strategy="one_for_all"):
        await attempt(elder, Worker.crash)
        await elder.call(Worker.echo, 1)
        await assert_gone(ref)


async def test_a_server_is_gone_when_its_restarts_are_used_up() -> None:
    spec, ref = worker()
    waiting: Asked | None = None
    async with trio.open_nursery() as nursery:
        with pytest.raises(RestartLimitReached):
            async with open_supervisor([spec], max_restarts=0):
                ref.cast(Worker.crash)
                waiting = Asked(nursery, ref, Worker.echo, 1)
                await trio.sleep_forever()
    assert waiting is not None
    assert waiting.kind == "ServerGone"
    await assert_gone(ref)


async def test_a_body_that_waits_for_a_server_that_will_not_come_back_is_not_kept_waiting(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([spec], max_restarts=0):
            ref.cast(Worker.crash)
            with trio.CancelScope(shield=True):
                await ref.call(Worker.echo, 1)
    assert isinstance(caught.value.body_error, ServerGone)
    assert trio.current_time() == 0.0


async def test_an_ignored_server_is_gone(autojump_clock: MockClock) -> None:
    spec, ref = serve(Ignored, capacity=1)
    async with trio.open_nursery() as nursery:
        waiting = [Asked(nursery, ref, Worker.echo, number) for number in range(2)]
        async with open_supervisor([spec]) as sup:
            assert sup.children["Ignored"].state == "ignored"
            await wait_all_tasks_blocked()
            assert [(one.kind, one.at) for one in waiting] == [("ServerGone", 3.0)] * 2
            await assert_gone(ref)


async def test_a_server_whose_elder_sibling_fails_to_start_is_gone(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker()
    async with trio.open_nursery() as nursery:
        waiting = Asked(nursery, ref, Worker.echo, 1)
        with pytest.raises(ChildStartFailed):
            async with open_supervisor([child(fail_to_start), spec]):
                pytest.fail("it must not start")
    assert (waiting.kind, waiting.at) == ("ServerGone", 3.0)
    await assert_gone(ref)


async def test_a_server_that_fails_to_start_is_gone(autojump_clock: MockClock) -> None:
    spec, ref = serve(Broken, capacity=1)
    async with trio.open_nursery() as nursery, open_supervisor() as sup:
        waiting = Asked(nursery, ref, Worker.echo, 1)
        with pytest.raises(ChildStartFailed):
            await sup.start_child(spec)
        await wait_all_tasks_blocked()
        assert (waiting.kind, waiting.at) == ("ServerGone", 3.0)
        await assert_gone(ref)


async def test_a_server_is_gone_when_its_supervisor_has_closed() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        await ref.call(Worker.echo, 1)
    await assert_gone(ref)
    async with open_supervisor([spec]):
        assert await ref.call(Worker.echo, 1) == 1


async def test_a_server_is_gone_when_its_supervisor_was_cancelled() -> None:
    spec, ref = worker()
    async with trio.open_nursery() as nursery:
        in_hand = Asked(nursery, ref, Worker.wait, trio.Event())
        await wait_all_tasks_blocked()
        waiting = Asked(nursery, ref, Worker.echo, 1)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with open_supervisor([spec]):
                await wait_all_tasks_blocked()
                scope.cancel()
        await wait_all_tasks_blocked()
        assert (in_hand.kind, waiting.kind) == ("CallFailed", "ServerGone")
    await assert_gone(ref)


async def test_a_server_that_backs_off_is_gone_when_its_supervisor_ends(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker(backoff=TEN_SECONDS)
    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec]) as sup:
            await attempt(ref, Worker.crash)
            waiting = Asked(nursery, ref, Worker.echo, 1)
            await wait_all_tasks_blocked()
            sup.shutdown()
        await wait_all_tasks_blocked()
    assert (waiting.kind, waiting.at) == ("ServerGone", 0.0)
    await assert_gone(ref)


async def test_a_server_that_backs_off_is_gone_when_it_is_stopped(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker(backoff=TEN_SECONDS)
    async with trio.open_nursery() as nursery, open_supervisor([spec]) as sup:
        await attempt(ref, Worker.crash)
        waiting = Asked(nursery, ref, Worker.echo, 1)
        await wait_all_tasks_blocked()
        await sup.stop_child("w")
        await wait_all_tasks_blocked()
        assert (waiting.kind, waiting.at) == ("ServerGone", 0.0)
        await assert_gone(ref)


async def test_a_server_takes_nothing_new_while_it_is_stopped_for_good(
    autojump_clock: MockClock,
) -> None:
    class Leisurely(Worker):
        async def teardown(self, exit: object) -> None:
            await trio.sleep(3)

    spec, ref = serve(Leisurely, capacity=1, name="w")
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(sup.stop_child, "w")
        await trio.sleep(1)
        assert sup.children["w"].state == "stopping"
        await assert_gone(ref)


async def test_a_child_of_a_dynamic_supervisor_is_gone_when_it_ends() -> None:
    spec, ref = worker(restart="temporary")
    async with open_dynamic_supervisor() as sup:
        for how in ("stop", "finish", "crash"):
            await sup.start_child(spec)
            assert await ref.call(Worker.incarnation) == 1
            if how == "stop":
                await sup.stop_child("w")
            elif how == "finish":
                await ref.call(Worker.finish)
            else:
                await attempt(ref, Worker.crash)
            await wait_all_tasks_blocked()
            await assert_gone(ref)


async def test_a_permanent_child_of_a_dynamic_supervisor_comes_back() -> None:
    spec, ref = worker()
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(spec)
        ref.cast(Worker.crash)
        assert await ref.call(Worker.incarnation) == 2


@pytest.mark.parametrize("drain", [False, True], ids=["", "drain"])
async def test_a_handler_that_stops_its_own_server_is_cancelled(drain: bool) -> None:
    class Suicidal(Worker):
        async def end(self, sup: Supervisor) -> None:
            await sup.stop_child("w")

    spec, ref = serve(Suicidal, capacity=3, name="w", drain=drain)
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        ending = Asked(nursery, ref, Suicidal.end, sup)
        await wait_all_tasks_blocked()
        assert ending.kind == "CallFailed"
        assert ending.answer.how == "was stopped"
        await assert_gone(ref)


async def test_a_handler_that_swallows_its_cancellation_is_the_last(
    autojump_clock: MockClock,
) -> None:
    class Stubborn(Worker):
        async def hold_on(self) -> str:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                return "done all the same"

    spec, ref = serve(Stubborn, capacity=3, name="w")
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        holding = Asked(nursery, ref, Stubborn.hold_on)
        await wait_all_tasks_blocked()
        waiting = Asked(nursery, ref, Worker.echo, 1)
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("w")
        await wait_all_tasks_blocked()
        assert (holding.answer, waiting.kind) == ("done all the same", "ServerGone")
        assert exit is not None
        assert (exit.reason, exit.error) == ("stopped", None)


async def test_what_was_handed_to_a_server_that_is_then_stopped_is_run_or_refused() -> None:
    # Trio lets the server and its supervisor run in any order, so both happen.
    for _ in range(30):
        log: list[str] = []
        spec, ref = worker(log)
        async with trio.open_nursery() as nursery, open_supervisor([spec]) as sup:
            await wait_all_tasks_blocked()
            ref.cast(Worker.note, "handed over")
            asked = Asked(nursery, ref, Worker.note, "queued")
            sup.shutdown()
        assert asked.kind in ("queued", "CallFailed", "ServerGone")
        assert len(log) + ref.statistics().dropped in (1, 2)
        assert log or ref.statistics().dropped
        await assert_gone(ref)
        async with open_supervisor([spec]):
            await wait_all_tasks_blocked()
        assert ref.statistics().received == len(log)


# Subtrees


@pytest.mark.parametrize("how", ["orders", "crashes"])
async def test_a_server_in_a_subtree_answers_again_when_the_subtree_is_restarted(how: str) -> None:
    spec, ref = worker()
    async with open_supervisor([subtree([spec], name="sub", max_restarts=0)]) as sup:
        assert await ref.call(Worker.incarnation) == 1
        if how == "orders":
            await sup.stop_child("sub")
            await assert_gone(ref)
            await sup.restart_child("sub")
        else:
            await attempt(ref, Worker.crash)
            await wait_all_tasks_blocked()
            assert sup.children["sub"].incarnation == 2
        assert await ref.call(Worker.incarnation) == 1
        assert await ref.call(Worker.echo, 1) == 1


async def test_a_server_in_a_dynamic_subtree_goes_with_it() -> None:
    spec, ref = worker()
    async with open_supervisor([dynamic_subtree(name="sub")]) as sup:
        await sup.children["sub"].value.start_child(spec)
        assert await ref.call(Worker.echo, 1) == 1
        await sup.stop_child("sub")
        await assert_gone(ref)


# One spec runs once at a time


async def test_the_same_spec_twice_in_one_supervisor_is_refused() -> None:
    spec, ref = serve(Worker, capacity=1)
    with pytest.raises(ValueError, match="write serve") as caught:
        async with open_supervisor([spec, spec]):
            pytest.fail("it must not start")
    assert type(caught.value) is ValueError
    await assert_gone(ref)
    async with open_supervisor([spec]):  # nothing was left behind
        assert await ref.call(Worker.incarnation) == 1


@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("verb", ["start_child", "start", "start_soon"])
async def test_a_spec_that_runs_cannot_be_started_again(verb: str, is_dynamic: bool) -> None:
    spec, ref = serve(Worker, capacity=5)
    other, _ = worker()
    opened = open_dynamic_supervisor() if is_dynamic else open_supervisor()
    async with opened as sup, open_supervisor([spec, other]) as first:
        if verb == "start_soon":
            # Only the plain verb takes the spec; this is the function without its mailbox.
            again = sup.start_soon(spec.async_fn, name="again", restart="temporary")
            with pytest.raises(ChildStartFailed) as failed:
                await again.wait_ready()
            assert isinstance(failed.value.__cause__, ValueError)
        elif verb == "start":
            with pytest.raises(ChildStartFailed) as failed:
                await sup.start(spec.async_fn, name="again")
            assert isinstance(failed.value.__cause__, ValueError)
        else:
            with pytest.raises(ValueError, match=r"is child 'Worker' .* \(running\)"):
                await sup.start_child(spec)
        assert dict(sup.children) == {}
        assert await ref.call(Worker.incarnation) == 1
        await first.stop_child("Worker")
        await sup.start_child(spec)
        assert await ref.call(Worker.incarnation) == 1
        await sup.stop_child("Worker")


@pytest.mark.parametrize("nested", [False, True], ids=["beside", "within"])
async def test_a_spec_that_runs_cannot_be_opened_in_another_supervisor(nested: bool) -> None:
    spec, ref = serve(Worker, capacity=5)
    elder, elder_ref = serve(Worker, capacity=5, name="elder")
    async with open_supervisor([spec]) as sup:
        if nested:
            with pytest.raises(ChildStartFailed):
                await sup.start_child(subtree([elder, spec], name="sub"))
        else:
            with pytest.raises(ValueError, match="runs once at a time"):
                async with open_supervisor([elder, spec]):
                    pytest.fail("it must not start")
        assert list(sup.children) == ["Worker"]
        await assert_gone(elder_ref)
        assert await ref.call(Worker.incarnation) == 1
        await sup.start_child(elder)
        assert await elder_ref.call(Worker.echo, 1) == 1


async def test_a_spec_that_moved_to_another_supervisor_cannot_be_restarted_in_the_first() -> None:
    spec, ref = worker()
    async with open_supervisor([spec], name="first") as first:
        await first.stop_child("w")
        async with open_supervisor([spec], name="second"):
            with pytest.raises(ChildStartFailed) as caught:
                await first.restart_child("w")
            assert isinstance(caught.value.__cause__, ValueError)
            assert await ref.call(Worker.echo, "second") == "second"
        await assert_gone(ref)
        await first.restart_child("w")
        assert await ref.call(Worker.echo, "first") == "first"
    await assert_gone(ref)


async def test_a_supervisor_that_closes_does_not_take_along_a_server_that_has_moved() -> None:
    spec, ref = worker()
    async with trio.open_nursery() as nursery:
        moved, over = trio.Event(), trio.Event()

        async def supervise_again() -> None:
            async with open_supervisor([spec]):
                moved.set()
                await over.wait()

        async with open_supervisor([spec]) as first:
            await first.stop_child("w")
            nursery.start_soon(supervise_again)
            await moved.wait()
        assert await ref.call(Worker.echo, 1) == 1
        over.set()


async def test_servers_of_one_class_have_nothing_in_common() -> None:
    one_spec, one = worker(name="one")
    other_spec, other = worker(name="other")
    async with open_supervisor([one_spec, other_spec]) as sup:
        await attempt(one, Worker.crash)
        await one.call(Worker.echo, 1)
        await sup.stop_child("one")
        assert await other.call(Worker.incarnation) == 1
        assert (one.statistics().sent, other.statistics().sent) == (2, 1)


# Servers and children that are none


class Chain(Server):
    """Calls the next one."""

    def __init__(self, following: Ref[Worker]) -> None:
        self.following = following

    async def pass_on(self, value: int) -> object:
        return await self.following.call(Worker.echo, value)


async def test_a_server_that_calls_one_that_is_gone_crashes_unless_it_handles_that() -> None:
    spec, last = worker()
    chain_spec, chain = serve(partial(Chain, last), capacity=1)
    async with open_supervisor([chain_spec, spec]) as sup:
        assert await chain.call(Chain.pass_on, 7) == 7
        await sup.stop_child("w")
        failure = await attempt(chain, Chain.pass_on, 8)
        assert isinstance(failure.__cause__, ServerGone)


async def test_servers_may_be_started_from_within_a_server() -> None:
    spec, ref = worker()

    class Founder(Server):
        async def found(self) -> object:
            async with open_supervisor([spec]):
                return await ref.call(Worker.echo, "founded")

    founder_spec, founder = serve(Founder, capacity=1)
    async with open_supervisor([founder_spec]):
        assert await founder.call(Founder.found) == "founded"
        await assert_gone(ref)
