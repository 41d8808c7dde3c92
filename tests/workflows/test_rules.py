"""Tests of what is decided about batches and sagas, by arithmetic and beside plainer models."""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trio_foundation import Backoff
from trio_foundation.workflows import SagaStep
from trio_foundation.workflows._rules import (
    Batch,
    Line,
    Lines,
    Plan,
    check_operations,
    count_taken,
    delay_before_next,
)

# Whose turn it is


def test_the_first_one_has_its_turn_and_the_others_wait() -> None:
    lines = Lines()
    a, b = Batch("a", "k", None), Batch("b", "k", None)
    assert lines.take(a) is None
    line = lines.take(b)
    assert line is not None
    lines.join(line, b)
    assert (line.holder, lines.waiting, len(lines)) == (a, 1, 1)
    assert lines.pass_on(a) is b
    assert lines.pass_on(b) is None
    assert (lines.waiting, len(lines)) == (0, 0)


def test_a_key_that_is_equal_is_the_same_key() -> None:
    lines = Lines()
    lines.take(Batch("a", 1, None))
    assert lines.take(Batch("b", 1.0, None)) is not None


def test_three_that_wait_for_each_other_are_found() -> None:
    lines = Lines()
    outer = [Batch(key, key, None) for key in "abc"]
    for batch in outer:
        assert lines.take(batch) is None
    inner = [Batch(f"in {key}", key, one) for key, one in zip("bca", outer, strict=True)]
    found: list[bool] = []
    for batch in inner:
        line = lines.take(batch)
        assert line is not None
        found.append(lines.would_wait_for_ever(line, batch))
        if not found[-1]:
            lines.join(line, batch)
    assert found == [False, False, True]


def test_a_circle_that_one_is_not_in_is_walked_once() -> None:
    lines = Lines()
    a, b, other = Batch("a", "a", None), Batch("b", "b", None), Batch("c", "a", None)
    lines.take(a)
    lines.take(b)
    a.inner, b.inner = {other: Line(b)}, {other: Line(a)}
    line = lines.take(other)
    assert line is not None
    assert not lines.would_wait_for_ever(line, other)


KEYS = st.integers(0, 4)


@given(waits=st.lists(st.tuples(KEYS, KEYS, st.booleans()), max_size=15))
def test_who_waits_for_itself_is_found_however_many_wait_within_a_batch(
    waits: list[tuple[int, int, bool]],
) -> None:
    lines = Lines()
    holders = [Batch(key, key, None) for key in range(5)]
    for holder in holders:
        lines.take(holder)
    edges: set[tuple[int, int]] = set()
    for within, key, gives_up in waits:
        inner = Batch("inner", key, holders[within])
        line = lines.take(inner)
        assert line is not None
        reached = {key}
        for _ in holders:
            reached |= {there for here, there in edges if here in reached}
        assert lines.would_wait_for_ever(line, inner) is (within in reached)
        if within not in reached:
            lines.join(line, inner)
            if gives_up:
                lines.leave(line, inner)
            else:
                edges.add((within, key))
    assert lines.waiting == sum(len(one.inner or ()) for one in holders)


class LinesBesideLists(RuleBasedStateMachine):
    """The same with a list for each key, of which the first one has its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines()
        self.model: dict[Hashable, list[tuple[Batch, Line | None]]] = {}
        self.count = 0

    def all_of(self, at_least: int) -> list[list[tuple[Batch, Line | None]]]:
        return [queue for queue in self.model.values() if len(queue) >= at_least]

    @rule(key=st.sampled_from(["a", "b", None]))
    def arrive(self, key: Hashable) -> None:
        self.count += 1
        batch = Batch(self.count, key, None)
        line = self.lines.take(batch)
        assert (line is None) == (key not in self.model)
        if line is not None:
            self.lines.join(line, batch)
        self.model.setdefault(key, []).append((batch, line))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        queue = data.draw(st.sampled_from(self.all_of(1)))
        batch, _ = queue.pop(0)
        following = self.lines.pass_on(batch)
        assert following is (queue[0][0] if queue else None)
        if not queue:
            del self.model[batch.key]

    @precondition(lambda self: self.all_of(2))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        queue = data.draw(st.sampled_from(self.all_of(2)))
        batch, line = queue.pop(data.draw(st.integers(1, len(queue) - 1)))
        assert line is not None
        self.lines.leave(line, batch)

    @rule()
    def send_away(self) -> None:
        waiting = {batch for queue in self.model.values() for batch, _ in queue[1:]}
        assert {batch for _, batch in self.lines.all_that_wait()} == waiting
        for line, batch in self.lines.all_that_wait():
            self.lines.leave(line, batch)
        for queue in self.model.values():
            del queue[1:]

    @invariant()
    def is_the_same(self) -> None:
        assert len(self.lines) == len(self.model)
        assert self.lines.waiting == sum(len(queue) - 1 for queue in self.model.values())
        for queue in self.model.values():
            for place, (batch, line) in enumerate(queue):
                assert (line is not None and batch in (line.waiting or ())) is (place > 0)
                assert line is None or line.holder is queue[0][0]


TestLinesBesideLists = LinesBesideLists.TestCase


# Trying again

BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=5.0, jitter=0.0)


@pytest.mark.parametrize(
    ("attempt", "until", "expected"),
    [
        (1, 100.0, 1.0),
        (2, 100.0, 2.0),
        (4, 100.0, 5.0),
        (5, 100.0, "attempt 5 of 5"),
        (1, 11.0, "attempt 1 of 5; there is no time for another"),
        (1, 11.1, 1.0),
    ],
)
def test_there_is_another_attempt_while_there_is_time(
    attempt: int, until: float, expected: float | str
) -> None:
    delay = delay_before_next(
        attempt, attempts=5, backoff=BACKOFF, rng=random.Random(0), now=10.0, until=until
    )
    assert delay == expected


# What is undone


async def nothing() -> None: ...


@given(
    stages=st.lists(st.lists(st.booleans(), min_size=1, max_size=3), max_size=5),
    data=st.data(),
)
def test_what_is_undone_is_what_has_begun_and_can_be_in_reverse(
    stages: list[list[bool]], data: st.DataObject
) -> None:
    plan = Plan()
    names: list[str] = []
    undoable: set[str] = set()
    for stage in stages:
        steps: list[SagaStep] = []
        for has_undo in stage:
            name = f"step {len(names)}"
            names.append(name)
            steps.append(SagaStep(name, nothing, nothing if has_undo else None))
            if has_undo:
                undoable.add(name)
        plan = plan.then(*steps)
    begun = data.draw(st.sets(st.sampled_from(names))) if names else set[str]()
    to_undo = [one.step.name for one in plan.to_undo(begun)]
    assert to_undo == [name for name in reversed(names) if name in begun & undoable]
    assert [one.step.name for one in plan] == names


# Arguments


def test_an_action_is_told_what_it_requires() -> None:
    async def one(a: Any, b: int = 5, /, *, c: int = 6, **more: int) -> None: ...
    async def both(a: Any, b: Any) -> None: ...
    async def many(*args: Any) -> None: ...

    told = ("this", "that")
    takes = [count_taken("it", function, told) for function in (nothing, one, both, many, type)]
    assert takes == [0, 1, 2, 2, 0]


def test_operations_are_taken_once_each() -> None:
    async def with_default(a: int = 5) -> None: ...

    class Callable:
        async def __call__(self) -> None: ...

    operations: list[Any] = [nothing, with_default, Callable(), Callable().__call__]
    assert check_operations("execute", iter(operations)) == tuple(operations)
    assert check_operations("execute", []) == ()
