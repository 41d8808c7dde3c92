"""Tests of processes whose child is ended at each step of its life, in each way there is.

`cancel_at_each_step` runs on virtual time, over which a process takes none. Here the same is
done in real time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress

import attrs
import pytest
import trio

from trio_foundation.supervision import (
    Child,
    ChildSpec,
    ChildStartFailed,
    Exit,
    ProcessExited,
    ProcessKilled,
    ProcessStarted,
    open_dynamic_supervisor,
    process_child,
)

from ._programs import children, descriptors, hearing

pytestmark = [pytest.mark.realtime, pytest.mark.everywhere]

# It says that it is ready, says more, and ends.
BRIEF = ["sh", "-c", "echo ready; echo more >&2"]


@attrs.define(eq=False)
class AtStep(trio.abc.Instrument):
    """Does something after so many steps of the tasks that are in the run."""

    left: int
    act: Callable[[], object] | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.act is not None:
            self.left -= 1
            if self.left < 0:
                act, self.act = self.act, None
                act()


async def live(steps: AtStep, way: str, spec: ChildSpec) -> Child[int] | None:
    """Run a process that ends by itself, or at the step."""
    with trio.CancelScope() as scope:
        async with open_dynamic_supervisor() as sup:

            def act() -> None:
                run = next((entry.run for entry in sup._dynamic.entries.values()), None)
                if run is None or way == "the block is left":
                    scope.cancel()
                elif way == "its time is over":
                    run.keeper.hurried = True
                    run.hurry()
                elif way == "it is cancelled":
                    run.cancel("of the test")
                else:
                    run.stop("of the test")

            steps.act = act
            process: Child[int] | None = None
            with suppress(ChildStartFailed):
                process = await sup.start_child(spec)
                await process.wait_exit()
            steps.act = None
            return process
    return None


@pytest.mark.parametrize(
    "way", ["it is asked", "it is cancelled", "its time is over", "the block is left"]
)
@pytest.mark.parametrize("ready_when", [None, "ready"], ids=["ready at once", "ready later"])
def test_a_process_that_is_ended_at_any_step_leaves_nothing(
    way: str, ready_when: str | None
) -> None:
    spec = process_child(BRIEF, restart="temporary", ready_when=ready_when)

    async def scenario(steps: AtStep) -> Exit | None:
        with hearing(ProcessStarted, ProcessExited) as heard:
            process = await live(steps, way, spec)
        assert [type(one) for one in heard] in ([], [ProcessStarted, ProcessExited])
        assert not children()
        return None if process is None else process.last_exit

    before = 0
    exit: Exit | None = None
    step = 0
    for step in itertools.count():
        steps = AtStep(step)
        exit = trio.run(scenario, steps, instruments=[steps])
        assert not children()
        assert descriptors() <= (before or descriptors())
        before = before or descriptors()
        if steps.left >= 0:
            break
        if exit is not None:
            assert exit.reason in {"returned", "stopped"}
            assert exit.error is None or isinstance(exit.error, ProcessKilled)
    assert step > 20
    assert exit is not None
    assert (exit.reason, exit.error) == ("returned", None)
