"""Broadcasts, requests, and maps over agents."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from trio_foundation.agents import (
    Agent,
    DeliveryFailed,
    DeliveryTimeout,
    Receipt,
    ReceiverNotFound,
)
from trio_foundation.messaging import CallFailed, Ref
from trio_foundation.registry import Entry, where
from trio_foundation.resilience import BreakerOpen
from trio_foundation.tasks import Ok, TaskSupervisorNotRunning, open_task_supervisor

from ._robots import Orders, Refusal, Robot, at_work


async def test_a_broadcast_goes_to_all_at_once_and_tells_what_came_of_each(
    autojump_clock: MockClock,
) -> None:
    async with at_work("ann", "bob", "cid", "dan", delivery_timeout=4.0) as works:
        works.orders["bob"].mode = "hang"
        works.orders["cid"].mode = "crash"
        works.coordinator.breaker("dan").force_open()
        results = await works.coordinator.broadcast("hello", sender="me")
        assert trio.current_time() == 4.0
        assert [*results] == ["ann", "bob", "cid", "dan"]
        assert results["ann"] == Receipt("delivered")
        assert isinstance(results["bob"], DeliveryTimeout)
        assert isinstance(results["cid"], DeliveryFailed)
        assert results["dan"] == Receipt("buffered")
        assert works.orders["ann"].deliveries[0].sender == "me"


async def test_a_broadcast_is_for_those_of_a_capability(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob", "cid") as works:
        works.agents.update("bob", capability={"work", "sing"})
        works.agents.update("cid", capability="sing", health="degraded")
        assert [*await works.coordinator.broadcast(1, capability="sing")] == ["bob", "cid"]
        results = await works.coordinator.broadcast(1, capability="sing", health="healthy")
        assert [*results] == ["bob"]
        assert [*await works.coordinator.broadcast(1, health="degraded")] == ["cid"]


async def test_a_broadcast_to_nobody_is_a_checkpoint(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with trio.testing.assert_checkpoints():
            assert await works.coordinator.broadcast(1, capability="sing") == {}


async def test_a_cancelled_broadcast_takes_back_what_has_not_begun(
    autojump_clock: MockClock,
) -> None:
    async with at_work("ann", "bob", orders=Orders("hang")) as works:
        with trio.move_on_after(1) as scope:
            await works.coordinator.broadcast(1)
        assert scope.cancelled_caught
        assert works.coordinator.statistics().cancelled == 2


async def test_a_request_is_a_typed_call(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        count: int = await works.coordinator.request("ann", Robot.count, above=0)
        assert count == 2
        with trio.testing.assert_checkpoints():
            await works.coordinator.request("ann", Robot.count)


async def test_a_request_of_one_who_hangs_counts_as_a_failure(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("hang"), delivery_timeout=2.0) as works:
        with pytest.raises(DeliveryTimeout) as failure:
            await works.coordinator.request("ann", Robot.count)
        assert (trio.current_time(), failure.value.outcome) == (2.0, "unknown")
        with pytest.raises(DeliveryFailed) as rejection:
            await works.coordinator.request("ann", Robot.count)
        assert rejection.value.reason == "circuit_open"
        assert isinstance(rejection.value.__cause__, BreakerOpen)
        assert works.coordinator.buffered("ann") == 0


async def test_a_request_does_not_take_the_turn_of_the_head_of_the_buffer(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        with pytest.raises(DeliveryFailed) as failure:
            await works.coordinator.request("ann", Robot.count)
        assert failure.value.reason == "circuit_open"


async def test_a_request_of_nobody_is_not_found(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        with pytest.raises(ReceiverNotFound):
            await works.coordinator.request("joe", Robot.count)


async def test_a_refusal_of_a_request_is_itself(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("refuse")) as works:
        with pytest.raises(Refusal):
            await works.coordinator.request("ann", Robot.count)
        assert works.coordinator.breaker("ann").state == "closed"


async def test_a_crash_by_a_request_is_a_failure(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("crash")) as works:
        with pytest.raises(DeliveryFailed) as failure:
            await works.coordinator.request("ann", Robot.count)
        assert failure.value.reason == "crashed"
        assert isinstance(failure.value.__cause__, CallFailed)


async def test_agents_that_match_go_through_a_function(autojump_clock: MockClock) -> None:
    async with at_work("ann", "bob", "cid") as works, open_task_supervisor():
        works.agents.update("bob", node="far")

        async def greet(entry: Entry[str, Ref[Agent]]) -> str:
            return f"{entry.key} {(await works.coordinator.deliver(entry.key, 'hi')).status}"

        results = await works.coordinator.parallel_map_agents(
            ["work", where("node") == "local"], greet, limit=1
        )
        assert [result.value for result in results if isinstance(result, Ok)] == [
            "ann delivered",
            "cid delivered",
        ]


async def test_a_map_over_agents_needs_a_supervisor_of_tasks(autojump_clock: MockClock) -> None:
    async def nothing(entry: object) -> None: ...

    async with at_work() as works:
        with pytest.raises(TaskSupervisorNotRunning):
            await works.coordinator.parallel_map_agents([], nothing)


async def test_a_coordinator_says_who_it_is(autojump_clock: MockClock) -> None:
    async with at_work(name="mail") as works:
        await works.coordinator.deliver("ann", 1)
        assert repr(works.coordinator) == "<Coordinator 'mail', 1 receivers>"


async def test_a_broadcast_to_a_health_that_there_is_not_is_refused(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        with pytest.raises(ValueError, match="health must be 'healthy', 'degraded' or 'unhealthy'"):
            await works.coordinator.broadcast(1, health="ok")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_message_is_for_an_id(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        entry = works.agents.lookup("ann")
        with pytest.raises(TypeError, match=r"agent_id must be a string, such as entry\.key"):
            await works.coordinator.deliver(entry, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
