"""A registry against a list of dictionaries, and against children that come and go."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any, ClassVar, Literal

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.registry import (
    Entry,
    Lagged,
    NameTaken,
    NotRegistered,
    Registry,
    Unregistered,
    where,
)
from trio_foundation.supervision import Child, open_dynamic_supervisor

from ..conformance._recordings import is_object

NAN = float("nan")

KEYS = st.sampled_from(["a", "b", 1, True, None, (1, 2)])
ATTRIBUTES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["x", "y", 1, 1.0, True, None, NAN]),
        "tags": st.sets(st.sampled_from("pqr")) | st.lists(st.sampled_from("pqr")) | st.just("p"),
        "load": st.integers(0, 3) | st.just("much"),
        "deep": st.fixed_dictionaries({"load": st.integers(0, 2) | st.lists(st.integers(0, 2))}),
    },
)


class Oops(Exception):
    """What transactions fail with."""


@attrs.frozen
class Row:
    """What a registration is by the model."""

    number: int
    key: Any
    value: int
    attributes: dict[str, Any]

    def has(self, path: str, wanted: Any) -> bool:
        actual: Any = self.attributes
        for step in path.split("."):
            actual = actual.get(step) if is_object(actual) else None
        if wanted != wanted:  # noqa: PLR0124  NaN
            return False
        if isinstance(actual, (set, list)) and not isinstance(wanted, (set, list)):
            return wanted in actual
        return bool(actual == wanted)


Block = AbstractContextManager[Entry[Any, int]]


class UniqueMachine(RuleBasedStateMachine):
    """Does the same to both, within transactions and without."""

    keeping: ClassVar[Literal["unique", "duplicate"]] = "unique"

    blocks = Bundle[tuple[Block, int]]("blocks")

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry[Any, int](
            keys=self.keeping, indexes=["kind", "tags", "deep.load", "nothing"]
        )
        self.rows: list[Row] = []
        self.numbers = count()
        self.open: list[tuple[AbstractContextManager[None], list[Row]]] = []
        # What a watcher knows: the entries by their serial numbers.
        self.watch = self.registry.watch(capacity=100_000)
        self.changes = self.watch.__enter__()
        self.watched: dict[int, Entry[Any, int]] = {}

    def of_key(self, key: object) -> list[Row]:
        return [row for row in self.rows if row.key == key]

    @rule(target=blocks, key=KEYS, value=st.integers(0, 9), attributes=ATTRIBUTES)
    def register(self, key: object, value: int, attributes: dict[str, Any]) -> tuple[Block, int]:
        is_taken = self.keeping == "unique" and bool(self.of_key(key))
        if is_taken:
            with pytest.raises(NameTaken):
                self.registry.register(key, value, **attributes)
            key = object()
        block = self.registry.register(key, value, **attributes)
        row = Row(next(self.numbers), key, value, attributes)
        self.rows.append(row)
        return block, row.number

    @rule(pair=consumes(blocks))
    def end_block(self, pair: tuple[Block, int]) -> None:
        block, number = pair
        with block:
            pass
        self.rows = [row for row in self.rows if row.number != number]

    @rule(key=KEYS)
    def unregister(self, key: object) -> None:
        self.registry.unregister(key)
        self.rows = [row for row in self.rows if row.key != key]

    @rule(key=KEYS, value=st.integers(0, 9), attributes=ATTRIBUTES, merges=st.booleans())
    def change(self, key: object, value: int, attributes: dict[str, Any], merges: bool) -> None:
        verb = self.registry.update if merges else self.registry.replace
        if not (rows := self.of_key(key)):
            if self.keeping == "unique":
                with pytest.raises(NotRegistered):
                    verb(key, **attributes)
            return
        old = rows[0]
        verb(self.registry.lookup(key), value, **attributes)
        merged = {**old.attributes, **attributes} if merges else attributes
        new = attrs.evolve(old, value=value, attributes=merged)
        self.rows = [new if row is old else row for row in self.rows]

    # Transactions

    @rule()
    def begin(self) -> None:
        transaction = self.registry.transaction()
        transaction.__enter__()
        self.open.append((transaction, [*self.rows]))

    @rule(fails=st.booleans())
    def end(self, fails: bool) -> None:
        if not self.open:
            return
        transaction, rows = self.open.pop()
        if fails:
            error = Oops()
            transaction.__exit__(Oops, error, None)
            self.rows = rows
        else:
            transaction.__exit__(None, None, None)

    def teardown(self) -> None:
        while self.open:
            self.end(fails=False)
        self.all_is_in_order()
        self.watch.__exit__(None, None, None)
        for key in [*self.registry]:
            self.registry.unregister(key)
        self.registry._check()
        assert not any(index._buckets for index in self.registry._book.store._indexes.values())

    # What is compared

    @invariant()
    def all_is_in_order(self) -> None:
        self.registry._check()
        assert [*self.registry] == [row.key for row in self.rows]
        assert len(self.registry) == len(self.rows)
        entries = self.registry.query()
        assert [entry.value for entry in entries] == [row.value for row in self.rows]
        assert [entry.attributes for entry in entries] == [row.attributes for row in self.rows]

    @rule(key=KEYS)
    def look_up(self, key: object) -> None:
        values = [row.value for row in self.of_key(key)]
        assert [entry.value for entry in self.registry.lookup_all(key)] == values
        found = self.registry.get(key)
        assert (found is None) == (not values) == (key not in self.registry)
        if found is not None:
            assert found.value == values[0]
            assert self.registry.lookup(key) is found

    @rule(
        path=st.sampled_from(["kind", "tags", "load", "deep.load", "nothing"]),
        wanted=st.sampled_from(["x", 1, None, NAN, "p", 2, ["p"], {"p", "q"}]),
        load=st.integers(0, 3),
    )
    def find(self, path: str, wanted: Any, load: int) -> None:
        rows = [row for row in self.rows if row.has(path, wanted)]
        assert self.values(self.registry.find(**{path: wanted})) == [row.value for row in rows]
        found = self.registry.query(where("load") <= load, where(path) == wanted)
        low = [row for row in rows if isinstance(row.attributes.get("load"), int)]
        expected = [row.value for row in low if row.attributes["load"] <= load]
        assert self.values(found) == expected

    def values(self, entries: list[Entry[Any, int]]) -> list[int]:
        return [entry.value for entry in entries]

    @invariant()
    def a_watcher_knows_all(self) -> None:
        while self.changes.statistics().current_buffer_used:
            change = self.changes.receive_nowait()
            assert not isinstance(change, Lagged)
            if isinstance(change, Unregistered):
                del self.watched[change.entry.serial]
            else:
                self.watched[change.entry.serial] = change.entry
        if not self.open:
            entries = self.registry.find()
            assert sorted(self.watched) == [entry.serial for entry in entries]
            assert [self.watched[entry.serial] for entry in entries] == entries


class DuplicateMachine(UniqueMachine):
    """The same with keys of any number of entries."""

    keeping: ClassVar[Literal["unique", "duplicate"]] = "duplicate"


TestUnique = UniqueMachine.TestCase
TestDuplicate = DuplicateMachine.TestCase
TestUnique.settings = TestDuplicate.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)


# Children that come and go


class Storm:
    """Children that bind, unregister, crash and are stopped, by the dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.registry = Registry[int, str](
            indexes=["owner_name"], keys=dice.choice(["unique", "duplicate"])
        )
        self.alive: dict[str, tuple[Child[Any], trio.Event]] = {}
        # What should be there: key and owner of each entry.
        self.bound: list[tuple[int, str]] = []

    async def serve(self, go: trio.Event) -> None:
        await go.wait()
        if self.dice.random() < 0.5:
            raise OSError("no route")

    async def run(self, steps: int) -> None:
        async with open_dynamic_supervisor(max_restarts=10_000) as sup:
            verbs: list[Callable[[], None]] = [self.bind, self.bind, self.unregister, self.fail]
            for number in range(steps):
                if len(self.alive) < 4:
                    go = trio.Event()
                    name = f"{number}"
                    self.alive[name] = sup.start_soon(self.serve, go, name=name), go
                if self.alive and self.dice.random() < 0.2:
                    name = self.dice.choice([*self.alive])
                    if self.dice.random() < 0.5:
                        self.alive[name][1].set()
                        await self.alive[name][0].wait_exit()
                    else:
                        await sup.stop_child(name)
                    self.forget(name)
                self.dice.choice(verbs)()
                if self.dice.random() < 0.3:
                    await trio.lowlevel.checkpoint()
                self.compare()
            if self.dice.random() < 0.5:
                for _, go in self.alive.values():
                    go.set()
            sup.shutdown()
        self.bound.clear()
        self.compare()
        assert not len(self.registry._book.owners)

    def forget(self, name: str) -> None:
        del self.alive[name]
        self.bound = [(key, owner) for key, owner in self.bound if owner != name]

    def bind(self) -> None:
        if not self.alive:
            return
        key, name = self.dice.randrange(8), self.dice.choice([*self.alive])
        with suppress(NameTaken):
            self.registry.bind(key, name, self.alive[name][0], owner_name=name)
            self.bound.append((key, name))

    def unregister(self) -> None:
        key = self.dice.randrange(8)
        self.registry.unregister(key)
        self.bound = [(other, owner) for other, owner in self.bound if other != key]

    def fail(self) -> None:
        before = [*self.bound]
        with suppress(Oops), self.registry.transaction():
            for _ in range(5):
                self.dice.choice([self.bind, self.unregister])()
            raise Oops
        self.bound = before

    def compare(self) -> None:
        self.registry._check()
        assert [(entry.key, entry.value) for entry in self.registry.find()] == self.bound
        for name in self.alive:
            found = [entry.key for entry in self.registry.find(owner_name=name)]
            assert found == [key for key, owner in self.bound if owner == name]


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_whatever_children_do_only_what_the_living_have_bound_is_there(dice: random.Random) -> None:
    trio.run(Storm(dice).run, 60, clock=MockClock(autojump_threshold=0))


async def test_a_storm_leaves_nothing_that_waits() -> None:
    await Storm(random.Random(1)).run(30)
    await wait_all_tasks_blocked()
