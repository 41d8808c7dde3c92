"""Tests of the restarts of a poller, on virtual time: a minute takes no time."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from poller import Prices, children

from trio_foundation.supervision import ChildRestarting, RestartLimitReached, open_supervisor
from trio_foundation.testing import (
    Faults,
    assert_no_tasks_left,
    capture_events,
    explore,
    open_test_supervisor,
)


async def fetch() -> float:
    """Answer at once."""
    return 1.5


async def refuse() -> float:
    """Never answer."""
    raise ConnectionError("no route to host")


@pytest.mark.trio
async def test_a_crashed_poller_polls_again(autojump_clock: trio.testing.MockClock) -> None:
    specs, prices = children(fetch)
    faults = Faults().crash("poll", at_checkpoint=3, error=ConnectionError)
    with trio.fail_after(60), faults.active(), capture_events(ChildRestarting) as restarts:
        async with open_test_supervisor(specs) as tree:
            await restarts.wait_for(ChildRestarting)  # and not: sleep, and hope
            await tree.children["poll"].wait_ready()
            await trio.sleep(1)
            assert await prices.call(Prices.get) == 1.5
            assert tree.children["poll"].incarnation == 2
    assert not faults.pending  # the fault has happened


@pytest.mark.trio
async def test_restarts_are_put_off_longer_and_longer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    specs, _ = children(refuse)
    with capture_events(ChildRestarting) as restarts:
        async with open_test_supervisor(specs):
            await trio.sleep(10)
    assert [restart.delay for restart in restarts] == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.trio
async def test_a_minute_without_the_upstream_is_too_much(
    autojump_clock: trio.testing.MockClock,
) -> None:
    specs, _ = children(refuse)
    with pytest.raises(RestartLimitReached) as gave_up:  # the real limit, not that of a test
        async with open_supervisor(specs, max_restarts=4, within=60.0):
            await trio.sleep_forever()
    assert isinstance(gave_up.value.__cause__, ConnectionError)


def test_prices_come_whatever_crashes_first() -> None:
    async def scenario() -> None:
        specs, prices = children(fetch)
        with assert_no_tasks_left():
            async with open_test_supervisor(specs):
                await trio.sleep(60)
                assert await prices.call(Prices.get) == 1.5

    explore(
        scenario,
        seeds=range(50),
        faults=Faults().crash("poll", at_checkpoint=2).crash("prices", at_checkpoint=2),
    )
