"""Tests of the quick answer to whether anybody listens."""

from __future__ import annotations

import gc
import weakref
from typing import ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_foundation.telemetry import Audience, Event, emit, subscribe


@attrs.frozen
class Rain(Event):
    name: ClassVar[str] = "weather.rain"


@attrs.frozen
class Snow(Event):
    name: ClassVar[str] = "weather.snow"


async def test_an_audience_is_there_while_somebody_listens_to_one_of_its_events() -> None:
    audience = Audience(Rain, Snow)
    assert not audience.is_there
    with subscribe(print, Snow):
        assert audience.is_there
        with subscribe(print, Rain):
            assert audience.is_there
        assert audience.is_there
    assert not audience.is_there


async def test_it_knows_of_those_who_came_before_it_and_of_those_who_listen_to_everything() -> None:
    with subscribe(print):
        audience = Audience(Rain)
        assert audience.is_there
    assert not audience.is_there


async def test_it_does_not_care_who_listens_to_other_events() -> None:
    audience = Audience(Rain)
    with subscribe(print, Snow):
        assert not audience.is_there


async def test_a_handler_that_fails_is_no_audience_any_more() -> None:
    def fail(event: Event) -> None:
        raise ValueError

    audience = Audience(Rain)
    with subscribe(fail, Rain):
        emit(Rain())
        assert not audience.is_there


async def test_it_tells_since_when(autojump_clock: MockClock) -> None:
    await trio.sleep(1)
    audience = Audience(Rain)
    assert audience.since == 1
    await trio.sleep(1)
    with subscribe(print, Rain):
        assert audience.since == 2
        await trio.sleep(1)
        with subscribe(print, Rain):
            assert audience.since == 2
    assert audience.since == 3


async def test_nothing_keeps_an_audience_that_nobody_asks() -> None:
    gone = weakref.ref(Audience(Rain))
    gc.collect()
    with subscribe(print, Rain):
        assert gone() is None


def test_two_runs_have_audiences_of_their_own() -> None:
    kept: list[Audience] = []

    async def listen() -> None:
        with subscribe(print, Rain):
            kept.append(Audience(Rain))
            await trio.lowlevel.checkpoint()

    async def ask() -> None:
        kept.append(Audience(Rain))

    trio.run(listen)
    trio.run(ask)
    assert [audience.is_there for audience in kept] == [False, False]


def test_outside_of_a_run_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="belongs to a Trio run"):
        Audience(Rain)


async def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="takes subclasses of"):
        Audience(int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
