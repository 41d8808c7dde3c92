"""Tests of what a server does not keep alive."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import Server, serve
from trio_foundation.supervision import Child, open_dynamic_supervisor, open_supervisor

from ._servers import Refused, Worker, attempt, worker


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep records, which keep errors alive, out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Thing:
    """Can be watched."""


class Carrier(Server):
    """Takes things and gives things."""

    async def take(self, thing: object, *, other: object = None) -> None:
        del thing, other

    async def give(self) -> Thing:
        return Thing()

    async def nap_and_give(self) -> Thing:
        await trio.sleep(2)
        return Thing()

    async def refuse(self, thing: object) -> None:
        raise Refused(thing)

    async def nap_and_refuse(self, thing: object) -> None:
        await trio.sleep(2)
        raise Refused(thing)

    async def crash(self, thing: object) -> None:
        raise ValueError(repr(thing))


def is_gone(reference: weakref.ref[Thing]) -> bool:
    gc.collect()
    return reference() is None


@pytest.mark.parametrize("verb", ["call", "cast", "cast_wait", "refused", "refused cast", "crash"])
async def test_an_idle_server_does_not_keep_the_arguments_of_its_last_message(verb: str) -> None:
    spec, ref = serve(Carrier, capacity=1)
    async with open_supervisor([spec]):
        thing = Thing()
        reference = weakref.ref(thing)
        if verb == "call":
            await ref.call(Carrier.take, thing, other=thing)
        elif verb == "cast":
            ref.cast(Carrier.take, thing, other=thing)
        elif verb == "cast_wait":
            await ref.cast_wait(Carrier.take, thing, other=thing)
        elif verb == "refused cast":
            ref.cast(Carrier.refuse, thing)
        elif verb == "refused":
            await attempt(ref, Carrier.refuse, thing)
        else:
            await attempt(ref, Carrier.crash, thing)
        del thing
        await wait_all_tasks_blocked()
        assert is_gone(reference)


async def test_an_idle_server_does_not_keep_its_last_result() -> None:
    spec, ref = serve(Carrier, capacity=1)
    async with open_supervisor([spec]):
        reference = weakref.ref(await ref.call(Carrier.give))
        await wait_all_tasks_blocked()
        assert is_gone(reference)


async def test_an_answer_that_nobody_waits_for_is_not_kept(autojump_clock: MockClock) -> None:
    spec, ref = serve(Carrier, capacity=1)
    async with open_supervisor([spec]):
        with trio.move_on_after(1):
            await ref.call(Carrier.nap_and_give)
        await trio.sleep(5)
        assert not [one for one in gc.get_objects() if type(one) is Thing]


async def test_a_refusal_that_nobody_waits_for_is_not_kept(autojump_clock: MockClock) -> None:
    spec, ref = serve(Carrier, capacity=1)
    async with open_supervisor([spec]):
        thing = Thing()
        reference = weakref.ref(thing)
        with trio.move_on_after(1):
            await ref.call(Carrier.nap_and_refuse, thing)
        del thing
        await trio.sleep(5)
        assert is_gone(reference)


async def test_what_is_dropped_is_not_kept() -> None:
    spec, ref = serve(Carrier, capacity=1, overflow="drop_oldest")
    thing = Thing()
    reference = weakref.ref(thing)
    ref.cast(Carrier.take, thing)
    ref.cast(Carrier.take, None)
    del thing
    assert is_gone(reference)
    async with open_supervisor([spec]):
        pass


async def test_a_server_that_is_gone_keeps_nothing(autojump_clock: MockClock) -> None:
    spec, ref = serve(Carrier, capacity=5)
    thing = Thing()
    reference = weakref.ref(thing)
    async with open_supervisor([spec]):
        ref.cast(Carrier.nap_and_give)
        await wait_all_tasks_blocked()
        ref.cast(Carrier.take, thing)
    del thing
    assert is_gone(reference)


async def test_a_task_that_outlives_its_handler_does_not_keep_the_arguments() -> None:
    class Spawner(Server):
        async def spawn(self, nursery: trio.Nursery, thing: object) -> None:
            del thing
            nursery.start_soon(trio.sleep_forever)

    spec, ref = serve(Spawner, capacity=1)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        thing = Thing()
        reference = weakref.ref(thing)
        await ref.call(Spawner.spawn, nursery, thing)
        del thing
        await wait_all_tasks_blocked()
        assert is_gone(reference)
        nursery.cancel_scope.cancel()


async def test_an_incarnation_that_ended_is_not_kept() -> None:
    made: list[weakref.ref[Worker]] = []

    class Weak(Worker):
        def __init__(self) -> None:
            Worker.__init__(self)
            made.append(weakref.ref(self))

    spec, ref = serve(Weak, capacity=1)
    async with open_supervisor([spec]) as sup:
        await attempt(ref, Worker.crash)
        await ref.call(Worker.echo, 1)
        gc.collect()
        assert [one() is None for one in made] == [True, False]
        await sup.stop_child("Weak")
        gc.collect()
        assert [one() is None for one in made] == [True, True]


def test_when_a_run_is_over_its_messages_are_not_kept() -> None:
    _, ref = serve(Carrier, capacity=1)
    references: list[weakref.ref[Thing]] = []

    async def main() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        ref.cast(Carrier.take, thing)

    trio.run(main)
    assert is_gone(references[0])


def test_a_server_of_a_module_keeps_nothing_of_the_runs_that_are_over() -> None:
    spec, ref = worker()
    references: list[weakref.ref[Child[object]]] = []

    async def main() -> None:
        async with open_supervisor([spec]) as sup:
            references.append(weakref.ref(sup.children["w"]))
            await ref.call(Worker.echo, 1)

    for _ in range(3):
        trio.run(main)
    gc.collect()
    assert [one() is None for one in references] == [True] * 3


async def test_two_thousand_servers_that_come_crash_and_go_leave_nothing_behind() -> None:
    async def rounds(times: int) -> None:
        for _ in range(times):
            spec, ref = worker(restart="temporary", name=None)
            child = await sup.start_child(spec)
            ref.cast(Worker.echo, Thing())
            await attempt(ref, Worker.crash)
            await child.wait_exit()

    async with open_dynamic_supervisor() as sup:
        await rounds(200)  # an exit of each of the last hundred is kept
        gc.collect()
        before = len(gc.get_objects())
        await rounds(2_000)
        gc.collect()
        assert len(gc.get_objects()) - before < 1_000


async def test_two_thousand_crashes_of_one_server_leave_nothing_behind() -> None:
    async def rounds(times: int) -> None:
        for _ in range(times):
            ref.cast(Worker.echo, Thing())
            await attempt(ref, Worker.crash)

    spec, ref = worker()
    async with open_supervisor([spec], max_restarts=5_000):
        await rounds(200)  # an exit of each of the last hundred is kept
        gc.collect()
        before = len(gc.get_objects())
        await rounds(2_000)
        gc.collect()
        assert len(gc.get_objects()) - before < 1_000
