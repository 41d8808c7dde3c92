"""What type checkers have to refuse of workflows; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.workflows import (
    AtomicTransaction,
    Fate,
    Saga,
    SagaStep,
    SerialOperations,
    open_serial_operations,
)


async def withdraw(account: str, amount: int = 1) -> int:
    return len(account) - amount


async def receipt() -> str:
    return "receipt"


def sync() -> str:
    return "receipt"


async def batches(serial: SerialOperations) -> None:
    await serial.execute(receipt)  # type: ignore[arg-type]
    await serial.execute([receipt()])  # type: ignore[arg-type]
    await serial.execute([withdraw])  # type: ignore[list-item]
    await serial.execute([sync])  # type: ignore[arg-type]
    await serial.execute([(withdraw, "alice")])  # type: ignore[arg-type]
    await serial.execute([receipt], "t", "alice")  # type: ignore[call-arg]
    await serial.execute([receipt], key=["alice"])  # type: ignore[arg-type]
    done: tuple[str, ...] = ()
    await serial.execute([receipt], completed=done)  # type: ignore[arg-type]
    numbers: list[int] = await serial.execute([receipt])  # type: ignore[list-item]
    print(numbers)  # noqa: T201
    serial.execute([receipt])  # type: ignore[unused-coroutine]
    await serial.execute_with_retry([receipt], attempts="3")  # type: ignore[arg-type]
    await serial.execute_with_retry([receipt], backoff=1.0)  # type: ignore[arg-type]
    await serial.execute_with_retry([receipt], retry_on=KeyboardInterrupt)  # type: ignore[arg-type]


async def blocks() -> None:
    open_serial_operations()  # type: ignore[call-arg]
    open_serial_operations("ledger")  # type: ignore[call-arg]
    open_serial_operations(name="ledger", capacity=float("inf"))  # type: ignore[arg-type]
    with open_serial_operations(name="ledger"):  # type: ignore[attr-defined]
        pass
    AtomicTransaction(open_serial_operations(name="ledger"))  # type: ignore[arg-type]


async def too_much(a: int, b: int, c: int) -> None: ...


async def wrong_fate(room: str, fate: int) -> None: ...


async def sagas() -> None:
    Saga("trip", 5.0)  # type: ignore[call-arg]
    Saga().step("a")  # type: ignore[call-arg]
    Saga().step("a", sync)  # type: ignore[arg-type]
    Saga().step("a", receipt())  # type: ignore[arg-type]
    Saga().step("a", too_much)  # type: ignore[arg-type]
    Saga().step("a", receipt, too_much)  # type: ignore[arg-type]
    Saga().step("a", receipt, wrong_fate)  # type: ignore[arg-type]
    Saga().step("a", receipt, receipt, 5.0)  # type: ignore[call-arg, arg-type]
    Saga().step("a", receipt, retry=3)  # type: ignore[arg-type]
    Saga().parallel(("a", receipt))  # type: ignore[arg-type]
    SagaStep("a", receipt).name = "b"  # type: ignore[misc]
    Saga().dry_run("file")  # type: ignore[arg-type]
    (await Saga().run())["a"] = 5  # type: ignore[index]
    fate: Fate = "undone"  # type: ignore[assignment]
    print(fate)  # noqa: T201
