"""Children that do what the scenario says of them.

Asked to stop, a worker obeys, takes its time, ends with a reason of its own, or does not
listen. When it ends by itself, and how, is for the driver to order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio

from trio_foundation.supervision import current_child, stop_requested

from ._format import Json
from ._journal import Journal, Life
from ._script import Script
from ._spelling import KILLED, SHUTDOWN, Killed, end_with

__all__ = ["Mortal", "Worker"]


@attrs.define(eq=False)
class Worker:
    """A child that is no supervisor: its `run` is the function that is supervised."""

    spec: Mapping[str, Json]
    owner: str
    """The id of its supervisor."""

    script: Script
    journal: Journal

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Live one incarnation."""
        child = current_child()
        if child.incarnation > 1:
            await self.script.turns.wait(child.name)
        self.script.attempt(self.spec)
        # To ask for the event is to have the stop wait, which a brutal kill does not.
        stop = trio.Event() if self.spec.get("shutdown") == "brutal_kill" else stop_requested()
        life = self.journal.birth(self.spec["id"], self.owner, child)
        task_status.started()
        reason, stopped = KILLED, True  # unless it gets to say otherwise
        try:
            reason = await self._live(life, stop)
            stopped = stop.is_set()
        finally:
            self.journal.death(life, reason, stopped=stopped)
        end_with(reason)

    async def _live(self, life: Life, stop: trio.Event) -> Json:
        """Wait for an order or a stop, and return the reason to end with."""
        await _wait_either(life.ordered, stop)
        if life.ordered.is_set():
            return life.order
        on_stop = self.spec.get("on_stop", "obey")
        if on_stop == "obey":
            return SHUTDOWN
        if on_stop == "ignore":
            await trio.sleep_forever()
        await trio.sleep(on_stop.get("delay", 0) / 1000)
        return on_stop.get("exit", SHUTDOWN)


@attrs.define(eq=False)
class Mortal:
    """A supervisor that the scenario kills, or whose start it makes fail.

    It takes the place of the function of a subtree, and runs that one inside.
    """

    spec: Mapping[str, Json]
    async_fn: Callable[..., Awaitable[object]]
    script: Script
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    async def run(self, *args: object, task_status: trio.TaskStatus[object]) -> None:
        """Live one incarnation."""
        self.script.attempt(self.spec, is_written=False)
        with trio.CancelScope() as self._scope:
            await self.async_fn(*args, task_status=task_status)
        if self._scope.cancelled_caught:
            raise Killed

    def kill(self) -> None:
        """End the incarnation that runs now."""
        self._scope.cancel(reason="killed from outside")


async def _wait_either(one: trio.Event, other: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, one)
        nursery.start_soon(wait, other)
