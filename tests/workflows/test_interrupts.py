"""Tests of KeyboardInterrupt at any step of batches and sagas.

Run as a program, ``python -m tests.workflows.test_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

import trio_foundation
from trio_foundation.telemetry import Event, subscribe
from trio_foundation.workflows import (
    Saga,
    SagaFailed,
    SagaStep,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    open_serial_operations,
)

from ..supervision.attack import interrupted_program as sweep
from ._things import Failure, leaves_of

ROOT = Path(trio_foundation.__file__).parents[1]
# Where the tests are, which may be another place.
HERE = Path(__file__).parents[2]

made: list[SerialOperations] = []
begun: list[str] = []
undone: list[str] = []


async def work(seconds: float, error: Exception | None = None) -> None:
    with sweep.counted():
        await trio.sleep(seconds)
        if error is not None:
            raise error


async def execute(serial: SerialOperations, *operations: Any) -> None:
    with sweep.counted(), suppress(SerialOperationFailed, SerialOperationsClosed):
        await serial.execute(operations)


async def go_through_batches() -> None:
    async with trio.open_nursery() as nursery:
        async with open_serial_operations(name="s") as serial:
            made.append(serial)
            for _ in range(2):
                nursery.start_soon(execute, serial, partial(work, 1), partial(work, 0))
            nursery.start_soon(execute, serial, partial(work, 0, Failure()))
            with trio.move_on_after(0.5):
                await execute(serial, partial(work, 1))
            await trio.sleep(1)
            serial.statistics()


async def do(name: str, seconds: float, error: Exception | None = None) -> str:
    begun.append(name)
    await work(seconds, error)
    return name


async def undo(name: str) -> None:
    with sweep.counted():
        undone.append(name)
        await trio.sleep(0.1)


async def go_through_sagas() -> None:
    saga = Saga("s").step("a", partial(do, "a", 0.1), partial(undo, "a"))
    steps = [SagaStep(name, partial(do, name, 0.1), partial(undo, name)) for name in "bc"]
    saga.parallel(*steps).step("d", partial(do, "d", 0, Failure()), partial(undo, "d"))
    with sweep.counted(), suppress(SagaFailed):
        await saga.run()


async def everything() -> None:
    told: list[Event] = []
    try:
        with subscribe(told.append):
            await go_through_sagas()
            await go_through_batches()
    except BaseExceptionGroup as group:  # of the nurseries in here
        if {type(leaf) for leaf in leaves_of(group)} == {KeyboardInterrupt}:
            raise KeyboardInterrupt from None
        raise


def unlawful() -> list[str]:
    """Return what was lost, as the run has ended."""
    wrong = [repr(one) for one in made if one._lines.waiting or len(one._lines) or one._parked]
    # A step begins before its own first line, and the same goes for an undo.
    if len(set(begun) - set(undone)) > 1:
        wrong.append(f"{begun} began, {undone} undone")
    return wrong


def sweep_through(first: int, stride: int) -> int:
    failures = 0
    noise: list[object] = []
    sys.unraisablehook = noise.append
    for due in itertools.count(first, stride):
        for seen in (made, begun, undone):
            seen.clear()
        try:
            wrong = sweep.attempt(everything, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            return failures
        wrong = wrong or "; ".join([*unlawful(), *(str(one) for one in noise)])
        noise.clear()
        if wrong:
            failures += 1
            print(due, wrong, flush=True)  # noqa: T201  a program's answer
            if sweep.tally.hung or failures == 20:
                break
    return failures


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(3, 17), (11, 17)])
def test_an_interrupt_ends_a_program_of_batches_and_sagas_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-Wignore:coroutine:RuntimeWarning",  # between a call and its await it is too early
            "-m",
            "tests.workflows.test_interrupts",
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
