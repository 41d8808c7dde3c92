"""Tests of KeyboardInterrupt at any step of maps and tasks.

Run as a program, ``python -m tests.tasks.test_hostile_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import trio

import trio_foundation
from trio_foundation.tasks import (
    Limit,
    TaskEvent,
    TaskSupervisor,
    open_map,
    open_task_supervisor,
    parallel_map,
)
from trio_foundation.telemetry import subscribe

from ..supervision.attack import interrupted_program as sweep
from ._things import Failure, leaves_of

ROOT = Path(trio_foundation.__file__).parents[1]
# Where the tests are, which may be another place.
HERE = Path(__file__).parents[2]

supervisors: list[TaskSupervisor] = []


async def work(item: int) -> int:
    with sweep.counted():
        try:
            await trio.sleep(item % 3)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)
        if item == 4:
            raise Failure
        return item


async def work_together(item: int) -> None:
    with sweep.counted():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, item)
            nursery.start_soon(work, item + 1)


async def nest(item: int) -> None:
    with sweep.counted():
        await parallel_map(work, range(item), limit=2)


async def source() -> AsyncGenerator[int]:
    with sweep.counted():
        for item in range(6):
            await trio.sleep(0.1)
            yield item  # noqa: ASYNC119


def ignore(*_: object) -> None:
    pass


async def gather() -> None:
    with sweep.counted():
        await parallel_map(work, range(6), limit=2, on_progress=ignore)
        await parallel_map(nest, [2, 1], limit=2, timeout=1.5)
        await parallel_map(work, source(), limit=2, ordered=False)


async def stream() -> None:
    with sweep.counted():
        limit = Limit(1)
        async with open_map(work, range(9), limit=limit, buffer=1) as results:
            async for result in results:
                limit.value = 3
                if result.item == 6:
                    break
        try:
            async with open_map(work_together, source(), limit=2, on_error="raise") as results:
                async for _ in results:
                    pass
        except* Failure:
            pass


async def start(tasks: TaskSupervisor) -> None:
    with sweep.counted():
        task = tasks.start_soon(work, 1)
        other = tasks.start_soon(work_together, 1)
        await task.outcome()
        other.cancel()
        await other.outcome()
        tasks.start_soon(work, 4)


async def everything() -> None:
    try:
        with sweep.counted():
            async with open_task_supervisor(max_tasks=100) as tasks:
                supervisors.append(tasks)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(gather)
                    nursery.start_soon(stream)
                    nursery.start_soon(start, tasks)
            with subscribe(ignore, TaskEvent):
                async with open_task_supervisor() as tasks:
                    supervisors.append(tasks)
                    await parallel_map(work, [1, 2], limit=2)
                    await start(tasks)
    except BaseExceptionGroup as group:  # of the nurseries in here
        if {type(leaf) for leaf in leaves_of(group)} == {KeyboardInterrupt}:
            raise KeyboardInterrupt from None
        raise


def unlawful() -> list[str]:
    """Return the supervisors that have lost a task, as the run has ended."""
    return [f"{one!r} runs {one.running}" for one in supervisors if one.running or one.is_open]


def sweep_through(first: int, stride: int) -> int:
    failures = 0
    noise: list[Any] = []
    sys.unraisablehook = noise.append
    for due in itertools.count(first, stride):
        supervisors.clear()
        try:
            wrong = sweep.attempt(everything, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            return failures
        if due % 50 == 0:
            gc.collect()
        wrong = wrong or "; ".join([*unlawful(), *(str(one) for one in noise)])
        noise.clear()
        if wrong:
            failures += 1
            print(due, wrong, flush=True)  # noqa: T201  a program's answer
            if sweep.tally.hung or failures == 20:
                break
    return failures


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(1, 8), (5, 8)])
def test_an_interrupt_ends_a_program_of_maps_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-Wignore:coroutine:RuntimeWarning",  # between a call and its await it is too early
            "-m",
            "tests.tasks.test_hostile_interrupts",
            str(first),
            str(stride),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        timeout=45,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stderr == ""


if __name__ == "__main__":
    logging.disable()
    signal.signal(signal.SIGALRM, sweep.give_up)
    sys.exit(bool(sweep_through(int(sys.argv[1]), int(sys.argv[2]))))
