"""How a restart compares with that of triotp's supervisor, which needs Python 3.13.

Its children are retried by tenacity, each by itself: it has one_for_one, and no order.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import trio

from ._runner import Finding, Plan, compare, take_turns
from .bench_supervision import Crasher, crashes_ours, unwritten_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager

    class NullHandler:
        """As much of it as is used here, for where logbook is not installed."""

        def applicationbound(self) -> AbstractContextManager[object]:
            """Take what is logged."""
            ...

    class restart_strategy:  # noqa: N801  # triotp calls it so
        """As much of it as is used here, for where triotp is not installed."""

        TRANSIENT: restart_strategy

    class child_spec:  # noqa: N801
        """As much of it as is used here, for where triotp is not installed."""

        def __init__(
            self,
            *,
            id: str,
            task: Callable[[], Awaitable[None]],
            args: Sequence[object],
            restart: restart_strategy,
        ) -> None: ...

    class options:  # noqa: N801
        """As much of it as is used here, for where triotp is not installed."""

        def __init__(self, *, max_restarts: int) -> None: ...

    async def start(children: Sequence[child_spec], opts: options) -> None:
        """Be a supervisor."""

else:
    from logbook import NullHandler
    from triotp.supervisor import child_spec, options, restart_strategy, start

__all__ = ["BENCHMARKS"]

TRIOTP = f"triotp {importlib.metadata.version('triotp')}"


async def crashes_theirs(count: int) -> None:
    """Have its supervisor start it again; what it logs goes nowhere, as ours does."""
    crasher = Crasher(count)
    worker = child_spec(id="worker", task=crasher.work, args=[], restart=restart_strategy.TRANSIENT)
    with NullHandler().applicationbound():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(start, [worker], options(max_restarts=count))
            await crasher.done.wait()


def crash_beside_triotp(plan: Plan) -> Finding:
    """How much longer does it take until a child that crashed runs again, than with triotp?

    The target is the one that ours has beside a nursery that is opened again.
    """
    count = plan.size(1_000, smoke=20)
    with unwritten_log():
        ours, theirs = take_turns(
            (crashes_ours, count), (crashes_theirs, count), rounds=plan.rounds()
        )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="crash to running again, beside triotp",
        figure=figure,
        target=3.0,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=TRIOTP,
        samples_in="us a crash",
        readings=readings,
    )


BENCHMARKS = (crash_beside_triotp,)
