"""The registry of agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeAlias, TypeVar, final, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_count, check_name, is_plain_function
from ..messaging import Ref, Served
from ..registry import (
    Criterion,
    Entry,
    Lagged,
    Registered,
    Registry,
    Unregistered,
    Updated,
    where,
)
from ..supervision import Child, ChildSpec
from ._agent import Agent
from ._changes import NOTHING, RegisterAgent, registrations_in
from ._presence import Presence, running_task
from ._rules._attributes import (
    INDEXED,
    Findings,
    Health,
    check_attributes,
    check_health,
    check_range,
)
from ._rules._load import load_at, with_least_load
from ._starting import registering

__all__ = ["AgentEntry", "AgentRegistry", "Health"]

P = ParamSpec("P")
R = TypeVar("R")

AgentEntry: TypeAlias = Entry[str, Ref[Agent]]
"""A registered agent, at one moment: its id is the key, its `Ref` the value."""


def _says_what_is_missing(method: Callable[P, R]) -> Callable[P, R]:
    """Have a missing capability refused together with all else that is wrong."""

    @wraps(method)
    @enable_ki_protection
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        kwargs.setdefault("capability", None)
        return method(*args, **kwargs)

    return call


@final
class AgentRegistry:
    """Agents, found by what they can do, how well, where, and with how much.

    Every agent has a *capability* (or several), a *health*, a *node* and *resources*, and may have
    other attributes. It is there until the block that registers it ends, or the incarnation of its
    owner, a child of a supervisor. While a crashed owner is started again, the agent is away: not
    found, but not gone either, see `ref_of`. `register_on_start` registers each incarnation.

    All but `wait_for` are plain functions. A registry is for one Trio run at a time, and for its
    thread.

    Args:
        indexes: Other attributes by which agents are found fast, as paths:
            ``["resources.memory"]``. Capability, health and node always are.
        name: The registry's name, in errors and events.

    Raises:
        TypeError: An argument of the wrong kind.
        ValueError: One that makes no sense.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import serve
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Sorter(Agent):
        ...     async def receive(self, message, *, sender=None):
        ...         return sorted(message)
        >>> async def main():
        ...     agents = AgentRegistry()
        ...     specs = [
        ...         agents.register_on_start(
        ...             name, serve(Sorter, capacity=9), capability="sort", resources={"load": load}
        ...         )
        ...         for name, load in [("ann", 0.5), ("bob", 0.25)]
        ...     ]
        ...     async with open_supervisor(specs):
        ...         best, = agents.least_loaded("sort")
        ...         print(best.key, await best.value.call(Agent.receive, "cab"))
        ...     print(len(agents))
        >>> trio.run(main)
        bob ['a', 'b', 'c']
        0
    """

    __slots__ = ("__weakref__", "_presence", "_registry")

    def __init__(self, *, indexes: Sequence[str] = (), name: str = "agents") -> None:
        if isinstance(indexes, str):
            raise TypeError(f"indexes must be a list of paths: write indexes=[{indexes!r}]")
        paths = dict.fromkeys((*INDEXED, *indexes))
        self._registry = Registry[str, Ref[Agent]](indexes=[*paths], name=name)
        self._presence = Presence(self._registry)

    def __repr__(self) -> str:
        return f"<AgentRegistry {self.name!r}, {len(self)} agents>"

    @property
    def name(self) -> str:
        """Its name, in errors and events."""
        return self._registry.name

    # Coming and going

    @_says_what_is_missing
    def register(  # noqa: PLR0913  all but two are named
        self,
        agent_id: str,
        ref: Ref[Agent],
        *,
        capability: str | Collection[str],
        health: Health = "healthy",
        node: str = "local",
        resources: Mapping[str, object] = NOTHING,
        owner: Child[Any] | None = None,
        **attributes: object,
    ) -> AbstractContextManager[AgentEntry]:
        """Register an agent until the block or its owner ends, whichever is first.

        Without ``with`` it stays until `unregister`, or until the owner's running incarnation
        ends. A block ends an agent for good: what is to come back after a crash uses
        `register_on_start`, or registers without ``with``, before it is ready.

        Args:
            agent_id: Its id.
            ref: How it is reached.
            capability: What it can do: a string, or a collection of strings.
            health: ``healthy``, ``degraded`` or ``unhealthy``.
            node: Where it is.
            resources: What it has, by name; mostly numbers.
            owner: The child with whose incarnation it ends, if any.
            **attributes: What else it is found by. Mappings, lists, tuples and sets are copied.

        Returns:
            The block, for ``with``; it gives the entry.

        Raises:
            NameTaken: The id is registered.
            OwnerNotRunning: No incarnation of *owner* is running.
            TypeError: Something missing, or of the wrong kind. All that is wrong is named.
            ValueError: An empty string, an unknown health, or a name that is reserved or has a dot.

        Emits:
            AgentUp: At once.
            AgentDown: At the end.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability={"sort", "count"}, node="a"):
            ...     [entry.key for entry in agents.find_capable("sort")]
            ['ann']
            >>> agents.register("ann", ref, health="ok")
            Traceback (most recent call last):
            TypeError: agent 'ann': capability is required: write capability='python', or \
capability={'python', 'text'} for several; health must be 'healthy', 'degraded' or 'unhealthy', \
not 'ok'
        """
        registration = RegisterAgent(
            agent_id,
            ref,
            capability=capability,
            health=health,
            node=node,
            resources=resources,
            owner=owner,
            attributes=attributes,
        )
        return self._enter(registration)

    @_says_what_is_missing
    def register_on_start(
        self,
        agent_id: str,
        served: Served[Agent],
        *,
        capability: str | Collection[str],
        health: Health = "healthy",
        node: str = "local",
        resources: Mapping[str, object] = NOTHING,
        **attributes: object,
    ) -> ChildSpec:
        """Return the spec of a server whose incarnations are registered when they are ready.

        That is when ``setup`` has returned; whoever waits for it finds it, with the attributes
        given here.

        *served* is what `serve` returned, all else as with `register`. The child is called as the
        agent is, unless `serve` was given a name. If the id is taken, the incarnation crashes with
        `NameTaken`.

        Raises:
            TypeError: As with `register`.
            ValueError: As with `register`.

        Emits:
            AgentUp: When an incarnation is ready.
            AgentDown: When it has ended.

        Example:
            >>> import trio
            >>> from trio_foundation.messaging import serve
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Echo(Agent):
            ...     async def receive(self, message, *, sender=None):
            ...         return message
            >>> async def main():
            ...     agents = AgentRegistry()
            ...     spec = agents.register_on_start(
            ...         "ann", serve(Echo, capacity=9), capability="echo"
            ...     )
            ...     async with open_supervisor([spec]):
            ...         print(agents.lookup("ann").owner.name)
            >>> trio.run(main)
            ann
        """
        if not isinstance(served, Served):
            raise TypeError(
                f"register_on_start takes what serve returns, not {served!r}: write "
                f"register_on_start({agent_id!r}, serve(...), capability=...)"
            )
        registration = RegisterAgent(
            agent_id,
            served.ref,
            capability=capability,
            health=health,
            node=node,
            resources=resources,
            attributes=attributes,
        )
        return registering(served.spec, registration, self._enter)

    @enable_ki_protection
    def batch_register(
        self,
        agents: Iterable[
            RegisterAgent | Mapping[str, Any] | tuple[str, Ref[Agent], Mapping[str, Any]]
        ],
    ) -> list[AgentEntry]:
        """Register several agents, all or none, as `register` does without ``with``.

        Args:
            agents: Each a `RegisterAgent`, ``(agent_id, ref, attributes)``, or a mapping of what
                `register` takes. The *owner* may stand among the attributes.

        Returns:
            Their entries, in order.

        Raises:
            NameTaken: An id is registered, or given twice.
            OwnerNotRunning: As with `register`.
            TypeError: As with `register`.
            ValueError: As with `register`.

        Emits:
            AgentUp: For each, when all are registered.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> entries = agents.batch_register(
            ...     [
            ...         ("ann", ref, {"capability": "sort"}),
            ...         {"agent_id": "bob", "ref": ref, "capability": ["sort", "count"]},
            ...     ]
            ... )
            >>> agents.count_by_capability()
            {'sort': 2, 'count': 1}
        """
        registrations = registrations_in(agents)
        with self._presence.transaction():
            for registration in registrations:
                self._enter(registration)
            return [self._registry.lookup(one.agent_id) for one in registrations]

    @enable_ki_protection
    def unregister(self, agent_id: str) -> None:
        """Remove an agent that is there or away; do nothing if it is neither.

        Raises:
            RuntimeError: In a transaction in which other tasks could run.

        Emits:
            AgentDown: If it was there, or away.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> block = agents.register("ann", ref, capability="sort")
            >>> agents.unregister("ann")
            >>> "ann" in agents
            False
        """
        self._registry.unregister(agent_id)
        self._presence.forget(agent_id)

    @enable_ki_protection
    def update(self, agent_id: str, /, **attributes: object) -> AgentEntry:
        """Change some attributes of an agent; the others stay.

        Returns:
            Its new entry.

        Raises:
            NotRegistered: It is not there.
            TypeError: An attribute of the wrong kind.
            ValueError: As with `register`.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability="sort"):
            ...     agents.update("ann", resources={"load": 0.5}).attributes["resources"]
            {'load': 0.5}
        """
        return self._registry.update(agent_id, **_checked(agent_id, attributes, is_whole=False))

    @enable_ki_protection
    def replace(self, agent_id: str, /, **attributes: object) -> AgentEntry:
        """Replace all attributes of an agent.

        *capability*, *health*, *node* and *resources* have to be among the new ones.

        Returns:
            Its new entry.

        Raises:
            NotRegistered: It is not there.
            TypeError: As with `register`.
            ValueError: As with `register`.
        """
        return self._registry.replace(agent_id, **_checked(agent_id, attributes, is_whole=True))

    def set_health(self, agent_id: str, health: Health) -> AgentEntry:
        """Note how an agent is: ``healthy``, ``degraded`` or ``unhealthy``.

        Returns:
            Its new entry.

        Raises:
            NotRegistered: It is not there.
            TypeError: *health* is no string.
            ValueError: It is another string.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability="sort"):
            ...     entry = agents.set_health("ann", "degraded")
            ...     agents.health_summary()
            {'healthy': 0, 'degraded': 1, 'unhealthy': 0}
        """
        return self.update(agent_id, health=health)

    # Looking

    def lookup(self, agent_id: str) -> AgentEntry:
        """Return the entry of an agent.

        Raises:
            NotRegistered: It is not there.
        """
        return self._registry.lookup(agent_id)

    def get(self, agent_id: str) -> AgentEntry | None:
        """Return the entry of an agent; None if it is not there."""
        return self._registry.get(agent_id)

    def find_capable(
        self, capability: str, *, health: Health | None = "healthy"
    ) -> list[AgentEntry]:
        """Return the agents that can do something, in order of registration.

        Only those of that *health*; None for any.

        Raises:
            TypeError: An argument is no string.
            ValueError: *capability* is empty, or *health* unknown.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability={"sort"}, health="degraded"):
            ...     len(agents.find_capable("sort")), len(agents.find_capable("sort", health=None))
            (0, 1)
        """
        check_name("capability", capability)
        if health is None:
            return self._registry.find(capability=capability)
        return self._registry.find(capability=capability, health=check_health(health))

    def find(self, *, all_of: Iterable[str | Criterion] = (), **equal: object) -> list[AgentEntry]:
        """Return the agents that match, of any health, in order of registration.

        Args:
            all_of: Capabilities, and criteria made by `where`, all of which hold.
            **equal: What attributes are equal to; one within others as
                ``**{"resources.memory": 0.5}``.

        Raises:
            TypeError: There is something else in *all_of*.
            ValueError: A path is none.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> from trio_foundation.registry import where
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability=["sort", "count"], node="a"):
            ...     found = agents.find(all_of=["sort", "count", where("node").is_in("a", "b")])
            ...     [entry.key for entry in found]
            ['ann']
        """
        if isinstance(all_of, (str, Criterion)):
            raise TypeError(f"all_of takes several: write all_of=[{all_of!r}]")
        criteria = [where(path) == value for path, value in equal.items()]
        for one in all_of:
            if isinstance(one, str):
                criteria.append(where("capability") == check_name("each of all_of", one))
            else:
                criteria.append(one)
        return self.query(*criteria)

    def query(self, *criteria: Criterion) -> list[AgentEntry]:
        """Return the agents that match all criteria, made by `where`, in order of registration.

        Raises:
            TypeError: One is no criterion.
        """
        return self._registry.query(*criteria)

    def least_loaded(
        self,
        capability: str,
        n: int = 1,
        *,
        by: str = "resources.load",
        health: Health | None = "healthy",
    ) -> list[AgentEntry]:
        """Return the least loaded agents that can do something, least first.

        Those that say no number come last; of several alike, the one with fewer messages in its
        mailbox comes first, then the one registered first.

        Args:
            capability: What they can do.
            n: How many at most.
            by: The attribute that is the load, as a path.
            health: How they are; None for any.

        Raises:
            TypeError: An argument of the wrong kind.
            ValueError: One that makes no sense.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> for name, load in [("ann", 0.5), ("bob", 0.25), ("joe", None)]:
            ...     block = agents.register(name, ref, capability="sort", cost=load)
            >>> [entry.key for entry in agents.least_loaded("sort", 3, by="cost")]
            ['bob', 'ann', 'joe']
        """
        check_count("n", n)
        path = where(by).path
        return with_least_load(
            self.find_capable(capability, health=health),
            n,
            lambda entry: load_at(entry.attributes, path),
            _waiting_for,
        )

    def with_resources(self, **ranges: tuple[float | None, float | None]) -> list[AgentEntry]:
        """Return the agents that have so much of some resources, in order of registration.

        Args:
            **ranges: For each resource the least and the most, both included; None for no limit.
                An agent without it does not match.

        Raises:
            TypeError: A range that is no pair of numbers.
            ValueError: Nothing could be within.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability="sort", resources={"memory": 0.75}):
            ...     len(agents.with_resources(memory=(0.5, None)))
            1
        """
        criteria: list[Criterion] = []
        for name, limits in ranges.items():
            least, most = check_range(name, limits)
            resource = where(f"resources.{name}")
            criteria.append(resource != None)  # noqa: E711  it makes a criterion
            if least is not None:
                criteria.append(resource >= least)
            if most is not None:
                criteria.append(resource <= most)
        return self._registry.query(*criteria)

    def health_summary(self) -> dict[Health, int]:
        """Return how many agents have each health, zeros included."""
        counts = Counter(entry.attributes["health"] for entry in self._registry.query())
        return {health: counts[health] for health in get_args(Health)}

    def count_by_capability(self) -> dict[str, int]:
        """Return how many agents, of any health, have each capability."""
        counts: Counter[str] = Counter()
        for entry in self._registry.query():
            capability: str | frozenset[str] = entry.attributes["capability"]
            counts.update([capability] if isinstance(capability, str) else sorted(capability))
        return dict(counts)

    def ref_of(self, agent_id: str) -> Ref[Agent] | None:
        """Return how an agent is reached, also while it is away; None if it is gone.

        It is away while its owner is being started again; messages to the `Ref` wait. That ends
        when it is registered again, when its owner is ready without that or is not started after
        all, and with `unregister`.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability="sort"):
            ...     agents.ref_of("ann") == ref
            True
            >>> print(agents.ref_of("ann"))
            None
        """
        return self._presence.ref_of(agent_id)

    def __len__(self) -> int:
        return len(self._registry)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._registry

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry)

    # Changing much at once

    def transaction(self) -> AbstractContextManager[None]:
        """Make all changes in the block, or none if an error comes out of it.

        As in `Registry.transaction` nothing is awaited in it, and who watches or waits is told at
        its end.

        Returns:
            The block, for ``with``.

        Raises:
            RuntimeError: Other tasks could run within.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> with agents.register("ann", ref, capability="sort"):
            ...     try:
            ...         with agents.transaction():
            ...             agents.unregister("ann")
            ...             entry = agents.set_health("bob", "degraded")
            ...     except KeyError:
            ...         print("ann" in agents)
            True
        """
        return self._presence.transaction()

    # Waiting and watching

    async def wait_for(self, agent_id: str) -> AgentEntry:
        """Wait until an agent is registered.

        Returns:
            Its entry; the agent is there when this returns.

        Cancellation:
            Leaves nothing behind.

        Example:
            >>> import trio
            >>> from trio_foundation.messaging import serve
            >>> from trio_foundation.supervision import open_supervisor
            >>> async def main():
            ...     agents = AgentRegistry()
            ...     spec = agents.register_on_start(
            ...         "ann", serve(Agent, capacity=9), capability="sort"
            ...     )
            ...     async with open_supervisor([spec]):
            ...         print((await agents.wait_for("ann")).attributes["capability"])
            >>> trio.run(main)
            sort
        """
        return await self._registry.wait_for(agent_id)

    def watch(
        self, capacity: int = 256
    ) -> AbstractContextManager[
        trio.MemoryReceiveChannel[Registered | Updated | Unregistered | Lagged]
    ]:
        """Receive what happens to entries until the block ends; see `Registry.watch`.

        Args:
            capacity: How many events may wait, at least 1.

        Returns:
            The block, for ``with``; it gives the channel.

        Raises:
            TypeError: *capacity* is no whole number.
            ValueError: It is below 1.

        Emits:
            Lagged: When events are lost.
        """
        return self._registry.watch(capacity)

    def on_change(
        self, callback: Callable[[Registered | Updated | Unregistered], object]
    ) -> Callable[[], None]:
        """Call a function at once with every change of an entry; see `Registry.on_change`.

        `ref_of` knows of the change by then.

        Returns:
            What removes it, and may be called again.

        Raises:
            TypeError: *callback* is async or not callable.
        """
        return self._registry.on_change(callback)

    @enable_ki_protection
    def on_gone(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call a function at once with the id of each agent that is gone.

        That is when it is neither registered nor away, see `ref_of`; it may be registered again.
        What the function raises is logged and ignored.

        Returns:
            What removes it, and may be called again.

        Raises:
            TypeError: *callback* is async or not callable.

        Example:
            >>> from trio_foundation.messaging import serve
            >>> agents, ref = AgentRegistry(), serve(Agent, capacity=9).ref
            >>> remove = agents.on_gone(print)
            >>> with agents.register("ann", ref, capability="sort"):
            ...     pass
            ann
        """
        if not is_plain_function(callback):
            raise TypeError(
                f"on_gone takes a plain function of an id, such as print, not {callback!r}"
            )
        return self._presence.on_gone(callback)

    # Helpers, in order of use

    @enable_ki_protection
    def _enter(self, registration: RegisterAgent) -> AbstractContextManager[AgentEntry]:
        agent_id, ref, owner = registration.agent_id, registration.ref, registration.owner
        attributes = registration.all_attributes
        if owner is None:
            return self._registry.register(agent_id, ref, **attributes)
        entry = self._registry.bind(agent_id, ref, owner, **attributes)
        return _Block(self._registry, self._presence, entry)

    def _check(self) -> None:
        """Assert that all is in order, for tests."""
        self._presence.check()


def _checked(agent_id: str, attributes: Mapping[str, object], *, is_whole: bool) -> dict[str, Any]:
    findings = Findings()
    checked = check_attributes(findings, attributes, is_whole=is_whole)
    findings.report(f"agent {agent_id!r}")
    return checked


def _waiting_for(entry: AgentEntry) -> int:
    return 0 if running_task() is None else entry.value.statistics().used


@final
class _Block:
    """A registration, until the block or the owner ends."""

    __slots__ = ("_entry", "_presence", "_registry", "_was_entered")

    def __init__(
        self, registry: Registry[str, Ref[Agent]], presence: Presence, entry: AgentEntry
    ) -> None:
        self._registry = registry
        self._presence = presence
        self._entry = entry
        self._was_entered = False

    @enable_ki_protection
    def __enter__(self) -> AgentEntry:
        if self._was_entered:
            raise RuntimeError("a block is entered once: call register again")
        self._was_entered = True
        return self._entry

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._registry.unregister(self._entry)
        self._presence.forget(self._entry.key, self._entry.serial)
