"""Cancelling at one step after the other.

A function right when cancelled in a wait may be wrong in the very tick in which the wait ends.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, TypeAlias, final, get_args

import attrs
import outcome
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from .._base import check_async_fn, check_choice, check_count, check_seconds
from ._schedule import seeded
from ._tasks import running_tasks, whereabouts

__all__ = ["CancelAttempt", "CancelledBy", "cancel_at_each_step"]

LOGGER = logging.getLogger("trio_foundation.testing")

CancelledBy: TypeAlias = Literal["cancel", "deadline"]
"""How a scope is cancelled: by ``cancel()``, or by a deadline that has come.

Example:
    >>> by: CancelledBy = "deadline"
"""


@final
class CancelAttempt:
    """One run of a scenario, cancelled at one step; `cancel_at_each_step` makes it.

    Write ``with attempt:`` around what is to be cancelled, then ask what became of it.

    Example:
        >>> import trio
        >>> async def scenario(attempt):
        ...     with attempt:
        ...         await trio.sleep(1)
        ...     print(attempt.step, attempt.caught, attempt.finished)
        >>> steps = cancel_at_each_step(scenario)
        0 True False
        1 True False
        2 True False
        3 False True
    """

    def __init__(self, bell: _Bell, by: CancelledBy = "cancel") -> None:
        self._bell = bell
        self._by = by
        self._scope = trio.CancelScope()
        self._finished = False

    @property
    def step(self) -> int:
        """The step at which the block is cancelled; 0 is before it begins."""
        return self._bell.step

    @property
    def cancelled(self) -> bool:
        """Whether the block lasted long enough to be cancelled."""
        return self._bell.has_rung

    @property
    def caught(self) -> bool:
        """Whether that ended the block, by a `trio.Cancelled` in it."""
        return self._scope.cancelled_caught

    @property
    def finished(self) -> bool:
        """Whether the block came to its end, cancelled or not."""
        return self._finished

    def __repr__(self) -> str:
        return f"<CancelAttempt at step {self.step}>"

    @contextmanager
    def calling(self, function: Callable[[], object]) -> Generator[None]:
        """Call a function at the step, instead of cancelling the block.

        For other ways to end something: ``task.cancel``, ``supervisor.shutdown``, or the ``cancel``
        of another task's scope.

        Args:
            function: A plain function of no arguments. Its error comes out by the end of the run.

        Yields:
            None.

        Example:
            >>> import trio
            >>> from trio_foundation.tasks import open_task_supervisor
            >>> async def scenario(attempt):
            ...     async with open_task_supervisor() as tasks:
            ...         task = tasks.start_soon(trio.sleep, 1)
            ...         with attempt.calling(task.cancel):
            ...             await task.outcome()
            ...     assert task.done
            >>> steps = cancel_at_each_step(scenario)
        """
        self._finished = False
        with self._bell.armed(function):
            yield
            self._finished = True

    def __enter__(self) -> CancelAttempt:
        self._bell.check_free()
        self._finished = False
        self._scope = trio.CancelScope()
        self._scope.__enter__()
        self._bell.arm(self._cancel)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._bell.disarm()
        self._finished = exc_type is None
        return bool(self._scope.__exit__(exc_type, exc, traceback))

    def _cancel(self) -> None:
        if self._by == "deadline":
            self._scope.deadline = trio.current_time()
            _ = self._scope.cancel_called  # asked, it looks at its deadline at once
        else:
            self._scope.cancel(reason=f"cancel_at_each_step: step {self.step}")


@attrs.define(eq=False)
class _Bell:
    """Rings once, at a moment at which the block can be cancelled."""

    step: int
    left: int = attrs.field(init=False)
    """How many moments come before."""

    act: Callable[[], object] | None = None
    """What to do then; None outside the block."""

    was_armed: bool = False
    has_rung: bool = False
    where: str = "before the block begins"

    def __attrs_post_init__(self) -> None:
        self.left = self.step

    def check_free(self) -> None:
        if self.act is not None:
            raise RuntimeError("this attempt is in a block already: leave it before the next one")

    def arm(self, act: Callable[[], object]) -> None:
        """Begin the block: a moment, too."""
        self.act = act
        self.was_armed = True
        self.count(None)

    def disarm(self) -> None:
        self.act = None

    @contextmanager
    def armed(self, act: Callable[[], object]) -> Generator[None]:
        self.check_free()
        try:
            self.arm(act)
            yield
        finally:
            self.disarm()

    def count(self, task: trio.lowlevel.Task | None, when: str = "") -> None:
        if self.act is None or self.has_rung:
            return
        if self.left > 0:
            self.left -= 1
            return
        self.has_rung = True
        if task is not None:
            self.where = f"{when} a step of {whereabouts(task)}"
        self.act()


@attrs.define(eq=False)
class _Steps(trio.abc.Instrument):
    """Tells a bell of each moment of the run; all that can happen lies between two.

    Moments are the ends of tasks' steps, and the beginnings of ticks: between two ticks the loop
    wakes those whose time has come.
    """

    bell: _Bell
    error: BaseException | None = None
    tick_begins: bool = False

    def after_io_wait(self, timeout: float) -> None:
        self.tick_begins = True

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.tick_begins:
            self.tick_begins = False
            self._count(task, "before")

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._count(task, "after")

    def _count(self, task: trio.lowlevel.Task, when: str) -> None:
        try:
            self.bell.count(task, when)
        except BaseException as error:  # noqa: ASYNC103, BLE001  Trio would only log it
            self.error = error


def cancel_at_each_step(
    scenario: Callable[[CancelAttempt], Awaitable[object]],
    *,
    check: Callable[[CancelAttempt], object] | None = None,
    by: CancelledBy = "cancel",
    only: int | None = None,
    seed: int = 0,
    timeout: float = 1_000_000.0,
) -> int:
    """Run a scenario again and again, and cancel a block of it a step later each time.

    The block is cancelled before it begins, then after each step of any task and whenever time has
    passed; in the last run it is over before. The rest of the scenario is left alone.

    Each run is a `trio.run` of its own, on virtual time: call this from a plain test, and keep
    threads and processes, which take real time, out of the scenario.

    Args:
        scenario: An async function of the `CancelAttempt`, with one ``with attempt:`` in it; it
            has to end if not cancelled.
        check: A plain function of the attempt, called after each run.
        by: How the block is cancelled.
        only: The one step to cancel at, to see a failure again; by default all.
        seed: The order of tasks that are ready at the same time.
        timeout: After how many virtual seconds a run counts as hanging.

    Returns:
        How many steps there are; with *only*, 1 if it is one of them, else 0.

    Raises:
        TypeError: *scenario* is no async function, or a number is none.
        ValueError: *by* is neither of the two, or a number is out of range.
        AssertionError: A run hangs; shows where each task is. Errors of *scenario* and *check*
            come out as they are, with a note of the step.
        RuntimeError: No ``with attempt:`` in the scenario; a call within a Trio run; a version of
            Trio that cannot be seeded.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import open_mailbox
        >>> async def scenario(attempt):
        ...     orders, mailbox = open_mailbox(1)
        ...     with attempt:
        ...         await orders.send("an apple")
        ...     assert mailbox.statistics().used == (0 if attempt.caught else 1)
        >>> cancel_at_each_step(scenario)
        3
    """
    check_async_fn("cancel_at_each_step", scenario)
    check_choice("by", by, get_args(CancelledBy))
    check_seconds("timeout", timeout, above_zero=True)
    check_count("seed", seed)
    if only is not None:
        check_count("only", only)
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "cancel_at_each_step starts Trio itself, so it cannot be called within a Trio run: "
            "call it from a plain function, def test_...(), not from async def test_...()"
        )
    for step in itertools.count() if only is None else [only]:
        bell = _Bell(step)
        attempt = CancelAttempt(bell, by)
        try:
            with seeded(seed):
                _run(scenario, attempt, bell, timeout)
            if check is not None:
                check(attempt)
        except BaseException as error:
            if bell.has_rung:
                error.add_note(
                    f"cancelled at step {step}, {bell.where}; "
                    f"to see it again: cancel_at_each_step(..., only={step})"
                )
            raise
        if not bell.has_rung:
            return step if only is None else 0
    return 1


def _run(
    scenario: Callable[[CancelAttempt], Awaitable[object]],
    attempt: CancelAttempt,
    bell: _Bell,
    timeout: float,  # noqa: ASYNC109
) -> None:
    steps = _Steps(bell)
    clock = MockClock(autojump_threshold=0)
    trio.run(_watch, scenario, attempt, timeout, clock=clock, instruments=[steps])
    if steps.error is not None:
        raise steps.error
    if not bell.was_armed:
        raise RuntimeError(
            "the scenario was not cancelled anywhere: write `with attempt:` around what is to be "
            "cancelled, where attempt is its argument"
        )


async def _watch(
    scenario: Callable[[CancelAttempt], Awaitable[object]],
    attempt: CancelAttempt,
    timeout: float,  # noqa: ASYNC109
) -> None:
    """Run the scenario in this task, and see that it ends."""
    hangs: list[str] = []
    watching = trio.CancelScope(shield=True)

    async def give_up() -> None:
        await trio.sleep(timeout)
        own = trio.lowlevel.current_task()
        hangs.extend(whereabouts(task) for task in running_tasks() if task is not own)
        nursery.cancel_scope.cancel(reason="cancel_at_each_step: it hangs")
        with watching:
            await trio.sleep(timeout)
        if not watching.cancel_called:
            LOGGER.critical("it hangs, and cannot be cancelled:\n    %s", "\n    ".join(hangs))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up, name="cancel_at_each_step")
        await wait_all_tasks_blocked()  # Trio's own tasks, too, have begun
        # Its error is to come out as it is, and the nursery would put it into a group.
        result = await outcome.acapture(scenario, attempt)
        nursery.cancel_scope.cancel()
        watching.cancel()
    if hangs:
        where = "\n    ".join(hangs)
        raise AssertionError(f"it still runs after {timeout:g} virtual seconds:\n    {where}")
    result.unwrap()
