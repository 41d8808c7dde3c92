"""Who is kept running, and how many crashes are too many."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from .._base import Backoff
from ..supervision import ChildExited, ChildRestarting, Supervisor, child, open_supervisor, subtree
from ..telemetry import subscribe
from ._work import Work

__all__ = ["run_tree"]


async def run_tree(work: Work, report: Callable[[Work, Supervisor], Awaitable[None]]) -> None:
    """Have every file counted, and return when all are acknowledged."""
    # Long enough to be seen, but shorter where crashes are many: the demo should end.
    pause = min(0.25, 0.005 * work.workers / max(work.crash_rate, 0.01))
    backoff = Backoff(initial=pause, factor=1.0, jitter=0.0)
    names = [f"worker-{number}" for number in range(1, work.workers + 1)]
    workers = [child(work.tokenize, name=name, backoff=backoff) for name in names]
    # A file comes to a worker again after a crash of the collector, too.
    many = too_many(len(work.files) / (1 - work.collector_crash_rate), work.crash_rate)
    children = [
        child(work.feed, name="feeder"),
        subtree(workers, name="workers", max_restarts=many, within=math.inf),
        child(work.collect, name="collector", restart="transient", backoff=backoff),
    ]
    many = too_many(len(work.files), work.collector_crash_rate)
    demo = open_supervisor(children, name="demo", max_restarts=many, within=math.inf)
    with subscribe(work.hear, ChildExited, ChildRestarting):
        async with demo as tree:
            # Temporary: a broken display is no reason to stop the work.
            tree.start_soon(report, work, tree, name="reporter", restart="temporary")
            await work.finished.wait()


def too_many(files: float, crash_rate: float) -> int:
    """Return how many crashes to bear in a whole run.

    How many come in five seconds is up to the machine; how many come in all is not. A file
    goes round until nobody crashes, which takes p / (1 - p) crashes on average. More than six
    standard deviations above that, and the usual three, are no chance any more.
    """
    mean = files * crash_rate / (1 - crash_rate)
    return math.ceil(mean + 6 * math.sqrt(mean / (1 - crash_rate))) + 3
