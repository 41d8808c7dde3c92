"""Tests of what has to hold whatever happens: that it is found when it does not."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.cache import Cache
from trio_foundation.messaging import MailboxStatistics, Server, open_mailbox, serve
from trio_foundation.resilience import CircuitBreaker
from trio_foundation.supervision import (
    ChildEvent,
    ChildExited,
    ChildStarted,
    ChildStopping,
    Exit,
    Strategy,
    child,
    cleanup_scope,
    open_supervisor,
    subtree,
)
from trio_foundation.testing import (
    assert_conserved,
    assert_no_tasks_left,
    assert_stopped_in_order,
    capture_events,
)
from trio_foundation.workflows import open_serial_operations

# Tasks


async def test_tasks_that_were_there_may_stay(nursery: trio.Nursery) -> None:
    nursery.start_soon(trio.sleep_forever)
    with assert_no_tasks_left():
        async with open_supervisor() as sup:
            await sup.start(trio.sleep_forever)


async def test_a_task_that_is_left_is_shown_with_the_line_where_it_is(
    nursery: trio.Nursery,
) -> None:
    async def forget() -> None:
        await trio.sleep_forever()  # this line

    with pytest.raises(AssertionError) as caught, assert_no_tasks_left():
        nursery.start_soon(forget, name="the forgotten one")
        await wait_all_tasks_blocked()
    line = forget.__code__.co_firstlineno + 1
    assert str(caught.value).splitlines() == [
        "1 task is left:",
        f'    the forgotten one: File "{__file__}", line {line}, in '
        "test_a_task_that_is_left_is_shown_with_the_line_where_it_is.<locals>.forget",
    ]


async def test_it_can_be_asked_in_the_middle_of_the_block() -> None:
    with assert_no_tasks_left() as check:
        check()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            with pytest.raises(AssertionError, match="2 tasks are left"):
                check()
            nursery.cancel_scope.cancel()
        check()


async def test_an_error_of_the_block_is_not_covered_up(nursery: trio.Nursery) -> None:
    with pytest.raises(OSError, match="mine"), assert_no_tasks_left():
        nursery.start_soon(trio.sleep_forever)
        raise OSError("mine")


# Figures


class Idle(Server):
    async def wait(self) -> None:
        await trio.sleep(1)


async def test_what_adds_up_is_conserved(autojump_clock: MockClock) -> None:
    orders, mailbox = open_mailbox[int](1, overflow="drop_oldest")
    for order in range(3):
        orders.send_nowait(order)
    assert_conserved(orders)
    assert_conserved(mailbox)
    spec, ref = serve(Idle, capacity=2)
    async with open_supervisor([spec]):
        ref.cast(Idle.wait)
        await ref.call(Idle.wait)
        assert_conserved(ref)
    breaker = CircuitBreaker("prices")
    await breaker.call(trio.sleep, 0)
    assert_conserved(breaker)
    cache = Cache[int, int](max_size=2)
    for key in range(5):
        cache.put(key % 4, key)
    assert_conserved(cache)
    async with open_serial_operations(name="db") as serial:
        await serial.execute([Idle().wait])
        assert_conserved(serial)


@attrs.define
class Fake:
    figures: Any

    def statistics(self) -> Any:
        return self.figures


@pytest.mark.parametrize(("received", "fate"), [(2, "2 lost"), (5, "1 too many")])
def test_what_does_not_add_up_is_shown(received: int, fate: str) -> None:
    figures = MailboxStatistics(
        capacity=9, used=1, peak=5, sent=6, received=received, dropped=1, rejected=0,
        waiting_senders=0,
    )  # fmt: skip
    with pytest.raises(AssertionError) as caught:
        assert_conserved(Fake(figures))
    told = f": 6 sent, but {received} received + 1 dropped + 1 used: {fate}"
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize("other", [None, 5, Fake({"sent": 1})])
def test_what_has_no_figures_is_refused(other: Any) -> None:
    with pytest.raises(TypeError, match="assert_conserved takes a mailbox, an address"):
        assert_conserved(other)


# Order


async def stubborn() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.sleep(1)


async def crash_at_5() -> None:
    await trio.sleep(5)
    raise OSError


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_supervisor_stops_newest_first(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    tree = [
        child(stubborn, name="a"),
        child(crash_at_5, name="b"),
        child(stubborn, name="c"),
        subtree([child(stubborn, name="x"), child(stubborn, name="y")], name="sub"),
    ]
    with capture_events(ChildEvent) as events:
        async with open_supervisor(tree, name="app", strategy=strategy) as sup:
            await trio.sleep(8)
            await sup.stop_child("a")
            await sup.restart_child("a")
            await sup.stop_child("a")
            sup.delete_child("a")
            await sup.start(stubborn, name="a")  # it is the newest now
    assert_stopped_in_order(events, "app")
    assert_stopped_in_order(events, "app/sub")
    with pytest.raises(ValueError, match=r"'app', 'app/sub': say which, as in .*\(events, 'app'\)"):
        assert_stopped_in_order(events)


def told(kind: type[ChildEvent], name: str, incarnation: int = 1, **fields: Any) -> ChildEvent:
    if kind is ChildStopping:
        fields.setdefault("cause", "finished")
    if kind is ChildExited:
        exit = Exit(
            child=name, incarnation=1, reason="stopped", error=None, started_at=0.0, ended_at=1.0
        )
        fields = {"reason": "stopped", "exit": exit}
    return kind(supervisor="app", child=name, incarnation=incarnation, **fields)


STARTS = [told(ChildStarted, "a"), told(ChildStarted, "b")]


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        (
            [*STARTS, told(ChildStopping, "a")],
            "'a' was stopped (finished) before 'b', which is newer",
        ),
        (
            [*STARTS, told(ChildStarted, "a", 2), told(ChildStopping, "a")],
            "'a' was stopped (finished) before 'b', which is newer",
        ),
        (
            [*STARTS, told(ChildStopping, "b"), told(ChildStopping, "a")],
            "'a' was stopped while 'b', stopped before it, still ran",
        ),
        ([told(ChildStopping, "a")], "'a' was stopped, and its start was not captured"),
        (STARTS, "supervisor 'app' stopped no child; capture ChildEvent from before"),
        (
            [*STARTS, told(ChildStopping, "a", cause="stop_child")],
            "supervisor 'app' stopped no child",
        ),
    ],
)
def test_another_order_is_told(events: list[ChildEvent], complaint: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_stopped_in_order(events)
    assert complaint in str(caught.value)


async def test_a_start_that_is_cut_short_comes_before_all_others(
    autojump_clock: MockClock,
) -> None:
    async def crash_once(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        task_status.started()
        await trio.sleep(1)
        raise OSError

    tree = [child(stubborn, name="a"), child(crash_once, name="b"), child(stubborn, name="c")]
    with capture_events(ChildEvent) as events:
        async with open_supervisor(tree) as sup:
            await events.wait_for(ChildStarted, lambda started: started.incarnation == 2)
            sup.shutdown()
            await trio.sleep_forever()
    assert [event.child for event in events.of(ChildStopping)] == ["b", "c", "a"]
    assert_stopped_in_order(events)


def test_a_child_that_is_there_anew_is_the_newest() -> None:
    again = [told(ChildExited, "a"), told(ChildStarted, "a"), told(ChildStopping, "a")]
    assert_stopped_in_order([*STARTS, *again])


def test_without_events_there_is_no_supervisor() -> None:
    with pytest.raises(ValueError, match="are of no supervisor: write `with capture_events"):
        assert_stopped_in_order([])
