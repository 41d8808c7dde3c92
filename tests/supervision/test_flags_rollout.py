"""Tests of what a careful rollout can watch, before it enforces a limit."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff, flags
from trio_foundation.supervision import (
    ChildRestarting,
    RestartLimitReached,
    Strategy,
    Supervisor,
    SupervisorWouldFail,
    open_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Puppet, puppets, specs


async def crash(puppet: Puppet, sup: Supervisor, times: int) -> None:
    for _ in range(times):
        puppet.crash()
        await sup.children[puppet.name].wait_exit()
        await sup.children[puppet.name].wait_ready()


async def test_each_restart_past_the_limit_is_told_and_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[SupervisorWouldFail] = []
    puppet = Puppet()
    with flags(use_strict_supervision=False), subscribe(heard.append, SupervisorWouldFail):
        async with open_supervisor([puppet.spec()], max_restarts=2, within=1_000.0) as sup:
            await crash(puppet, sup, 5)
    assert len(heard) == 3
    said = [one for one in caplog.records if "use_strict_supervision is off" in one.message]
    assert [one.levelno for one in said] == [logging.WARNING] * 3
    assert {one.name for one in said} == {"trio_foundation.supervision"}


async def test_the_event_comes_when_the_restart_is_made_that_strict_would_refuse(
    autojump_clock: MockClock,
) -> None:
    told: list[tuple[float, str]] = []
    puppet = Puppet()
    backoff = Backoff(initial=7.0, factor=1.0, jitter=0.0)
    with (
        flags(use_strict_supervision=False),
        subscribe(
            lambda event: told.append((trio.current_time(), type(event).__name__)),
            SupervisorWouldFail,
            ChildRestarting,
        ),
    ):
        async with open_supervisor([puppet.spec(backoff=backoff)], max_restarts=0) as sup:
            await crash(puppet, sup, 1)
    assert told == [(0.0, "ChildRestarting"), (7.0, "SupervisorWouldFail")]


@pytest.mark.parametrize(
    ("strategy", "started_again"),
    [("one_for_one", ["+b"]), ("one_for_all", ["+a", "+b"]), ("rest_for_one", ["+b"])],
)
async def test_a_group_goes_on_as_its_strategy_says(
    autojump_clock: MockClock, strategy: Strategy, started_again: list[str]
) -> None:
    diary, (a, b) = puppets("ab")
    with flags(use_strict_supervision=False):
        async with open_supervisor(specs(a, b), strategy=strategy, max_restarts=0) as sup:
            diary.take()
            await crash(b, sup, 1)
            await wait_all_tasks_blocked()
            assert [line for line in diary.take() if line[0] == "+"] == started_again


async def test_one_supervisor_is_strict_in_a_program_that_is_not() -> None:
    puppet = Puppet()
    with flags(use_strict_supervision=False), pytest.raises(RestartLimitReached):
        with flags(use_strict_supervision=True):
            block = open_supervisor([puppet.spec()], max_restarts=0)
            await block.__aenter__()
        puppet.crash()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            await block.__aexit__(type(cancelled), cancelled, None)


async def test_without_the_flag_nothing_is_told_and_the_supervisor_fails() -> None:
    heard: list[SupervisorWouldFail] = []
    puppet = Puppet()
    with subscribe(heard.append, SupervisorWouldFail), pytest.raises(RestartLimitReached):
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.crash()
            await trio.sleep_forever()
    assert heard == []
