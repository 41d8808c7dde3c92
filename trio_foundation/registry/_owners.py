"""Which entries are bound to which children."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias, final

import attrs

from ..supervision import Child
from ._entry import Entry

__all__ = ["Owner", "Owners", "ending_of"]

Owner: TypeAlias = Child[Any]


def ending_of(owner: Owner) -> int | None:
    """Return the incarnation that will end next, if any.

    One to be started for the first time counts: after ``start_soon`` the child may be bound to.
    """
    present, last = owner.incarnation, owner.last_exit
    if present == 0:
        return 1 if owner.state == "starting" else None
    return None if last is not None and last.incarnation == present else present


@final
@attrs.define(eq=False)
class _Tie:
    """What holds an owner and a registry together."""

    serials: set[int]
    removals: tuple[Callable[[], None], ...]

    def cut(self) -> None:
        for remove in self.removals:
            remove()


@final
class Owners:
    """The owners of entries; *on_end* is called when one has ended."""

    __slots__ = ("_on_end", "_ties")

    def __init__(self, on_end: Callable[[Owner], None]) -> None:
        self._on_end = on_end
        self._ties: dict[Owner, _Tie] = {}

    def __len__(self) -> int:
        return len(self._ties)

    def add(self, entry: Entry[Any, Any], owner: Owner) -> None:
        """Take up an owner's entry."""
        tie = self._ties.get(owner)
        if tie is None:
            end = partial(self._end, owner)
            tie = self._ties[owner] = _Tie(set(), (owner.on_exit(end), owner.on_gone(end)))
        tie.serials.add(entry.serial)

    def remove(self, entry: Entry[Any, Any], owner: Owner) -> None:
        """Forget an owner's entry, and with the last one the owner."""
        tie = self._ties[owner]
        tie.serials.discard(entry.serial)
        if not tie.serials:
            self._ties.pop(owner).cut()

    def serials_of(self, owner: Owner) -> list[int]:
        """Return an owner's entries, in order."""
        tie = self._ties.get(owner)
        return [] if tie is None else sorted(tie.serials)

    def check(self, entries: list[Entry[Any, Any]]) -> Iterator[str]:
        """Yield what is wrong, if these are all entries."""
        expected: dict[Owner, set[int]] = {}
        for entry in entries:
            if entry.owner is not None:
                expected.setdefault(entry.owner, set()).add(entry.serial)
                if ending_of(entry.owner) != entry.incarnation:
                    yield f"{entry!r} has outlived incarnation {entry.incarnation} of its owner"
        ties = {owner: tie.serials for owner, tie in self._ties.items()}
        if ties != expected:
            yield f"the owners are {ties!r}, and should be {expected!r}"

    def _end(self, owner: Owner, *_: object) -> None:
        self._on_end(owner)
