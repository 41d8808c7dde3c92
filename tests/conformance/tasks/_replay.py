"""One scenario as a map of ours, on a virtual clock.

===========================================  =============================================
Elixir                                       ours
===========================================  =============================================
``Task.Supervisor``, ``max_children``        `open_task_supervisor`, *max_tasks*
``async_stream_nolink``                      `open_map`, which collects errors
``async_stream``                             the same if the caller traps exits, else
                                             *on_error* is ``"raise"``
``max_concurrency``, ``timeout``             *limit*, *timeout*
any number of finished tasks                 *buffer* is infinite
``on_timeout: :exit``                        the caller unwraps a `TaskTimeout`
``zip_input_on_exit``                        the item that a `Failed` holds
``Stream.take``                              the consumer leaves the block
===========================================  =============================================

A failure of a map that raises ends its caller, whether it is a crash or a time-out. Where only
one of the two is to end it, the map collects both, and the caller unwraps that one.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from trio_foundation.tasks import (
    Failed,
    TaskFinished,
    TaskStarted,
    TaskTimeout,
    open_map,
    open_task_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._format import Json, Scenario
from ._journal import Handed, Journal, Seen, Told
from ._spelling import KILLED, NORMAL, Exit, error_of, exit_of

__all__ = ["replay"]

PATIENCE = 1e6
"""How long a scenario may take, in virtual milliseconds. The longest recorded takes 2000."""

MOMENT = 1 / 64
"""How much longer the consumer is busy than it says, in milliseconds.

What happens in the moment that it comes back is over before it leaves. Far below what the
recorded times are rounded to.
"""


def replay(scenario: Scenario, *, listening: bool = True) -> Seen:
    """Replay a scenario, and return what was seen.

    A millisecond of the recording takes a second of the clock, so that all sums are exact.

    Args:
        scenario: The scenario.
        listening: Whether to write down the events of the library, too.
    """
    clock = MockClock(autojump_threshold=0)
    return trio.run(_replay_listening if listening else _replay, scenario, clock=clock)


async def _replay_listening(scenario: Scenario) -> Seen:
    told = Told()
    with subscribe(told.hear, TaskStarted, TaskFinished):
        return await _replay(scenario, told)


async def _replay(scenario: Scenario, told: Told | None = None) -> Seen:
    journal = Journal(scenario.timeout, zips=scenario.zips, told=told)
    last = "done"
    outcome: Json = last
    with trio.fail_after(PATIENCE):
        async with open_task_supervisor(max_tasks=scenario.max_children) as tasks:
            caller = Caller(scenario, journal)
            try:
                async with open_map(
                    caller.work,
                    range(len(scenario.tasks)),
                    limit=scenario.max_concurrency,
                    timeout=None if math.isinf(scenario.timeout) else scenario.timeout,
                    ordered=scenario.ordered,
                    buffer=math.inf,
                    on_error="raise" if scenario.any_failure_is_fatal else "collect",
                    tasks=tasks,
                ) as results:
                    if scenario.take != 0:
                        await caller.consume(results)
            except Exception as error:  # noqa: BLE001  it is what we came for
                last, outcome = "caller_exit", ["exit", exit_of(error)]
            return journal.close(last, outcome)


@attrs.define(eq=False)
class Caller:
    """The functions of the caller of a stream."""

    scenario: Scenario
    journal: Journal

    async def work(self, i: int) -> int | Exit:
        """Be the task of an item."""
        script = self.scenario.tasks[i]
        self.journal.start(i)
        try:
            await trio.sleep(script.ms)
        except trio.Cancelled:
            self.journal.end(i, KILLED, "cancelled")
            raise
        if script.do == "ok":
            self.journal.end(i, NORMAL, "ok")
            return i
        error = error_of(script)
        if isinstance(error, Exit) and not script.fails and self.scenario.any_failure_is_fatal:
            self.journal.end(i, NORMAL, "ok", error)
            return error
        self.journal.end(i, script.reason, "failed", error)
        raise error

    async def consume(self, results: trio.abc.ReceiveChannel[Any]) -> None:
        """Take as many results as are wanted, and be busy with each."""
        taken = 0
        async for result in results:
            self._unwrap_if_fatal(result)
            self.journal.emit(result)
            if self.scenario.consumer_ms:
                await trio.sleep(self.scenario.consumer_ms + MOMENT)
            taken += 1
            if taken == self.scenario.take:
                break

    def _unwrap_if_fatal(self, result: Handed) -> None:
        if not isinstance(result, Failed):
            return
        if isinstance(result.error, TaskTimeout):
            is_fatal = self.scenario.timeout_is_fatal
        else:
            is_fatal = self.scenario.crash_is_fatal and self.scenario.tasks[result.item].fails
        if is_fatal:
            result.unwrap()
