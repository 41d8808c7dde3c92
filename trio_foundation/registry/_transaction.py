"""Changes that are made all together or not at all.

To undo them is sound only while nobody else runs, so who awaits in between is found out.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeAlias, cast, final

import trio
from trio.lowlevel import current_task, enable_ki_protection, in_trio_task

from ._entry import Entry
from ._events import Registered, Unregistered, UnregisteredBy, Updated

__all__ = ["AWAITED", "AnyEntry", "Change", "Journal", "Step", "Transaction"]

AnyEntry: TypeAlias = Entry[Any, Any]

Change: TypeAlias = Registered | Updated | Unregistered
"""A change of an entry."""

AWAITED = (
    "other tasks could run in the midst of a transaction, so it was undone: do not await within "
    "`with registry.transaction()`; get everything ready before"
)


class Step(NamedTuple):
    """One change; of an entry before and after, either may be missing."""

    kind: type[Change]
    before: AnyEntry | None
    after: AnyEntry | None
    by: UnregisteredBy

    @property
    def serial(self) -> int:
        """Its entry's number."""
        entry = self.before if self.after is None else self.after
        assert entry is not None
        return entry.serial


class Journal(Protocol):
    """What keeps transactions."""

    transaction: Transaction | None
    """The innermost open one."""

    def check_transaction(self) -> None: ...

    def undo(self, steps: list[Step]) -> None: ...

    def tell(self, steps: list[Step]) -> None: ...


class _Mark:
    """Carried by a task until another has run."""


@final
class Transaction:
    """The block of a transaction."""

    __slots__ = (
        "_journal",
        "_mark",
        "_task",
        "_was_entered",
        "is_broken",
        "is_open",
        "outer",
        "steps",
    )

    outer: Transaction | None
    """The one around it."""

    steps: list[Step]
    """Its changes, in order."""

    is_open: bool
    """Whether the block is open."""

    is_broken: bool
    """Whether it is undone, since another task changed the registry."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._task: trio.lowlevel.Task | None = None
        self._mark: object = None
        self._was_entered = self.is_open = self.is_broken = False
        self.outer = None
        self.steps = []

    @property
    def is_ours(self) -> bool:
        """Whether it is the running task's."""
        return self._task is _running_task()

    def and_outer_ones(self) -> Iterator[Transaction]:
        """Yield it and those around it, from the inside."""
        each: Transaction | None = self
        while each is not None:
            yield each
            each = each.outer

    @enable_ki_protection
    def __enter__(self) -> None:
        if self._was_entered:
            raise RuntimeError("this transaction was entered before: call transaction again")
        journal = self._journal
        journal.check_transaction()
        self._was_entered = True
        task = self._task = _running_task()
        if task is not None:
            self._mark = _mark_of(task)
        self.is_open = True
        self.outer = journal.transaction
        journal.transaction = self

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        was_left_alone = self._was_left_alone
        self._close()
        if exc is None and was_left_alone:
            self._journal.tell(self.steps)
            return
        if not self.is_broken:
            self._journal.undo(self.steps)
        if exc is None:
            raise RuntimeError(AWAITED)

    @property
    def _was_left_alone(self) -> bool:
        """Whether no other task can have run since, or ends it."""
        if self.is_broken or not self.is_ours:
            return False
        return self._task is None or _mark_of(self._task) is self._mark

    def _close(self) -> None:
        self.is_open = False
        journal = self._journal
        while journal.transaction is not None and not journal.transaction.is_open:
            journal.transaction = journal.transaction.outer


def _running_task() -> trio.lowlevel.Task | None:
    return current_task() if in_trio_task() else None


def _mark_of(task: trio.lowlevel.Task) -> _Mark:
    """Return a task's mark, a new one if others could run since the last call."""
    # Trio sets this to None whenever a task is rescheduled, and while it runs nobody else uses it.
    mark = cast("object", task.custom_sleep_data)
    if not isinstance(mark, _Mark):
        mark = task.custom_sleep_data = _Mark()
    return mark
