"""What it costs to run things in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from trio_foundation.workflows import Saga, SerialOperations, open_serial_operations

from ._runner import Finding, Plan, compare, take_turns

__all__ = ["BENCHMARKS", "work"]


async def work() -> int:
    """Be an operation; there is nothing to wait for in it, so only the way there counts."""
    return 1


# Serial operations


async def batches_ours(count: int) -> None:
    """Execute batches of one operation; nobody else wants to."""
    async with open_serial_operations(name="ledger") as serial:
        for _ in range(count):
            await serial.execute([work])


async def batches_of_keys(count: int) -> None:
    """Execute each for a key of its own, under a name that is given."""
    async with open_serial_operations(name="ledger") as serial:
        for number in range(count):
            await serial.execute([work], "order", key=number)


async def locks_bare(count: int) -> None:
    """Call under a lock."""
    lock = trio.Lock()
    for _ in range(count):
        async with lock:
            await work()


def batch(plan: Plan) -> Finding:
    """How much longer does a batch of one operation take than a call under a `trio.Lock`?

    Told as well is a batch with a key of its own each time, for which a line is made and dropped.
    """
    count = plan.size(20_000, smoke=50)
    ours, bare, keys = take_turns(
        (batches_ours, count), (locks_bare, count), (batches_of_keys, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    readings |= {"x bare, each with a key of its own": compare(keys, bare)[0]}
    return Finding(
        what="serial batch of one operation",
        figure=figure,
        target=1.3,
        unit="x a trio.Lock and a call",
        ours=ours,
        bare=bare,
        samples_in="us a batch",
        readings=readings,
    )


CROWD = 100
"""How many tasks want the same line."""


async def crowds_ours(count: int) -> None:
    """Have many tasks execute batches of one line, each of which waits for its turn."""
    async with open_serial_operations(name="ledger") as serial, trio.open_nursery() as nursery:
        for _ in range(CROWD):
            nursery.start_soon(batches_of, serial, count // CROWD)


async def batches_of(serial: SerialOperations, count: int) -> None:
    """Execute so many batches."""
    for _ in range(count):
        await serial.execute([work])


async def crowds_bare(count: int) -> None:
    """Have many tasks call under one lock, each of which waits for its turn."""
    lock = trio.Lock()
    async with trio.open_nursery() as nursery:
        for _ in range(CROWD):
            nursery.start_soon(calls_under, lock, count // CROWD)


async def calls_under(lock: trio.Lock, count: int) -> None:
    """Call so many times."""
    for _ in range(count):
        async with lock:
            await work()


def batch_in_a_crowd(plan: Plan) -> Finding:
    """How much longer does a batch take than a call under a lock, if a hundred tasks wait?"""
    count = plan.size(20_000, smoke=CROWD)
    ours, bare = take_turns((crowds_ours, count), (crowds_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="serial batch of one operation, with a hundred that wait",
        figure=figure,
        target=1.6,
        unit="x a trio.Lock and a call",
        ours=ours,
        bare=bare,
        samples_in="us a batch",
        readings=readings,
    )


OPERATIONS = 1_000
"""How many there are in a long batch."""


async def long_batches_ours(count: int) -> None:
    """Execute batches of many operations."""
    operations = [work] * OPERATIONS
    async with open_serial_operations(name="ledger") as serial:
        for _ in range(count // OPERATIONS):
            await serial.execute(operations)


async def long_batches_bare(count: int) -> None:
    """Call many times under a lock, and look each time whether that is cancelled."""
    lock = trio.Lock()
    for _ in range(count // OPERATIONS):
        async with lock:
            results: list[int] = []
            for _ in range(OPERATIONS):
                await trio.lowlevel.checkpoint_if_cancelled()
                results.append(await work())


def operation_of_a_long_batch(plan: Plan) -> Finding:
    """How much longer does each operation of a batch of a thousand take than in a loop?"""
    count = plan.size(100_000, smoke=OPERATIONS)
    ours, bare = take_turns(
        (long_batches_ours, count), (long_batches_bare, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what="operation in a batch of a thousand",
        figure=figure,
        target=2.0,
        unit="x a loop under a trio.Lock",
        ours=ours,
        bare=bare,
        samples_in="us an operation",
        readings=readings,
    )


# Sagas

STEPS = 5
"""How many there are in a saga."""


async def sagas_ours(count: int) -> None:
    """Run sagas of a few steps, none of which fails."""
    saga = Saga()
    for number in range(STEPS):
        saga.step(f"step {number}", work, work)
    for _ in range(count):
        await saga.run()


async def sagas_bare(count: int) -> None:
    """Do the same steps by hand, and remember how to undo them."""
    for _ in range(count):
        await trio.lowlevel.checkpoint()
        undos: list[Callable[[], Awaitable[object]]] = []
        results: dict[str, int] = {}
        try:
            for number in range(STEPS):
                await trio.lowlevel.checkpoint_if_cancelled()
                undos.append(work)
                results[f"step {number}"] = await work()
        except BaseException:
            with trio.CancelScope(shield=True, relative_deadline=30):
                for undo in reversed(undos):
                    await undo()
            raise


def saga_of_five_steps(plan: Plan) -> Finding:
    """How much does a saga add to its five steps, when none of them fails?"""
    count = plan.size(3_000, smoke=20)
    ours, bare = take_turns((sagas_ours, count), (sagas_bare, count), rounds=plan.rounds())
    by_round = [a - b for a, b in zip(ours.values, bare.values, strict=True)]
    return Finding(
        what="saga of five steps that succeeds",
        figure=max(ours.median - bare.median, sorted(by_round)[len(by_round) // 2]),
        target=50.0,
        unit="us above the same by hand",
        ours=ours,
        bare=bare,
        samples_in="us a saga",
    )


BENCHMARKS = (batch, batch_in_a_crowd, operation_of_a_long_batch, saga_of_five_steps)
