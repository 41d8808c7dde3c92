"""How servers compare with the generic servers of triotp, which needs Python 3.13."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.testing import wait_all_tasks_blocked

from ._runner import Finding, Plan, speed_up, take_turns
from .bench_messaging import Call, casts_ours, counter_ours, one_caller

if TYPE_CHECKING:
    from contextvars import ContextVar
    from types import ModuleType

    class Reply:
        """As much of it as is used here, for where triotp is not installed."""

        def __init__(self, payload: int) -> None: ...

    class NoReply:
        """As much of it as is used here, for where triotp is not installed."""

    async def start(module: ModuleType, init_arg: object, name: str) -> None:
        """Be a generic server."""

    async def triotp_call(name: str, payload: int) -> int:
        """Send a message, and wait for the answer."""
        ...

    async def triotp_cast(name: str, payload: int) -> None:
        """Send a message."""

    context_mailbox_registry: ContextVar[dict[str, object]]
    context_name_registry: ContextVar[dict[str, str]]

else:
    from triotp.gen_server import NoReply, Reply, call as triotp_call, cast as triotp_cast, start
    from triotp.mailbox import context_mailbox_registry, context_name_registry

__all__ = ["BENCHMARKS"]

TRIOTP = f"triotp {importlib.metadata.version('triotp')}"
NAME = "counter"


# The callbacks of the generic server whose state is a number


async def init(_: object) -> int:
    """Begin with nothing."""
    return 0


async def handle_call(amount: int, _: object, value: int) -> tuple[Reply, int]:
    """Add to the number; answer what it is then."""
    return Reply(value + amount), value + amount


async def handle_cast(amount: int, value: int) -> tuple[NoReply, int]:
    """Add to the number."""
    return NoReply(), value + amount


@asynccontextmanager
async def counter_of_triotp() -> AsyncGenerator[Call]:
    """Open a generic server, in this run rather than in a node with one of its own."""
    context_mailbox_registry.set({})
    context_name_registry.set({})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start, sys.modules[__name__], None, NAME)
        await wait_all_tasks_blocked()
        yield lambda amount: triotp_call(NAME, amount)
        nursery.cancel_scope.cancel()


async def casts_of_triotp(count: int) -> None:
    """Cast so many times, and wait until all are handled."""
    async with counter_of_triotp() as call:
        for _ in range(count):
            await triotp_cast(NAME, 1)
        await call(0)


def call_beside_triotp(plan: Plan) -> Finding:
    """How much faster is a call than the one of triotp?"""
    count = plan.size(1_000, smoke=50)
    ours, triotp = take_turns(
        (partial(one_caller, counter_ours), count),
        (partial(one_caller, counter_of_triotp), count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, triotp)
    return Finding(
        what="call, beside the one of triotp",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=triotp,
        beside=TRIOTP,
        samples_in="us a call",
        readings=readings,
    )


def cast_beside_triotp(plan: Plan) -> Finding:
    """How much faster is a cast than the one of triotp, all of them handled?

    A mailbox of triotp holds no messages: each cast waits until the server takes it.
    """
    count = plan.size(5_000, smoke=200)
    ours, triotp = take_turns((casts_ours, count), (casts_of_triotp, count), rounds=plan.rounds())
    figure, readings = speed_up(ours, triotp)
    return Finding(
        what="cast, beside the one of triotp",
        figure=figure,
        bound="at least",
        target=1.0,
        unit="x as fast",
        ours=ours,
        bare=triotp,
        beside=TRIOTP,
        samples_in="us a cast",
        readings=readings,
    )


BENCHMARKS = (call_beside_triotp, cast_beside_triotp)
