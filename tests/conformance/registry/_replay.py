"""One scenario on a registry of ours.

==========================  =============================================================
Elixir                      ours
==========================  =============================================================
``Registry``                `Registry`; there are no partitions, which keep several
                            schedulers out of each other's way, and here is one thread
a process                   a child of a dynamic supervisor
``register``                `Registry.bind` to the child, with its name as an attribute
``unregister``              `Registry.unregister` of the child's own entries
``unregister_match``        the same, of those with the value
``update_value``            `Registry.update`, if the entry is the child's
``lookup``, ``dispatch``    `Registry.lookup_all`
``keys``, ``values``        `Registry.find` by the name of the child, which is indexed
``whereis``                 `Registry.get`
``via``                     a child that binds itself when it starts
metadata                    a registry of its own
a listener                  `Registry.watch`
==========================  =============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import trio
from trio.testing import MockClock

from trio_foundation.registry import (
    Entry,
    EntryEvent,
    Lagged,
    NameTaken,
    Registered,
    Registry,
    Unregistered,
    Updated,
)
from trio_foundation.supervision import (
    Child,
    ChildStartFailed,
    DynamicSupervisor,
    ShutdownChild,
    current_child,
    open_dynamic_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._format import Json, Scenario, Seen

__all__ = ["heard_of", "replay"]


class Crash(Exception):
    """A process exits, for a recorded reason."""


def replay(scenario: Scenario) -> list[Seen]:
    """Replay a scenario, and return what was seen in each step."""
    return trio.run(_replay, scenario, clock=MockClock(autojump_threshold=0))


async def _replay(scenario: Scenario) -> list[Seen]:
    registry = Registry[str, Json](keys=scenario.keys, indexes=["process"])
    told: list[EntryEvent] = []
    seen: list[Seen] = []

    def hear(event: EntryEvent) -> None:
        if event.registry == registry.name:
            told.append(event)

    with registry.watch() as changes, subscribe(hear, EntryEvent):
        async with open_dynamic_supervisor() as sup:
            player = Player(registry, sup, is_sorted=scenario.is_sorted)
            for action in scenario.actions:
                returned = await player.play(action)
                heard: list[Json] = []
                while changes.statistics().current_buffer_used:
                    heard.append(heard_of(changes.receive_nowait()))
                contradictions = [*registry._book.check()]
                if [heard_of(event) for event in told] != heard:
                    contradictions.append(f"watchers hear {heard}, and others {told}")
                told.clear()
                seen.append(
                    Seen(returned, heard if scenario.has_listener else None, tuple(contradictions))
                )
            sup.shutdown()
    return seen


def heard_of(event: EntryEvent | Lagged) -> Json:
    """Return what a listener of Elixir's would have heard, had it been told of that."""
    match event:
        case Registered(entry=entry):
            return ["register", entry.key, pid_of(entry), entry.value]
        case Updated(entry=entry):
            return ["update", entry.key, pid_of(entry), entry.value]
        case Unregistered(entry=entry):
            return ["unregister", entry.key, pid_of(entry)]
        case _:
            return f"not recorded: {event!r}"


def pid_of(entry: Entry[str, Json]) -> Json:
    """Return the process that owns an entry."""
    assert entry.owner is not None
    return {"pid": entry.owner.name}


class Player:
    """Does what is asked for, by one process or another."""

    def __init__(
        self, registry: Registry[str, Json], sup: DynamicSupervisor, *, is_sorted: bool
    ) -> None:
        self.registry = registry
        self.metadata = Registry[str, Json](name="metadata")
        self.sup = sup
        self.is_sorted = is_sorted
        self.processes: dict[str, Child[None]] = {}
        self.exits: dict[str, trio.Event] = {}
        self.reasons: dict[str, Json] = {}

    async def play(self, action: Mapping[str, Json]) -> Json:
        """Perform one operation, and return what it returned."""
        arguments = dict(action)
        operation = arguments.pop("op")
        if operation == "start_via":
            return await self.start_via(**arguments)
        if "p" in arguments:
            process = await self.process(arguments["p"])
            if process is None:
                return self.of_the_dead(operation)
            if operation == "exit":
                return await self.exit(**arguments)
        verb: Callable[..., Json] = getattr(self, operation)
        return verb(**arguments)

    # Processes

    async def process(self, p: str) -> Child[None] | None:
        """Return a process; it is started when it is needed first, and None when it is dead."""
        if p not in self.processes:
            await self.start(p, None)
        process = self.processes[p]
        return process if process.state == "running" else None

    async def start(self, p: str, key: str | None) -> None:
        go = self.exits[p] = trio.Event()
        self.processes[p] = await self.sup.start(partial(self.live, p, go, key), name=p)

    async def live(
        self, p: str, go: trio.Event, key: str | None, *, task_status: trio.TaskStatus[None]
    ) -> None:
        if key is not None:
            self.registry.bind(key, None, current_child(), process=p)
        task_status.started()
        await go.wait()
        reason = self.reasons[p]
        if reason == "shutdown":
            raise ShutdownChild("shutdown")
        if reason != "normal":
            raise Crash(reason)

    async def exit(self, p: str, reason: Json) -> None:
        self.reasons[p] = reason
        self.exits[p].set()
        await self.processes[p].wait_exit()

    def of_the_dead(self, operation: str) -> Json:
        """Return what is known of a dead process; it can do nothing."""
        return [] if operation in {"keys", "values"} else "noop"

    async def start_via(self, p: str, key: str) -> Json:
        try:
            await self.start(p, key)
        except ChildStartFailed:
            return ["error", ["already_started", pid_of(self.registry.lookup(key))]]
        return "ok"

    # Operations by a process

    def register(self, p: str, key: str, value: Json) -> Json:
        try:
            self.registry.bind(key, value, self.processes[p], process=p)
        except NameTaken:
            return ["error", ["already_registered", pid_of(self.registry.lookup(key))]]
        return "ok"

    def unregister(self, p: str, key: str) -> Json:
        for entry in self.own(p, key):
            self.registry.unregister(entry)
        return "ok"

    def unregister_match(self, p: str, key: str, value: Json) -> Json:
        for entry in self.own(p, key):
            if entry.value == value:
                self.registry.unregister(entry)
        return "ok"

    def update_value(self, p: str, key: str, value: Json) -> Json:
        entry = self.registry.get(key)
        if entry is not None and entry not in self.own(p, key):
            entry = None
        try:
            if entry is None:
                self.registry.update("", value)  # raises what it raises of any key
            return [self.registry.update(key, value).value, entry and entry.value]
        except KeyError:
            return "error"
        except ValueError:
            return "unsupported"

    def keys(self, p: str) -> Json:
        return sorted(entry.key for entry in self.registry.find(process=p))

    def values(self, p: str, key: str) -> Json:
        return sorted(entry.value for entry in self.own(p, key))

    def own(self, p: str, key: str) -> list[Entry[str, Json]]:
        owner = self.processes[p]
        own = [entry for entry in self.registry.lookup_all(key) if entry.owner is owner]
        assert own == [entry for entry in self.registry.find(process=p) if entry.key == key]
        return own

    # Operations by anybody

    def lookup(self, key: str) -> Json:
        pairs = [
            [entry.attributes["process"], entry.value] for entry in self.registry.lookup_all(key)
        ]
        return sorted(pairs) if self.is_sorted else pairs

    def match(self, key: str, value: Json) -> Json:
        return [pair for pair in self.lookup(key) if pair[1] == value]

    def count_match(self, key: str, value: Json) -> Json:
        return len(self.match(key, value))

    def count(self) -> Json:
        return len(self.registry)

    def dispatch(self, key: str) -> Json:
        return self.lookup(key) or "not_called"

    def select_all(self) -> Json:
        everything = self.registry.find()
        return sorted([entry.key, entry.attributes["process"], entry.value] for entry in everything)

    def whereis(self, key: str) -> Json:
        entry = self.registry.get(key)
        return "undefined" if entry is None else pid_of(entry)

    def meta(self, key: str) -> Json:
        entry = self.metadata.get(key)
        return "error" if entry is None else ["ok", entry.value]

    def put_meta(self, key: str, value: Json) -> Json:
        if key in self.metadata:
            self.metadata.update(key, value)
        else:
            self.metadata.register(key, value)
        return "ok"
