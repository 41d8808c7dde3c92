"""Tests of a supervisor that goes on past its limit, since a flag says so."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff, flags
from trio_foundation.supervision import (
    RestartLimitReached,
    SupervisorWouldFail,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Puppet, puppets, specs


async def test_without_strict_supervision_a_supervisor_warns_and_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[SupervisorWouldFail] = []
    puppet = Puppet()
    with flags(use_strict_supervision=False), subscribe(heard.append, SupervisorWouldFail):
        async with open_supervisor([puppet.spec()], max_restarts=1, name="app") as sup:
            for _ in range(2):
                puppet.crash()
                await sup.children["a"].wait_exit()
                await sup.children["a"].wait_ready()
            assert sup.children["a"].incarnation == 3
    (event,) = heard
    assert (event.supervisor, event.child) == ("app", "a")
    assert (event.max_restarts, event.within) == (1, 5.0)
    assert "use_strict_supervision is off" in caplog.text


async def test_past_the_limit_there_is_a_brake(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    with flags(use_strict_supervision=False):
        async with open_supervisor([a.spec()], max_restarts=1, within=1_000.0) as sup:
            for _ in range(5):
                a.crash()
                await sup.children["a"].wait_exit()
                await sup.children["a"].wait_ready()
    starts = [at for at, line in diary.lines if line == "+a"]
    assert starts[:2] == [0.0, 0.0]
    gaps = [later - sooner for sooner, later in pairwise(starts[1:])]
    assert gaps == sorted(gaps)
    assert gaps[0] > 0


async def test_past_the_limit_a_child_goes_on_under_its_own_backoff(
    autojump_clock: MockClock,
) -> None:
    diary, (a,) = puppets("a")
    backoff = Backoff(initial=7.0, factor=1.0, jitter=0.0)
    with flags(use_strict_supervision=False):
        async with open_supervisor([a.spec(backoff=backoff)], max_restarts=0) as sup:
            for _ in range(3):
                a.crash()
                await sup.children["a"].wait_exit()
                await sup.children["a"].wait_ready()
    assert [at for at, line in diary.lines if line == "+a"] == [0.0, 7.0, 14.0, 21.0]


async def test_a_start_that_always_fails_does_not_keep_the_supervisor_to_itself(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b) = puppets("ab")
    with flags(use_strict_supervision=False):
        async with open_supervisor(specs(a, b), strategy="rest_for_one") as sup:
            a.refusals = [Crash("never again")] * 1_000
            a.crash()
            await trio.sleep(60.0)
            await sup.stop_child("a")
    assert diary.take().count("!a") < 30


async def test_the_flag_is_read_when_the_supervisor_is_opened() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([puppet.spec()], max_restarts=0):
            with flags(use_strict_supervision=False):
                puppet.crash()
                await trio.sleep_forever()


async def test_an_open_supervisor_stays_as_lenient_as_it_was(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    with flags(use_strict_supervision=False):
        block = open_supervisor([puppet.spec()], max_restarts=0)
        sup = await block.__aenter__()
    puppet.crash()
    await sup.children["a"].wait_exit()
    await sup.children["a"].wait_ready()
    assert sup.children["a"].incarnation == 2
    await block.__aexit__(None, None, None)


async def test_a_tree_below_is_as_lenient(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    with flags(use_strict_supervision=False):
        tree = subtree([puppet.spec()], name="web", max_restarts=0)
        async with open_supervisor([tree]) as sup:
            puppet.crash()
            await trio.sleep(10.0)
            assert sup.children["web"].incarnation == 1
            assert sup.children["web"].value.children["a"].incarnation == 2


async def test_a_dynamic_supervisor_is_as_lenient(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    with flags(use_strict_supervision=False):
        async with open_dynamic_supervisor(max_restarts=0) as sup:
            worker = await sup.start_child(puppet.spec())
            puppet.crash()
            await worker.wait_exit()
            await worker.wait_ready()
            assert worker.incarnation == 2


async def test_within_the_limit_the_flag_changes_nothing() -> None:
    heard: list[SupervisorWouldFail] = []
    diary, (a,) = puppets("a")
    with flags(use_strict_supervision=False), subscribe(heard.append, SupervisorWouldFail):
        async with open_supervisor(specs(a)):
            for _ in range(3):
                a.crash()
                await wait_all_tasks_blocked()
            diary.take()
    assert heard == []
