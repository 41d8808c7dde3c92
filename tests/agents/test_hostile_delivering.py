"""The coordinator, used badly: broken off at each step, told things meanwhile, and raced."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count, islice
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.agents import (
    Agent,
    AgentRegistry,
    AnsweredKeys,
    BufferDrained,
    CoordinatorClosed,
    DeadLetter,
    DeliveryError,
    DeliveryFailed,
    DeliveryTimeout,
    MessageBuffered,
    MessageDelivered,
    Receipt,
    ReceiverNotFound,
    open_coordinator,
)
from trio_foundation.messaging import CallError, CallFailed
from trio_foundation.resilience import StateChanged
from trio_foundation.telemetry import Event, subscribe

from ._robots import Orders, Robot, Works, at_work


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# Cancelled at each step


class CancelAt(trio.abc.Instrument):
    """Cancels a scope before the n-th step that a task makes from now on."""

    def __init__(self, task: trio.lowlevel.Task, due: int, scope: trio.CancelScope) -> None:
        self.task = task
        self.left = due
        self.scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if not self.left:
                self.scope.cancel()


@contextmanager
def cancelled_at(due: int) -> Generator[CancelAt]:
    with trio.CancelScope() as scope:
        instrument = CancelAt(trio.lowlevel.current_task(), due, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            yield instrument
        finally:
            trio.lowlevel.remove_instrument(instrument)


async def deliver(works: Works) -> None:
    await works.coordinator.deliver("ann", "it", key="k")


async def deliver_at_last(works: Works) -> None:
    works.orders["ann"].mode = "crash"
    await works.coordinator.deliver("ann", "it", key="k")


async def deliver_into_the_buffer(works: Works) -> None:
    works.coordinator.breaker("ann").force_open()
    await works.coordinator.deliver("ann", "it", key="k")


async def deliver_when_there_is_room(works: Works) -> None:
    works.coordinator.breaker("ann").force_open()
    await works.coordinator.deliver("ann", "first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_soon, works)
        await works.coordinator.deliver("ann", "it", key="k")


async def reset_soon(works: Works) -> None:
    await trio.sleep(1)
    works.coordinator.breaker("ann").reset()


async def broadcast(works: Works) -> None:
    await works.coordinator.broadcast("it")


async def request(works: Works) -> None:
    await works.coordinator.request("ann", Robot.count)


async def drain(works: Works) -> None:
    works.coordinator.breaker("ann").force_open()
    await works.coordinator.deliver("ann", "it")
    await works.coordinator.drain(1)


@pytest.mark.parametrize(
    "verb",
    [
        deliver,
        deliver_at_last,
        deliver_into_the_buffer,
        deliver_when_there_is_room,
        broadcast,
        request,
        drain,
    ],
)
async def test_a_verb_cancelled_at_any_step_loses_count_of_nothing(
    autojump_clock: MockClock, verb: Callable[[Works], Awaitable[None]]
) -> None:
    due = 0
    for due in range(1, 100):
        options: Any = {
            "attempts": 2,
            "overflow": "block",
            "buffer_capacity": 1,
            "failure_threshold": 9,
        }
        async with at_work("ann", orders=Orders(takes=0.5), **options) as works:
            with cancelled_at(due) as instrument:
                try:
                    await verb(works)
                except* DeliveryError:
                    pass
            works.check()
            if instrument.left > 0:  # it was through before
                break
            works.orders["ann"].mode = "work"
            works.coordinator.breaker("ann").reset()
            await works.coordinator.drain(20)
            await trio.sleep(20)
            told = works.coordinator.statistics()
            assert told.in_flight == told.buffered == 0
    assert due > 1


# Told, and looking at the figures


def look(works: Works, event: object) -> None:
    works.check()


Step = tuple[str, Any]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("mode"), st.sampled_from(["work", "crash", "mute", "slow"])),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 2.5, 11.0])),
        st.tuples(st.just("force"), st.sampled_from(["force_open", "reset", "disable"])),
        st.tuples(st.just("ask"), st.none()),
    ),
    min_size=3,
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(
    story=steps,
    breaker=st.fixed_dictionaries(
        {},
        optional={
            "failure_rate": st.just(0.5),
            "minimum_calls": st.sampled_from([1, 2]),
            "slow_after": st.just(0.5),
            "cancel_in_flight": st.booleans(),
            "half_open_max_calls": st.sampled_from([1, 3]),
            "success_threshold": st.sampled_from([1, 2]),
            "probe_timeout": st.sampled_from([0.4, 1.0]),
            "reset_timeout": st.sampled_from([0, 0.5, Backoff(initial=0.5, jitter=0.0)]),
        },
    ),
    options=st.fixed_dictionaries(
        {
            "overflow": st.sampled_from(["drop_oldest", "reject", "block"]),
            "buffer_capacity": st.sampled_from([1, 2, 10]),
            "drain_rate": st.sampled_from([1.0, float("inf")]),
            "max_age": st.sampled_from([5.0, float("inf")]),
            "attempts": st.sampled_from([1, 2]),
        }
    ),
)
def test_what_one_sender_sends_is_done_in_order(story: Any, breaker: Any, options: Any) -> None:
    letters: list[DeadLetter] = []

    async def main() -> None:
        orders = Orders(answered=AnsweredKeys(1000))

        def hand_over(letter: DeadLetter) -> None:
            letters.append(letter)
            works.check()

        options["on_dead_letter"] = hand_over
        async with at_work(orders=orders, delivery_timeout=2.0, **options, **breaker) as works:
            with subscribe(partial(look, works), Event):
                await act(works, story)
                orders.mode, orders.takes = "work", 0.0
                works.coordinator.breaker("ann").reset()
                returned = await works.coordinator.drain(1000)
            await trio.testing.wait_all_tasks_blocked()
            assert returned == []
            told = works.coordinator.statistics()
            assert told.buffered == told.in_flight == 0
            assert told.dead_lettered == len(letters)
            assert orders.done == sorted(set(orders.done))

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def act(works: Works, story: list[Step]) -> None:
    numbers = count(1)
    for step in story:
        await act_once(works, step, numbers)
        works.check()


async def act_once(works: Works, step: Step, numbers: Iterator[int]) -> None:
    orders = works.orders["ann"]
    match step:
        case "send", many:
            for number in islice(numbers, many):
                with suppress(DeliveryError):
                    await works.coordinator.deliver("ann", number, key=f"{number}")
        case "mode", mode:
            orders.mode = "crash" if mode == "crash" else "work"
            orders.takes = {"slow": 1.0, "mute": 20.0}.get(mode, 0.0)
        case "wait", seconds:
            await trio.sleep(seconds)
        case "force", verb:
            getattr(works.coordinator.breaker("ann"), verb)()
        case _:
            with suppress(DeliveryError):
                await works.coordinator.request("ann", Robot.count)


async def test_who_hears_that_a_message_waits_may_unregister_the_agent(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        with subscribe(lambda _: works.agents.unregister("ann"), MessageBuffered):
            await works.coordinator.deliver("ann", 1)
        assert [(one.message, one.reason) for one in works.letters] == [(1, "gone")]


async def test_who_hears_of_deliveries_may_open_the_circuit(autojump_clock: MockClock) -> None:
    async with at_work() as works:
        breaker = works.coordinator.breaker("ann")
        breaker.force_open()
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        with subscribe(lambda _: breaker.force_open(), MessageDelivered):
            for left in (2, 1, 0):
                breaker.reset()
                await trio.testing.wait_all_tasks_blocked()
                assert works.coordinator.buffered("ann") == left
                works.check()


class Stop(BaseException):
    """What goes through everything."""


@pytest.mark.parametrize("event", [MessageDelivered, MessageBuffered, StateChanged, BufferDrained])
async def test_what_goes_through_every_handler_leaves_the_count_in_order(
    autojump_clock: MockClock, event: type[Event]
) -> None:
    def stop(_: Event) -> None:
        raise Stop

    letters: list[DeadLetter] = []
    works: Works | None = None
    try:
        async with at_work(on_dead_letter=letters.append) as works:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            with subscribe(stop, event):
                works.coordinator.breaker("ann").reset()
                await works.coordinator.deliver("ann", 2)
                await trio.sleep(1)
    except* Stop:
        pass
    else:
        pytest.fail("it is not to be lost")
    assert works is not None
    works.check()
    told = works.coordinator.statistics()
    assert told.buffered == told.in_flight == 0
    assert told.dead_lettered == len(letters)


async def test_a_hook_that_stops_the_program_is_given_all_the_same_and_nobody_hangs(
    autojump_clock: MockClock,
) -> None:
    letters: list[object] = []

    def stop(letter: DeadLetter) -> None:
        letters.append(letter.message)
        raise Stop

    waiters: list[str] = []
    async with trio.open_nursery() as nursery:
        with pytest.raises(Stop):
            async with at_work(
                "ann", "bob", on_dead_letter=stop, overflow="block", buffer_capacity=1
            ) as works:

                async def wait(name: str) -> None:
                    with pytest.raises(CoordinatorClosed):
                        await works.coordinator.deliver(name, f"{name} 2")
                    waiters.append(name)

                for name in ("ann", "bob"):
                    works.coordinator.breaker(name).force_open()
                    await works.coordinator.deliver(name, f"{name} 1")
                    nursery.start_soon(wait, name)
                    await trio.testing.wait_all_tasks_blocked()
    assert letters == ["ann 1", "bob 1"]
    assert sorted(waiters) == ["ann", "bob"]


# Races with the end


async def test_two_may_drain_at_once(autojump_clock: MockClock) -> None:
    async with at_work("ann") as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        results: list[list[DeadLetter]] = []

        async def drain(deadline: float) -> None:
            results.append(await works.coordinator.drain(deadline=deadline))

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain, 5.0)
                for _ in range(5):
                    nursery.start_soon(drain, float("inf"))
        assert sorted(map(len, results)) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("deadline", [0.0, -1, float("-inf")])
async def test_a_deadline_that_is_past_returns_what_waits(
    autojump_clock: MockClock, deadline: float
) -> None:
    async with at_work() as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        with trio.testing.assert_checkpoints():
            assert len(await works.coordinator.drain(deadline=deadline)) == 1


async def test_what_is_sent_while_the_block_ends_is_refused_or_handed_over(
    autojump_clock: MockClock,
) -> None:
    for ticks in range(12):
        ends: list[str] = []
        async with trio.open_nursery() as nursery:
            async with at_work() as works:
                works.coordinator.breaker("ann").force_open()
                nursery.start_soon(send_many, works, ends)
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
        assert len(ends) == 30
        works.check()
        assert len(works.letters) == ends.count("buffered")


async def send_many(works: Works, ends: list[str]) -> None:
    for number in range(30):
        try:
            ends.append((await works.coordinator.deliver("ann", number)).status)
        except CoordinatorClosed:
            ends.append("closed")


async def test_a_sender_with_attempts_left_is_told_that_the_receiver_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=9, attempts=3, delivery_timeout=2.0) as works:
        orders = works.orders["ann"]
        orders.mode = "hang"
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def leave() -> None:
                await trio.sleep(1)
                works.agents.unregister("ann")

            with pytest.raises(ReceiverNotFound) as failure:
                await works.coordinator.deliver("ann", 1)
        assert failure.value.outcome == "unknown"
        assert isinstance(failure.value.__cause__, DeliveryTimeout)
        assert orders.begun == [1]


# What is known in the end


async def test_a_refusal_after_an_attempt_in_doubt_stays_in_doubt(
    autojump_clock: MockClock,
) -> None:
    async with at_work(failure_threshold=9, attempts=2, delivery_timeout=2.0) as works:
        orders = works.orders["ann"]
        orders.takes = 3.0
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def change() -> None:
                await trio.sleep(2.5)  # the second attempt waits in the mailbox
                orders.takes, orders.mode = 0.0, "refuse"

            with pytest.raises(DeliveryFailed) as failure:
                await works.coordinator.deliver("ann", 1)
        assert failure.value.reason == "refused"
        assert failure.value.outcome == "unknown"  # by the first attempt


async def test_the_count_of_attempts_is_of_those_that_were_made(autojump_clock: MockClock) -> None:
    async with at_work(orders=Orders("crash"), attempts=3, buffer_capacity=1) as works:
        assert (await works.coordinator.deliver("ann", "it", key="k")).status == "buffered"
        assert works.coordinator.statistics().redelivered == 0
        await works.coordinator.deliver("ann", "other")
        works.orders["ann"].mode = "work"
        works.coordinator.breaker("ann").force_closed()
        await trio.testing.wait_all_tasks_blocked()
        await works.coordinator.deliver("ann", "it", key="k")
        (_, _, last) = works.orders["ann"].deliveries
        assert (last.sequence, last.attempt, last.is_redelivery) == (1, 2, True)
        assert works.coordinator.statistics().redelivered == 1


async def test_senders_of_one_key_who_wait_for_room_have_it_wait_once(
    autojump_clock: MockClock,
) -> None:
    options: Any = {"overflow": "block", "buffer_capacity": 2, "delivery_timeout": 60.0}
    async with at_work(orders=Orders(takes=1.0), **options) as works:
        works.coordinator.breaker("ann").force_open()
        for number in range(2):
            await works.coordinator.deliver("ann", number)
        receipts: list[Receipt] = []

        async def send() -> None:
            receipts.append(await works.coordinator.deliver("ann", "it", key="k"))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            works.coordinator.breaker("ann").reset()
        works.check()
        await works.coordinator.drain()
        assert works.orders["ann"].done == [0, 1, "it"]
        assert len({receipt.sequence for receipt in receipts}) == 1
        assert works.coordinator.statistics().messages == 3


async def test_a_message_whose_key_is_in_doubt_meanwhile_is_a_redelivery(
    autojump_clock: MockClock,
) -> None:
    async with at_work(delivery_timeout=5.0) as works:
        orders = works.orders["ann"]
        orders.mode = "hang"
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def send() -> None:
                with pytest.raises(DeliveryTimeout):
                    await works.coordinator.deliver("ann", "it", key="k")

            await trio.testing.wait_all_tasks_blocked()
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", "it", key="k")
        works.agents.unregister("ann")
        (letter,) = works.letters
        assert letter.outcome == "unknown"


async def test_the_age_of_one_that_is_sent_again_does_not_hide_that_of_others(
    autojump_clock: MockClock,
) -> None:
    times: list[tuple[float, object]] = []

    def note(letter: DeadLetter) -> None:
        times.append((trio.current_time(), letter.message))

    async with at_work(max_age=4.0, on_dead_letter=note, reset_timeout=99.0) as works:
        works.orders["ann"].mode = "crash"
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "it", key="k")
        await works.coordinator.deliver("ann", 1)
        await trio.sleep(2)
        await works.coordinator.deliver("ann", "it", key="k")
        await trio.sleep(10)
    assert times == [(4.0, 1), (6.0, "it")]


# The circuit, by hand and otherwise


async def test_a_circuit_that_refuses_for_a_while_is_asked_again_now_and_then(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        breaker = works.coordinator.breaker("ann")
        with breaker.refuse_when(lambda: True):
            assert (await works.coordinator.deliver("ann", 1)).status == "buffered"
            await trio.sleep(100)
            assert breaker.statistics().rejected < 200
        await trio.sleep(2)
        assert works.orders["ann"].done == [1]


async def test_a_circuit_that_is_disabled_while_another_call_tries_it_lets_the_buffer_go(
    autojump_clock: MockClock,
) -> None:
    async with at_work(delivery_timeout=1000.0) as works:
        breaker = works.coordinator.breaker("ann")
        works.orders["ann"].mode = "crash"
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "breaks")
        works.orders["ann"].mode = "work"
        await trio.sleep(11)
        async with breaker.guard():  # which holds the only place of a probe
            await works.coordinator.deliver("ann", 1)
            await trio.testing.wait_all_tasks_blocked()
            assert works.coordinator.buffered("ann") == 1
            breaker.disable()
            await trio.testing.wait_all_tasks_blocked()
            assert works.orders["ann"].done == [1]


async def test_those_who_deliver_at_once_do_not_wake_each_other_without_end(
    autojump_clock: MockClock,
) -> None:
    async with at_work(drain_concurrency=3, delivery_timeout=3.0, reset_timeout=5.0) as works:
        breaker = works.coordinator.breaker("ann")
        works.orders["ann"].mode = "crash"
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "breaks")
        works.orders["ann"].mode = "work"
        await trio.sleep(6)
        async with breaker.guard():
            for number in range(5):
                await works.coordinator.deliver("ann", number)
            await trio.sleep(2)
            assert breaker.statistics().rejected < 20
        await trio.sleep(1)
        assert sorted(works.orders["ann"].done) == [*range(5)]


async def test_a_probe_that_is_not_ours_and_is_cancelled_does_not_keep_the_buffer_for_ever(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        breaker = works.coordinator.breaker("ann")
        works.orders["ann"].mode = "crash"
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", "breaks")
        works.orders["ann"].mode = "work"
        await trio.sleep(11)
        with trio.CancelScope() as scope:
            async with breaker.guard():
                await works.coordinator.deliver("ann", 1)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
                await trio.lowlevel.checkpoint()
        await trio.sleep(2)
        assert works.orders["ann"].done == [1]


async def test_a_circuit_that_is_never_open_long_does_not_spin(autojump_clock: MockClock) -> None:
    orders = Orders("crash")
    async with at_work(orders=orders, reset_timeout=0) as works:
        works.coordinator.breaker("ann").force_open()
        await works.coordinator.deliver("ann", 1)
        works.coordinator.breaker("ann").reset()
        await trio.sleep(60)
        assert 5 < len(orders.begun) < 15
        orders.mode = "work"
        await trio.sleep(30)
        assert orders.done == [1]


async def test_a_mistake_of_who_asks_says_nothing_of_who_is_asked(
    autojump_clock: MockClock,
) -> None:
    async with at_work() as works:
        with pytest.raises(TypeError):
            await works.coordinator.request("ann", Robot.count, 1, 2, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        assert works.coordinator.breaker("ann").state == "closed"


async def test_while_the_circuit_is_disabled_agents_can_be_asked(
    autojump_clock: MockClock,
) -> None:
    async with at_work(drain_rate=0.01) as works:
        breaker = works.coordinator.breaker("ann")
        breaker.force_open()
        for number in range(3):
            await works.coordinator.deliver("ann", number)
        breaker.disable()
        await trio.testing.wait_all_tasks_blocked()
        assert works.coordinator.buffered("ann") == 2
        assert await works.coordinator.request("ann", Robot.count) == 1


async def test_nobody_asks_for_the_health_of_one_who_is_gone(autojump_clock: MockClock) -> None:
    asked: list[float] = []

    async def health() -> None:
        asked.append(trio.current_time())
        await trio.sleep_forever()

    async with at_work(health=health, delivery_timeout=3.0) as works:
        works.orders["ann"].mode = "crash"
        with pytest.raises(DeliveryFailed):
            await works.coordinator.deliver("ann", 1)
        await trio.sleep(30)
        assert asked == [10.0, 23.0]  # and each time for no longer than a delivery
        works.agents.unregister("ann")
        await trio.sleep(100)
        assert len(asked) == 2


@pytest.mark.parametrize("fault", ["counts", "result_is_failure"])
async def test_what_judges_results_is_refused_and_a_judge_that_raises_is_heard(
    autojump_clock: MockClock, fault: str
) -> None:
    def judge(_: object) -> Any:
        raise KeyError("judge")

    if fault == "result_is_failure":
        with pytest.raises(ValueError, match="result_is_failure is not asked"):
            open_coordinator(AgentRegistry(), result_is_failure=judge)
        return
    async with at_work(counts=judge, orders=Orders("crash")) as works:
        with pytest.raises(KeyError, match="judge"):
            await works.coordinator.deliver("ann", 1)
        works.check()
    with pytest.raises(KeyError, match="judge"):  # nobody else is there to be told
        async with at_work(counts=judge, orders=Orders("crash")) as works:
            works.coordinator.breaker("ann").force_open()
            await works.coordinator.deliver("ann", 1)
            works.coordinator.breaker("ann").reset()
            await trio.sleep_forever()
    works.check()


def test_receive_has_to_take_the_sender() -> None:
    with pytest.raises(TypeError, match=r"has to take a message and its sender: write `async def"):

        class Wrong(Agent):  # pyright: ignore[reportUnusedClass]
            async def receive(self, message: object) -> object:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
                return message


# What is left behind


class Message:
    """What can be waited for to be gone."""


@pytest.mark.parametrize("mode", ["work", "refuse", "crash", "hang"])
@pytest.mark.parametrize("way", ["direct", "buffered", "unknown", "closed"])
async def test_no_message_is_kept_alive_by_what_became_of_it(
    autojump_clock: MockClock, mode: Any, way: str
) -> None:
    orders = Orders(mode)
    options: Any = {"attempts": 2, "failure_threshold": 9, "delivery_timeout": 1.0}
    async with at_work(orders=orders, on_dead_letter=None, max_age=30.0, **options) as works:
        breaker = works.coordinator.breaker("ann")
        if way == "buffered":
            breaker.force_open()
        elif way == "unknown":
            works.agents.unregister("ann")
        elif way == "closed":
            await works.coordinator.drain()
        gc.collect()
        gc.disable()
        try:
            gone = await send_what_is_forgotten(works)
            breaker.reset()
            await trio.sleep(100)
            orders.begun.clear()
            orders.done.clear()
            orders.deliveries.clear()
            breaker.reset()  # which forgets the last error
            await works.supervisor.stop_child("ann")  # ends what hangs, and is called again now
            orders.mode = "work"
            await works.supervisor.restart_child("ann")
            assert gone() is None
        finally:
            gc.enable()


async def send_what_is_forgotten(works: Works) -> weakref.ref[Message]:
    message = Message()
    with suppress(DeliveryError):
        await works.coordinator.deliver("ann", message)
    return weakref.ref(message)


async def test_a_head_that_fails_again_and_again_does_not_keep_what_it_failed_with(
    autojump_clock: MockClock,
) -> None:
    async with at_work(reset_timeout=1.0, orders=Orders("refuse"), counts=CallError) as works:
        works.coordinator.breaker("ann").force_open()
        works.orders["ann"].mode = "crash"
        await works.coordinator.deliver("ann", 1)
        works.coordinator.breaker("ann").reset()
        counts: list[int] = []
        for _ in range(2):
            await trio.sleep(1000)
            gc.collect()
            counts.append(sum(isinstance(one, CallFailed) for one in gc.get_objects()))
        assert len(works.orders["ann"].begun) > 50
        assert max(counts) < 20
