"""Things that are done to a room by others, at each step of what goes on in it.

Where `test_every_async_function_cancelled` cancels the caller, this ends the other side: the
supervisor is shut down, the server stopped, the cache cleared, the block left. Whoever waits has
to get an answer, and what counts has to add up.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.cache import Cache
from trio_foundation.messaging import (
    CallFailed,
    MailboxFull,
    Overflow,
    Ref,
    Server,
    ServerGone,
    serve,
)
from trio_foundation.resilience import BreakerOpen, Breakers, open_breakers
from trio_foundation.supervision import (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    Strategy,
    SupervisionEvent,
    Supervisor,
    SupervisorClosed,
    child,
    cleanup_scope,
    open_supervisor,
)
from trio_foundation.testing import (
    CancelAttempt,
    assert_conserved,
    assert_stopped_in_order,
    cancel_at_each_step,
    capture_events,
)
from trio_foundation.workflows import (
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    SerialOperationsFull,
    open_serial_operations,
)

pytestmark = pytest.mark.thorough

Verb = Callable[[Supervisor], Awaitable[object]]


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def shut_down(sup: Supervisor) -> None:
    sup.shutdown()
    await trio.lowlevel.checkpoint()


async def stop(sup: Supervisor) -> None:
    await sup.stop_child("a")


async def stop_and_start(sup: Supervisor) -> None:
    await sup.stop_child("a")
    await sup.restart_child("a")


async def add(sup: Supervisor) -> None:
    await sup.start(trio.sleep_forever, name="d")


REFUSALS = (ChildExists, ChildNotFound, ChildRunning, ChildStartFailed, SupervisorClosed)


async def do(verb: Verb, sup: Supervisor) -> None:
    with suppress(*REFUSALS):
        await verb(sup)


def soon(nursery: trio.Nursery, verb: Verb, sup: Supervisor) -> Callable[[], None]:
    """Return what has another task do something to a supervisor."""

    def begin() -> None:
        nursery.start_soon(do, verb, sup)

    return begin


class Worker(Server):
    async def work(self) -> None:
        await trio.sleep(1)

    async def crash(self) -> None:
        await trio.sleep(0.5)
        raise OSError


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
@pytest.mark.parametrize("method", [Worker.work, Worker.crash])
@pytest.mark.parametrize("verb", [shut_down, stop, stop_and_start])
def test_every_caller_gets_an_answer_whenever_the_server_is_ended(
    verb: Verb, method: Any, overflow: Overflow
) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        answers: list[object] = []
        spec, ref = serve(
            Worker, capacity=2, overflow=overflow, name="a", backoff=Backoff(jitter=0.0)
        )

        async def ask(verb: Callable[..., Awaitable[object]]) -> None:
            try:
                answers.append(await verb(method))
            except (CallFailed, MailboxFull, ServerGone) as error:
                answers.append(error)

        async def keep() -> None:
            async with open_supervisor([spec], max_restarts=100) as sup:
                sups.append(sup)
                await trio.sleep(20)

        sups: list[Supervisor] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep)
            await wait_all_tasks_blocked()
            with attempt.calling(soon(nursery, verb, sups[0])):
                await ask_all(ask, ref)
            assert_conserved(ref)
        assert len(answers) == 5
        assert_conserved(ref)
        assert ref.statistics().used == 0

    cancel_at_each_step(scenario)


async def ask_all(ask: Callable[..., Awaitable[None]], ref: Ref[Worker]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask, ref.call)
        nursery.start_soon(ask, ref.cast_wait)


class Services:
    """Children that take their time to begin and to end; b crashes once."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.has_crashed = False

    async def run(self, name: str, *, task_status: trio.TaskStatus[None]) -> None:
        self.running[name] += 1
        assert self.running[name] == 1
        try:
            await trio.sleep(0.2)
            task_status.started()
            await trio.sleep(1 if name == "b" and not self.has_crashed else 100)
            self.has_crashed = True
            raise OSError
        finally:
            with cleanup_scope():
                await trio.sleep(0.3)
            self.running[name] -= 1


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("verb", [shut_down, stop, stop_and_start, add])
def test_a_tree_keeps_its_order_whenever_something_is_done_to_it(
    verb: Verb, strategy: Strategy
) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        services = Services()

        async def keep() -> None:
            tree = [child(services.run, name, name=name) for name in "abc"]
            async with open_supervisor(tree, strategy=strategy) as sup:
                sups.append(sup)
                await trio.sleep(8)

        sups: list[Supervisor] = []
        with capture_events(SupervisionEvent) as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep)
                await trio.sleep(0.7)
                with attempt.calling(soon(nursery, verb, sups[0])):
                    await trio.sleep(6)
        assert not services.running.total()
        assert_stopped_in_order(events)

    cancel_at_each_step(scenario)


@pytest.mark.parametrize("how", ["clear", "delete", "put"])
def test_nobody_gets_a_value_that_was_out_of_date_when_asked(how: str) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        cache = Cache[str, int](max_size=2, ttl=100.0)
        version = 0
        got: list[tuple[int, int]] = []

        async def load() -> int:
            loaded = version
            await trio.sleep(1)
            return loaded

        async def get() -> None:
            asked = version
            got.append((asked, await cache.get_or_load("a", load)))

        def change() -> None:
            nonlocal version
            version += 1
            if how == "clear":
                cache.clear()
            elif how == "delete":
                cache.delete("a")
            else:
                cache.put("a", version)

        with attempt.calling(change):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(get)
                await trio.sleep(0.5)
                nursery.start_soon(get)
        assert len(got) == 4
        assert all(value >= asked for asked, value in got)
        assert cache.get("a") in {None, version}
        assert_conserved(cache)

    cancel_at_each_step(scenario)


async def fail_if_odd(number: int) -> None:
    await trio.sleep(0.3)
    if number % 2:
        raise OSError


def test_every_caller_gets_an_answer_whenever_the_breakers_are_closed() -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        answers: list[object] = []
        families: list[Breakers] = []
        scope = trio.CancelScope()

        async def keep() -> None:
            with scope:
                async with open_breakers(failure_threshold=1, reset_timeout=0.5) as breakers:
                    families.append(breakers)
                    await trio.sleep(5)

        async def call(number: int) -> None:
            for _ in range(3):
                try:
                    answers.append(await families[0][number // 2].call(fail_if_odd, number))
                except (BreakerOpen, OSError) as error:
                    answers.append(error)
                await trio.sleep(0.4)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep)
            await wait_all_tasks_blocked()
            with attempt.calling(scope.cancel):
                async with trio.open_nursery() as callers:
                    for number in range(4):
                        callers.start_soon(call, number)
        assert len(answers) == 12

    cancel_at_each_step(scenario)


@pytest.mark.parametrize("fails", [True, False])
def test_every_batch_has_an_end_whenever_the_block_is_left(fails: bool) -> None:
    async def scenario(attempt: CancelAttempt) -> None:
        answers: list[object] = []
        kept: list[SerialOperations] = []
        scope, failed = trio.CancelScope(), trio.Event()

        async def keep() -> None:
            with scope, suppress(LookupError):
                async with open_serial_operations(name="db", capacity=2) as serial:
                    kept.append(serial)
                    await failed.wait()
                    raise LookupError

        async def execute(key: int) -> None:
            operation = partial(trio.sleep, 0.3)
            try:
                answers.append(await kept[0].execute([operation, operation], key=key))
            except (SerialOperationsClosed, SerialOperationsFull, SerialOperationFailed) as error:
                answers.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep)
            await wait_all_tasks_blocked()
            with attempt.calling(failed.set if fails else scope.cancel):
                async with trio.open_nursery() as callers:
                    for key in (0, 0, 1, 0, 1, 0):
                        callers.start_soon(execute, key)
            failed.set()
        assert len(answers) == 6
        assert_conserved(kept[0])

    cancel_at_each_step(scenario)
