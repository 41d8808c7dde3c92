"""What a breaker does beside its calls, in its nursery."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._base import awaitable_of
from ._core import Core
from ._flight import Flight
from ._this_run import this_run

__all__ = ["note_slow_call", "run_health_probes", "start_watch"]


def start_watch(core: Core, nursery: trio.Nursery) -> None:
    """Have slow calls noticed, if not done yet."""
    if core.watch is None:
        core.watch = trio.CancelScope()
        nursery.start_soon(_watch_slow_calls, core, core.watch)


async def _watch_slow_calls(core: Core, scope: trio.CancelScope) -> None:
    try:
        with scope:
            while (due := core.next_due) is not None:
                await trio.sleep_until(due)
                core.touch(trio.current_time())
    finally:
        if core.watch is scope:
            core.watch = None


async def note_slow_call(core: Core, slow_after: float, scope: trio.CancelScope) -> None:
    """Notice that a call just begun becomes slow, unless the scope ends before."""
    with scope:
        await trio.sleep(slow_after)
        core.touch(trio.current_time())


@enable_ki_protection
async def run_health_probes(core: Core, health: Callable[[], Awaitable[object]]) -> None:
    """Try, whenever the open time is over, whether calls may be let through again."""
    try:
        while True:
            core.touch(trio.current_time())
            if core.circuit.state == "half_open":
                await _probe(core, health)
                await trio.lowlevel.checkpoint()  # there may be none in what it called
            elif core.circuit.state == "open":
                await core.wait_change()
            else:
                return
    except BaseException:
        core.has_health = False  # the block of the breaker ends: guards try for themselves
        raise
    finally:
        core.is_probing = False


@enable_ki_protection
async def _probe(core: Core, health: Callable[[], Awaitable[object]]) -> None:
    now = trio.current_time()
    if core.refusal(now, is_own=True) is not None:
        await core.wait_change()
        return
    flight = Flight()
    core.book(flight, this_run(), now)
    limit = math.inf if core.probe_timeout is None else core.probe_timeout
    try:
        with trio.CancelScope(relative_deadline=limit):
            core.end(flight, core.judge.of_result(await _ask(health)))
    except Exception as error:  # noqa: BLE001  whatever it is, things are not in order
        core.end(flight, "failure", error)
    else:
        core.end(flight, "failure")  # if it has not ended, its time is up
    finally:
        core.end(flight, "cancelled")  # the block of the breaker has ended


@disable_ki_protection
async def _ask(health: Callable[[], Awaitable[object]]) -> object:
    return await awaitable_of("health", health, health())
