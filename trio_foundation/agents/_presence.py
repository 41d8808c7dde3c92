"""Which agents are there, which are to come back, and which are gone.

Owners tell whether an agent comes back, so no task looks after it, and nothing of it stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias, final

import attrs
from trio.lowlevel import Task, current_task, enable_ki_protection, in_trio_task

from ..messaging import Ref
from ..registry import (
    Entry,
    Registered,
    Registry,
    Unregistered,
    UnregisteredBy,
    Updated,
)
from ..supervision import Child, ChildState
from ..telemetry import emit, wanted
from ._agent import Agent
from ._registry_events import AgentDown, AgentUp

__all__ = ["AgentTransaction", "Presence"]

Change: TypeAlias = Registered | Updated | Unregistered

_logger = logging.getLogger("trio_foundation.agents")


@attrs.define(eq=False)
class _Away:
    """An agent that is to come back."""

    ref: Ref[Agent]
    owner: Child[Any]
    serial: int
    stop_looking: Callable[[], None] = attrs.field(init=False)


@final
class Presence:
    """Who is away, and who asks to be told."""

    __slots__ = ("_away", "_callbacks", "_registry", "_transactions")

    def __init__(self, registry: Registry[str, Ref[Agent]]) -> None:
        self._registry = registry
        self._away: dict[str, _Away] = {}
        self._callbacks: dict[object, Callable[[str], object]] = {}
        self._transactions: list[AgentTransaction] = []
        registry.on_change(self._note)

    def ref_of(self, agent_id: str) -> Ref[Agent] | None:
        """Return how an agent is reached that is there or away."""
        entry = self._registry.get(agent_id)
        if entry is not None:
            return entry.value
        away = self._away.get(agent_id)
        if away is None or any(agent_id in one.left for one in self._own_transactions()):
            return None
        return away.ref

    def on_gone(self, callback: Callable[[str], object]) -> Callable[[], None]:
        key = object()
        self._callbacks[key] = callback

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def forget(self, agent_id: str, serial: int | None = None) -> None:
        """Expect an agent no more; with *serial*, only after that very registration."""
        away = self._away.get(agent_id)
        if away is None or serial not in {None, away.serial}:
            return
        ours = self._own_transactions()
        if ours:
            ours[-1].left[agent_id] = None
        else:
            self._end(agent_id, "unregister")

    def transaction(self) -> AbstractContextManager[None]:
        return AgentTransaction(self, self._registry.transaction())

    # What the registry tells

    def _note(self, change: Change) -> None:
        if isinstance(change, Registered):
            self._note_up(change.entry)
        elif isinstance(change, Unregistered):
            self._note_down(change.entry, change.by)

    def _note_up(self, entry: Entry[str, Ref[Agent]]) -> None:
        away = self._away.pop(entry.key, None)
        if away is not None:
            away.stop_looking()
        if wanted(AgentUp):
            emit(
                AgentUp(
                    registry=self._registry.name,
                    agent=entry.key,
                    capability=entry.attributes["capability"],
                    node=entry.attributes["node"],
                    incarnation=entry.incarnation,
                )
            )

    def _note_down(self, entry: Entry[str, Ref[Agent]], by: UnregisteredBy) -> None:
        agent_id, owner = entry.key, entry.owner
        if agent_id in self._registry:  # again, by a transaction or a callback
            self._tell_down(agent_id, by, gone=False)
        elif by == "owner" and owner is not None and _comes_back(owner):
            away = _Away(entry.value, owner, entry.serial)
            away.stop_looking = owner.on_state(partial(self._look, agent_id, away))
            self._away[agent_id] = away
            self._tell_down(agent_id, by, gone=False)
        else:
            self._tell_gone(agent_id, by)

    # What owners tell

    def _look(self, agent_id: str, away: _Away, state: ChildState | None = None) -> None:
        """Look whether an agent still is to come back."""
        is_meant = self._away.get(agent_id) is away
        # One that is registered by what may yet be undone is looked at again then.
        if is_meant and agent_id not in self._registry and not _comes_back(away.owner):
            self._end(agent_id, "owner")

    def _end(self, agent_id: str, by: UnregisteredBy) -> None:
        away = self._away.pop(agent_id, None)
        if away is not None:
            away.stop_looking()
            self._tell_gone(agent_id, by)

    # Telling

    def _tell_gone(self, agent_id: str, by: UnregisteredBy) -> None:
        try:
            self._tell_down(agent_id, by, gone=True)
        finally:
            self._call(agent_id)

    def _tell_down(self, agent_id: str, by: UnregisteredBy, *, gone: bool) -> None:
        if wanted(AgentDown):
            emit(AgentDown(registry=self._registry.name, agent=agent_id, by=by, gone=gone))

    def _call(self, agent_id: str) -> None:
        interrupts: list[BaseException] = []
        for key in list(self._callbacks):
            callback = self._callbacks.get(key)
            if callback is None:  # removed by one before it
                continue
            try:
                callback(agent_id)
            except Exception:
                with suppress(Exception):
                    _logger.exception("a callback of agents raised, and is ignored: %r", callback)
            except BaseException as interrupt:  # noqa: BLE001  the others have to be told too
                interrupts.append(interrupt)
        if interrupts:
            raise interrupts[0]

    # Transactions

    def begin(self, transaction: AgentTransaction) -> None:
        self._transactions.append(transaction)

    def close(self, transaction: AgentTransaction, *, is_done: bool) -> None:
        """Note that a transaction has ended, done or undone."""
        self._transactions.remove(transaction)
        if not is_done:
            for agent_id, away in list(self._away.items()):
                self._look(agent_id, away)
        elif ours := self._own_transactions():
            ours[-1].left.update(transaction.left)
        else:
            for agent_id in transaction.left:
                self._end(agent_id, "unregister")

    def _own_transactions(self) -> list[AgentTransaction]:
        """Return those of this task; another's was broken by whatever this one changes."""
        if not self._transactions:
            return []
        task = running_task()
        return [one for one in self._transactions if one.task is task]

    # Whether all is in order

    @property
    def away(self) -> list[str]:
        """Who is to come back."""
        return [*self._away]

    def check(self) -> None:
        """Assert that all is in order, for tests."""
        assert not self._transactions
        for agent_id, away in self._away.items():
            assert agent_id not in self._registry
            assert _comes_back(away.owner)


@final
class AgentTransaction:
    """A transaction of the registry, with those that are to come back."""

    __slots__ = ("_inner", "_presence", "left", "task")

    left: dict[str, None]
    """Those not expected back, once it is done."""

    task: Task | None
    """Its task; None outside of Trio."""

    def __init__(self, presence: Presence, inner: AbstractContextManager[None]) -> None:
        self._presence = presence
        self._inner = inner
        self.left = {}
        self.task = None

    @enable_ki_protection
    def __enter__(self) -> None:
        self._inner.__enter__()
        self.task = running_task()
        self._presence.begin(self)

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_done = exc is None
        try:
            self._inner.__exit__(exc_type, exc, traceback)
        except RuntimeError:  # others could run within, so it was undone
            is_done = False
            raise
        finally:
            self._presence.close(self, is_done=is_done)


def running_task() -> Task | None:
    """Return the task that runs; None outside of Trio."""
    return current_task() if in_trio_task() else None


def _comes_back(owner: Child[Any]) -> bool:
    """Return whether a child that has left is to be started again, for all that is known."""
    if owner.state in {"stopped", "ignored"} or owner.leaving:
        return False
    if owner.state != "running":
        return True
    # Either it has just ended, and its supervisor has yet to decide; or it runs again.
    last = owner.last_exit
    return last is not None and last.incarnation == owner.incarnation
