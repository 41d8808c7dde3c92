"""Tests of maps that hand out their results one by one."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.tasks import Failed, Limit, Ok, open_map, open_task_supervisor

from ._things import Failure, Source, Work, double, errors_of, values_of

each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])

# What comes out


async def test_results_come_one_by_one() -> None:
    async with open_task_supervisor():
        async with open_map(double, [1, 2, 3]) as results:
            assert [await results.receive(), await results.receive()] == [Ok(1, 2), Ok(2, 4)]
            assert [result async for result in results] == [Ok(3, 6)]


async def test_the_supervisor_can_be_asked_itself() -> None:
    async with open_task_supervisor() as tasks:
        async with tasks.open_map(double, [1, 2]) as results:
            assert values_of([result async for result in results]) == [2, 4]


async def test_with_raise_values_come_out() -> None:
    async with open_task_supervisor():
        async with open_map(double, [1, 2], on_error="raise") as results:
            assert [value async for value in results] == [2, 4]


async def test_errors_come_out_like_results(autojump_clock: MockClock) -> None:
    work = Work({"a": 1.0, "b": 9.0, "c": 1.0}, fails="a")
    async with open_task_supervisor():
        async with open_map(work.do, "abc", timeout=2.0) as results:
            found = [result async for result in results]
    assert [type(result) for result in found] == [Failed, Failed, Ok]
    assert errors_of(found)["a"] is Failure


async def test_they_come_in_the_order_of_the_items(autojump_clock: MockClock) -> None:
    work = Work({"a": 3.0, "b": 1.0, "c": 2.0})
    async with open_task_supervisor():
        async with open_map(work.do, "abc", limit=3) as results:
            assert [(one.item, trio.current_time()) async for one in results] == [
                ("a", 3.0),
                ("b", 3.0),
                ("c", 3.0),
            ]


async def test_or_as_they_end(autojump_clock: MockClock) -> None:
    work = Work({"a": 3.0, "b": 1.0, "c": 2.0})
    async with open_task_supervisor():
        async with open_map(work.do, "abc", limit=3, ordered=False) as results:
            assert [(one.item, trio.current_time()) async for one in results] == [
                ("b", 1.0),
                ("c", 2.0),
                ("a", 3.0),
            ]


async def test_to_receive_is_a_checkpoint(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        async with open_map(double, [1]) as results:
            await wait_all_tasks_blocked()
            with assert_checkpoints():
                await results.receive()


async def test_after_the_end_there_is_nothing_more() -> None:
    async with open_task_supervisor():
        async with open_map(double, []) as results:
            for _ in range(2):
                with pytest.raises(trio.EndOfChannel):
                    await results.receive()


async def test_the_block_is_entered_once() -> None:
    async with open_task_supervisor():
        block = open_map(double, [1])
        async with block:
            pass
        with pytest.raises(RuntimeError, match=r"entered once: call open_map\(\) again"):
            async with block:
                pass


# How far it goes ahead


@each_kind
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as they end"])
@pytest.mark.parametrize(
    ("limit", "buffer", "ahead"), [(2, 0, 2), (2, 3, 5), (1, 0, 1), (3, None, 6)]
)
async def test_no_more_begin_than_run_and_may_wait(
    kind: str, ordered: bool, limit: int, buffer: int | None, ahead: int, autojump_clock: MockClock
) -> None:
    work, source = Work(1.0), Source(itertools.count())
    items: Any = getattr(source, kind)()
    async with open_task_supervisor():
        async with open_map(work.do, items, limit=limit, buffer=buffer, ordered=ordered) as results:
            for taken in range(20):
                await trio.sleep(100.0)
                assert len(source.pulled) == len(work.ended) == taken + ahead
                await results.receive()
    assert work.most == limit


@each_kind
async def test_a_slow_head_holds_those_behind_it_back(kind: str, autojump_clock: MockClock) -> None:
    source = Source(range(20))
    work = Work({0: 50.0} | dict.fromkeys(range(1, 20), 1.0))
    items: Any = getattr(source, kind)()
    async with open_task_supervisor():
        async with open_map(work.do, items, limit=2, buffer=3) as results:
            await trio.sleep(40.0)
            assert source.pulled == [0, 1, 2, 3, 4]
            assert [one.item async for one in results] == list(range(20))


@each_kind
async def test_but_not_with_an_endless_buffer(kind: str, autojump_clock: MockClock) -> None:
    source = Source(range(20))
    work = Work({0: 50.0} | dict.fromkeys(range(1, 20), 1.0))
    items: Any = getattr(source, kind)()
    async with open_task_supervisor():
        async with open_map(work.do, items, limit=2, buffer=math.inf) as results:
            await trio.sleep(40.0)
            assert (len(work.ended), work.running) == (19, 1)
            assert [one.item async for one in results] == list(range(20))


async def test_nor_does_a_slow_item_if_they_come_as_they_end(autojump_clock: MockClock) -> None:
    work = Work({0: 50.0} | dict.fromkeys(range(1, 20), 1.0))
    async with open_task_supervisor():
        async with open_map(work.do, range(20), limit=2, buffer=0, ordered=False) as results:
            assert [one.item async for one in results] == [*range(1, 20), 0]
    assert trio.current_time() == 50.0


async def test_an_endless_input_needs_no_end(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        async with open_map(Work().do, itertools.count(), limit=3) as results:
            async for result in results:
                if result.item == 100:
                    break


# Several who receive


async def test_several_may_receive_and_none_gets_what_another_got(
    autojump_clock: MockClock,
) -> None:
    received: list[Any] = []

    async def consume(results: trio.abc.ReceiveChannel[Any]) -> None:
        async for result in results:
            received.append(result.item)
            await trio.sleep(0.5)

    async with open_task_supervisor():
        async with open_map(Work(1.0).do, range(50), limit=5) as results:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(consume, results)
    assert sorted(received) == list(range(50))


async def test_all_who_wait_are_served_when_the_head_ends(autojump_clock: MockClock) -> None:
    received: list[tuple[int, float]] = []

    async def consume(results: trio.abc.ReceiveChannel[Any]) -> None:
        result = await results.receive()
        received.append((result.item, trio.current_time()))

    async with open_task_supervisor():
        work = Work({0: 3.0, 1: 1.0, 2: 1.0, 3: 99.0})
        async with open_map(work.do, range(4), limit=4) as results:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(consume, results)
    assert sorted(received) == [(0, 3.0), (1, 3.0), (2, 3.0)]


async def test_who_is_cancelled_as_it_is_given_a_result_has_it() -> None:
    received: list[int] = []
    async with open_task_supervisor():
        async with open_map(double, range(30), limit=30) as results, trio.open_nursery() as nursery:
            await wait_all_tasks_blocked()
            for _ in range(30):
                with trio.CancelScope() as scope:
                    nursery.start_soon(cancel, scope)  # at the next step, before or after
                    received.append((await results.receive()).item)
    assert received == list(range(30))


async def cancel(scope: trio.CancelScope) -> None:
    scope.cancel()


async def test_who_is_cancelled_while_it_receives_has_taken_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_task_supervisor():
        async with open_map(Work(1.0).do, range(5), limit=1) as results:
            received: list[Any] = []
            while len(received) < 5:
                with trio.move_on_after(0.3):
                    received.append((await results.receive()).item)
    assert received == list(range(5))


async def test_who_is_cancelled_before_takes_nothing() -> None:
    async with open_task_supervisor():
        async with open_map(double, [1]) as results:
            await wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await results.receive()
            assert scope.cancelled_caught
            assert (await results.receive()).item == 1


# To leave early


@each_kind
async def test_to_leave_early_cancels_what_runs(kind: str, autojump_clock: MockClock) -> None:
    source, work = Source(range(9)), Work({0: 1.0} | dict.fromkeys(range(1, 9), 5.0))
    items: Any = getattr(source, kind)()
    async with open_task_supervisor() as tasks:
        async with open_map(work.do, items, limit=3) as results:
            async for _ in results:
                break
        assert (tasks.running, trio.current_time()) == (0, 1.0)
        assert sorted(work.cancelled) == work.started[1:]
        assert len(work.started) in {3, 4}
    assert source.is_closed == (kind == "slow")


async def test_to_leave_at_once_begins_next_to_nothing() -> None:
    work = Work()
    async with open_task_supervisor():
        async with open_map(work.do, range(9), limit=1):
            pass
    assert len(work.started) <= 1
    assert work.ended == []


@pytest.mark.parametrize("how", ["aclose", "async with"])
async def test_to_close_the_channel_cancels_what_runs(how: str, autojump_clock: MockClock) -> None:
    work = Work(5.0)
    async with open_task_supervisor():
        async with open_map(work.do, range(9), limit=2) as results:
            await trio.sleep(1.0)
            if how == "aclose":
                with assert_checkpoints():
                    await results.aclose()
            else:
                async with results:
                    pass
            await wait_all_tasks_blocked()
            assert sorted(work.cancelled) == [0, 1]
            with pytest.raises(trio.ClosedResourceError, match="results of this map were closed"):
                await results.receive()


async def test_who_waits_is_told_that_it_was_closed(autojump_clock: MockClock) -> None:
    async def wait(results: trio.abc.ReceiveChannel[Any]) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await results.receive()

    async with trio.open_nursery() as nursery, open_task_supervisor():
        async with open_map(Work(5.0).do, range(9)) as results:
            nursery.start_soon(wait, results)
            await trio.sleep(1.0)


async def test_and_at_once_even_if_items_take_their_time_to_end(
    autojump_clock: MockClock,
) -> None:
    told_at: list[float] = []

    async def shielded(_: int) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(5.0)

    async def wait(results: trio.abc.ReceiveChannel[Any]) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await results.receive()
        told_at.append(trio.current_time())

    async with trio.open_nursery() as nursery, open_task_supervisor():
        async with open_map(shielded, range(9)) as results:
            nursery.start_soon(wait, results)
            await trio.sleep(1.0)
    assert told_at == [1.0]


async def test_results_that_wait_are_dropped_when_it_is_closed(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        async with open_map(Work().do, range(9)) as results:
            await trio.sleep(1.5)
        with pytest.raises(trio.ClosedResourceError):
            await results.receive()


async def test_to_be_cancelled_in_the_body_cancels_what_runs(autojump_clock: MockClock) -> None:
    work = Work(5.0)
    async with open_task_supervisor():
        with trio.move_on_after(1.0) as scope:
            async with open_map(work.do, range(9), limit=2) as results:
                await results.receive()
        assert scope.cancelled_caught
        assert (sorted(work.cancelled), trio.current_time()) == ([0, 1], 1.0)


async def test_leaving_waits_for_those_that_take_their_time_to_end(
    autojump_clock: MockClock,
) -> None:
    async def slow_to_end(_: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3.0)

    async with open_task_supervisor():
        async with open_map(slow_to_end, range(9), limit=2):
            await trio.sleep(1.0)
        assert trio.current_time() == 4.0


async def test_an_error_of_an_item_that_is_left_is_of_no_interest(
    autojump_clock: MockClock,
) -> None:
    async def clumsy(_: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async with open_task_supervisor():
        async with open_map(clumsy, range(9), limit=2):
            await trio.sleep(1.0)


async def test_the_default_buffer_is_the_limit_at_first(autojump_clock: MockClock) -> None:
    limit, work = Limit(2), Work()
    async with open_task_supervisor():
        async with open_map(work.do, range(99), limit=limit):
            await trio.sleep(50.0)
            assert len(work.ended) == 4
            limit.value = 10
            await trio.sleep(50.0)
            assert len(work.ended) == 12
