"""Changes of a registry of agents, as data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast, final

import attrs
import trio

from .._base import FoundationError, check_name, written
from ..messaging import Ref
from ..registry import Entry
from ..supervision import Child
from ..workflows import SerialOperationFailed, SerialOperations
from ._agent import Agent
from ._rules._attributes import REQUIRED, Findings, Health, check_attributes

if TYPE_CHECKING:  # which takes these
    from ._registry import AgentRegistry

__all__ = [
    "NOTHING",
    "AgentChange",
    "AgentChangeFailed",
    "RegisterAgent",
    "UnregisterAgent",
    "UpdateAgent",
    "change_serially",
    "registrations_in",
]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@final
@attrs.frozen
class RegisterAgent:
    """Register an agent: what `AgentRegistry.register` is given, as data.

    Raises:
        TypeError: As `AgentRegistry.register` does.
        ValueError: As that does.

    Example:
        >>> from trio_foundation.messaging import serve
        >>> ref = serve(Agent, capacity=9).ref
        >>> RegisterAgent("ann", ref, capability={"sort"}).capability
        frozenset({'sort'})
        >>> RegisterAgent("ann", ref, capability="", health="ok")
        Traceback (most recent call last):
        ValueError: agent 'ann': capability must not be empty: write capability='python', or \
capability={'python', 'text'} for several; health must be 'healthy', 'degraded' or 'unhealthy', \
not 'ok'
    """

    agent_id: str
    """Its id."""

    ref: Ref[Agent]
    """How it is reached."""

    capability: Any = attrs.field(kw_only=True)
    """What it can do: a string, or a collection of strings, kept as a frozen set."""

    health: Health = attrs.field(default="healthy", kw_only=True)
    """How it is."""

    node: str = attrs.field(default="local", kw_only=True)
    """Where it is."""

    resources: Mapping[str, object] = attrs.field(default=NOTHING, kw_only=True)
    """What it has, by name; mostly numbers."""

    owner: Child[Any] | None = attrs.field(default=None, kw_only=True)
    """The child with whose incarnation it ends, if any."""

    attributes: Mapping[str, object] = attrs.field(default=NOTHING, kw_only=True)
    """What else it is found by."""

    def __attrs_post_init__(self) -> None:
        findings = Findings()
        findings.of(check_name, "agent_id", self.agent_id)
        findings.of(_check_ref, self.ref)
        findings.of(_check_owner, self.owner)
        checked = check_attributes(findings, self.all_attributes, is_whole=True)
        findings.report(f"agent {self.agent_id!r}")
        object.__setattr__(self, "capability", checked["capability"])

    @property
    def all_attributes(self) -> dict[str, Any]:
        """What it is found by, with the four that every agent has."""
        return {**{name: getattr(self, name) for name in REQUIRED}, **self.attributes}


@final
@attrs.frozen
class UnregisterAgent:
    """Unregister an agent, if it is registered.

    Example:
        >>> UnregisterAgent("ann")
        UnregisterAgent(agent_id='ann')
    """

    agent_id: str
    """Its id."""


@final
@attrs.frozen
class UpdateAgent:
    """Change some attributes of an agent.

    Raises:
        TypeError: As `AgentRegistry.update` does.
        ValueError: As that does; or *without* names one that every agent has.

    Example:
        >>> UpdateAgent("ann", {"health": "degraded"}).attributes
        {'health': 'degraded'}
    """

    agent_id: str
    """Its id."""

    attributes: Mapping[str, object] = NOTHING
    """Those that change or are new."""

    without: Collection[str] = frozenset()
    """The names of those that go."""

    def __attrs_post_init__(self) -> None:
        findings = Findings()
        checked = check_attributes(findings, self.attributes, is_whole=False)
        without = findings.of(_check_without, self.without)
        findings.report(f"the update of agent {self.agent_id!r}")
        object.__setattr__(self, "attributes", checked)
        object.__setattr__(self, "without", without)


AgentChange: TypeAlias = RegisterAgent | UnregisterAgent | UpdateAgent
"""A change of a registry of agents."""


def _check_ref(ref: object) -> None:
    if isinstance(ref, Ref):
        return
    if isinstance(getattr(ref, "ref", None), Ref):
        raise TypeError("ref must be the Ref alone: write `spec, ref = serve(...)`")
    raise TypeError(f"ref must be a Ref, not {ref!r}: write `spec, ref = serve(...)`")


def _check_owner(owner: object) -> None:
    if owner is not None and not isinstance(owner, Child):
        raise TypeError(
            f"owner must be a child, such as current_child() or what start_soon returned, not "
            f"{owner!r}"
        )


def _check_without(without: Collection[str]) -> frozenset[str]:
    if isinstance(without, str):
        raise TypeError(f"without must be a collection of names: write without=[{without!r}]")
    needed = [repr(name) for name in REQUIRED if name in without]
    if needed:
        raise ValueError(f"without must not name {', '.join(needed)}, which every agent has")
    return frozenset(without)


# Many at once


def registrations_in(agents: Iterable[object]) -> list[RegisterAgent]:
    """Return what a batch registers; an error says at which place."""
    found: list[RegisterAgent] = []
    for place, one in enumerate(agents):
        try:
            found.append(_registration_of(one))
        except (TypeError, ValueError) as error:
            raise type(error)(f"agents[{place}]: {error}") from None
    return found


def _registration_of(one: object) -> RegisterAgent:
    if isinstance(one, RegisterAgent):
        return one
    if isinstance(one, Mapping):
        return _registration(dict(cast("Mapping[str, Any]", one)))
    parts = cast("tuple[object, ...]", one) if isinstance(one, tuple) else ()
    if len(parts) == 3:
        agent_id, ref, attributes = parts
        if isinstance(attributes, Mapping):
            given = dict(cast("Mapping[str, Any]", attributes))
            return _registration({**given, "agent_id": agent_id, "ref": ref})
    raise TypeError(
        f"each agent must be a RegisterAgent, a mapping, or (agent_id, ref, attributes), not "
        f"{one!r}: write ('ann', ref, {{'capability': 'python'}})"
    )


def _registration(given: dict[str, Any]) -> RegisterAgent:
    # What is missing is refused as None, with all else that is wrong.
    agent_id, ref = given.pop("agent_id", None), given.pop("ref", None)
    known = {name: given.pop(name) for name in (*REQUIRED, "owner") if name in given}
    known.setdefault("capability", None)
    return RegisterAgent(agent_id, ref, **known, attributes=given)


# One after the other


@final
class AgentChangeFailed(FoundationError):
    """A change raised; those before it stay, those after it were not begun.

    The ``__cause__`` is what it raised.

    Example:
        >>> from trio_foundation.registry import NotRegistered
        >>> error = AgentChangeFailed(1, UpdateAgent("ann"), [UnregisterAgent("bob")])
        >>> error.__cause__ = NotRegistered("agents", "ann")
        >>> print(error)
        change 1, the UpdateAgent of 'ann', failed with NotRegistered('agents', 'ann'); those \
before it stay, unless the changes in `undo` are made
    """

    index: int
    """Which change, from 0."""

    change: AgentChange
    """The change."""

    undo: list[AgentChange]
    """What undoes the changes before it, newest first."""

    def __init__(self, index: int, change: AgentChange, undo: list[AgentChange]) -> None:
        super().__init__(index, change, undo)
        self.index = index
        self.change = change
        self.undo = undo

    def __str__(self) -> str:
        which = f"change {self.index}, the {type(self.change).__name__} of {self.change.agent_id!r}"
        cause = self.__cause__
        failed = "failed" if cause is None else f"failed with {written(cause)}"
        if not self.undo:
            return f"{which}, {failed}; nothing is to be undone"
        return f"{which}, {failed}; those before it stay, unless the changes in `undo` are made"


async def change_serially(
    serial: SerialOperations,
    agents: AgentRegistry,
    changes: Sequence[AgentChange],
    tx_id: object = None,
    *,
    undo: list[AgentChange] | None = None,
) -> list[AgentChange]:
    """Make changes as one batch of serial operations, and return what would undo them.

    They take turns with other work under the same key, the registry's name. A change that fails
    leaves those before it, and other tasks see them one by one; for all or nothing use
    `AgentRegistry.batch_register` or `AgentRegistry.transaction`.

    Args:
        serial: Where it takes its turn.
        agents: The registry.
        changes: In order.
        tx_id: The batch's name, in errors and events.
        undo: An empty list, filled with what undoes each change as soon as that is made, newest
            first, for whoever is cancelled. It is returned, and `AgentChangeFailed.undo`.

    Returns:
        What undoes them, in the order to be made; nothing for what changed nothing. An agent that
        was unregistered comes back as the last in order.

    Raises:
        AgentChangeFailed: From the error that a change raised.
        TypeError: One of *changes* is none, or *undo* is no list.
        ValueError: *undo* is not empty.
        SerialOperationsFull: As many batches wait as may.
        SerialOperationsClosed: The serial operations have ended.
        BatchDeadlock: It would wait for the batch that calls it.

    Cancellation:
        A batch that waits is not begun. One that runs stops after the change in hand; see *undo*.

    Emits:
        BatchFinished: At its end, besides the events of the changes.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import serve
        >>> from trio_foundation.workflows import open_serial_operations
        >>> async def main():
        ...     agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
        ...     changes = [
        ...         RegisterAgent("ann", ref, capability="sort"),
        ...         UpdateAgent("ann", {"health": "degraded"}),
        ...     ]
        ...     async with open_serial_operations(name="changes") as serial:
        ...         undo = await change_serially(serial, agents, changes)
        ...         print(undo)
        ...         await change_serially(serial, agents, undo)
        ...         print(len(agents))
        >>> trio.run(main)
        [UpdateAgent(agent_id='ann', attributes={'health': 'healthy'}, without=frozenset()), \
UnregisterAgent(agent_id='ann')]
        0
    """
    todo = [*changes]
    for change in todo:
        if not isinstance(change, (RegisterAgent, UnregisterAgent, UpdateAgent)):
            raise TypeError(
                f"changes must be RegisterAgent(...), UnregisterAgent(...) or UpdateAgent(...), "
                f"not {change!r}"
            )
    done = _empty(undo)
    operations = [partial(_operate, agents, change, done) for change in todo]
    try:
        await serial.execute(operations, tx_id, key=agents.name)
    except SerialOperationFailed as failed:
        raise AgentChangeFailed(failed.index, todo[failed.index], done) from failed.error
    return done


def _empty(undo: list[AgentChange] | None) -> list[AgentChange]:
    if undo is None:
        return []
    if not isinstance(undo, list):
        raise TypeError(f"undo must be a list, not {undo!r}: write undo=[]")
    if undo:
        raise ValueError(f"undo must be empty at first, not {undo!r}: write undo=[]")
    return undo


@trio.lowlevel.enable_ki_protection
async def _operate(agents: AgentRegistry, change: AgentChange, done: list[AgentChange]) -> None:
    await trio.lowlevel.checkpoint()
    undo = _make(agents, change)
    if undo is not None:
        done.insert(0, undo)


def _make(agents: AgentRegistry, change: AgentChange) -> AgentChange | None:
    """Make a change, and return what undoes it, if anything."""
    if isinstance(change, RegisterAgent):
        agents.batch_register([change])
        return UnregisterAgent(change.agent_id)
    if isinstance(change, UnregisterAgent):
        entry = agents.get(change.agent_id)
        agents.unregister(change.agent_id)
        return None if entry is None else _registration_as_in(entry)
    was = agents.lookup(change.agent_id).attributes
    kept = {name: was[name] for name in was if name not in change.without}
    agents.replace(change.agent_id, **{**kept, **change.attributes})
    touched = {*change.attributes, *change.without}
    old = {name: was[name] for name in was if name in touched}
    new = [name for name in change.attributes if name not in was]
    return UpdateAgent(change.agent_id, old, without=new)


def _registration_as_in(entry: Entry[str, Ref[Agent]]) -> RegisterAgent:
    others = dict(entry.attributes)
    known: dict[str, Any] = {name: others.pop(name) for name in REQUIRED}
    return RegisterAgent(entry.key, entry.value, **known, owner=entry.owner, attributes=others)
