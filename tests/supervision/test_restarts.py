"""Tests of who is started again after which end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    Exit,
    ExitReason,
    Liveness,
    Restart,
    ShutdownChild,
    Strategy,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

from ._puppets import Crash, Diary, Puppet, puppets, specs

RESTARTS: tuple[Restart, ...] = ("permanent", "transient", "temporary")
STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")

ENDS: dict[ExitReason, Callable[[Puppet], None]] = {
    "returned": Puppet.finish,
    "shutdown": Puppet.shut_down,
    "crashed": Puppet.crash,
    "unresponsive": lambda puppet: None,  # it sends no beats
}

STARTED_AGAIN = {
    "permanent": {"returned", "shutdown", "crashed", "unresponsive"},
    "transient": {"crashed", "unresponsive"},
    "temporary": set[str](),
}

every_end = pytest.mark.parametrize("reason", ENDS)
every_restart = pytest.mark.parametrize("restart", RESTARTS)


# Types, reasons and strategies


@every_end
@every_restart
@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_the_type_and_the_reason_decide_whether_a_child_is_started_again(
    strategy: Strategy, restart: Restart, reason: ExitReason, autojump_clock: MockClock
) -> None:
    # Rules S20 to S22.
    puppet = Puppet()
    liveness = Liveness(every=1.0, misses=1) if reason == "unresponsive" else None
    async with open_supervisor(
        [puppet.spec(restart=restart, liveness=liveness)], strategy=strategy
    ) as sup:
        worker = sup.children["a"]
        ENDS[reason](puppet)
        exit = await worker.wait_exit()
        await wait_all_tasks_blocked()
        assert (exit.reason, exit.incarnation) == (reason, 1)
        again = reason in STARTED_AGAIN[restart]
        assert worker.state == ("running" if again else "stopped")
        assert (worker.incarnation, worker.restarts) == ((2, 1) if again else (1, 0))


@every_end
@every_restart
async def test_a_dynamic_supervisor_decides_the_same(
    restart: Restart, reason: ExitReason, autojump_clock: MockClock
) -> None:
    # Rule D2.
    puppet = Puppet()
    liveness = Liveness(every=1.0, misses=1) if reason == "unresponsive" else None
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start_child(puppet.spec(restart=restart, liveness=liveness))
        ENDS[reason](puppet)
        await worker.wait_exit()
        await wait_all_tasks_blocked()
        again = reason in STARTED_AGAIN[restart]
        assert worker.incarnation == (2 if again else 1)
        assert list(sup.children) == (["a"] if again else [])


@every_end
async def test_a_temporary_child_is_forgotten_whatever_its_end(
    reason: ExitReason, autojump_clock: MockClock
) -> None:
    # Rule S22.
    puppet = Puppet()
    liveness = Liveness(every=1.0, misses=1) if reason == "unresponsive" else None
    async with open_supervisor([puppet.spec(restart="temporary", liveness=liveness)]) as sup:
        worker = sup.children["a"]
        ENDS[reason](puppet)
        await worker.wait_exit()
        await wait_all_tasks_blocked()
        assert len(sup.children) == 0
        assert worker.last_exit is not None
        assert worker.last_exit.reason == reason


@pytest.mark.parametrize("pull", [Puppet.finish, Puppet.shut_down], ids=["returns", "shuts down"])
async def test_a_transient_child_that_finished_keeps_its_spec(
    pull: Callable[[Puppet], None],
) -> None:
    # Rule S23.
    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="transient")]) as sup:
        pull(puppet)
        await wait_all_tasks_blocked()
        assert sup.children["a"].state == "stopped"
        assert (await sup.restart_child("a")).incarnation == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("restart", "pull"),
    [("transient", Puppet.finish), ("temporary", Puppet.crash)],
    ids=["a transient one finished", "a temporary one crashed"],
)
async def test_an_end_without_a_restart_concerns_nobody_else(
    strategy: Strategy, restart: Restart, pull: Callable[[Puppet], None]
) -> None:
    # Rule S30.
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(restart=restart), c.spec()]
    async with open_supervisor(children, strategy=strategy, max_restarts=0):
        diary.take()
        pull(b)
        await wait_all_tasks_blocked()
        assert diary.take() == ["-b"]


async def test_one_for_one_restarts_the_child_and_nobody_else() -> None:
    # Rule S25.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c)) as sup:
        diary.take()
        b.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-b", "+b"]
        assert list(sup.children) == ["a", "b", "c"]


async def test_the_handle_is_the_same_over_all_incarnations() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        worker = sup.children["a"]
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["a"] is worker
        assert repr(worker) == "<Child 'a' running, incarnation 2>"


async def test_the_value_is_that_of_the_last_readiness() -> None:
    async def count(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(current_child().incarnation * 10)
        await puppet.run_plainly()

    puppet = Puppet()
    async with open_supervisor([child(count)]) as sup:
        assert sup.children["count"].value == 10
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["count"].value == 20


async def test_an_exit_tells_when_the_incarnation_began_and_ended(
    autojump_clock: MockClock,
) -> None:
    puppet, exits = Puppet(), list[Exit]()
    async with open_supervisor([puppet.spec()]) as sup:
        for _ in range(2):
            await trio.sleep(2.0)
            puppet.crash()
            exits.append(await sup.children["a"].wait_exit())
            await wait_all_tasks_blocked()
    assert [(exit.child, exit.incarnation) for exit in exits] == [("a", 1), ("a", 2)]
    assert [(exit.started_at, exit.ended_at) for exit in exits] == [(0.0, 2.0), (2.0, 4.0)]
    assert exits[0].ran_for == 2.0


# What is a crash, and what is not


async def test_a_group_of_errors_is_a_crash() -> None:
    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Puppet(refusals=[Crash("in a task")]).run_plainly)
            nursery.start_soon(trio.sleep_forever)

    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert exit.reason == "crashed"
    assert "in a task" in exit.traceback


async def test_a_group_of_shutdowns_is_a_shutdown() -> None:
    async def give_up() -> None:
        raise ShutdownChild("enough")

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(give_up)
            nursery.start_soon(trio.sleep_forever)

    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="transient").wait_exit()
    assert exit.reason == "shutdown"


async def test_a_child_that_runs_out_of_its_own_time_has_crashed(
    autojump_clock: MockClock,
) -> None:
    # Rule R12.
    async def work() -> None:
        with trio.fail_after(1.0):
            await trio.sleep_forever()

    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert (exit.reason, type(exit.error)) == ("crashed", trio.TooSlowError)


async def test_being_cancelled_is_not_a_crash(autojump_clock: MockClock) -> None:
    # Rules R3 and R5: the child's inner nursery may wrap the Cancelled in a group.
    diary = Diary()

    async def work() -> None:
        diary.note("+work")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    reasons: list[str] = []
    with trio.move_on_after(1.0) as scope:
        async with open_supervisor([child(work)], max_restarts=0) as sup:
            sup.children["work"].on_exit(lambda exit: reasons.append(exit.reason))
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert (diary.take(), reasons) == (["+work"], ["stopped"])


async def test_a_cancellation_within_a_child_is_the_business_of_the_child(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        with trio.move_on_after(1.0):
            await trio.sleep_forever()
        diary.note("went on")

    diary = Diary()
    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert (exit.reason, diary.lines) == ("returned", [(1.0, "went on")])


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        trio.TrioInternalError("beyond repair"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("grouped", [False, True], ids=["bare", "in a group"])
async def test_after_what_is_no_ordinary_error_nobody_is_started_again(
    error: BaseException, grouped: bool
) -> None:
    # Rules R13 and R14.
    diary, (a, b) = puppets("ab")
    with pytest.raises(type(error)) as caught:
        async with open_supervisor(specs(a, b)):
            diary.take()
            b.crash(BaseExceptionGroup("one", [error]) if grouped else error)
            await trio.sleep_forever()
    assert caught.value is error
    assert diary.take() == ["-b", "-a"]


async def test_a_crash_loop_does_not_keep_the_others_from_running() -> None:
    async def crash() -> None:
        raise Crash("at once")

    async with open_supervisor([child(crash)], max_restarts=10**9):
        for _ in range(100):
            await trio.lowlevel.checkpoint()


async def test_an_exit_that_was_overtaken_by_a_restart_is_dropped() -> None:
    # Rules R26 and S32: crash and manual stop and start in the same tick.
    diary, (a,) = puppets("a")
    async with open_supervisor(specs(a)) as sup:
        a.crash()
        await sup.stop_child("a")
        await sup.restart_child("a")
        await wait_all_tasks_blocked()
        assert sup.children["a"].incarnation == 2
        assert diary.take() == ["+a", "-a", "+a"]
