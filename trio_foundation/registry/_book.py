"""Where every change goes through: into the store, to owners, to whoever waits or watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar, final

from ..telemetry import emit, wanted
from ._arrivals import Arrivals
from ._entry import Entry
from ._events import (
    Lagged,
    OwnerUnknown,
    Registered,
    RegistryEvent,
    Unregistered,
    UnregisteredBy,
    Updated,
)
from ._listeners import Listeners
from ._owners import Owner, Owners, ending_of
from ._rules import Keeping, Store
from ._transaction import AWAITED, AnyEntry, Change, Step, Transaction
from ._watchers import Watcher

__all__ = ["Book"]

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


@final
class Book(Generic[KeyT, ValueT]):
    """The entries, and all who are concerned."""

    __slots__ = (
        "_is_emitting",
        "_untold",
        "arrivals",
        "listeners",
        "name",
        "owners",
        "store",
        "transaction",
        "watchers",
    )

    name: str
    """The registry's name."""

    store: Store[KeyT, Entry[KeyT, ValueT]]
    """The entries."""

    owners: Owners
    """The children that entries are bound to."""

    arrivals: Arrivals[KeyT]
    """Who waits for a key."""

    watchers: dict[Watcher, None]
    """Who watches."""

    listeners: Listeners
    """Who is called with each change."""

    transaction: Transaction | None
    """The innermost open transaction."""

    def __init__(self, name: str, keeping: Keeping, paths: Iterable[str]) -> None:
        self.name = name
        self.store = Store(keeping, paths)
        self.owners = Owners(self.end_owner)
        self.arrivals = Arrivals()
        self.watchers = {}
        self.listeners = Listeners()
        self.transaction = None
        self._untold: deque[RegistryEvent] = deque()
        self._is_emitting = False

    # Changes

    def settle(self) -> None:
        """Undo a transaction of another task, which awaits in it."""
        if self.transaction is None or self.transaction.is_ours:
            return
        steps: list[Step] = []
        for each in self.transaction.and_outer_ones():
            if not each.is_broken:
                each.is_broken = True
                steps[:0] = each.steps
        if steps:  # those of all at once, for one may be about what another has put in
            self.undo(steps)

    def check_transaction(self) -> None:
        """Settle; refuse to go on in a broken transaction of this task."""
        if self.transaction is not None:
            self.settle()
            for each in self.transaction.and_outer_ones():
                if each.is_broken and each.is_open and each.is_ours:
                    raise RuntimeError(AWAITED)

    def add(self, entry: Entry[KeyT, ValueT]) -> None:
        """Add an entry, after `settle`."""
        self._put(None, entry)
        self._note(Registered, None, entry)
        if self._untold:
            self._emit()

    def replace(self, before: Entry[KeyT, ValueT], after: Entry[KeyT, ValueT]) -> None:
        """Replace an entry, after `settle`."""
        self._put(before, after)
        self._note(Updated, before, after)
        if self._untold:
            self._emit()

    def remove(self, entries: Iterable[Entry[KeyT, ValueT]], by: UnregisteredBy) -> None:
        """Remove entries, after `settle`."""
        for entry in entries:
            self._put(entry, None)
            self._note(Unregistered, entry, None, by)
        if self._untold:
            self._emit()

    def end_owner(self, owner: Owner) -> None:
        """Remove all entries of an owner that has ended."""
        self.settle()
        serials = self.owners.serials_of(owner)
        self.remove([self.store.by_serial[serial] for serial in serials], "owner")
        if not serials and wanted(OwnerUnknown):
            self._untold.append(OwnerUnknown(registry=self.name, owner=owner.name))
            self._emit()

    def _put(self, before: AnyEntry | None, after: AnyEntry | None) -> None:
        if before is None:
            assert after is not None
            self.store.add(after.key, after)
            if after.owner is not None:
                self.owners.add(after, after.owner)
        elif after is None:
            self.store.remove(before.key, before)
            if before.owner is not None:
                self.owners.remove(before, before.owner)
        else:
            self.store.replace(after.key, before, after)

    # Transactions

    def undo(self, steps: list[Step]) -> None:
        """Undo changes, the last first; what has lost its owner stays gone."""
        lost: dict[int, AnyEntry | None] = {}
        for step in reversed(steps):
            if step.serial in lost or (step.after is None and _is_too_late(step.before)):
                lost[step.serial] = step.before
            else:
                self._put(step.after, step.before)
        removed = {step.before.key for step in steps if step.before and not step.after}
        if removed:
            self.store.put_in_order(removed)
        gone = [entry for entry in lost.values() if entry is not None]
        self.tell([Step(Unregistered, entry, None, "owner") for entry in gone])

    def tell(self, steps: list[Step]) -> None:
        """Tell of changes, or pass them to the transaction around."""
        for step in steps:
            self._note(*step)
        if self._untold:
            self._emit()

    # Telling

    def _note(
        self,
        kind: type[Change],
        before: AnyEntry | None,
        after: AnyEntry | None,
        by: UnregisteredBy = "unregister",
    ) -> None:
        """Tell of a change, or keep it for the transaction's end."""
        transaction = self.transaction
        if transaction is not None and not transaction.is_broken:
            transaction.steps.append(Step(kind, before, after, by))
            return
        if self.arrivals and before is None:
            self.arrivals.announce(_either(before, after).key)
        is_wanted = wanted(kind)
        if is_wanted or self.watchers or self.listeners.callbacks:
            self._tell(self._event_of(before, after, by), is_wanted=is_wanted)

    def _tell(self, event: Change, *, is_wanted: bool) -> None:
        """Tell watchers of an event; `_emit` tells all others."""
        if self.listeners.callbacks:
            self.listeners.note(event)
            is_wanted = True  # so that `_emit` is called, and calls them first
        if is_wanted:
            self._untold.append(event)
        for watcher in self.watchers:
            lagged = watcher.tell(event)
            if lagged is not None and wanted(Lagged):
                self._untold.append(lagged)

    def _event_of(
        self, before: AnyEntry | None, after: AnyEntry | None, by: UnregisteredBy
    ) -> Change:
        entry = _either(before, after)
        if after is None:
            return Unregistered(registry=self.name, entry=entry, by=by)
        if before is None:
            return Registered(registry=self.name, entry=entry)
        return Updated(registry=self.name, entry=entry, before=before)

    def _emit(self) -> None:
        """Emit what is untold, in order, even if a handler adds to it."""
        if self.listeners.is_telling:
            return
        is_nested = self._is_emitting
        self._is_emitting = True
        try:
            # First those who have books to keep. So in those, too, all is in order already when a
            # handler is told, or has changed something.
            self.listeners.tell()
            while self._untold and not is_nested:
                emit(self._untold.popleft())
        finally:
            self._is_emitting = is_nested
            if not is_nested:
                self._untold.clear()  # after a KeyboardInterrupt in a handler, say

    # Whether all is in order

    def check(self) -> Iterator[str]:
        """Yield what is wrong."""
        yield from self.store.check()
        yield from self.owners.check([*self.store.by_serial.values()])
        if self._untold or self._is_emitting or self.listeners.untold:
            untold = [*self.listeners.untold, *self._untold]
            yield f"there are events that nobody was told: {untold!r}"


def _either(before: AnyEntry | None, after: AnyEntry | None) -> AnyEntry:
    entry = before if after is None else after
    assert entry is not None
    return entry


def _is_too_late(entry: AnyEntry | None) -> bool:
    """Return whether an entry's owner has ended."""
    if entry is None or entry.owner is None:
        return False
    return ending_of(entry.owner) != entry.incarnation
