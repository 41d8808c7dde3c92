"""Correct programs that do things in order: neither mypy nor pyright finds anything in here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, assert_type

import trio

from trio_foundation import Backoff
from trio_foundation.telemetry import subscribe
from trio_foundation.workflows import (
    AtomicTransaction,
    BatchFinished,
    Fate,
    Saga,
    SagaFailed,
    SagaResult,
    SagaStep,
    SerialOperationFailed,
    SerialOperations,
    SerialOperationsClosed,
    StepFinished,
    StepRetry,
    StepUndone,
    open_serial_operations,
)

A = TypeVarTuple("A")
R = TypeVar("R")


async def withdraw(account: str, amount: int = 1) -> int:
    return len(account) - amount


async def receipt() -> str:
    return "receipt"


# Serial operations


async def batches(serial: SerialOperations) -> None:
    one = partial(withdraw, "alice", 5)
    assert_type(await serial.execute([one, one]), list[int])
    assert_type(await serial.execute((receipt,), "t", key=("alice", 5)), list[str])
    assert_type(await serial.execute(partial(withdraw, name) for name in "ab"), list[int])
    mixed: list[Callable[[], Awaitable[int | str]]] = [one, receipt]
    assert_type(await serial.execute(mixed), list[int | str])
    await serial.execute([receipt, trio.sleep_forever])
    completed: list[str] = []
    assert_type(await serial.execute([receipt], completed=completed), list[str])
    await serial.execute_with_retry([receipt], completed=completed)
    await serial.execute([])
    answer = await serial.execute_with_retry(
        [receipt], "t", attempts=5, backoff=Backoff(initial=1), retry_on=(OSError, ValueError)
    )
    assert_type(answer, list[str])


async def blocks() -> None:
    async with open_serial_operations(name="ledger", capacity=10) as serial:
        assert_type(serial, SerialOperations)
        assert_type(serial.statistics().waiting, int)
        try:
            assert_type(await AtomicTransaction(serial).execute([receipt]), list[str])
        except SerialOperationFailed as failed:
            assert_type(failed.error, Exception)
            assert_type(failed.completed, list[Any])
        except SerialOperationsClosed as closed:
            assert_type(closed.completed, list[Any])


# Sagas


async def book() -> str:
    return "room 5"


async def pay(results: Mapping[str, Any]) -> int:
    return len(results)


async def release() -> None: ...


async def cancel(room: str | None) -> None: ...


async def look_after(room: str | None, fate: Fate) -> bool:
    return fate == "unknown"


class Twice:
    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        try:
            return await async_fn(*args)
        except OSError:
            return await async_fn(*args)


async def sagas() -> None:
    trip = Saga("trip", undo_timeout=5.0)
    assert_type(trip.step("hotel", book, cancel), Saga)
    trip.step("a", book).step("b", book, release).step("c", book, look_after, undo_timeout=1)
    trip.step("d", pay, cancel, retry=Twice()).step("e", partial(withdraw, "alice"))
    trip.parallel(SagaStep("f", book, look_after), SagaStep("g", pay, retry=Twice()))
    trip.dry_run()
    trip.dry_run(print)
    retry: StepRetry = Twice()
    trip.step("h", book, retry=retry)
    try:
        result = await trip.run()
    except SagaFailed as failed:
        assert_type(failed.error, BaseException)
        assert_type(failed.undo_errors, tuple[BaseException, ...])
        assert_type(failed.fates, Mapping[str, Fate])
    else:
        assert_type(result, SagaResult)
        assert_type(result.results, Mapping[str, Any])


def listen(event: BatchFinished | StepFinished | StepUndone) -> None:
    if isinstance(event, BatchFinished):
        assert_type(event.queued_for, float)
    else:
        assert_type(event.fate, Fate)


async def listening() -> None:
    with subscribe(listen, BatchFinished, StepFinished, StepUndone):
        await blocks()
