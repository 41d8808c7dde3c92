"""Every public async function, cancelled at each of its steps in turn.

What the doors export is walked, so a new async function without a scenario fails a test. After
each run a call that raised `trio.Cancelled` must have had no effect, and one that returned must
have had it; or its docstring says under Cancellation what remains, and its scenario sees to it.

The scenarios are small: each is about the steps of one call. What comes of many at once, and of
functions that do what they should not, is in the tests of the rooms.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import math
import pkgutil
import re
import tracemalloc
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from inspect import getattr_static
from typing import Any, Literal

import attrs
import pytest
import trio

import trio_foundation
from trio_foundation import Backoff
from trio_foundation.agents import (
    Agent,
    AgentChange,
    AgentRegistry,
    Coordinator,
    DeadLetter,
    RegisterAgent,
    change_serially,
    open_coordinator,
)
from trio_foundation.cache import Cache, cached
from trio_foundation.messaging import CallFailed, Server, ServerGone, open_mailbox, serve
from trio_foundation.registry import Registry
from trio_foundation.resilience import (
    BreakerOpen,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    KeyedRateLimiter,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
    fallback,
    hedge,
    open_breakers,
    retry,
    retrying,
    timeout,
)
from trio_foundation.search import SearchSpace, Uniform, optimize_study, random_search, report
from trio_foundation.supervision import (
    ChildEvent,
    DynamicSupervisor,
    Exit,
    Supervisor,
    SupervisorClosed,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    open_supervisor,
    supervise,
)
from trio_foundation.tasks import TaskSupervisor, open_map, open_task_supervisor, parallel_map
from trio_foundation.telemetry import HandlerFailed, emit
from trio_foundation.testing import (
    CancelAttempt,
    CancelledBy,
    assert_conserved,
    assert_no_leak,
    assert_no_tasks_left,
    assert_stopped_in_order,
    cancel_at_each_step,
    capture_events,
    open_storm,
    open_test_supervisor,
)
from trio_foundation.workflows import (
    AtomicTransaction,
    Saga,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    open_serial_operations,
)

# What there is


def public_async_names() -> Iterator[str]:
    """Yield ``room.function`` and ``room.Class.method`` for each that is awaited or entered."""
    for module in pkgutil.iter_modules(trio_foundation.__path__, "trio_foundation."):
        room = module.name.rpartition(".")[2]
        if room.startswith("_"):
            continue
        door = importlib.import_module(module.name)
        for name in getattr(door, "__all__", ()):
            value = getattr(door, name)
            if inspect.isclass(value):
                yield from (f"{room}.{name}.{method}" for method in async_methods(value))
            elif is_async(value):
                yield f"{room}.{name}"


def async_methods(cls: type) -> Iterator[str]:
    if getattr(cls, "_is_protocol", False):
        return  # what implements it is somewhere else
    for name in dir(cls):
        if name.startswith("_") and name not in {
            "__aenter__",
            "__aexit__",
            "__anext__",
            "__call__",
        }:
            continue
        method = getattr_static(cls, name)
        home = next(base for base in cls.__mro__ if name in vars(base))
        is_ours = home.__module__.startswith("trio_foundation")
        is_news = home is cls or home.__qualname__ not in vars(
            importlib.import_module(cls.__module__)
        )
        if is_ours and is_news and is_async(getattr(method, "__func__", method)):
            yield name


def is_async(function: object) -> bool:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    return inspect.isroutine(function) and bool(re.match(r"\w*Async|Awaitable|Coroutine", returned))


# It returns an async function, and has no annotation that says so.
DECORATORS = ("resilience.retrying",)

NAMES = sorted([*public_async_names(), *DECORATORS])


def docstring_of(name: str) -> str:
    """Return what is said of a function: by itself, or for a special method, by its class."""
    room, *path = name.split(".")
    value: Any = importlib.import_module(f"trio_foundation.{room}")
    for part in path[:-1] if path[-1].startswith("__") else path:
        value = getattr(value, part)
    return inspect.getdoc(value) or ""


def told_of_cancellation(name: str) -> str:
    """Return what is said under Cancellation, with what that refers to: ``As in `retry`.``."""
    told = docstring_of(name).partition("Cancellation:\n")[2]
    if reference := re.match(r"\s*As (?:(?:in|for|with) )?`([\w.]+)`", told):
        room, owner = name.partition(".")[0], name.rpartition(".")[0]
        others = {f"{room}.{reference[1]}", f"{owner}.{reference[1]}"} - {name}
        told += "".join(told_of_cancellation(other) for other in others if other in NAMES)
    return told


# What is tried


@attrs.frozen
class Case:
    """A scenario for one name."""

    name: str
    scenario: Callable[[CancelAttempt], Awaitable[bool | None]]
    remains: str | None = None
    """What the docstring says of a cancelled call; None if that has had no effect."""

    is_checkpoint: bool = True
    timeout: float = 1_000_000.0

    def __str__(self) -> str:
        return f"{self.name}-{self.scenario.__name__}"


CASES: list[Case] = []

Decorated = Callable[[CancelAttempt], Awaitable[bool | None]]


def all_or_nothing(*names: str, **options: Any) -> Callable[[Decorated], Decorated]:
    """Have a scenario tried for each name; it returns whether the call had its effect.

    If there is no effect that could be seen, it returns None.
    """

    def add(scenario: Decorated) -> Decorated:
        CASES.extend(Case(name, scenario, **options) for name in names)
        return scenario

    return add


def remains(words: str, *names: str, **options: Any) -> Callable[[Decorated], Decorated]:
    """Have a scenario tried for each name; it sees by itself to what the docstring says."""
    return all_or_nothing(*names, remains=words, **options)


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def alone(attempt: CancelAttempt) -> Generator[None]:
    """Cancel a block that leaves no task behind, when it has ended in whatever way."""
    with assert_no_tasks_left(), attempt:
        yield


class Work:
    """An async function that takes a second, and knows what became of each call."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.began = self.done = self.ended = 0

    async def __call__(self, *_: object) -> str:
        self.began += 1
        try:
            await trio.sleep(self.seconds)
            self.done += 1
            return "done"
        finally:
            self.ended += 1

    def check(self, attempt: CancelAttempt, times: int = 1) -> None:
        """Nothing goes on, and what was returned was done."""
        assert self.began == self.ended
        if attempt.finished:
            assert self.done == times
        assert not attempt.caught or attempt.cancelled


class Failing(Work):
    """It fails the first time."""

    async def __call__(self, *args: object) -> str:
        await Work.__call__(self, *args)
        if self.done == 1:
            raise OSError("refused")
        return "done"


async def after_a_second(function: Callable[[], object]) -> None:
    await trio.sleep(1)
    function()


# messaging


@all_or_nothing("messaging.Address.aclose")
async def closing(attempt: CancelAttempt) -> None:
    orders, _ = open_mailbox[int](1)
    with alone(attempt):
        await orders.aclose()


@all_or_nothing("messaging.Address.send")
async def with_room(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](1)
    with alone(attempt):
        await orders.send(1)
    assert_conserved(mailbox)
    return mailbox.statistics().sent == 1


@all_or_nothing("messaging.Address.send")
async def without_room(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](1)
    orders.send_nowait(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_a_second, mailbox.receive_nowait)
        with attempt:
            await orders.send(2)
        figures = mailbox.statistics()
        assert figures.waiting_senders == 0
        assert figures.sent - figures.received == figures.used
    assert_conserved(mailbox)
    return mailbox.statistics().sent == 2


@all_or_nothing("messaging.Address.send")
async def to_a_receiver_that_waits(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](1)
    got: list[int] = []

    async def receive() -> None:
        async for order in mailbox:
            got.append(order)  # noqa: PERF401  the loop is ended from outside

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await orders.send(1)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.close()
    assert_conserved(mailbox)
    return got == [1]


@all_or_nothing("messaging.Address.send")
async def that_drops_another(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](1, overflow="drop_oldest")
    orders.send_nowait(1)
    with alone(attempt):
        await orders.send(2)
    assert_conserved(mailbox)
    return mailbox.receive_nowait() == 2


@all_or_nothing("messaging.Mailbox.receive", "messaging.Mailbox.__anext__")
async def what_is_there(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](2)
    orders.send_nowait(1)
    with alone(attempt):
        await anext(mailbox)
    assert_conserved(mailbox)
    return mailbox.statistics().used == 0


@all_or_nothing("messaging.Mailbox.receive", "messaging.Mailbox.__anext__")
async def what_comes(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_a_second, lambda: orders.send_nowait(1))
        with attempt:
            await mailbox.receive()
    assert_conserved(mailbox)
    return mailbox.statistics().used == 0


@all_or_nothing("messaging.Mailbox.receive")
async def from_a_sender_that_waits(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](1)
    orders.send_nowait(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(orders.send, 2)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            assert await mailbox.receive() == 1
        left = await mailbox.receive_batch()
        if left == [1]:
            left += await mailbox.receive_batch()
    assert left == ([2] if attempt.finished else [1, 2])
    assert_conserved(mailbox)
    return left == [2]


@all_or_nothing("messaging.Mailbox.receive_batch")
async def many(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](3)
    for order in range(3):
        orders.send_nowait(order)
    with alone(attempt):
        assert await mailbox.receive_batch(2) == [0, 1]
    assert_conserved(mailbox)
    assert mailbox.receive_nowait() == (2 if attempt.finished else 0)
    return attempt.finished


@all_or_nothing("messaging.Mailbox.receive_batch")
async def a_batch_that_comes(attempt: CancelAttempt) -> bool:
    orders, mailbox = open_mailbox[int](3)

    def send() -> None:
        for order in range(3):
            orders.send_nowait(order)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_a_second, send)
        with attempt:
            assert await mailbox.receive_batch()
    assert_conserved(mailbox)
    return mailbox.statistics().received > 0


@remains("The mailbox is closed all the same.", "messaging.Mailbox.aclose")
async def closing_a_mailbox(attempt: CancelAttempt) -> None:
    orders, mailbox = open_mailbox[int](1)
    with alone(attempt):
        await mailbox.aclose()
    with pytest.raises(trio.ClosedResourceError):
        orders.send_nowait(1)


class Counter(Server):
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.began = self.ended = 0

    async def work(self, seconds: float = 1.0) -> int:
        self.began += 1
        await trio.sleep(seconds)
        self.ended += 1
        return self.ended


async def call_it(attempt: CancelAttempt, *, busy: bool) -> None:
    made: list[Counter] = []

    def make() -> Counter:
        made.append(Counter())
        return made[-1]

    spec, ref = serve(make, capacity=2, name="counter")
    async with open_supervisor([spec]):
        if busy:
            ref.cast(Counter.work)
            await trio.testing.wait_all_tasks_blocked()
        with alone(attempt):
            await ref.call(Counter.work)
        at_once = made[0].began
        await trio.sleep(10)
        # What was being handled is handled to its end, what waited is not.
        assert made[0].began == made[0].ended <= max(at_once, 1 + busy)
        assert made[0].ended == 1 + busy if attempt.finished else made[0].ended <= 1 + busy
        assert await ref.call(Counter.work) == made[0].began
        assert_conserved(ref)
    assert len(made) == 1


@remains("handled to its end, and its answer dropped", "messaging.Ref.call")
async def an_idle_server(attempt: CancelAttempt) -> None:
    await call_it(attempt, busy=False)


@remains("A call that waits is withdrawn, and not run.", "messaging.Ref.call")
async def a_busy_server(attempt: CancelAttempt) -> None:
    await call_it(attempt, busy=True)


@all_or_nothing("messaging.Ref.cast_wait")
async def a_full_server(attempt: CancelAttempt) -> bool:
    spec, ref = serve(Counter, capacity=1)
    async with open_supervisor([spec]):
        for _ in range(2):
            await ref.cast_wait(Counter.work)
            await trio.testing.wait_all_tasks_blocked()
        with alone(attempt):
            await ref.cast_wait(Counter.work)
        assert_conserved(ref)
        happened = ref.statistics().sent == 3
        await trio.sleep(10)
        assert ref.statistics().received == 2 + happened
    return happened


@all_or_nothing("messaging.Ref.cast_wait")
async def a_server_with_room(attempt: CancelAttempt) -> bool:
    spec, ref = serve(Counter, capacity=1)
    async with open_supervisor([spec]):
        with alone(attempt):
            await ref.cast_wait(Counter.work)
        assert_conserved(ref)
        await trio.sleep(10)
    return ref.statistics().received == 1


class Careful(Server):
    """Takes its time to begin and to end."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    async def setup(self) -> None:
        self.told.append("setup")
        await trio.sleep(1)
        self.told.append("ready")

    async def teardown(self, exit: Exit) -> None:
        self.told.append("teardown")
        await trio.sleep(1)
        self.told.append("gone")


@remains(
    "It is cancelled when the start is; `teardown` follows.",
    "messaging.Server.setup",
    "agents.Agent.setup",
)
async def setting_up(attempt: CancelAttempt) -> None:
    told: list[str] = []
    async with open_supervisor() as sup:
        with alone_but_for_the_child(attempt):
            await sup.start_child(serve(lambda: Careful(told), capacity=1, name="careful").spec)
        if attempt.finished:
            assert told == ["setup", "ready"]
            assert sup.children["careful"].state == "running"
        else:
            assert told in (
                [],
                ["setup", "teardown", "gone"],
                ["setup", "ready", "teardown", "gone"],
            )
            assert not sup.children


@contextmanager
def alone_but_for_the_child(attempt: CancelAttempt) -> Generator[None]:
    """Cancel a block that leaves a task behind only if it comes to its end."""
    with suppress_if_finished(attempt), alone(attempt):
        yield


@contextmanager
def suppress_if_finished(attempt: CancelAttempt) -> Generator[None]:
    try:
        yield
    except AssertionError:
        if not attempt.finished:
            raise


@remains(
    "It is cancelled when its time is over.", "messaging.Server.teardown", "agents.Agent.teardown"
)
async def tearing_down(attempt: CancelAttempt) -> None:
    told: list[str] = []
    spec = serve(lambda: Careful(told), capacity=1).spec
    with alone(attempt):
        async with open_supervisor([spec]):
            await trio.sleep(1)
    # It has 5 seconds, and takes one: whoever is cancelled, it comes to its end.
    assert told[-2:] in ([], ["teardown", "gone"])


@remains("A call that waits is withdrawn, and not run.", "messaging.Ref.call")
async def a_server_that_crashes_and_is_back(attempt: CancelAttempt) -> None:
    spec, ref = serve(Moody, capacity=2, backoff=Backoff(initial=1.0, jitter=0.0))
    answers: list[object] = []
    async with open_supervisor([spec]):
        ref.cast(Moody.crash)
        with attempt:
            try:
                answers.append(await ref.call(Moody.crash))
            except CallFailed as error:
                answers.append(error)
            answers.append(await ref.call(Moody.work))
        await trio.sleep(10)
        assert await ref.call(Moody.work) == "done"
        assert_conserved(ref)
        assert ref.statistics().used == 0
    assert not attempt.finished or len(answers) == 2


class Moody(Server):
    async def crash(self) -> None:
        await trio.sleep(1)
        raise OSError("no route")

    async def work(self) -> str:
        await trio.sleep(1)
        return "done"


@all_or_nothing("messaging.Ref.call")
async def a_server_that_is_stopped(attempt: CancelAttempt) -> None:
    spec, ref = serve(Moody, capacity=2, name="moody")
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(after, 0.5, partial(sup.stop_child, "moody"))
        with attempt, suppress(CallFailed, ServerGone):
            await ref.call(Moody.work)
        await trio.sleep(2)
        with pytest.raises(ServerGone):
            await ref.call(Moody.work)
        assert_conserved(ref)


async def after(seconds: float, async_fn: Callable[[], Awaitable[object]]) -> None:
    await trio.sleep(seconds)
    await async_fn()


# registry


@all_or_nothing("registry.Registry.wait_for")
async def who_is_there(attempt: CancelAttempt) -> None:
    registry = Registry[str, int]()
    with registry.register("web", 8080), alone(attempt):
        assert (await registry.wait_for("web")).value == 8080


@all_or_nothing("registry.Registry.wait_for")
async def who_comes(attempt: CancelAttempt) -> None:
    registry = Registry[str, int]()
    async with trio.open_nursery() as nursery, open_supervisor() as sup:
        owner = await sup.start(trio.sleep_forever)
        nursery.start_soon(after_a_second, lambda: registry.bind("web", 8080, owner))
        with attempt:
            assert (await registry.wait_for("web")).value == 8080
        await trio.sleep(2)
        assert (await registry.wait_for("web")).value == 8080


# agents


class Clerk(Agent):
    """Does one kind of work, whatever it is sent or asked."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        return await self.work(message)

    async def answer(self) -> str:
        return await self.work()


@asynccontextmanager
async def at_a_desk(work: Work, **options: Any) -> AsyncGenerator[Coordinator]:
    agents = AgentRegistry()
    served = serve(partial(Clerk, work), capacity=9, drain=True)
    spec = agents.register_on_start("ann", served, capability="stamp")
    async with open_supervisor([spec]), open_coordinator(agents, **options) as coordinator:
        yield coordinator
        await trio.sleep(2)
        assert_conserved(coordinator)


WITHDRAWN = "Withdraws a message that no handler has begun. One that has begun goes on to its end"


@remains("It goes on when the sender has left.", "agents.Agent.receive")
@remains(WITHDRAWN, "agents.Coordinator.deliver")
async def a_message(attempt: CancelAttempt) -> None:
    work = Work()
    async with at_a_desk(work) as coordinator:
        with alone(attempt):
            assert (await coordinator.deliver("ann", 1)).reply == "done"
        began = work.began
        await trio.sleep(2)
        assert work.began == work.done == began  # it has not begun since, and was not broken off
        figures = coordinator.statistics()
        assert figures.in_flight == figures.buffered == 0
        assert not attempt.finished or figures.delivered == 1


@all_or_nothing("agents.Coordinator.deliver")
async def a_message_that_has_to_wait(attempt: CancelAttempt) -> bool:
    async with at_a_desk(Work()) as coordinator:
        coordinator.breaker("ann").force_open()
        with attempt:
            await coordinator.deliver("ann", 1)
        assert_conserved(coordinator)
        return coordinator.buffered("ann") == 1


@all_or_nothing("agents.Coordinator.deliver")
async def a_message_that_waits_for_room(attempt: CancelAttempt) -> bool:
    async with at_a_desk(Work(), overflow="block", buffer_capacity=1) as coordinator:
        coordinator.breaker("ann").force_open()
        await coordinator.deliver("ann", 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(after_a_second, coordinator.breaker("ann").reset)
            with attempt:
                await coordinator.deliver("ann", 2)
        await trio.sleep(5)
        assert_conserved(coordinator)
        return coordinator.statistics().delivered == 2


@remains("As with `deliver`, for each that has not ended.", "agents.Coordinator.broadcast")
async def a_message_to_all(attempt: CancelAttempt) -> None:
    work = Work()
    async with at_a_desk(work) as coordinator:
        with alone(attempt):
            assert [*await coordinator.broadcast(1)] == ["ann"]
        began = work.began
        await trio.sleep(2)
        assert work.began == work.done == began


@remains("As with `deliver`.", "agents.Coordinator.request")
async def a_question(attempt: CancelAttempt) -> None:
    work = Work()
    async with at_a_desk(work) as coordinator:
        with alone(attempt):
            assert await coordinator.request("ann", Clerk.answer) == "done"
        began = work.began
        await trio.sleep(2)
        assert work.began == work.done == began


@remains(
    "Cancels the calls under way, and returns no results.",
    "agents.Coordinator.parallel_map_agents",
)
async def all_that_match(attempt: CancelAttempt) -> None:
    work = Work()
    async with at_a_desk(Work()) as coordinator, open_task_supervisor():
        with attempt:
            await coordinator.parallel_map_agents(["stamp"], work)
        await trio.lowlevel.checkpoint()
        work.check(attempt)


@remains("No more messages are taken.", "agents.Coordinator.drain")
async def the_last_messages(attempt: CancelAttempt) -> None:
    async with at_a_desk(Work()) as coordinator:
        coordinator.breaker("ann").force_open()
        await coordinator.deliver("ann", 1)
        coordinator.breaker("ann").reset()
        with attempt:
            assert await coordinator.drain() == []
        assert_conserved(coordinator)
        figures = coordinator.statistics()
        assert figures.buffered + figures.delivered == 1
        assert figures.returned == figures.dead_lettered == 0


@remains(
    "What waits when the block ends is handed to *on_dead_letter*",
    "agents.open_coordinator",
    is_checkpoint=False,
)
async def an_office(attempt: CancelAttempt) -> None:
    letters: list[DeadLetter] = []
    agents = AgentRegistry()
    spec = agents.register_on_start(
        "ann", serve(partial(Clerk, Work()), capacity=9), capability="x"
    )
    async with open_supervisor([spec]):
        entered = False
        with alone(attempt):
            async with open_coordinator(agents, on_dead_letter=letters.append) as coordinator:
                coordinator.breaker("ann").force_open()
                await coordinator.deliver("ann", 1)
                entered = True
                await trio.sleep(1)
        assert len(letters) == entered or not attempt.finished


@remains("As with `receive`.", "agents.Agent.handle_delivery")
async def what_a_coordinator_brings(attempt: CancelAttempt) -> None:
    await a_message(attempt)


@all_or_nothing("agents.AgentRegistry.wait_for")
async def an_agent_that_comes(attempt: CancelAttempt) -> None:
    agents = AgentRegistry()
    spec = agents.register_on_start(
        "ann", serve(partial(Clerk, Work()), capacity=9), capability="x"
    )
    async with open_supervisor() as sup:
        with attempt:
            sup.start_soon(spec.async_fn, name="ann", restart="temporary")
            assert (await agents.wait_for("ann")).key == "ann"


@remains("One that runs stops after the change in hand", "agents.change_serially")
async def changes(attempt: CancelAttempt) -> None:
    agents = AgentRegistry()
    ref = serve(partial(Clerk, Work()), capacity=9).ref
    made = [RegisterAgent(name, ref, capability="x") for name in ("ann", "bob")]
    undo: list[AgentChange] = []
    async with open_serial_operations(name="changes") as serial:
        with alone(attempt):
            await change_serially(serial, agents, made, undo=undo)
        assert len(undo) == len(agents)


# cache


@remains("Ends the wait, or goes into the load", "cache.Cache.get_or_load")
async def what_nobody_has_loaded(attempt: CancelAttempt) -> None:
    work = Work()
    cache = Cache[str, str]()
    with alone(attempt):
        await cache.get_or_load("a", work)
    work.check(attempt)
    assert len(cache) == work.done
    assert_conserved(cache)
    assert await cache.get_or_load("a", work) == "done"


@remains("Ends the wait, or goes into the load", "cache.CachedFunction.__call__")
async def what_is_remembered(attempt: CancelAttempt) -> None:
    work = Work()
    remembering = cached()(work.__call__)
    with alone(attempt):
        await remembering()
    work.check(attempt)
    assert len(remembering.cache) == work.done
    assert await remembering() == "done"


@remains("then the next who waits loads", "cache.Cache.get_or_load")
async def what_another_waits_for(attempt: CancelAttempt) -> None:
    cache = Cache[str, str]()
    first, second = Work(), Work()
    got: list[str] = []

    async def wait() -> None:
        got.append(await cache.get_or_load("a", second))

    async with trio.open_nursery() as nursery:
        with attempt:
            nursery.start_soon(wait)
            await cache.get_or_load("a", first)
    assert got == ["done"]
    assert first.began == first.ended
    assert second.began == second.ended
    assert first.done + second.done == 1


@all_or_nothing("cache.Cache.get_or_load")
async def what_another_loads(attempt: CancelAttempt) -> None:
    cache = Cache[str, str]()
    first, second = Work(), Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cache.get_or_load, "a", first)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            assert await cache.get_or_load("a", second) == "done"
    assert first.done == 1
    assert second.began == 0
    assert cache.get("a") == "done"


@remains("only checks for a cancellation, and is no schedule point", "cache.Cache.get_or_load")
async def what_is_loaded(attempt: CancelAttempt) -> None:
    cache = Cache[str, str]()
    cache.put("a", "there")
    with alone(attempt):
        assert await cache.get_or_load("a", Work()) == "there"


@remains("Ends the wait, or goes into the load", "cache.Cache.get_or_load")
async def what_is_deleted_meanwhile(attempt: CancelAttempt) -> None:
    cache = Cache[str, str]()
    first, second = Work(), Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_half_a_second, partial(cache.delete, "a"))
        nursery.start_soon(after, 0.7, partial(cache.get_or_load, "a", second))
        with attempt:
            assert await cache.get_or_load("a", first) == "done"
    assert second.done == 1  # it came after the deletion, so it did not take what was deleted
    assert first.began == first.ended
    assert cache.get("a") == "done"
    assert_conserved(cache)


async def after_half_a_second(function: Callable[[], object]) -> None:
    await trio.sleep(0.5)
    function()


# resilience


@remains(
    "Entering the block is a checkpoint, leaving it is none",
    "resilience.Bulkhead.__aenter__",
)
async def a_slot(attempt: CancelAttempt) -> None:
    bulkhead = Bulkhead(1, max_waiting=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bulkhead.call, trio.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await bulkhead.__aenter__()
        figures = bulkhead.statistics()
        assert figures.waiting == 0
        if attempt.finished:
            assert figures.running == 1
            await bulkhead.__aexit__(None, None, None)
    assert bulkhead.statistics().running == 0
    assert bulkhead.statistics().admitted == 1 + attempt.finished


@remains("leaving it is none", "resilience.Bulkhead.__aexit__", is_checkpoint=False)
async def a_slot_that_is_given_back(attempt: CancelAttempt) -> None:
    bulkhead = Bulkhead(1)
    await bulkhead.__aenter__()
    with alone(attempt):
        await bulkhead.__aexit__(None, None, None)
    assert attempt.finished
    assert bulkhead.statistics().running == 0


@remains("the slot is given back", "resilience.Bulkhead.call")
async def a_call_that_waits_for_a_slot(attempt: CancelAttempt) -> None:
    bulkhead = Bulkhead(1, max_waiting=5)
    work = Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bulkhead.call, trio.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await bulkhead.call(work)
        work.check(attempt)
    figures = bulkhead.statistics()
    assert (figures.running, figures.waiting) == (0, 0)


@remains("waits for it to end", "resilience.CircuitBreaker.call")
async def a_call(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices")
    work = Work()
    with alone(attempt):
        await breaker.call(work)
    work.check(attempt)
    assert_conserved(breaker)
    assert breaker.statistics().in_flight == 0


@remains("waits for it to end", "resilience.CircuitBreaker.call")
async def a_call_that_is_broken_off(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices", failure_threshold=1, cancel_in_flight=True)
    work = Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_half_a_second, breaker.force_open)
        with attempt, suppress(BreakerOpen):
            await breaker.call(work)
        assert work.began == work.ended
        assert breaker.statistics().in_flight == 0
    assert_conserved(breaker)


@remains("the slot is given back", "resilience.Bulkhead.call")
async def the_first_in_a_line(attempt: CancelAttempt) -> None:
    bulkhead = Bulkhead(1, max_waiting=5)
    work, behind = Work(), Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bulkhead.call, trio.sleep, 1)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(after, 0.5, partial(bulkhead.call, behind))
        with attempt:
            await bulkhead.call(work)
        work.check(attempt)
    assert behind.done == 1  # the slot was passed on
    assert bulkhead.statistics().running == bulkhead.statistics().waiting == 0
    assert trio.current_time() <= 3


@remains("waits for it to end", "resilience.CircuitBreaker.call")
async def a_probe(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices", failure_threshold=1, reset_timeout=5.0)
    with suppress(OSError):
        await breaker.call(Failing(0))
    await trio.sleep(5)
    work = Work()
    with alone(attempt):
        await breaker.call(work)
    work.check(attempt)
    assert_conserved(breaker)
    assert breaker.statistics().in_flight == 0
    await trio.sleep(10)
    assert await breaker.call(work) == "done"  # there is a probe again


@remains("As with `call`.", "resilience.CircuitBreaker.guard")
async def a_guarded_block(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices")
    work = Work()
    with alone(attempt):
        async with breaker.guard():
            await work()
    work.check(attempt)
    assert_conserved(breaker)
    assert breaker.statistics().in_flight == 0


@all_or_nothing("resilience.CircuitBreaker.wait_state")
async def a_state_that_comes(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(after_a_second, breaker.force_open)
        with attempt:
            assert await breaker.wait_state("forced_open") == "forced_open"


@all_or_nothing("resilience.CircuitBreaker.wait_state")
async def a_state_that_is_there(attempt: CancelAttempt) -> None:
    breaker = CircuitBreaker("prices")
    with alone(attempt):
        await breaker.wait_state("closed")


GOES_INTO: dict[str, Callable[[Work], Awaitable[object]]] = {
    "resilience.Fallback.call": lambda work: Fallback(0).call(work),
    "resilience.Hedge.call": lambda work: Hedge(after=10).call(work),
    "resilience.Pipeline.call": lambda work: Pipeline(
        Timeout(100), Retry(), CircuitBreaker("prices"), Bulkhead(1)
    ).call(work),
    "resilience.Retry.call": lambda work: Retry().call(work),
    "resilience.Timeout.call": lambda work: Timeout(10).call(work),
    "resilience.fallback": lambda work: fallback(work, otherwise=0),
    "resilience.hedge": lambda work: hedge(work, after=10),
    "resilience.retry": retry,
    "resilience.retrying": lambda work: retrying(work.__call__)(),
    "resilience.timeout": lambda work: timeout(10, work),
    "resilience.RateLimiter.call": lambda work: RateLimiter(1).call(work),
}
WORDS = {
    "resilience.Pipeline.call": "as far as the call has come",
    "resilience.Hedge.call": "Goes into all calls",
    "resilience.hedge": "Goes into all calls",
    "resilience.retrying": "As in `retry`.",
    "resilience.RateLimiter.call": "goes into the function",
    "resilience.Fallback.call": "Goes into the function that runs, and calls no other.",
    "resilience.fallback": "Goes into the function that runs, and calls no other.",
}


def going_into(function: Callable[[Work], Awaitable[object]]) -> Decorated:
    async def into_the_function(attempt: CancelAttempt) -> None:
        work = Work()
        with alone(attempt):
            assert await function(work) == "done"
        work.check(attempt)

    return into_the_function


for each_name, each_function in GOES_INTO.items():
    words = WORDS.get(each_name, "Goes into the function")
    remains(words, each_name)(going_into(each_function))


@remains("and calls no other", "resilience.fallback", "resilience.Fallback.call")
async def the_other_function(attempt: CancelAttempt) -> None:
    failing, other = Failing(), Work()
    with alone(attempt):
        assert await fallback(failing, otherwise=other, on=OSError) == "done"
    assert failing.began == failing.ended
    other.check(attempt)
    assert other.began <= failing.done  # only if the first has failed


@remains("Goes into all calls", "resilience.hedge")
async def all_calls(attempt: CancelAttempt) -> None:
    work = Work()
    with alone(attempt):
        assert await hedge(work, after=0.4, max_extra=2) == "done"
    assert work.began == work.ended
    assert not attempt.finished or work.done == 1


@remains("or ends the wait", "resilience.retry")
async def two_tries(attempt: CancelAttempt) -> None:
    work = Failing()
    with alone(attempt):
        try:
            assert await retry(work) == "done"
        except OSError:  # it does not wait towards a deadline
            assert attempt.cancelled
    assert work.began == work.ended
    assert not attempt.finished or attempt.cancelled or work.done == 2


@all_or_nothing("resilience.RateLimiter.wait")
async def a_turn(attempt: CancelAttempt) -> bool:
    limiter = RateLimiter(1)
    limiter.take()
    with alone(attempt):
        await limiter.wait()
    assert limiter.statistics().waiting == 0
    passed = limiter.statistics().passed == 2
    at = trio.current_time()
    await limiter.wait()  # those behind move up
    assert trio.current_time() <= at + 1
    return passed


@all_or_nothing("resilience.RateLimiter.wait")
async def a_turn_at_once(attempt: CancelAttempt) -> bool:
    limiter = RateLimiter(1)
    with alone(attempt):
        await limiter.wait()
    return limiter.statistics().passed == 1


@remains(
    "Entering the block ``async with limiter:`` is a checkpoint, leaving it is none",
    "resilience.RateLimiter.__aenter__",
    "resilience.RateLimiter.__aexit__",
)
async def a_limited_block(attempt: CancelAttempt) -> None:
    limiter = RateLimiter(1)
    entered = False
    with alone(attempt):
        async with limiter:
            entered = True
    # Leaving it is no checkpoint: whoever has entered it comes to its end.
    assert entered == attempt.finished == (limiter.statistics().passed == 1)


@all_or_nothing("resilience.KeyedRateLimiter.wait")
async def a_turn_of_a_key(attempt: CancelAttempt) -> bool:
    limiter = KeyedRateLimiter[str](1)
    limiter.take("a")
    with alone(attempt):
        await limiter.wait("a")
    assert limiter.statistics("a").waiting == 0
    return limiter.statistics("a").passed == 2


@remains("cancels the calls under way", "resilience.open_breakers")
async def a_family_of_breakers(attempt: CancelAttempt) -> None:
    work = Work(2)
    other = Work(3)

    async def call(breaker: CircuitBreaker) -> None:
        with suppress(BreakerOpen):
            await breaker.call(other)

    async with trio.open_nursery() as nursery:
        with attempt:
            async with open_breakers() as breakers:
                nursery.start_soon(call, breakers["b"])
                await breakers["a"].call(work)
        work.check(attempt)
        assert other.began == other.ended


# tasks


@all_or_nothing("tasks.Task.outcome")
async def what_becomes_of_a_task(attempt: CancelAttempt) -> None:
    work = Work()
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(work)
        with attempt:
            await task.outcome()
        assert (await task.outcome()).unwrap() == "done"
    assert work.done == 1


@remains("cancels the tasks and waits for them to end", "tasks.open_task_supervisor")
async def a_block_of_tasks(attempt: CancelAttempt) -> None:
    work = Work()
    tasks = None
    with alone(attempt):
        async with open_task_supervisor() as tasks:
            tasks.start_soon(work)
            await trio.sleep(0.5)
    work.check(attempt)
    assert tasks is None or tasks.running == 0


async def results_of(
    attempt: CancelAttempt, way: Callable[[TaskSupervisor, Work], Awaitable[int]]
) -> None:
    work = Work()
    async with open_task_supervisor() as tasks:
        with assert_no_tasks_left():
            with attempt:
                assert await way(tasks, work) == 3
            await trio.testing.wait_all_tasks_blocked()  # the map's own task leaves a tick later
        assert tasks.running == 0
        work.check(attempt, times=3)


@remains(
    "Cancels the items that are worked on, and returns no results.",
    "tasks.parallel_map",
)
async def a_map(attempt: CancelAttempt) -> None:
    async def way(_: TaskSupervisor, work: Work) -> int:
        return len(await parallel_map(work, range(3), limit=2))

    await results_of(attempt, way)


@remains("As `parallel_map`.", "tasks.TaskSupervisor.parallel_map")
async def a_map_of_a_supervisor(attempt: CancelAttempt) -> None:
    async def way(tasks: TaskSupervisor, work: Work) -> int:
        return len(await tasks.parallel_map(work, range(3), limit=2))

    await results_of(attempt, way)


@remains("cancels the items that are worked on", "tasks.open_map")
async def a_stream(attempt: CancelAttempt) -> None:
    async def way(_: TaskSupervisor, work: Work) -> int:
        async with open_map(work, range(3), limit=2) as results:
            return len([result async for result in results])

    await results_of(attempt, way)


@remains("As `open_map`.", "tasks.TaskSupervisor.open_map")
async def a_stream_of_a_supervisor(attempt: CancelAttempt) -> None:
    async def way(tasks: TaskSupervisor, work: Work) -> int:
        async with tasks.open_map(work, range(3), limit=2) as results:
            return len([result async for result in results])

    await results_of(attempt, way)


@remains("A cancelled ``receive`` has taken no result.", "tasks.open_map")
async def a_result_of_a_stream(attempt: CancelAttempt) -> None:
    async with open_task_supervisor(), open_map(Work(), range(3), limit=1) as results:
        with attempt:
            await results.receive()
        left = [result.item async for result in results]
    assert left == ([1, 2] if attempt.finished else [0, 1, 2])


# search


@remains(
    "returns what was found, with *complete* False",
    "search.random_search",
    is_checkpoint=False,
)
async def a_search(attempt: CancelAttempt) -> None:
    running = 0

    async def evaluate(params: dict[str, Any]) -> float:
        nonlocal running
        running += 1
        try:
            await trio.sleep(1)
            return float(params["x"])
        finally:
            running -= 1

    async with open_task_supervisor() as tasks:
        with assert_no_tasks_left():
            with attempt:
                result = await random_search(
                    SearchSpace(x=Uniform(0, 1)), evaluate, iterations=3, parallelism=2, seed=1
                )
                assert result.complete == (len(result.trials) == 3)
            await trio.testing.wait_all_tasks_blocked()  # the map's own task leaves a tick later
        assert attempt.finished
        assert running == tasks.running == 0


@remains("The report has been made.", "search.report")
async def a_report(attempt: CancelAttempt) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        with attempt:
            await report(1, 5.0)
        return float(params["x"])

    async with open_task_supervisor():
        result = await random_search(SearchSpace(x=Uniform(0, 1)), evaluate, iterations=1)
    assert result.trials[0].reports == {1: 5.0}


@remains("each told as ``FAIL``", "search.optimize_study", timeout=math.inf)
async def a_study(attempt: CancelAttempt) -> None:
    optuna: Any = pytest.importorskip("optuna", reason="needs trio-foundation[optuna]")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()

    async def evaluate(trial: Any) -> float:
        await trio.lowlevel.checkpoint()
        return float(trial.suggest_float("x", 0, 10))

    async with open_task_supervisor() as tasks:
        with attempt:
            await optimize_study(study, evaluate, iterations=2, parallelism=1)
        assert tasks.running == 0
    told = [trial.state.name for trial in study.trials]
    assert set(told) <= {"COMPLETE", "FAIL"}
    assert told == ["COMPLETE"] * 2 or attempt.caught


# workflows


async def batch_of(
    attempt: CancelAttempt, execute: Callable[[SerialOperations, list[Any]], Awaitable[Any]]
) -> None:
    first, second = Work(), Work()
    async with trio.open_nursery() as nursery, open_serial_operations(name="db") as serial:
        nursery.start_soon(serial.execute, [Work()])
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await execute(serial, [first, second])
        first.check(attempt)
        second.check(attempt)
        assert second.began <= first.done
        assert_conserved(serial)
        assert serial.statistics().waiting == 0
        assert await serial.execute([first]) == ["done"]  # the turn was passed on


@remains("the operation in hand is cancelled as any call is", "workflows.SerialOperations.execute")
async def a_batch(attempt: CancelAttempt) -> None:
    completed: list[str] = []

    async def execute(serial: SerialOperations, operations: list[Work]) -> None:
        try:
            await serial.execute(operations, completed=completed)
        finally:
            assert len(completed) == sum(one.done for one in operations)

    await batch_of(attempt, execute)


@remains("As for `execute`, in each attempt", "workflows.SerialOperations.execute_with_retry")
async def a_batch_that_is_tried_again(attempt: CancelAttempt) -> None:
    failing = Failing()
    async with open_serial_operations(name="db") as serial:
        with alone(attempt):
            try:
                await serial.execute_with_retry([failing])
            except SerialOperationFailed:  # it does not wait towards a deadline
                assert attempt.cancelled
        assert failing.began == failing.ended
        assert not attempt.finished or attempt.cancelled or failing.done == 2
        assert_conserved(serial)
        assert await serial.execute([Work()]) == ["done"]


@remains(
    "As there.",
    "workflows.AtomicTransaction.execute",
    "workflows.AtomicTransaction.execute_with_retry",
)
async def an_old_batch(attempt: CancelAttempt) -> None:
    async def execute(serial: SerialOperations, operations: list[Work]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old = AtomicTransaction(serial)
        await old.execute([])
        await old.execute_with_retry(operations)

    await batch_of(attempt, execute)


@remains(
    "it waits no longer, and they end with the operation in hand",
    "workflows.open_serial_operations",
)
async def a_block_of_batches(attempt: CancelAttempt) -> None:
    first, second = Work(), Work()
    answers: list[object] = []

    async def execute(serial: SerialOperations) -> None:
        try:
            answers.append(await serial.execute([first, second]))
        except (SerialOperationsClosed, SerialOperationFailed) as error:
            answers.append(error)

    async with trio.open_nursery() as nursery:
        with attempt:
            async with open_serial_operations(name="db") as serial:
                nursery.start_soon(execute, serial)
                await trio.sleep(0.5)
    assert first.began == first.done  # nobody cancelled it
    assert second.began == second.done
    assert not attempt.finished or answers == [["done", "done"]]


@remains("then the undos run, shielded", "workflows.Saga.run")
async def a_saga(attempt: CancelAttempt) -> None:
    works = {name: Work() for name in ("flight", "hotel")}
    undone: list[str] = []

    def undo_of(name: str) -> Callable[[object], Awaitable[None]]:
        async def undo(_: object) -> None:
            await trio.sleep(1)
            undone.append(name)

        return undo

    saga = Saga("trip")
    for name, work in works.items():
        saga.step(name, work, undo_of(name))
    with alone(attempt):
        await saga.run()
    for work in works.values():
        work.check(attempt)
    began = [name for name, work in works.items() if work.began]
    assert undone == ([] if attempt.finished else began[::-1])


# supervision


class Service:
    """A child that takes a second to be ready, and a second to end."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, *, task_status: trio.TaskStatus[str]) -> None:
        self.told.append("began")
        try:
            await trio.sleep(1)
            task_status.started("ready")
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(1)
            self.told.append("ended")


Kind = Literal["static", "dynamic"]


def open_any(kind: Kind) -> Any:
    return open_supervisor() if kind == "static" else open_dynamic_supervisor()


async def start_one(
    attempt: CancelAttempt, kind: Kind, start: Callable[[Any, Service], Awaitable[object]]
) -> bool:
    service = Service()
    async with open_any(kind) as sup:
        with alone_but_for_the_child(attempt):
            await start(sup, service)
        if attempt.caught:  # it is joined by then
            assert service.told in ([], ["began", "ended"])
        happened = [one.state for one in sup.children.values()] == ["running"]
        assert happened or not sup.children
    assert service.told in ([], ["began", "ended"])
    return happened


@all_or_nothing("supervision.Supervisor.start")
async def a_child_to_start(attempt: CancelAttempt) -> bool:
    return await start_one(attempt, "static", lambda sup, service: sup.start(service, name="a"))


@all_or_nothing("supervision.Supervisor.start_child")
async def a_spec_to_start(attempt: CancelAttempt) -> bool:
    return await start_one(
        attempt, "static", lambda sup, service: sup.start_child(child(service, name="a"))
    )


@all_or_nothing("supervision.DynamicSupervisor.start")
async def a_dynamic_child_to_start(attempt: CancelAttempt) -> bool:
    return await start_one(attempt, "dynamic", lambda sup, service: sup.start(service, name="a"))


@all_or_nothing("supervision.DynamicSupervisor.start_child")
async def a_dynamic_spec_to_start(attempt: CancelAttempt) -> bool:
    return await start_one(
        attempt, "dynamic", lambda sup, service: sup.start_child(child(service, name="a"))
    )


async def start_without_end(attempt: CancelAttempt, kind: Kind) -> bool:
    """It shields itself until it is ready, so it may be ready and cancelled."""
    told: list[str] = []

    async def shielded(*, task_status: trio.TaskStatus[None]) -> None:
        told.append("began")
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            task_status.started()
            await trio.sleep_forever()
        finally:
            told.append("ended")

    async with open_any(kind) as sup:
        with alone_but_for_the_child(attempt):
            await sup.start(shielded, name="a")
        happened = [one.state for one in sup.children.values()] == ["running"]
        assert happened or not sup.children
        assert told in ([], ["began"] if happened else ["began", "ended"])
    return happened


@all_or_nothing("supervision.Supervisor.start")
async def a_child_that_shields_its_start(attempt: CancelAttempt) -> bool:
    return await start_without_end(attempt, "static")


@all_or_nothing("supervision.DynamicSupervisor.start")
async def a_dynamic_child_that_shields_its_start(attempt: CancelAttempt) -> bool:
    return await start_without_end(attempt, "dynamic")


async def stop_one(attempt: CancelAttempt, kind: Kind) -> None:
    service = Service()
    async with open_any(kind) as sup:
        handle = await sup.start(service, name="a")
        with attempt:
            exit = await sup.stop_child("a")
            assert exit.reason == "stopped"
        if attempt.finished:
            assert service.told == ["began", "ended"]
        await trio.sleep(10)
        # It was not asked to stop at all, as nobody has run yet; or it has stopped by now.
        asked = attempt.step > 0
        assert handle.state == ("stopped" if asked else "running")
        assert service.told == ["began", "ended"][: 1 + asked]
    assert service.told == ["began", "ended"]


@remains("The child goes on being stopped.", "supervision.Supervisor.stop_child")
async def a_child_to_stop(attempt: CancelAttempt) -> None:
    await stop_one(attempt, "static")


@remains("The child goes on being stopped.", "supervision.DynamicSupervisor.stop_child")
async def a_dynamic_child_to_stop(attempt: CancelAttempt) -> None:
    await stop_one(attempt, "dynamic")


@all_or_nothing("supervision.Supervisor.restart_child")
async def a_child_to_start_again(attempt: CancelAttempt) -> bool:
    service = Service()
    async with open_supervisor([child(service, name="a")]) as sup:
        await sup.stop_child("a")
        with alone_but_for_the_child(attempt):
            await sup.restart_child("a")
        if attempt.caught:
            assert service.told.count("began") == service.told.count("ended")
        state = sup.children["a"].state
        assert state in {"running", "stopped"}
    return state == "running"


@remains("The child goes on being stopped.", "supervision.Supervisor.stop_child")
async def a_child_to_stop_while_another_stops(attempt: CancelAttempt) -> None:
    services = [Service(), Service()]
    tree = [child(one, name=name) for name, one in zip("ab", services, strict=True)]
    async with open_supervisor(tree) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(sup.stop_child, "b")
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await sup.stop_child("a")
        await trio.sleep(10)
        assert sup.children["b"].state == "stopped"
        # Also if it was still to wait its turn when its caller left.
        assert sup.children["a"].state == ("stopped" if attempt.step > 0 else "running")


@all_or_nothing("supervision.Supervisor.start_child")
async def a_child_to_start_in_a_group_that_restarts(attempt: CancelAttempt) -> bool:
    service, crashing = Service(), Failing(0.5)
    async with open_supervisor(
        [child(crashing, restart="transient")], strategy="one_for_all"
    ) as sup:
        with attempt:
            await sup.start_child(child(service, name="a"))
        await trio.sleep(10)
        told = service.told
        happened = "a" in sup.children
        assert not happened or sup.children["a"].state == "running"
        assert told.count("began") - told.count("ended") == happened
    return happened


@all_or_nothing("supervision.Supervisor.start_child")
async def a_child_to_start_while_the_supervisor_ends(attempt: CancelAttempt) -> None:
    service = Service()
    sups: list[Supervisor] = []

    async def keep() -> None:
        async with open_supervisor() as sup:
            sups.append(sup)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(after_half_a_second, sups[0].shutdown)
        with attempt, suppress(SupervisorClosed):
            await sups[0].start_child(child(service, name="a"))
    assert service.told in ([], ["began", "ended"])


async def wait_for_the_end(attempt: CancelAttempt, kind: Kind) -> None:
    service = Service()
    sups: list[Supervisor | DynamicSupervisor] = []

    async def keep() -> None:
        async with open_any(kind) as sup:
            sups.append(sup)
            await sup.start(service)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        await trio.testing.wait_all_tasks_blocked()
        with attempt:
            await sups[0].wait_closed()
            assert service.told == ["began", "ended"]
        await sups[0].wait_closed()
        assert service.told == ["began", "ended"]


@all_or_nothing("supervision.Supervisor.wait_closed")
async def the_end_of_a_supervisor(attempt: CancelAttempt) -> None:
    await wait_for_the_end(attempt, "static")


@all_or_nothing("supervision.DynamicSupervisor.wait_closed")
async def the_end_of_a_dynamic_supervisor(attempt: CancelAttempt) -> None:
    await wait_for_the_end(attempt, "dynamic")


@all_or_nothing("supervision.Child.wait_ready")
async def a_child_to_be_ready(attempt: CancelAttempt) -> None:
    async with open_supervisor() as sup:
        handle = sup.start_soon(Service())
        with attempt:
            assert await handle.wait_ready() == "ready"
        assert await handle.wait_ready() == "ready"
        assert handle.incarnation == 1


@all_or_nothing("supervision.Child.wait_exit")
async def a_child_to_end(attempt: CancelAttempt) -> None:
    async with open_supervisor() as sup:
        handle = sup.start_soon(trio.sleep, 1, restart="transient")
        with attempt:
            assert (await handle.wait_exit()).reason == "returned"
        assert (await handle.wait_exit()).reason == "returned"


async def keep_two(
    attempt: CancelAttempt, block: Callable[[list[Service]], Awaitable[None]]
) -> None:
    services = [Service(), Service()]
    with capture_events(ChildEvent) as events:
        with alone(attempt):
            await block(services)
    for service in services:
        assert service.told in ([], ["began", "ended"])
    if attempt.finished:
        assert all(service.told for service in services)
    if services[0].told:
        assert_stopped_in_order(events)


@remains("what has started is stopped", "supervision.open_supervisor")
async def a_supervisor(attempt: CancelAttempt) -> None:
    async def block(services: list[Service]) -> None:
        async with open_supervisor([child(one) for one in services]) as sup:
            assert len(sup.children) == 2
            await trio.sleep(1)

    await keep_two(attempt, block)


@remains("Stops the children, newest first", "supervision.supervise")
async def a_supervising_task(attempt: CancelAttempt) -> None:
    async def block(services: list[Service]) -> None:
        async def end() -> None:
            await trio.sleep(3)

        with trio.move_on_after(5):
            await supervise([child(one) for one in services])
        await end()

    await keep_two(attempt, block)


@remains(
    "is cancelled first, and then the children are stopped",
    "supervision.open_dynamic_supervisor",
)
async def a_dynamic_supervisor(attempt: CancelAttempt) -> None:
    services = [Service(), Service()]
    with alone(attempt):
        async with open_dynamic_supervisor() as sup:
            for service in services:
                sup.start_soon(service)
            await trio.sleep(3)
    for service in services:
        assert service.told in ([], ["began", "ended"])


# testing


@all_or_nothing("testing.CapturedEvents.wait_for")
async def an_event_that_comes(attempt: CancelAttempt) -> None:
    event = HandlerFailed(handler="h", event="e", error="x", traceback="")
    with capture_events(HandlerFailed) as events:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(after_a_second, lambda: emit(event))
            with attempt:
                assert await events.wait_for(HandlerFailed) is event
            if attempt.caught:
                assert await events.wait_for(HandlerFailed) is event


@all_or_nothing("testing.CapturedEvents.wait_for")
async def an_event_that_was_told(attempt: CancelAttempt) -> None:
    event = HandlerFailed(handler="h", event="e", error="x", traceback="")
    with capture_events() as events:
        emit(event)
        with alone(attempt):
            assert await events.wait_for(HandlerFailed) is event
        if attempt.caught:
            assert await events.wait_for(HandlerFailed) is event


@remains("As for `open_supervisor`.", "testing.open_test_supervisor")
async def a_supervisor_under_test(attempt: CancelAttempt) -> None:
    async def block(services: list[Service]) -> None:
        async with open_test_supervisor([child(one) for one in services]) as sup:
            assert len(sup.children) == 2
            await trio.sleep(1)

    await keep_two(attempt, block)


@all_or_nothing("testing.open_storm")
async def a_storm(attempt: CancelAttempt) -> None:
    async with open_test_supervisor([child(trio.sleep_forever)]) as sup:
        with attempt:
            async with open_storm(sup, seed=1, kinds=["crash"]):
                await trio.sleep(5)
        restarts = sup.children["sleep_forever"].restarts
        await trio.sleep(100)
        assert sup.children["sleep_forever"].restarts <= restarts + 1  # the last may be under way
        assert sup.children["sleep_forever"].state == "running"


@remains("the rounds end with the one in hand", "testing.assert_no_leak")
async def a_search_for_leaks(attempt: CancelAttempt) -> None:
    work = Work(0)
    with alone(attempt):
        await assert_no_leak(work, rounds=3)
    work.check(attempt, times=4)
    assert not tracemalloc.is_tracing()


# All of them


@pytest.mark.parametrize("name", NAMES)
def test_every_public_async_function_has_a_scenario(name: str) -> None:
    assert name in {case.name for case in CASES}, (
        f"{name} is async, and nothing here cancels it: write a scenario for it"
    )


def test_every_scenario_is_of_a_public_async_function() -> None:
    assert {case.name for case in CASES} <= set(NAMES)


@pytest.mark.parametrize("case", [case for case in CASES if case.remains is not None], ids=str)
def test_what_remains_of_a_cancelled_call_is_in_the_docstring(case: Case) -> None:
    assert case.remains is not None
    assert unwrapped(case.remains) in unwrapped(told_of_cancellation(case.name))


@pytest.mark.parametrize("by", ["cancel", "deadline"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_that_is_cancelled_has_happened_or_not(case: Case, by: CancelledBy) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        with assert_no_tasks_left():
            happened = await case.scenario(attempt)
        assert attempt.caught is not attempt.finished
        if case.remains is None and happened is not None:
            assert happened is attempt.finished
        if case.is_checkpoint and attempt.step == 0:
            assert attempt.caught, "it is no checkpoint"

    cancel_at_each_step(scenario, by=by, timeout=case.timeout)


# That it can fail


def test_a_function_that_takes_and_loses_is_found() -> None:
    """As a user might write it: it takes an item, and then passes a checkpoint."""

    async def receive() -> int:
        item = items.pop()
        await trio.lowlevel.checkpoint()
        return item

    async def scenario(attempt: CancelAttempt) -> None:
        items.append(1)
        with attempt:
            await receive()
        assert attempt.caught is bool(items)

    items: list[int] = []
    with pytest.raises(AssertionError) as caught:
        cancel_at_each_step(scenario)
    assert "cancelled at step 0" in caught.value.__notes__[0]
