"""What comes and goes leaves nothing behind, in any room.

Each scenario is something that used to leak, here or in libraries of this kind: who leaves before
the answer is there, who asks for what will never come, who is gone while others still look at it.
It is done ten thousand times, or fewer where a round is slow: five hundred still find
whatever leaves more than sixteen bytes each, and no object is so small. Then the process has to be where it
was. What is left of *one* call is in the tests of the rooms; so are the ten
thousand owners of registered values that crash (tests/registry) and the restarts of a server
(tests/messaging).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import count
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.agents import Agent, AgentRegistry, open_coordinator
from trio_foundation.cache import Cache, LoadFailed
from trio_foundation.messaging import CallError, Server, open_mailbox, serve
from trio_foundation.registry import Registry
from trio_foundation.resilience import (
    BreakerOpen,
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    KeyedRateLimiter,
    RateLimiter,
    TimedOut,
    hedge,
    open_breakers,
    retry,
    timeout,
)
from trio_foundation.search import SearchSpace, Uniform, random_search
from trio_foundation.supervision import (
    IgnoreChild,
    Liveness,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
)
from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map
from trio_foundation.telemetry import Audience, Event, HandlerFailed, emit, subscribe
from trio_foundation.testing import assert_no_leak, capture_events
from trio_foundation.workflows import (
    Saga,
    SagaFailed,
    SerialOperationFailed,
    open_serial_operations,
)

pytestmark = pytest.mark.thorough

Round = Callable[[], Awaitable[object]]


@attrs.frozen
class Scenario:
    """Something to do again and again, and the things that it is done to."""

    open: Callable[[], AbstractAsyncContextManager[Round]]
    rounds: int

    def __str__(self) -> str:
        return self.open.__name__


SCENARIOS: list[Scenario] = []


def rounds(many: int = 10_000) -> Callable[[Callable[[], AsyncGenerator[Round]]], None]:
    """Have a scenario done so often."""

    def add(generator: Callable[[], AsyncGenerator[Round]]) -> None:
        SCENARIOS.append(Scenario(asynccontextmanager(generator), many))

    return add


class NoRouteError(Exception):
    """What goes wrong."""


async def fail(*_: object) -> None:
    await trio.lowlevel.checkpoint()
    raise NoRouteError("no route")


async def hang(*_: object) -> None:
    await trio.sleep_forever()


async def brief(*_: object) -> None:
    await trio.lowlevel.checkpoint()


async def leave(async_fn: Callable[..., Awaitable[object]], *args: object) -> None:
    """Wait for something for a second, and leave."""
    with trio.move_on_after(1):
        await async_fn(*args)


# supervision


@rounds()
async def monitors_of_a_child_that_is_gone() -> AsyncGenerator[Round]:
    async with open_supervisor() as sup:
        gone = sup.start_soon(brief, restart="temporary")
        await gone.wait_exit()

        async def monitor() -> None:
            with gone.monitor() as exits, suppress(trio.EndOfChannel):
                await exits.receive()

        yield monitor


@rounds(1_000)
async def waits_for_a_child_that_goes_on() -> AsyncGenerator[Round]:
    async with open_supervisor() as sup:
        slow = sup.start_soon(hang, liveness=Liveness(every=1e9))

        async def look() -> None:
            with slow.monitor(), trio.CancelScope() as scope:
                scope.cancel()
                await slow.wait_exit()
            slow.on_exit(str)()
            slow.on_gone(str)()
            sup.snapshot()

        yield look


@rounds(1_000)
async def children_that_crash_while_they_are_watched() -> AsyncGenerator[Round]:
    async with open_dynamic_supervisor() as sup:

        async def start() -> None:
            crashing = sup.start_soon(fail)
            crashing.on_exit(str)
            crashing.on_gone(str)
            with crashing.monitor() as exits:
                await exits.receive()

        yield start


@rounds(500)
async def starts_that_are_cancelled_or_ignored() -> AsyncGenerator[Round]:
    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async def not_needed(*, task_status: trio.TaskStatus[None]) -> None:
        raise IgnoreChild

    async with open_supervisor() as sup:

        async def start() -> None:
            await leave(sup.start_child, child(never_ready, name="a"))
            await sup.start(not_needed, restart="temporary")

        yield start


@rounds(500)
async def restarts_of_a_group_with_backoff() -> AsyncGenerator[Round]:
    async def crash_on_order() -> None:
        current_child().status = order = trio.Event()
        await order.wait()
        raise NoRouteError

    async def listen() -> None:
        await stop_requested().wait()

    tree = [
        child(crash_on_order, name="a", backoff=Backoff(initial=20.0, jitter=0.0)),
        child(listen, name="b"),
    ]
    async with open_supervisor(tree, strategy="one_for_all") as sup:
        first = sup.children["a"]

        async def crash() -> None:
            await trio.testing.wait_all_tasks_blocked()
            assert isinstance(first.status, trio.Event)
            first.status.set()
            await trio.sleep(1_000)
            assert first.state == "running"

        yield crash


# messaging


class Slow(Server):
    async def hang(self) -> None:
        await trio.sleep(1.5)

    async def refuse(self) -> None:
        raise CallError("no")

    async def call_itself(self) -> None:
        with suppress(RuntimeError):
            await self.ref.call(Slow.refuse)


@rounds(500)
async def calls_whose_callers_leave() -> AsyncGenerator[Round]:
    spec, ref = serve(Slow, capacity=10)
    async with open_supervisor([spec]):

        async def call() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave, ref.call, Slow.hang)  # while it is handled
                nursery.start_soon(leave, ref.call, Slow.hang)  # while it waits
            await trio.sleep(1)

        yield call


@rounds(2_000)
async def calls_that_are_refused() -> AsyncGenerator[Round]:
    spec, ref = serve(Slow, capacity=10)
    async with open_supervisor([spec]):

        async def call() -> None:
            with suppress(CallError):
                await ref.call(Slow.refuse)
            await ref.call(Slow.call_itself)

        yield call


@rounds(500)
async def senders_and_receivers_that_leave() -> AsyncGenerator[Round]:
    orders, full = open_mailbox[object](1)
    orders.send_nowait(object())
    _, empty = open_mailbox[object](1)
    dropping, _ = open_mailbox[object](1, overflow="drop_oldest")

    async def come_and_leave() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await orders.send(object())
        await leave(orders.send, object())
        await leave(empty.receive)
        await leave(empty.receive_batch)
        await dropping.send(object())

    yield come_and_leave
    full.close()


# registry


@rounds()
async def values_that_one_owner_registers_and_takes_back() -> AsyncGenerator[Round]:
    registry = Registry[int, object](indexes=["skills"])
    numbers = count()
    async with open_supervisor() as sup:
        owner = sup.start_soon(hang)

        async def bind() -> None:
            number = next(numbers)
            registry.bind(number, object(), owner, skills={number, "all"})
            registry.unregister(number)

        yield bind
        assert not len(registry)


@rounds(1_000)
async def waiters_for_what_never_comes() -> AsyncGenerator[Round]:
    registry = Registry[int, object]()
    numbers = count()

    async def wait() -> None:
        with registry.watch(capacity=1):
            await leave(registry.wait_for, next(numbers))

    yield wait


@rounds()
async def transactions_that_are_undone() -> AsyncGenerator[Round]:
    registry = Registry[int, object](keys="duplicate", indexes=["skills"])
    async with open_supervisor() as sup:
        owner = sup.start_soon(hang)

        async def undo() -> None:
            with suppress(NoRouteError), registry.transaction():
                registry.bind(1, object(), owner, skills=[object()])
                raise NoRouteError

        yield undo


# resilience


@rounds(3_000)
async def calls_through_a_breaker_that_fail_or_are_left() -> AsyncGenerator[Round]:
    breaker = CircuitBreaker("prices", failure_threshold=3, reset_timeout=5.0)

    async def call() -> None:
        for async_fn in (fail, hang):
            with suppress(NoRouteError, BreakerOpen):
                await leave(breaker.call, async_fn)
        with suppress(BreakerOpen, NoRouteError):
            async with breaker.guard():
                await fail()

    yield call


@rounds(1_000)
async def calls_that_an_open_breaker_rejects() -> AsyncGenerator[Round]:
    breaker = CircuitBreaker("prices")
    breaker.force_open()

    async def call() -> None:
        with suppress(BreakerOpen):
            await breaker.call(brief)
        with breaker.subscribe():
            await leave(breaker.wait_state, "closed")

    yield call


@rounds(1_000)
async def breakers_of_ever_new_keys() -> AsyncGenerator[Round]:
    numbers = count()
    async with open_breakers(max_breakers=50) as breakers:

        async def call() -> None:
            with suppress(NoRouteError):
                await breakers[f"host {next(numbers)}"].call(fail)

        yield call


@rounds(500)
async def callers_that_wait_for_a_limit_and_leave() -> AsyncGenerator[Round]:
    bulkhead = Bulkhead(1, max_waiting=0)
    line = Bulkhead(1, max_waiting=10)
    limiter = RateLimiter(1, per=1e9)
    limiter.take()
    keyed = KeyedRateLimiter[int](1_000, max_keys=20)
    numbers = count()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bulkhead.call, hang)
        nursery.start_soon(line.call, hang)
        await trio.testing.wait_all_tasks_blocked()

        async def come_and_leave() -> None:
            with suppress(BulkheadFull):
                await bulkhead.call(brief)
            await leave(line.call, brief)
            await leave(limiter.wait)
            await keyed.wait(next(numbers))

        yield come_and_leave
        nursery.cancel_scope.cancel()


@rounds(500)
async def calls_that_are_tried_again_or_too_late() -> AsyncGenerator[Round]:
    async def call() -> None:
        with suppress(NoRouteError):
            await retry(fail, attempts=2)
        with suppress(TimedOut):
            await timeout(1, hang)
        await leave(lambda: hedge(hang, after=0.1))

    yield call


# tasks


@rounds(500)
async def tasks_that_are_cancelled_or_fail() -> AsyncGenerator[Round]:
    async with open_task_supervisor() as tasks:

        async def start() -> None:
            hanging = tasks.start_soon(hang)
            hanging.cancel()
            await hanging.outcome()
            tasks.start_soon(fail)  # nobody asks what became of it
            await leave(tasks.start_soon(trio.sleep, 2).outcome)
            await trio.sleep(2)

        yield start


@rounds(100)
async def maps_whose_items_time_out() -> AsyncGenerator[Round]:
    async with open_task_supervisor():

        async def map_items() -> None:
            await parallel_map(hang, range(2), timeout=1)
            await leave(parallel_map, hang, range(2))
            async with open_map(brief, range(5), limit=2) as results:
                await results.receive()

        yield map_items


# cache


@rounds(2_000)
async def keys_that_come_and_go() -> AsyncGenerator[Round]:
    cache = Cache[int, object](max_size=50, ttl=100.0)
    numbers = count()

    async def churn() -> None:
        number = next(numbers)
        cache.put(number, object())
        cache.get(number - 5)
        cache.delete(number - 7)
        await trio.sleep(5)
        cache.put(-1, object(), ttl=1.0)

    yield churn


@rounds(1_000)
async def loads_that_fail_or_are_left() -> AsyncGenerator[Round]:
    cache = Cache[int, object](max_size=50, negative_ttl=1.0)
    numbers = count()

    async def load() -> None:
        number = next(numbers)
        await leave(cache.get_or_load, number, hang)
        for _ in range(2):
            with suppress(NoRouteError, LoadFailed):
                await cache.get_or_load(number, fail)

    yield load


# workflows


@rounds(1_000)
async def batches_of_ever_new_keys() -> AsyncGenerator[Round]:
    numbers = count()
    async with open_serial_operations(name="db") as serial:

        async def execute() -> None:
            number = next(numbers)
            await leave(lambda: serial.execute([brief, hang], key=number))
            with suppress(SerialOperationFailed):
                await serial.execute([fail], key=number)

        yield execute


@rounds(2_000)
async def batches_that_leave_the_line() -> AsyncGenerator[Round]:
    async with open_serial_operations(name="db") as serial, trio.open_nursery() as nursery:
        nursery.start_soon(serial.execute, [hang])
        await trio.testing.wait_all_tasks_blocked()

        async def execute() -> None:
            await leave(serial.execute, [brief])

        yield execute
        nursery.cancel_scope.cancel()


@rounds(1_000)
async def sagas_that_are_undone() -> AsyncGenerator[Round]:
    async def run() -> None:
        with suppress(SagaFailed):
            await Saga("trip").step("flight", brief, brief).step("hotel", fail).run()

    yield run


# search


@rounds(100)
async def searches_with_failing_trials() -> AsyncGenerator[Round]:
    space = SearchSpace(x=Uniform(0, 1))
    async with open_task_supervisor():

        async def search() -> None:
            await random_search(space, fail_to_return, iterations=2, trial_timeout=1)

        async def fail_to_return(params: dict[str, Any]) -> float:
            await (fail if params["x"] < 0.5 else hang)()
            return 1.0

        yield search


# telemetry and testing


@attrs.frozen
class Told(Event):
    name = "test.told"


@rounds(500)
async def those_who_listen() -> AsyncGenerator[Round]:
    def refuse(event: Event) -> None:
        raise NoRouteError

    async def listen() -> None:
        Audience(Told)
        with subscribe(refuse, Told), subscribe(str, HandlerFailed):
            emit(Told())

    yield listen


@rounds(1_000)
async def what_is_captured() -> AsyncGenerator[Round]:
    async def capture() -> None:
        with capture_events(Told) as events:
            await leave(events.wait_for, Told)
            emit(Told())

    yield capture


class Deaf(Agent):
    """Never answers."""

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        await trio.sleep_forever()


@rounds()
async def messages_before_an_open_circuit() -> AsyncGenerator[Round]:
    agents = AgentRegistry()
    spec = agents.register_on_start("ann", serve(Deaf, capacity=9), capability="none")
    numbers = count()
    async with (
        open_supervisor([spec]),
        open_coordinator(agents, buffer_capacity=10) as coordinator,
    ):
        coordinator.breaker("ann").force_open()

        async def send() -> None:
            await coordinator.deliver("ann", "hello", key=f"{next(numbers)}")

        for _ in range(10):
            await send()
        yield send
        assert coordinator.buffered("ann") == 10


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep records, which keep errors alive, out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_nothing_is_left_of(scenario: Scenario, autojump_clock: MockClock) -> None:
    async with scenario.open() as one_round:
        await assert_no_leak(one_round, rounds=scenario.rounds, growth=1.1)
