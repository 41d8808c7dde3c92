"""A registry of agents against a few dictionaries, with owners that crash and come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.agents import AgentDown, AgentRegistry, AgentUp, Health
from trio_foundation.registry import NameTaken, NotRegistered, OwnerNotRunning
from trio_foundation.supervision import Supervisor, child, current_child, open_supervisor
from trio_foundation.telemetry import subscribe

from ._agents import Oops, a_ref, check, keys

IDS = "abcdef"
OWNERS = "xyz"
HEALTHS: list[Health] = ["healthy", "degraded", "unhealthy"]
REF = a_ref()


@attrs.frozen
class Row:
    """What an agent is by the model."""

    owner: str | None
    capability: frozenset[str]
    health: str
    load: int | None


@attrs.define
class Model:
    """Which agents there are, which are to come back, and which were ever gone."""

    rows: dict[str, Row] = attrs.field(factory=dict[str, Row])
    away: dict[str, str] = attrs.field(factory=dict[str, str])
    owners: dict[str, str] = attrs.field(factory=lambda: dict.fromkeys(OWNERS, "running"))
    crashed: list[str] = attrs.field(factory=list[str])
    left: set[str] = attrs.field(factory=set[str])
    """Who has left since it was last looked at; gone are those that are not back."""

    def copy(self) -> Model:
        return Model({**self.rows}, {**self.away}, {**self.owners}, [*self.crashed], {*self.left})

    def add(self, agent_id: str, row: Row) -> None:
        self.rows[agent_id] = row
        self.away.pop(agent_id, None)

    def drop(self, agent_id: str) -> None:
        if self.rows.pop(agent_id, None) or self.away.pop(agent_id, None):
            self.left.add(agent_id)

    def refusal(self, agent_id: str, owner: str | None) -> type[Exception] | None:
        if owner is not None and self.owners[owner] != "running":
            return OwnerNotRunning
        return NameTaken if agent_id in self.rows else None

    def owner_ends(self, owner: str, *, comes_back: bool) -> None:
        for agent_id, row in list(self.rows.items()):
            if row.owner == owner:
                del self.rows[agent_id]
                if comes_back:
                    self.away[agent_id] = owner
                else:
                    self.left.add(agent_id)
        if not comes_back:
            self.gives_up(owner)

    def gives_up(self, owner: str) -> None:
        for agent_id in [one for one, other in self.away.items() if other == owner]:
            self.drop(agent_id)


ROWS = st.builds(
    Row,
    st.none() | st.sampled_from(OWNERS),
    st.frozensets(st.sampled_from(["sort", "count"]), min_size=1),
    st.sampled_from(HEALTHS),
    st.none() | st.integers(0, 2),
)
CHANGES: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just("register"), st.sampled_from(IDS), ROWS),
    st.tuples(st.just("unregister"), st.sampled_from(IDS)),
    st.tuples(st.just("update"), st.sampled_from(IDS), st.sampled_from(HEALTHS), st.integers(0, 2)),
    st.tuples(st.just("batch"), st.lists(st.tuples(st.sampled_from(IDS), ROWS), max_size=3)),
)
TRANSACTIONS: st.SearchStrategy[tuple[Any, ...]] = st.deferred(
    lambda: st.tuples(
        st.just("transaction"), st.lists(CHANGES | TRANSACTIONS, max_size=4), st.booleans()
    )
)
OWNED = st.builds(
    Row,
    st.sampled_from(OWNERS),
    st.just(frozenset({"sort"})),
    st.just("healthy"),
    st.just(1),
)
# Agents that are away are the interesting ones, so crashes are frequent, and so is what they hit.
CRASHES = st.tuples(st.sampled_from(["crash", "crash", "finish", "stop"]), st.sampled_from(OWNERS))
STEPS: st.SearchStrategy[list[Any]] = st.tuples(
    st.lists(st.tuples(st.just("register"), st.sampled_from(IDS), OWNED), min_size=3, max_size=6),
    st.lists(
        st.one_of(
            CRASHES,
            CRASHES,
            CHANGES,
            TRANSACTIONS,
            TRANSACTIONS,
            st.tuples(st.just("register"), st.sampled_from(IDS), OWNED),
            st.tuples(st.just("restart"), st.sampled_from(OWNERS)),
            st.tuples(
                st.just("come back"), st.dictionaries(st.sampled_from(IDS), OWNED, max_size=4)
            ),
        ),
        max_size=20,
    ),
).map(lambda parts: [*parts[0], *parts[1]])


class Play:
    """Does the same to both."""

    def __init__(self) -> None:
        self.agents = AgentRegistry()
        self.model = Model()
        self.gone: set[str] = set()
        self.agents.on_gone(self.gone.add)
        self.up: set[str] = set()
        self.ends = {owner: trio.Event() for owner in OWNERS}
        self.crashes = True
        # What owners register when they come back.
        self.registers: dict[str, Row] = {}

    async def owner(self, name: str, *, task_status: trio.TaskStatus[None]) -> None:
        for agent_id, row in self.registers.items():
            if row.owner == name:
                with suppress(NameTaken):
                    self.register(agent_id, row, owner=current_child())
        task_status.started()
        await self.ends[name].wait()
        self.ends[name] = trio.Event()
        if self.crashes:
            raise Oops

    async def run(self, steps: list[Any]) -> None:
        backoff = Backoff(initial=1, factor=1, jitter=0)
        specs = [
            child(self.owner, owner, name=owner, restart="transient", backoff=backoff)
            for owner in OWNERS
        ]
        with subscribe(self.hear, AgentUp, AgentDown):
            async with open_supervisor(specs, max_restarts=1_000) as sup:
                self.sup: Supervisor = sup
                for step in steps:
                    if step[0] in {"crash", "finish", "stop", "restart", "come back"}:
                        await getattr(self, step[0].replace(" ", "_"))(step[1])
                    else:
                        self.change(step)
                    self.compare()
                sup.shutdown()
            for owner in OWNERS:
                self.model.owner_ends(owner, comes_back=False)
            self.compare()
        assert not self.model.away

    def hear(self, event: AgentUp | AgentDown) -> None:
        if isinstance(event, AgentUp):
            assert event.agent not in self.up
            self.up.add(event.agent)
        elif event.gone:
            self.up.discard(event.agent)
        else:
            self.up.remove(event.agent)

    # Changes

    def change(self, step: Any) -> None:
        verb, *rest = step
        getattr(self, f"do_{verb}")(*rest)

    def register(self, agent_id: str, row: Row, owner: Any = None) -> None:
        owner = owner or (self.sup.children[row.owner] if row.owner else None)
        self.agents.register(
            agent_id,
            REF,
            capability=row.capability,
            health=row.health,  # type: ignore[arg-type]
            resources={"load": row.load},
            owner=owner,
        )

    def do_register(self, agent_id: str, row: Row) -> None:
        refusal = self.model.refusal(agent_id, row.owner)
        if refusal is not None:
            with pytest.raises(refusal):
                self.register(agent_id, row)
            return
        self.register(agent_id, row)
        self.model.add(agent_id, row)

    def do_unregister(self, agent_id: str) -> None:
        self.agents.unregister(agent_id)
        self.model.drop(agent_id)

    def do_update(self, agent_id: str, health: Health, load: int) -> None:
        row = self.model.rows.get(agent_id)
        if row is None:
            with pytest.raises(NotRegistered):
                self.agents.set_health(agent_id, health)
            return
        self.agents.update(agent_id, health=health, resources={"load": load})
        self.model.rows[agent_id] = attrs.evolve(row, health=health, load=load)

    def do_batch(self, batch: list[tuple[str, Row]]) -> None:
        before = self.model.copy()
        refusal = None
        for agent_id, row in batch:
            refusal = refusal or self.model.refusal(agent_id, row.owner)
            self.model.add(agent_id, row)
        items: list[Any] = [
            {
                "agent_id": agent_id,
                "ref": REF,
                "capability": row.capability,
                "health": row.health,
                "resources": {"load": row.load},
                "owner": self.sup.children[row.owner] if row.owner else None,
            }
            for agent_id, row in batch
        ]
        if refusal is None:
            assert keys(self.agents.batch_register(items)) == [agent_id for agent_id, _ in batch]
            return
        self.model = before
        with pytest.raises(refusal):
            self.agents.batch_register(items)

    def do_transaction(self, steps: list[Any], fails: bool) -> None:
        before = self.model.copy()
        with suppress(Oops), self.agents.transaction():
            for step in steps:
                self.change(step)
                assert not self.gone
                self.compare_what_is_there()
            if fails:
                raise Oops
        if fails:
            self.model = before

    # Owners

    async def crash(self, owner: str) -> None:
        if self.model.owners[owner] != "running":
            return
        self.crashes = True
        self.ends[owner].set()
        await trio.sleep(0.01)
        self.model.owners[owner] = "crashed"
        self.model.crashed.append(owner)
        self.model.owner_ends(owner, comes_back=True)

    async def finish(self, owner: str) -> None:
        if self.model.owners[owner] != "running":
            return
        self.crashes = False
        self.ends[owner].set()
        await trio.testing.wait_all_tasks_blocked()
        self.has_ended(owner)

    async def stop(self, owner: str) -> None:
        await self.sup.stop_child(owner)
        self.has_ended(owner)

    def has_ended(self, owner: str) -> None:
        self.model.owner_ends(owner, comes_back=False)
        self.model.owners[owner] = "stopped"
        self.model.crashed = [other for other in self.model.crashed if other != owner]

    async def restart(self, owner: str) -> None:
        if self.model.owners[owner] == "stopped":
            self.registers = {}
            await self.sup.restart_child(owner)
            self.model.owners[owner] = "running"

    async def come_back(self, registers: dict[str, Row]) -> None:
        self.registers = registers
        await trio.sleep(2)
        for owner in self.model.crashed:
            for agent_id, row in registers.items():
                if row.owner == owner and agent_id not in self.model.rows:
                    self.model.add(agent_id, row)
            self.model.gives_up(owner)
            self.model.owners[owner] = "running"
        self.model.crashed = []

    # What is compared

    def compare(self) -> None:
        check(self.agents)
        self.compare_what_is_there()
        rows, away = self.model.rows, self.model.away
        assert sorted(self.agents._presence.away) == sorted(away)
        assert self.gone == {one for one in self.model.left if one not in rows}
        assert self.up == rows.keys()
        self.gone.clear()
        self.model.left.clear()

    def compare_what_is_there(self) -> None:
        agents, rows, away = self.agents, self.model.rows, self.model.away
        assert [*agents] == [*rows]
        for agent_id in IDS:
            is_there = agent_id in rows or agent_id in away
            assert (agents.ref_of(agent_id) is REF) == is_there
            assert agents.ref_of(agent_id) in {REF, None}
        healths = Counter(row.health for row in rows.values())
        assert agents.health_summary() == {health: healths[health] for health in HEALTHS}
        capabilities = Counter(one for row in rows.values() for one in row.capability)
        assert agents.count_by_capability() == capabilities
        for capability in ("sort", "count"):
            for health in (*HEALTHS, None):
                able = [*self.able(capability, health)]
                assert keys(agents.find_capable(capability, health=health)) == able
                best = sorted(able, key=lambda one: (rows[one].load is None, rows[one].load or 0))
                for n in (1, 2, 9):
                    found = agents.least_loaded(capability, n, health=health)
                    assert keys(found) == best[:n]

    def able(self, capability: str, health: str | None) -> Iterator[str]:
        for agent_id, row in self.model.rows.items():
            if capability in row.capability and health in {None, row.health}:
                yield agent_id


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_both_know_the_same(steps: list[Any]) -> None:
    async def main() -> None:
        await Play().run(steps)

    trio.run(main, clock=MockClock(autojump_threshold=0))
