"""Tests of agents whose owners crash, come back, or do not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.agents import AgentDown, AgentRegistry, AgentUp
from trio_foundation.messaging import Ref
from trio_foundation.registry import NameTaken, OwnerNotRunning
from trio_foundation.supervision import (
    ChildSpec,
    Supervisor,
    SupervisorFailed,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._agents import Oops, Worker, a_ref, check


class Stage:
    """An owner that ends as it is told, and what is told of its agent."""

    def __init__(self) -> None:
        self.agents = AgentRegistry()
        self.ref: Ref[Worker] = a_ref()
        self.gone: list[str] = []
        self.agents.on_gone(self.gone.append)
        self.registers = True
        self.end = trio.Event()
        self.error: Exception | None = OSError("no route")

    async def owner(self, *, task_status: trio.TaskStatus[None]) -> None:
        if self.registers:
            self.agents.register("a", self.ref, capability="sort", owner=current_child())
        task_status.started()
        await self.end.wait()
        self.end = trio.Event()
        if self.error is not None:
            raise self.error

    def spec(self, **options: Any) -> ChildSpec:
        options = {"backoff": Backoff(initial=1, jitter=0), "name": "owner", **options}
        return child(self.owner, **options)

    def is_away(self) -> bool:
        check(self.agents)
        is_away = "a" not in self.agents and self.agents.ref_of("a") is not None
        assert self.agents._presence.away == ["a"] * is_away
        return is_away

    def is_gone(self) -> bool:
        check(self.agents)
        return "a" not in self.agents and self.agents.ref_of("a") is None and self.gone == ["a"]

    async def crash(self) -> None:
        self.end.set()
        await trio.sleep(0.5)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep the crashes, which are many, out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_one_whose_owner_backs_off_is_away(stage: Stage, autojump_clock: MockClock) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        assert sup.children["owner"].state == "backing_off"
        assert stage.is_away()
        assert stage.agents.ref_of("a") is stage.ref
        await trio.sleep(1)
        assert "a" in stage.agents
        assert not stage.is_away()
        assert not stage.gone
        sup.shutdown()
    assert stage.is_gone()


async def test_it_is_away_between_the_crash_and_the_decision(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec(backoff=None)]) as sup:
        seen: list[bool] = []
        stage.agents.on_change(lambda change: seen.append(stage.agents.ref_of("a") is stage.ref))
        await stage.crash()  # and it runs again already
        assert seen == [True, True]
        assert sup.children["owner"].incarnation == 2
        assert "a" in stage.agents
        assert not stage.gone
        sup.shutdown()


async def test_one_whose_owner_is_stopped_is_gone(stage: Stage, autojump_clock: MockClock) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await sup.stop_child("owner")
        assert stage.is_gone()
        await sup.restart_child("owner")
        assert "a" in stage.agents


async def test_one_whose_owner_is_stopped_while_it_backs_off_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        assert stage.is_away()
        await sup.stop_child("owner")
        assert stage.is_gone()


async def test_one_whose_owner_has_finished_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.error = None
    async with open_supervisor([stage.spec(restart="transient")]):
        await stage.crash()
        assert stage.is_gone()


async def test_one_whose_owner_is_not_started_again_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_dynamic_supervisor() as sup:
        await sup.start(stage.owner, restart="temporary")
        await stage.crash()
        assert stage.is_gone()


async def test_one_whose_supervisor_gives_up_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    with pytest.raises(SupervisorFailed):
        async with open_supervisor([stage.spec()], max_restarts=0):
            await stage.crash()
            await trio.sleep_forever()
    assert stage.is_gone()


async def test_one_whose_supervisor_ends_while_it_is_away_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        assert stage.is_away()
        sup.shutdown()
    assert stage.is_gone()


async def test_one_that_its_owner_does_not_register_again_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        stage.registers = False
        assert stage.is_away()
        await trio.sleep(1)
        assert sup.children["owner"].state == "running"
        assert stage.is_gone()
        sup.shutdown()


async def test_one_in_a_group_that_is_restarted_is_away(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def sibling() -> None:
        await trio.sleep(1)
        raise OSError("no route")

    first = child(sibling, backoff=Backoff(initial=3, jitter=0))
    async with open_supervisor([first, stage.spec()], strategy="rest_for_one") as sup:
        await trio.sleep(2)
        assert sup.children["owner"].state == "backing_off"
        assert stage.is_away()
        await trio.sleep(2.5)
        assert "a" in stage.agents
        assert not stage.gone
        sup.shutdown()


async def test_one_that_is_away_can_be_unregistered(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        stage.agents.unregister("a")
        assert stage.is_gone()
        sup.shutdown()
    assert stage.is_gone()


async def test_one_that_is_away_can_be_registered_by_another(
    stage: Stage, autojump_clock: MockClock
) -> None:
    other = a_ref()
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        with stage.agents.register("a", other, capability="sort"):
            assert stage.agents.ref_of("a") is other
            stage.registers = False
            await trio.sleep(1)
            assert not stage.gone
        assert stage.is_gone()
        sup.shutdown()


async def test_the_end_of_its_block_ends_one_that_is_away(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.registers = False
    async with open_supervisor([stage.spec()]) as sup:
        block = stage.agents.register(
            "a", stage.ref, capability="sort", owner=sup.children["owner"]
        )
        with block:
            await stage.crash()
            assert stage.is_away()
        assert stage.is_gone()
        sup.shutdown()


async def test_an_owner_that_does_not_run_is_refused(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        owner = sup.children["owner"]
        await stage.crash()
        with pytest.raises(OwnerNotRunning):
            stage.agents.register("b", stage.ref, capability="sort", owner=owner)
        with pytest.raises(OwnerNotRunning), stage.agents.transaction():
            stage.agents.unregister("a")
            stage.agents.register("b", stage.ref, capability="sort", owner=owner)
        assert stage.is_away()
        sup.shutdown()


# Transactions


async def test_what_a_transaction_does_to_one_that_is_away_can_be_undone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    agents = stage.agents
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        with pytest.raises(Oops), agents.transaction():
            agents.unregister("a")
            assert agents.ref_of("a") is None
            raise Oops
        assert stage.is_away()
        with pytest.raises(NameTaken):
            agents.batch_register([("a", a_ref(), {"capability": "x"})] * 2)
        assert stage.is_away()
        with agents.transaction():
            with pytest.raises(Oops), agents.transaction():
                agents.unregister("a")
                raise Oops
            assert agents.ref_of("a") is stage.ref
        assert stage.is_away()
        with agents.transaction():
            with agents.transaction():
                agents.unregister("a")
            assert agents.ref_of("a") is None
            assert not stage.gone
        assert stage.is_gone()
        sup.shutdown()


async def test_one_that_comes_back_in_the_same_transaction_is_not_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    other = a_ref()
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        with stage.agents.transaction():
            stage.agents.unregister("a")
            stage.agents.register("a", other, capability="sort")
        assert stage.agents.ref_of("a") is other
        assert not stage.gone
        sup.shutdown()
        stage.agents.unregister("a")
    assert stage.is_gone()


async def test_one_that_comes_back_for_the_time_of_a_transaction_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        with stage.agents.transaction():
            stage.agents.unregister("a")
            stage.agents.register("a", a_ref(), capability="sort")
            stage.agents.unregister("a")
        assert stage.is_gone()
        sup.shutdown()


async def test_a_broken_transaction_leaves_what_its_owner_has_decided_meanwhile(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor([stage.spec()]) as sup:
        await stage.crash()
        with pytest.raises(RuntimeError, match="do not await"), stage.agents.transaction():
            stage.agents.register("a", a_ref(), capability="sort")
            await sup.stop_child("owner")
            assert not stage.gone
        assert stage.is_gone()


async def test_another_task_may_unregister_during_a_transaction_which_is_broken_then(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def breaks() -> None:
        assert stage.agents.ref_of("a") is stage.ref
        stage.agents.unregister("a")
        assert stage.gone == ["a"]

    async with open_supervisor([stage.spec()]) as sup, trio.open_nursery() as nursery:
        await stage.crash()
        nursery.start_soon(breaks)
        with pytest.raises(RuntimeError, match="do not await"), stage.agents.transaction():
            stage.agents.unregister("a")
            await trio.sleep(0.1)
        assert stage.is_gone()
        sup.shutdown()


# Events


async def test_its_ups_and_downs_are_told(stage: Stage, autojump_clock: MockClock) -> None:
    told: list[tuple[object, ...]] = []

    def hear(event: AgentUp | AgentDown) -> None:
        if isinstance(event, AgentUp):
            told.append(("up", event.agent, event.capability, event.node, event.incarnation))
        else:
            told.append(("down", event.agent, event.by, event.gone))

    with subscribe(hear, AgentUp, AgentDown):
        async with open_supervisor([stage.spec()]) as sup:
            await stage.crash()
            await trio.sleep(1)
            await sup.stop_child("owner")
            await sup.restart_child("owner")
            await stage.crash()
            stage.agents.unregister("a")
            with stage.agents.register("b", stage.ref, capability=["x"], node="n"):
                stage.agents.update("b", node="m")
            sup.shutdown()
    up = ("up", "a", "sort", "local")
    assert told == [
        (*up, 1),
        ("down", "a", "owner", False),
        (*up, 2),
        ("down", "a", "owner", True),
        (*up, 3),
        ("down", "a", "owner", False),
        ("down", "a", "unregister", True),
        ("up", "b", frozenset({"x"}), "n", None),
        ("down", "b", "block", True),
    ]


async def test_an_interrupt_of_a_handler_keeps_nobody_from_hearing_who_is_gone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    def interrupt(event: AgentDown) -> None:
        raise KeyboardInterrupt

    stage.agents.register("b", stage.ref, capability="x")
    with subscribe(interrupt, AgentDown), pytest.raises(KeyboardInterrupt):
        stage.agents.unregister("b")
    assert stage.gone == ["b"]
    check(stage.agents)


# Nothing is left


async def ends_again_and_again(sup: Supervisor, stage: Stage, rounds: int) -> None:
    for number in range(rounds):
        await stage.crash()
        if number % 3 == 1:
            await sup.stop_child("owner")
            await sup.restart_child("owner")
        else:
            if number % 3 == 2:
                stage.agents.unregister("a")
            await trio.sleep(1)


async def test_two_thousand_crashes_leave_no_callback(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with open_supervisor(
        [stage.spec(backoff=Backoff(initial=1, factor=1, jitter=0))], max_restarts=10**9
    ) as sup:
        await ends_again_and_again(sup, stage, 100)
        owner = sup.children["owner"]._entry

        def count() -> list[int]:
            hooks = [owner.on_state, owner.on_exit, owner.on_gone]
            return [len(one._callbacks) for one in hooks if one is not None]

        before = count()
        await ends_again_and_again(sup, stage, 2_000)
        assert count() == before
        assert "a" in stage.agents
        sup.shutdown()
    assert sum(count()) == 0
    assert stage.agents._presence.away == []
    assert len(stage.agents) == 0
    check(stage.agents)
