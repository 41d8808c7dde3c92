"""Tests of what a server reports: which messages, how long they waited and took."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_foundation.messaging._telling as telling
from trio_foundation.messaging import (
    CallFinished,
    CallStarted,
    MessageDropped,
    MessagingEvent,
    Server,
    serve,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import HandlerFailed, subscribe

from ._servers import Asked, Refused, Worker, assert_conserved, attempt, cast_and_wait, worker


def started(method: str, queued_for: float, kind: Any = "call") -> CallStarted:
    return CallStarted(server="w", method=method, kind=kind, queued_for=queued_for)


def finished(
    method: str,
    queued_for: float,
    handled_for: float,
    outcome: Any = "returned",
    kind: Any = "call",
) -> CallFinished:
    return CallFinished(
        server="w",
        method=method,
        kind=kind,
        queued_for=queued_for,
        handled_for=handled_for,
        outcome=outcome,
    )


async def test_each_message_is_told_with_its_times(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    told: list[MessagingEvent] = []
    with subscribe(told.append, CallStarted, CallFinished):
        async with open_supervisor([spec]), trio.open_nursery() as nursery:
            Asked(nursery, ref, Worker.nap, 3)
            await trio.sleep(1)
            Asked(nursery, ref, Worker.nap, 2)
            await trio.sleep(1)
            ref.cast(Worker.echo, 1)
    assert told == [
        started("nap", 0.0),
        finished("nap", 0.0, 3.0),
        started("nap", 2.0),
        finished("nap", 2.0, 2.0),
        started("echo", 3.0, "cast"),
        finished("echo", 3.0, 0.0, kind="cast"),
    ]


async def test_the_time_in_line_for_room_and_before_the_start_is_time_in_the_queue(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker(capacity=1)
    told: list[CallStarted] = []
    with subscribe(told.append, CallStarted):
        async with trio.open_nursery() as nursery:
            Asked(nursery, ref, Worker.echo, 1)
            await wait_all_tasks_blocked()
            nursery.start_soon(cast_and_wait, ref, Worker.echo, 2)
            await trio.sleep(4)
            async with open_supervisor([spec]):
                await wait_all_tasks_blocked()
    assert told == [started("echo", 4.0), started("echo", 4.0, "cast")]


async def test_how_a_handler_ended_is_told(autojump_clock: MockClock) -> None:
    class Tired(Worker):
        async def nap_and_refuse(self) -> None:
            await trio.sleep(2)
            raise Refused

        async def nap_and_crash(self) -> None:
            await trio.sleep(3)
            raise ValueError

    spec, ref = serve(Tired, capacity=5, name="w")
    told: list[CallFinished] = []
    with subscribe(told.append, CallFinished):
        async with open_supervisor([spec]), trio.open_nursery() as nursery:
            await attempt(ref, Tired.nap_and_refuse)
            misfit: Any = ref.cast
            misfit(Worker.echo)
            await attempt(ref, Tired.nap_and_crash)
            nursery.start_soon(attempt, ref, Worker.nap, 100)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    assert told == [
        finished("nap_and_refuse", 0.0, 2.0, "refused"),
        finished("echo", 0.0, 0.0, "refused", kind="cast"),
        finished("nap_and_crash", 0.0, 3.0, "crashed"),
        finished("nap", 0.0, 1.0, "stopped"),
    ]


async def test_setup_and_teardown_are_no_messages_and_not_told() -> None:
    told: list[MessagingEvent] = []
    with subscribe(told.append, MessagingEvent):
        async with open_supervisor([worker().spec]):
            pass
    assert told == []


async def test_a_message_that_is_not_run_is_not_told_as_started(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    told: list[CallStarted] = []
    with subscribe(told.append, CallStarted):
        async with open_supervisor([spec]):
            with trio.move_on_after(1):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(attempt, ref, Worker.nap, 2)
                    await wait_all_tasks_blocked()
                    nursery.start_soon(attempt, ref, Worker.echo, 1)
            await ref.call(Worker.note, "last")
    assert [one.method for one in told] == ["nap", "note"]


async def test_what_is_left_when_a_server_is_gone_is_told_as_dropped() -> None:
    spec, ref = worker()
    told: list[MessageDropped] = []
    async with open_supervisor([spec]) as sup:
        ref.cast(Worker.wait, trio.Event())
        await wait_all_tasks_blocked()
        ref.cast(Worker.note, "queued")
        ref.cast(Worker.echo, "queued")
        with subscribe(told.append, MessageDropped):
            await sup.stop_child("w")
    assert [(one.mailbox, one.message, one.why) for one in told] == [
        ("w", "note", "closed"),
        ("w", "echo", "closed"),
    ]


# Nothing is built for nobody


async def test_nothing_is_built_if_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counted(kind: type[MessagingEvent]) -> Any:
        class Counted(kind):  # type: ignore[misc, valid-type]
            def __attrs_post_init__(self) -> None:
                built.append(kind.__name__)

        return attrs.frozen(kw_only=True)(Counted)

    spec, ref = worker()
    async with open_supervisor([spec]):
        with monkeypatch.context() as patch:
            patch.setattr(telling, "CallStarted", counted(CallStarted))
            patch.setattr(telling, "CallFinished", counted(CallFinished))
            for _ in range(50):
                ref.cast(Worker.echo, 1)
                await ref.call(Worker.echo, 1)
            await attempt(ref, Worker.refuse)
            await attempt(ref, Worker.crash)
            await ref.call(Worker.echo, 1)
    assert built == []


async def test_each_kind_is_told_alone() -> None:
    spec, ref = worker()
    first: list[MessagingEvent] = []
    second: list[MessagingEvent] = []
    async with open_supervisor([spec]):
        with subscribe(first.append, CallStarted):
            await ref.call(Worker.echo, 1)
        with subscribe(second.append, CallFinished):
            await ref.call(Worker.echo, 1)
        await ref.call(Worker.echo, 1)
    assert [type(one) for one in first] == [CallStarted]
    assert [type(one) for one in second] == [CallFinished]


# Those who come and go while the server is busy


async def test_who_subscribes_while_a_handler_runs_is_told_of_its_end(
    autojump_clock: MockClock,
) -> None:
    spec, ref = worker()
    told: list[MessagingEvent] = []
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        Asked(nursery, ref, Worker.nap, 2)
        await trio.sleep(1)
        with subscribe(told.append, CallStarted, CallFinished):
            await ref.call(Worker.echo, 1)
    assert told == [
        finished("nap", 0.0, 2.0),
        started("echo", 1.0),
        finished("echo", 1.0, 0.0),
    ]


async def test_who_subscribes_within_a_handler_is_told_of_the_next_message() -> None:
    told: list[MessagingEvent] = []

    class Listener(Server):
        async def listen(self) -> None:
            self.subscription = subscribe(told.append, CallStarted, CallFinished)
            self.subscription.__enter__()

        async def work(self) -> None:
            pass

        async def unlisten(self) -> None:
            self.subscription.__exit__(None, None, None)

    spec, ref = serve(Listener, capacity=5)
    for method in (Listener.listen, Listener.work, Listener.unlisten, Listener.work):
        ref.cast(method)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
    assert [(type(one), one.method) for one in told if isinstance(one, CallStarted)] == [
        (CallStarted, "work"),
        (CallStarted, "unlisten"),
    ]


def test_a_handler_that_keeps_the_loop_busy_is_charged_for_it_and_no_other() -> None:
    clock = MockClock()

    class Blocking(Worker):
        async def block(self) -> None:
            clock.jump(5)  # it computes for five seconds

    told: list[CallFinished] = []

    async def main() -> None:
        spec, ref = serve(Blocking, capacity=5, name="w")
        ref.cast(Blocking.block)
        ref.cast(Worker.echo, 1)
        with subscribe(told.append, CallFinished):
            async with open_supervisor([spec]):
                await wait_all_tasks_blocked()

    trio.run(main, clock=clock)
    assert told == [
        finished("block", 0.0, 5.0, kind="cast"),
        finished("echo", 5.0, 0.0, kind="cast"),
    ]


# Those who raise


@pytest.mark.parametrize("kind", [CallStarted, CallFinished, MessageDropped])
async def test_a_telemetry_handler_that_raises_hurts_nobody(kind: type[MessagingEvent]) -> None:
    def explode(event: MessagingEvent) -> None:
        raise ValueError("in telemetry")

    spec, ref = worker(capacity=1, overflow="drop_oldest")
    failed: list[HandlerFailed] = []
    async with open_supervisor([spec], max_restarts=0):
        with subscribe(explode, kind), subscribe(failed.append, HandlerFailed):
            assert await ref.call(Worker.echo, 1) == 1
            assert isinstance(await attempt(ref, Worker.refuse), Refused)
            await wait_all_tasks_blocked()
            for _ in range(3):
                ref.cast(Worker.echo, 1)
            assert await ref.call(Worker.echo, 2) == 2
        assert len(failed) == 1
        assert_conserved(ref)


async def test_a_telemetry_handler_may_send_messages() -> None:
    log: list[str] = []
    spec, ref = worker(log)

    def on_finished(event: CallFinished) -> None:
        if event.method == "echo":
            ref.cast(Worker.note, "told")

    async with open_supervisor([spec]):
        with subscribe(on_finished, CallFinished):
            await ref.call(Worker.echo, 1)
            await ref.call(Worker.incarnation)
    assert log == ["told"]
