"""What has to hold whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

import attrs

from ..agents import CoordinatorStatistics
from ..cache import CacheStatistics
from ..messaging import MailboxStatistics
from ..resilience import BreakerStatistics
from ..supervision import ChildEvent, ChildExited, ChildReady, ChildStarted, ChildStopping
from ..telemetry import Event
from ..workflows import SerialStatistics
from ._capture import listed
from ._tasks import running_tasks, whereabouts

__all__ = ["Counted", "assert_conserved", "assert_no_tasks_left", "assert_stopped_in_order"]


# Tasks


@contextmanager
def assert_no_tasks_left() -> Generator[Callable[[], None]]:
    """Assert that a block leaves no task behind, in the whole Trio run.

    Older tasks may stay. If the block raises, its error goes on and nothing is asserted.

    Yields:
        A function of no arguments, which asserts the same in the middle of the block.

    Raises:
        AssertionError: A task is left; shows the name and the line of each.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import open_supervisor
        >>> async def main():
        ...     with assert_no_tasks_left():
        ...         async with open_supervisor() as sup:
        ...             sup.start_soon(trio.sleep_forever)
        >>> trio.run(main)
    """
    before = set(running_tasks())

    def check() -> None:
        left = [task for task in running_tasks() if task not in before]
        if left:
            many = "1 task is" if len(left) == 1 else f"{len(left)} tasks are"
            raise AssertionError("\n    ".join([f"{many} left:", *map(whereabouts, left)]))

    yield check
    check()


# Figures

# What is counted, and all that may become of it.
LAWS: dict[type, tuple[str, tuple[str, ...]]] = {
    MailboxStatistics: ("sent", ("received", "dropped", "used")),
    BreakerStatistics: (
        "calls",
        ("succeeded", "failed", "ignored", "cancelled", "stale", "in_flight"),
    ),
    CacheStatistics: ("puts", ("held", "replaced", "deletes", "evictions", "expirations")),
    SerialStatistics: ("batches", ("done", "failed", "cancelled", "closed", "running", "waiting")),
    CoordinatorStatistics: (
        "messages",
        (
            "delivered",
            "failed",
            "cancelled",
            "dead_lettered",
            "returned",
            "buffered",
            "in_flight",
        ),
    ),
}


class Counted(Protocol):
    """What has figures that have to add up.

    A `trio_foundation.messaging.Mailbox`, `trio_foundation.messaging.Address` or
    `trio_foundation.messaging.Ref`, `trio_foundation.resilience.CircuitBreaker`,
    `trio_foundation.cache.Cache`, `trio_foundation.workflows.SerialOperations` or
    `trio_foundation.agents.Coordinator`.

    Example:
        >>> from trio_foundation.messaging import open_mailbox
        >>> def both_add_up(one: Counted, other: Counted) -> None:
        ...     assert_conserved(one)
        ...     assert_conserved(other)
        >>> both_add_up(*open_mailbox(10))
    """

    def statistics(
        self,
    ) -> (
        MailboxStatistics
        | BreakerStatistics
        | CacheStatistics
        | SerialStatistics
        | CoordinatorStatistics
    ):
        """Return the present figures."""
        ...


def assert_conserved(counted: Counted) -> None:
    """Assert, at any moment, that whatever went in has come out, or is in there still.

    Of a mailbox, an address or a ref: ``sent == received + dropped + used``. Of the others: what
    the docstring of their statistics promises.

    Args:
        counted: One of those that `Counted` lists.

    Raises:
        AssertionError: The figures do not add up; shows them.
        TypeError: It has no such figures.

    Example:
        >>> from trio_foundation.messaging import open_mailbox
        >>> orders, mailbox = open_mailbox(1, overflow="drop_oldest")
        >>> orders.send_nowait("an apple")
        >>> orders.send_nowait("two apples")
        >>> assert_conserved(mailbox)
    """
    ask = getattr(counted, "statistics", None)
    statistics: object = ask() if callable(ask) else None
    if type(statistics) not in LAWS:
        raise TypeError(
            "assert_conserved takes a mailbox, an address, a ref, a circuit breaker, a cache, "
            f"serial operations or a coordinator, not {counted!r}"
        )
    whole, parts = LAWS[type(statistics)]
    before = getattr(statistics, whole)
    after = {part: getattr(statistics, part) for part in parts}
    missing = before - sum(after.values())
    if missing:
        fate = f"{missing} lost" if missing > 0 else f"{-missing} too many"
        told = " + ".join(f"{value} {part}" for part, value in after.items())
        raise AssertionError(f"{counted!r}: {before} {whole}, but {told}: {fate}")


# Order

# These stops are made one after the other; not so one that was ordered, of a child that does
# not answer, or in a hurry.
IN_ORDER = frozenset(
    {"auto_shutdown", "failed", "finished", "one_for_all", "rest_for_one", "shutdown"}
)


def assert_stopped_in_order(events: Iterable[Event], supervisor: str | None = None) -> None:
    """Assert that a supervisor has stopped its children newest first, one after the other.

    At the end of a supervisor, and in a group restart, a child is asked to stop only when no newer
    one runs and the one before it is gone. A child that ``stop_child`` stopped does not count; a
    start that the end cuts short comes first. Not for a
    `trio_foundation.supervision.DynamicSupervisor`, which stops all at once.

    Args:
        events: What was captured, from before the supervisor was opened: all, or each
            `trio_foundation.supervision.ChildEvent`.
        supervisor: Its path, ``app/web``; not needed if there is only one.

    Raises:
        AssertionError: Another order, or no child was stopped.
        ValueError: *supervisor* is left out and there are several, or none.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import ChildEvent, child, open_supervisor
        >>> async def main():
        ...     tree = [child(trio.sleep_forever, name=name) for name in ("a", "b")]
        ...     with capture_events(ChildEvent) as events:
        ...         async with open_supervisor(tree):
        ...             pass
        ...     assert_stopped_in_order(events)
        >>> trio.run(main)
    """
    told = [event for event in events if isinstance(event, ChildEvent)]
    path = _only_supervisor(told) if supervisor is None else supervisor
    of_it = [event for event in told if event.supervisor == path]
    course = _Course(tells_ready=any(isinstance(event, ChildReady) for event in of_it))
    for event in of_it:
        wrong = course.follow(event)
        if wrong:
            raise AssertionError(f"supervisor {path!r}: {wrong}\n{listed(of_it)}")
    if not course.stops:
        raise AssertionError(
            f"supervisor {path!r} stopped no child; capture ChildEvent from before it is opened "
            f"until it has closed\n{listed(of_it)}"
        )


def _only_supervisor(events: list[ChildEvent]) -> str:
    paths = sorted({event.supervisor for event in events})
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise ValueError(
            "the events are of no supervisor: write `with capture_events(ChildEvent) as events:` "
            "around open_supervisor"
        )
    raise ValueError(
        f"the events are of {', '.join(map(repr, paths))}: say which, as in "
        f"assert_stopped_in_order(events, {paths[0]!r})"
    )


@attrs.define(eq=False)
class _Course:
    """Who runs, as the events tell."""

    tells_ready: bool
    """Whether events tell who is ready; else all are."""

    order: list[str] = attrs.field(factory=list[str])
    """All started, oldest first; who is restarted keeps its place."""

    running: set[str] = attrs.field(factory=set[str])
    starting: set[str] = attrs.field(factory=set[str])
    last: str | None = None
    """Who was stopped last, while it is not gone."""

    stops: int = 0

    def follow(self, event: ChildEvent) -> str | None:
        """Note an event; return what is wrong with it."""
        if isinstance(event, ChildStarted):
            self._start(event)
        elif isinstance(event, ChildReady):
            self.starting.discard(event.child)
        elif isinstance(event, ChildExited):
            self.running.discard(event.child)
            self.starting.discard(event.child)
            if self.last == event.child:
                self.last = None
        elif isinstance(event, ChildStopping) and event.cause in IN_ORDER:
            return self._stop(event)
        return None

    def _start(self, event: ChildStarted) -> None:
        self.running.add(event.child)
        if self.tells_ready:
            self.starting.add(event.child)
        if event.incarnation == 1 and event.child in self.order:
            self.order.remove(event.child)  # another child of that name
        if event.child not in self.order:
            self.order.append(event.child)

    def _stop(self, event: ChildStopping) -> str | None:
        if event.child not in self.order:
            return f"{event.child!r} was stopped, and its start was not captured"
        self.stops += 1
        before, self.last = self.last, event.child
        if before is not None:
            return f"{event.child!r} was stopped while {before!r}, stopped before it, still ran"
        if event.child in self.starting:
            return None
        newer = self.order[self.order.index(event.child) + 1 :]
        newer = [name for name in newer if name in self.running]
        if newer:
            return (
                f"{event.child!r} was stopped ({event.cause}) before {newer[-1]!r}, which is newer"
            )
        return None
