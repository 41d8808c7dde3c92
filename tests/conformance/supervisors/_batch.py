"""Many things at once.

For a batch the recorder froze the supervisor, so that exits and calls queued up in its
mailbox, and then thawed it.

A static supervisor of ours does one thing at a time as well. So we freeze it with a child
that takes its time to start: exits and calls queue up behind that start. Verbs of ours that
do not queue (to look at the children or count them, and ``delete_child``) are called from
another such child, which gets to start when that place in the queue is reached. These
children fail to start in the end, and a failed start leaves nothing behind.

A dynamic supervisor of ours starts its children concurrently, and notices exits meanwhile;
nothing freezes it. All exits of the batch happen before anything else here, too. But each
restart waits, in the child that is being started, until the place of that exit in the queue
is reached; and another attempt, after one that failed, until the end of the queue. That is
when OTP makes them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.supervision import ChildStartFailed, SupervisorClosed, child

from ._driver import NOOP, Driver
from ._format import Json, NotInFormat
from ._journal import OUTSIDE
from ._spelling import Crash
from ._tree import AnySupervisor, is_dynamic
from ._verbs import Call

__all__ = ["batch"]

HAPPENINGS = {"exit", "kill"}


async def batch(driver: Driver, actions: Sequence[Mapping[str, Json]]) -> Json:
    """Do everything at once, and return the list of the results."""
    if not driver.root.alive:
        return NOOP
    if any(action.get("sup", "root") != "root" for action in actions):
        raise NotInFormat("a batch is for the supervisor at the root")
    assert driver.root.sup is not None
    if is_dynamic(driver.root.spec):
        return await _take_turns(driver, actions)
    return await _freeze(driver, driver.root.sup, actions)


async def _freeze(
    driver: Driver, sup: AnySupervisor, actions: Sequence[Mapping[str, Json]]
) -> list[Json]:
    results: list[Json] = [None] * len(actions)

    async def make(place: int, call: Call) -> None:
        async def look() -> None:
            results[place] = call.make_at_once()

        if not call.is_immediate:
            results[place] = await _make(call)
            return
        results[place] = NOOP
        with suppress(SupervisorClosed):
            await _visit(sup, place + 1, look)

    thaw = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_visit, sup, 0, thaw.wait)
        await wait_all_tasks_blocked()
        for place, action in enumerate(actions):
            if action["op"] in HAPPENINGS:
                results[place] = driver.happen(action)
            else:
                call = _call(driver, action)
                assert call is not None, "it is frozen, and so it runs"
                nursery.start_soon(make, place, call)
            await wait_all_tasks_blocked()
        thaw.set()
    return results


async def _visit(sup: AnySupervisor, number: int, visitor: Callable[[], Awaitable[None]]) -> None:
    """Have *visitor* run as a child that is being started, which then fails to start."""
    left = Crash("the visit is over")

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status  # to take it and never use it is what keeps the child starting
        await visitor()
        raise left

    try:
        await sup.start_child(child(run, name=f"{OUTSIDE}{number}", restart="temporary"))
    except ChildStartFailed as failed:
        if failed.__cause__ is not left:
            raise


async def _take_turns(driver: Driver, actions: Sequence[Mapping[str, Json]]) -> list[Json]:
    results: list[Json] = [None] * len(actions)
    turns = driver.script.turns
    turns.held = True
    queue: list[tuple[int, Call | str | None]] = []
    for place, action in enumerate(actions):
        if action["op"] in HAPPENINGS:
            life = driver.journal.lives.get(action["id"])
            results[place] = driver.happen(action)
            queue.append((place, action["id"] if life is None else life.name))
            await wait_all_tasks_blocked()
        else:
            queue.append((place, _call(driver, action)))
    for place, message in queue:
        if isinstance(message, str):
            turns.call(message)
        else:
            results[place] = await _make(message)
        await wait_all_tasks_blocked()
    while turns.next is not None:
        turns.call(turns.next)
        await wait_all_tasks_blocked()
    turns.held = False
    return results


async def _make(call: Call | None) -> Json:
    """Make a call, which does nothing if the supervisor has ended before its turn."""
    try:
        return NOOP if call is None else await call.make()
    except SupervisorClosed:
        return NOOP


def _call(driver: Driver, action: Mapping[str, Json]) -> Call | None:
    if action["op"] in {"wait", "stop", "batch"}:
        raise NotInFormat(f"not in a batch: {action!r}")
    return driver.call(action)
