"""Tests of who is told of an event, and of what a bad handler can do: nothing."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any, ClassVar, cast

import attrs
import pytest
import trio

from trio_foundation import telemetry
from trio_foundation.telemetry import Event, HandlerFailed, emit, subscribe, wanted


@attrs.frozen
class DoorEvent(Event):
    """Of every door. Has no name, since nobody emits it."""


@attrs.frozen
class DoorOpened(DoorEvent):
    name: ClassVar[str] = "house.door_opened"
    door: str = "front"


@attrs.frozen
class DoorClosed(DoorEvent):
    name: ClassVar[str] = "house.door_closed"
    door: str = "front"


@attrs.frozen
class BellRang(Event):
    name: ClassVar[str] = "house.bell_rang"


# As somebody without a type checker sees them.
untyped = cast("Any", telemetry)


class Broken:
    """A handler that always raises, and counts how often it had the chance."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error or ValueError("no such column")
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        raise self.error


# Who is told


async def test_a_handler_hears_the_events_it_asked_for() -> None:
    heard: list[DoorOpened] = []
    with subscribe(heard.append, DoorOpened):
        emit(DoorOpened("back"))
        emit(DoorClosed("back"))
        emit(BellRang())
    assert heard == [DoorOpened("back")]


async def test_a_handler_that_names_no_type_hears_everything() -> None:
    heard: list[Event] = []
    with subscribe(heard.append):
        emit(DoorOpened())
        emit(BellRang())
    assert heard == [DoorOpened(), BellRang()]


async def test_a_handler_may_name_several_types() -> None:
    heard: list[DoorOpened | BellRang] = []

    def hear(event: DoorOpened | BellRang) -> None:
        heard.append(event)

    with subscribe(hear, DoorOpened, BellRang):
        emit(DoorOpened())
        emit(DoorClosed())
        emit(BellRang())
    assert heard == [DoorOpened(), BellRang()]


async def test_a_base_class_stands_for_its_subclasses() -> None:
    heard: list[DoorEvent] = []
    with subscribe(heard.append, DoorEvent):
        emit(DoorOpened())
        emit(DoorClosed())
        emit(BellRang())
    assert heard == [DoorOpened(), DoorClosed()]


async def test_an_event_under_two_of_the_named_types_is_told_once() -> None:
    heard: list[DoorEvent] = []
    with subscribe(heard.append, DoorEvent, DoorOpened):
        emit(DoorOpened())
    assert heard == [DoorOpened()]


async def test_handlers_are_called_in_the_order_of_their_subscriptions() -> None:
    heard: list[str] = []
    with (
        subscribe(lambda _: heard.append("first"), DoorOpened),
        subscribe(lambda _: heard.append("second")),
        subscribe(lambda _: heard.append("third"), DoorEvent),
    ):
        emit(DoorOpened())
    assert heard == ["first", "second", "third"]


async def test_after_the_block_nothing_is_heard() -> None:
    heard: list[Event] = []
    with subscribe(heard.append):
        emit(BellRang())
    emit(BellRang())
    assert len(heard) == 1


async def test_nothing_is_heard_before_the_block() -> None:
    heard: list[Event] = []
    subscription = subscribe(heard.append)
    emit(BellRang())
    with subscription:
        pass
    assert heard == []


async def test_a_handler_subscribed_twice_is_called_twice() -> None:
    heard: list[Event] = []
    with subscribe(heard.append):
        with subscribe(heard.append):
            emit(BellRang())
            assert len(heard) == 2
        emit(BellRang())
        assert len(heard) == 3


async def test_blocks_may_end_in_any_order() -> None:
    heard: list[str] = []
    with ExitStack() as outlives:
        with ExitStack() as ends_first:
            ends_first.enter_context(subscribe(lambda _: heard.append("first")))
            outlives.enter_context(subscribe(lambda _: heard.append("second")))
        emit(BellRang())
    assert heard == ["second"]


async def test_a_block_cannot_be_entered_within_itself() -> None:
    subscription = subscribe(print)
    with subscription, pytest.raises(RuntimeError, match="open already: call subscribe again"):
        subscription.__enter__()


async def test_a_block_may_be_entered_again() -> None:
    heard: list[Event] = []
    subscription = subscribe(heard.append)
    for _ in range(2):
        with subscription:
            emit(BellRang())
    assert len(heard) == 2


async def test_every_task_of_the_run_is_heard() -> None:
    heard: list[Event] = []

    async def ring() -> None:
        emit(BellRang())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring)  # started before anybody listens
        with subscribe(heard.append):
            await trio.testing.wait_all_tasks_blocked()
    assert heard == [BellRang()]


# Whether it is worth telling


async def test_an_event_is_wanted_only_while_somebody_listens() -> None:
    assert not wanted(DoorOpened)
    with subscribe(print, DoorOpened):
        assert wanted(DoorOpened)
        assert not wanted(DoorClosed)
    assert not wanted(DoorOpened)


async def test_who_listens_to_a_base_class_wants_the_subclasses() -> None:
    with subscribe(print, DoorEvent):
        assert wanted(DoorOpened)
        assert not wanted(BellRang)
    with subscribe(print):
        assert wanted(BellRang)


async def test_an_event_class_declared_later_is_wanted_too() -> None:
    with subscribe(print, DoorEvent):

        @attrs.frozen
        class DoorSlammed(DoorEvent):
            name: ClassVar[str] = "house.door_slammed"

        assert wanted(DoorSlammed)


async def test_a_broken_handler_wants_nothing_any_more() -> None:
    with subscribe(print, HandlerFailed), subscribe(Broken(), BellRang):
        emit(BellRang())
        assert not wanted(BellRang)


# Runs


def test_outside_a_run_nothing_is_wanted_and_nothing_happens() -> None:
    assert not wanted(BellRang)
    emit(BellRang())


def test_subscribing_outside_a_run_says_where_to_write_it() -> None:
    with pytest.raises(RuntimeError, match=r"in the async function that trio\.run is given"):
        subscribe(print)


def test_two_runs_one_after_the_other_share_nothing() -> None:
    heard: list[Event] = []

    async def leave_open() -> None:
        ExitStack().enter_context(subscribe(heard.append))
        assert wanted(BellRang)

    async def ring() -> None:
        assert not wanted(BellRang)
        emit(BellRang())

    trio.run(leave_open)
    trio.run(ring)
    assert heard == []


def test_two_runs_in_two_threads_share_nothing() -> None:
    meeting = threading.Barrier(2, timeout=30)
    heard: dict[str, list[Event]] = {"a": [], "b": []}

    async def ring(name: str) -> None:
        with subscribe(heard[name].append, DoorOpened):
            meeting.wait()  # now both listen
            emit(DoorOpened(name))
            meeting.wait()  # now both have been told

    threads = [threading.Thread(target=trio.run, args=(ring, name)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"a": [DoorOpened("a")], "b": [DoorOpened("b")]}


async def test_a_thread_of_the_run_is_not_heard() -> None:
    heard: list[Event] = []

    def ring() -> bool:
        emit(BellRang())
        return wanted(BellRang)

    with subscribe(heard.append):
        assert not await trio.to_thread.run_sync(ring)
    assert heard == []


# Handlers that raise


async def test_a_handler_that_raises_does_not_hurt_who_emits() -> None:
    heard: list[Event] = []
    with subscribe(print, HandlerFailed), subscribe(Broken(), BellRang), subscribe(heard.append):
        emit(BellRang())
    assert heard[0] == BellRang()


async def test_a_handler_that_raises_is_detached_and_reported() -> None:
    broken = Broken()
    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(broken):
        emit(BellRang())
        emit(BellRang())
    (report,) = reports
    assert broken.calls == 1
    assert report.handler == f"{__name__}.Broken"
    assert report.event == "house.bell_rang"
    assert report.error == "ValueError: no such column"
    assert "in __call__\n    raise self.error" in report.traceback
    assert report.severity == logging.ERROR


async def test_a_handler_is_detached_before_it_is_reported() -> None:
    wanted_then: list[bool] = []
    with (
        subscribe(lambda _: wanted_then.append(wanted(BellRang)), HandlerFailed),
        subscribe(Broken(), BellRang),
    ):
        emit(BellRang())
    assert wanted_then == [False]


async def test_only_the_subscription_that_failed_is_detached() -> None:
    def refuse_the_bell(event: Event) -> None:
        heard.append(event)
        if isinstance(event, BellRang):
            raise ConnectionError("not the bell again")

    heard: list[Event] = []
    with (
        subscribe(print, HandlerFailed),
        subscribe(refuse_the_bell, BellRang),
        subscribe(refuse_the_bell, DoorOpened),
    ):
        emit(BellRang())
        emit(BellRang())
        emit(DoorOpened())
    assert heard == [BellRang(), DoorOpened()]


async def test_a_handler_of_failures_that_raises_is_reported_to_the_others() -> None:
    reports: list[str] = []
    with (
        subscribe(Broken(RuntimeError("cannot report"))),
        subscribe(lambda report: reports.append(report.error), HandlerFailed),
    ):
        emit(BellRang())
    assert reports == ["RuntimeError: cannot report"]


async def test_any_number_of_handlers_may_fail_on_the_report_of_a_failure() -> None:
    reports: list[HandlerFailed] = []
    crowd = [Broken() for _ in range(2_000)]  # more than fit into a stack of calls
    with ExitStack() as blocks:
        for broken in crowd:
            blocks.enter_context(subscribe(broken, HandlerFailed))
        blocks.enter_context(subscribe(Broken(), BellRang))
        blocks.enter_context(subscribe(reports.append, HandlerFailed))
        emit(BellRang())
    assert {broken.calls for broken in crowd} == {1}
    assert len(reports) == 2_001


async def test_a_failure_that_nobody_listens_to_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with subscribe(Broken(), BellRang):
        emit(BellRang())
    (record,) = caplog.records
    assert record.name == "trio_foundation.telemetry"
    assert record.levelno == logging.ERROR
    first, *_, last = record.getMessage().splitlines()
    assert first == f"{__name__}.Broken was detached: it raised on house.bell_rang"
    assert last == "ValueError: no such column"


async def test_even_a_broken_logger_does_not_hurt() -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise OSError("disk full")

    logger = logging.getLogger("trio_foundation.telemetry")
    logger.addFilter(refuse)
    try:
        with subscribe(Broken(), BellRang):
            emit(BellRang())
    finally:
        logger.removeFilter(refuse)


async def test_a_failure_keeps_nothing_of_the_handler_alive() -> None:
    class Precious: ...

    def break_it(event: BellRang) -> None:
        precious = Precious()
        alive.append(weakref.ref(precious))
        raise ValueError(precious)

    alive: list[weakref.ref[Precious]] = []
    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(break_it, BellRang):
        emit(BellRang())
    gc.collect()
    assert alive[0]() is None
    assert reports


async def test_an_error_that_cannot_be_printed_does_not_hurt() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(Broken(Unprintable()), BellRang):
        emit(BellRang())
    assert "Unprintable" in reports[0].error


async def test_an_event_without_a_name_does_not_hurt() -> None:
    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(Broken(), DoorEvent):
        emit(DoorEvent())
    assert reports[0].event == "DoorEvent"


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (functools.partial(functools.partial(Broken(), BellRang())), f"{__name__}.Broken"),
        ("bell".index, "str.index"),
        (Broken().__call__, f"{__name__}.Broken.__call__"),
    ],
    ids=["partial", "built-in", "method"],
)
async def test_every_kind_of_handler_has_a_name(handler: Callable[..., object], name: str) -> None:
    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(handler, BellRang):
        emit(BellRang())
    assert [report.handler for report in reports] == [name]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=["ctrl-c", "exit"])
async def test_what_is_no_exception_goes_on_up(error: BaseException) -> None:
    with subscribe(Broken(error), BellRang), pytest.raises(type(error)) as caught:
        emit(BellRang())
    assert caught.value is error


async def test_an_interrupt_does_not_swallow_the_failures_before_it() -> None:
    reports: list[HandlerFailed] = []
    with (
        subscribe(reports.append, HandlerFailed),
        subscribe(Broken(), BellRang),
        subscribe(Broken(KeyboardInterrupt()), BellRang),
        pytest.raises(KeyboardInterrupt),
    ):
        emit(BellRang())
    assert [report.error for report in reports] == ["ValueError: no such column"]


# Handlers that emit, subscribe and unsubscribe


async def test_a_handler_may_emit() -> None:
    heard: list[Event] = []
    with (
        subscribe(lambda event: emit(BellRang()), DoorOpened),
        subscribe(heard.append),
    ):
        emit(DoorOpened())
    assert heard == [BellRang(), DoorOpened()]


async def test_a_handler_that_emits_what_it_handles_is_detached() -> None:
    calls = 0

    def echo(event: BellRang) -> None:
        nonlocal calls
        calls += 1
        emit(event)

    reports: list[HandlerFailed] = []
    with subscribe(reports.append, HandlerFailed), subscribe(echo, BellRang):
        emit(BellRang())
        calls_then = calls
        emit(BellRang())
    assert calls == calls_then
    assert reports
    assert all(report.error.startswith("RecursionError") for report in reports)


async def test_a_handler_may_subscribe_another_which_hears_the_next_event() -> None:
    heard: list[Event] = []
    with ExitStack() as blocks:

        def invite(event: BellRang) -> None:
            if not heard:
                blocks.enter_context(subscribe(heard.append, BellRang))

        blocks.enter_context(subscribe(invite, BellRang))
        emit(BellRang())
        assert heard == []
        emit(BellRang())
    assert heard == [BellRang()]


async def test_a_handler_unsubscribed_meanwhile_is_not_called() -> None:
    heard: list[Event] = []
    with ExitStack() as theirs, subscribe(lambda _: theirs.close(), BellRang):
        theirs.enter_context(subscribe(heard.append, BellRang))
        emit(BellRang())
    assert heard == []


async def test_a_handler_may_unsubscribe_itself() -> None:
    calls = 0

    def once(event: BellRang) -> None:
        nonlocal calls
        calls += 1
        mine.close()

    with ExitStack() as mine:
        mine.enter_context(subscribe(once, BellRang))
        emit(BellRang())
        emit(BellRang())
    assert calls == 1


# Misuse


@pytest.mark.parametrize("kind", ["function", "method", "object", "partial", "generator"])
async def test_an_async_handler_is_refused_with_a_way_out(kind: str) -> None:
    class Handler:
        async def handle(self, event: Event) -> None: ...
        def __call__(self, event: Event) -> Awaitable[None]:
            return self.handle(event)

    class AsyncHandler:
        async def __call__(self, event: Event) -> None: ...

    async def handle(event: Event) -> None: ...

    async def generate(event: Event) -> AsyncIterator[Event]:
        yield event

    handlers: dict[str, object] = {
        "function": handle,
        "method": Handler().handle,
        "object": AsyncHandler(),
        "partial": functools.partial(handle, BellRang()),
        "generator": generate,
    }
    with pytest.raises(
        TypeError, match=r"is async, .* subscribe the send_nowait of a memory channel"
    ):
        untyped.subscribe(handlers[kind])


async def test_what_is_no_handler_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^subscribe takes a function first, .* but got 3$"):
        untyped.subscribe(3)


@pytest.mark.parametrize("event_type", [int, "house.bell_rang", BellRang(), None], ids=repr)
async def test_what_is_no_event_class_is_refused(event_type: object) -> None:
    message = r" takes subclasses of trio_foundation\.telemetry\.Event, not "
    with pytest.raises(TypeError, match="^subscribe" + message):
        untyped.subscribe(print, event_type)
    with pytest.raises(TypeError, match="^wanted" + message):
        untyped.wanted(event_type)


@pytest.mark.parametrize("event", [BellRang, "house.bell_rang", None], ids=repr)
async def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(
        TypeError, match=r"^emit takes an event, such as HandlerFailed\(\.\.\.\), not "
    ):
        untyped.emit(event)


async def test_a_type_error_in_a_handler_is_the_handlers() -> None:
    reports: list[HandlerFailed] = []
    with (
        subscribe(reports.append, HandlerFailed),
        subscribe(cast("Callable[[BellRang], object]", lambda: None), BellRang),
    ):
        emit(BellRang())
    assert reports[0].error.startswith("TypeError: ")
