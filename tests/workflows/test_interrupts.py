"""Tests of KeyboardInterrupt at any step of batches and sagas.

Run as a program, ``python -m tests.workflows.test_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

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

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep
from ._things import Failure, leaves_of

made: list[SerialOperations] = []
begun: list[str] = []
undone: list[str] = []


async def work(seconds: float, error: Exception | None = None) -> None:
    with counted():
        await trio.sleep(seconds)
        if error is not None:
            raise error


async def execute(serial: SerialOperations, *operations: Any) -> None:
    with counted(), suppress(SerialOperationFailed, SerialOperationsClosed):
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
    with counted():
        undone.append(name)
        await trio.sleep(0.1)


async def go_through_sagas() -> None:
    saga = Saga("s").step("a", partial(do, "a", 0.1), partial(undo, "a"))
    steps = [SagaStep(name, partial(do, name, 0.1), partial(undo, name)) for name in "bc"]
    saga.parallel(*steps).step("d", partial(do, "d", 0, Failure()), partial(undo, "d"))
    with counted(), suppress(SagaFailed):
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


def forget() -> None:
    for seen in (made, begun, undone):
        seen.clear()


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(3, 17), (11, 17)])
def test_an_interrupt_ends_a_program_of_batches_and_sagas_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.workflows.test_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=forget, disorder=unlawful)
