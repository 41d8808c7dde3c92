"""The table of a server with states, of names instead of methods, to be tested without a task."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, TypeAlias, final

import attrs

__all__ = ["Reaction", "Row", "Table", "faults"]

Reaction: TypeAlias = Literal["handle", "postpone", "refuse"]


@final
@attrs.frozen(kw_only=True)
class Row:
    moves: Mapping[str, tuple[str, ...]]
    """The messages handled, and where each may lead."""
    postpones: frozenset[str] = frozenset()
    """The messages set aside."""
    timeout: tuple[float, str] | None = None
    """After how many seconds which message is handled."""
    enter: str | None = None
    exit: str | None = None


@final
@attrs.frozen(kw_only=True)
class Table:
    """The rows of all states.

    Example:
        >>> table = Table(initial="off", everywhere=("ask",), rows={
        ...     "off": Row(moves={"press": ("on",)}),
        ...     "on": Row(moves={"press": ("off",)}, postpones=frozenset({"replace"})),
        ... })
        >>> [table.reaction("on", message) for message in ("press", "ask", "replace", "eat")]
        ['handle', 'handle', 'postpone', 'refuse']
        >>> table.targets("off", "press"), table.targets("off", "ask")
        (('on',), ('off',))
    """

    initial: str
    rows: Mapping[str, Row]
    everywhere: tuple[str, ...] = ()
    """The messages that every state handles, and that lead nowhere; to be named in errors."""
    unsaid: frozenset[str] = frozenset()
    """Likewise, but private."""

    def reaction(self, state: str, message: str) -> Reaction:
        row = self.rows[state]
        if message in row.moves or message in self.everywhere:
            return "handle"
        if message in row.postpones:
            return "postpone"
        return "handle" if message in self.unsaid else "refuse"

    def targets(self, state: str, message: str) -> tuple[str, ...]:
        """Return the states that a message may lead to."""
        return self.rows[state].moves.get(message, (state,))

    def handled_in(self, state: str) -> tuple[str, ...]:
        return (*self.rows[state].moves, *self.everywhere)


def faults(table: Table, messages: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a table that is to have all *messages*."""
    if table.initial not in table.rows:
        yield f"its initial state {table.initial!r} is none of its states, {_listed(table.rows)}"
        return
    for state, row in table.rows.items():
        yield from _faults_in(state, row, table)
    lost = sorted(table.rows.keys() - _reachable(table))
    if lost:
        yield f"nothing leads to the state {_listed(lost)}"
    named = set(table.everywhere)
    for row in table.rows.values():
        named |= {*row.moves, *row.postpones, row.enter or "", row.exit or ""}
    forgotten = sorted(set(messages) - named)
    if forgotten:
        yield (
            f"{_listed(forgotten)} is handled in no state: add it to one, or to `everywhere`; if "
            "it is no message, let its name begin with _"
        )


def _faults_in(state: str, row: Row, table: Table) -> Iterator[str]:
    for message, targets in row.moves.items():
        if not targets:
            yield f"in state {state!r}, {message!r} leads nowhere: name a state, itself to stay"
        unknown = [target for target in targets if target not in table.rows]
        if unknown:
            yield (
                f"in state {state!r}, {message!r} leads to {_listed(unknown)}, which is none of "
                f"its states, {_listed(table.rows)}"
            )
    twice = sorted(row.postpones & {*row.moves, *table.everywhere})
    if twice:
        yield f"in state {state!r}, {_listed(twice)} is both handled and postponed"
    doubled = [message for message in table.everywhere if message in row.moves]
    if doubled:
        yield f"in state {state!r}, {_listed(doubled)} is handled, and everywhere too"
    if row.timeout is not None and row.timeout[1] not in row.moves:
        yield f"in state {state!r}, the time-out is {row.timeout[1]!r}, which is not handled there"


def _reachable(table: Table) -> set[str]:
    reached: set[str] = set()
    queue = [table.initial]
    while queue:
        state = queue.pop()
        if state in reached or state not in table.rows:
            continue
        reached.add(state)
        for targets in table.rows[state].moves.values():
            queue += targets
    return reached


def _listed(names: Collection[str]) -> str:
    return ", ".join(repr(name) for name in names)
