from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.supervision import (
    RestartLimitReached,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.testing import open_test_supervisor


async def crash_after(seconds: float) -> None:
    await trio.sleep(seconds)
    raise OSError("crashed")


async def restarts_borne(
    open_it: Callable[..., AbstractAsyncContextManager[Any]], seconds: float, until: float
) -> int:
    """Return how many restarts a supervisor makes, of a child that crashes so often."""
    restarts = 0
    with trio.move_on_after(until):
        try:
            async with open_it([child(crash_after, seconds, name="a")]) as sup:
                while True:
                    await trio.sleep(seconds / 2)
                    restarts = sup.children["a"].restarts
        except RestartLimitReached:
            return restarts
    return -1


async def test_it_bears_a_hundred_restarts_in_ten_seconds(autojump_clock: MockClock) -> None:
    assert await restarts_borne(open_test_supervisor, 0.05, until=60.0) == 100
    assert await restarts_borne(open_test_supervisor, 0.2, until=60.0) == -1


async def test_production_and_other_tests_get_three_in_five_seconds(
    autojump_clock: MockClock,
) -> None:
    assert await restarts_borne(open_supervisor, 0.5, until=60.0) == 3
    assert await restarts_borne(open_supervisor, 2.0, until=600.0) == -1


@pytest.mark.parametrize("opener", [open_supervisor, open_dynamic_supervisor, subtree])
def test_three_in_five_seconds_is_what_is_written_down(opener: Callable[..., object]) -> None:
    parameters = inspect.signature(opener).parameters
    assert (parameters["max_restarts"].default, parameters["within"].default) == (3, 5.0)


async def test_nothing_but_the_limit_differs_from_a_supervisor_of_production() -> None:
    ours, theirs = (
        dict(inspect.signature(opener).parameters)
        for opener in (open_test_supervisor, open_supervisor)
    )
    del theirs["max_restarts"], theirs["within"]
    assert ours == theirs
    async with open_test_supervisor(name="a") as one, open_supervisor(name="a") as other:
        assert type(one) is type(other)
        assert (one.snapshot().max_restarts, one.snapshot().within) == (100, 10.0)


async def test_a_supervisor_below_it_has_its_own_limit() -> None:
    tree = subtree([child(crash_after, 0, name="a")], name="below", restart="temporary")
    async with open_test_supervisor([tree]) as sup:
        exit = await sup.children["below"].wait_exit()
    assert isinstance(exit.error, RestartLimitReached)
    assert exit.error.max_restarts == 3
