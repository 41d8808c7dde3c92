"""Tests of capturing events, and of waiting for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, assert_type

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import ChildExited, ChildReady, ChildStarted, open_supervisor
from trio_foundation.telemetry import Event, emit
from trio_foundation.testing import CapturedEvents, capture_events


@attrs.frozen
class Rang(Event):
    """A bell rang."""

    name: ClassVar[str] = "test.rang"
    number: int = 0


@attrs.frozen
class Knocked(Event):
    """Somebody knocked."""

    name: ClassVar[str] = "test.knocked"
    number: int = 0


async def test_what_is_told_in_the_block_is_captured_in_order() -> None:
    emit(Rang(0))
    with capture_events(Rang) as events:
        emit(Rang(1))
        emit(Knocked())
        emit(Rang(2))
    emit(Rang(3))
    assert isinstance(events, Sequence)
    assert list(events) == [Rang(1), Rang(2)]
    assert events[-1] == Rang(2)
    assert events[:1] == [Rang(1)]
    assert repr(events) == "<CapturedEvents: 2>"


async def test_without_types_all_events_are_captured() -> None:
    with capture_events() as events:
        emit(Rang())
        emit(Knocked())
    assert events.of(Knocked) == [Knocked()]
    assert len(events.of(Event)) == 2


async def test_what_it_takes_is_checked() -> None:
    wrong: Any = int
    with pytest.raises(TypeError, match="subclasses of trio_foundation"), capture_events(wrong):
        pass


def test_outside_of_a_run_there_is_nothing_to_capture() -> None:
    with pytest.raises(RuntimeError, match="within a Trio run"), capture_events():
        pass


# Waiting


async def test_an_event_that_was_told_is_there_at_once() -> None:
    with capture_events(Rang) as events:
        emit(Rang(1))
        with trio.testing.assert_checkpoints():
            assert await events.wait_for(Rang) == Rang(1)


async def test_an_event_that_is_not_told_yet_is_waited_for(autojump_clock: MockClock) -> None:
    async def ring() -> None:
        await trio.sleep(5)
        emit(Rang(1))

    with capture_events() as events:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ring)
            assert await events.wait_for(Rang) == Rang(1)
    assert trio.current_time() == 5


async def test_each_event_is_waited_for_once_and_none_is_passed_over() -> None:
    with capture_events() as events:
        for number in range(3):
            emit(Rang(number))
            emit(Knocked(number))
        assert await events.wait_for(Rang, lambda event: event.number == 1) == Rang(1)
        assert await events.wait_for(Rang) == Rang(0)
        assert await events.wait_for(Knocked) == Knocked(0)
        assert await events.wait_for(Rang) == Rang(2)
        with trio.CancelScope() as scope:
            scope.cancel()
            await events.wait_for(Knocked)
        assert await events.wait_for(Knocked) == Knocked(1)


async def test_two_who_wait_get_one_event_each() -> None:
    got: list[Rang] = []

    async def wait(events: CapturedEvents[Any]) -> None:
        got.append(await events.wait_for(Rang))

    with capture_events() as events:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, events)
            nursery.start_soon(wait, events)
            await wait_all_tasks_blocked()
            emit(Rang(1))
            await wait_all_tasks_blocked()
            assert got == [Rang(1)]
            emit(Rang(2))
    assert got == [Rang(1), Rang(2)]


async def test_who_still_waits_at_the_end_of_the_block_is_told_what_there_was() -> None:
    told: list[AssertionError] = []

    async def wait(events: CapturedEvents[Any]) -> None:
        try:
            await events.wait_for(Knocked, lambda event: event.number == 1)
        except AssertionError as error:
            told.append(error)

    async with trio.open_nursery() as nursery:
        with capture_events() as events:
            nursery.start_soon(wait, events)
            await wait_all_tasks_blocked()
            emit(Knocked(2))
    assert str(told[0]).startswith("waited for a Knocked that satisfies the predicate, but")
    assert "#0: Knocked(number=2)" in str(told[0])


async def test_after_the_block_what_was_captured_can_be_waited_for() -> None:
    with capture_events() as events:
        emit(Rang(1))
    assert await events.wait_for(Rang) == Rang(1)
    with pytest.raises(AssertionError, match="waited for a Rang, but the block has ended"):
        await events.wait_for(Rang)


# Sequences


async def test_a_sequence_may_have_gaps() -> None:
    with capture_events() as events:
        async with open_supervisor() as sup:
            await sup.start(trio.sleep_forever, name="a")
            await sup.start(trio.sleep_forever, name="b")
    events.assert_sequence()
    events.assert_sequence(ChildStarted, ChildReady, ChildStarted, ChildExited)
    events.assert_sequence(
        (ChildStarted, {"child": "a"}),
        ChildStarted,
        (ChildExited, {"child": "b", "reason": "stopped", "name": ChildExited.name}),
        (ChildExited, {"child": "a"}),
    )


async def test_a_sequence_that_was_not_told_shows_what_was() -> None:
    with capture_events() as events:
        emit(Rang(1))
        emit(Knocked(2))
        emit(Rang(3))
    with pytest.raises(AssertionError) as caught:
        events.assert_sequence((Rang, {"number": 1}), Rang, (Knocked, {"number": 2}))
    assert str(caught.value).splitlines() == [
        "expected Rang(number=1), Rang(), Knocked(number=2), in this order; there is no "
        "Knocked(number=2) after #2",
        "captured were",
        "    #0: Rang(number=1)",
        "    #1: Knocked(number=2)",
        "    #2: Rang(number=3)",
    ]


async def test_a_long_record_is_shown_from_its_end() -> None:
    with capture_events() as events:
        for number in range(100):
            emit(Rang(number))
    with pytest.raises(AssertionError) as caught:
        events.assert_sequence(Knocked)
    assert "(60 before them)" in str(caught.value)
    assert "#99" in str(caught.value)
    assert "#59" not in str(caught.value)


async def test_an_empty_record_says_so() -> None:
    with capture_events() as events:
        pass
    with pytest.raises(AssertionError, match="no event was captured"):
        events.assert_sequence(Rang)


@pytest.mark.parametrize("expected", ["Rang", int, Rang(1)])
async def test_what_is_no_class_of_events_is_refused(expected: Any) -> None:
    with capture_events() as events:
        pass
    with pytest.raises(TypeError, match="assert_sequence takes classes of events"):
        events.assert_sequence(expected)


async def test_a_field_that_there_is_not_is_refused() -> None:
    with capture_events() as events:
        pass
    with pytest.raises(TypeError, match="Rang has no field 'digit': it has number"):
        events.assert_sequence((Rang, {"digit": 1}))


async def test_types_are_known_to_checkers() -> None:
    with capture_events() as every:
        assert_type(every, CapturedEvents[Event])
        emit(Rang())
        assert_type(await every.wait_for(Rang), Rang)
    with capture_events(Rang) as one:
        assert_type(one.of(Rang), list[Rang])
        assert_type(one, CapturedEvents[Rang])
    with capture_events(Rang, Knocked) as two:
        assert_type(two, CapturedEvents[Rang | Knocked])


async def test_a_name_is_no_event_to_wait_for() -> None:
    with capture_events() as events, pytest.raises(TypeError, match="takes the class of an event"):
        await events.wait_for("ChildExited")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
