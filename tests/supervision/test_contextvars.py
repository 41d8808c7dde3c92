"""Tests of which context variables a child sees: those of whoever handed it over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.supervision import (
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)

from ._puppets import Crash

# Rule R27 throughout.

user: ContextVar[str] = ContextVar("user", default="nobody")

both_kinds = pytest.mark.parametrize(
    "open_it", [open_supervisor, open_dynamic_supervisor], ids=["static", "dynamic"]
)


class Witness:
    """A child that writes down what it sees, changes it, and crashes a few times."""

    def __init__(self, crashes: int = 0) -> None:
        self.crashes = crashes
        self.seen: list[str] = []

    async def run(self) -> None:
        self.seen.append(user.get())
        user.set(f"child {current_child().incarnation}")
        if len(self.seen) <= self.crashes:
            raise Crash("again")
        await trio.sleep_forever()


# Written down when the module is imported, long before anybody sets anything.
WITNESS = Witness()
TREE = subtree([child(WITNESS.run)], name="tree")


async def test_the_first_children_see_what_was_set_where_the_block_was_opened() -> None:
    witness = Witness()
    user.set("alice")
    async with open_supervisor([child(witness.run)]):
        user.set("bob")
        await wait_all_tasks_blocked()
    assert witness.seen == ["alice"]


async def test_a_tree_declared_at_import_time_sees_what_main_set() -> None:
    user.set("main")
    async with open_supervisor([TREE]):
        await wait_all_tasks_blocked()
    assert WITNESS.seen == ["main"]


@both_kinds
@pytest.mark.parametrize("verb", ["start", "start_child", "start_soon"])
async def test_a_child_sees_what_was_set_where_it_was_started(
    open_it: Callable[[], AbstractAsyncContextManager[Any]], verb: str
) -> None:
    witness = Witness()
    user.set("alice")
    async with open_it() as sup:
        user.set("bob")
        if verb == "start":
            await sup.start(witness.run)
        elif verb == "start_child":
            await sup.start_child(child(witness.run))
        else:
            sup.start_soon(witness.run)
        user.set("carol")
        await wait_all_tasks_blocked()
    assert witness.seen == ["bob"]


@both_kinds
async def test_every_incarnation_sees_the_same_and_not_what_the_crasher_set(
    open_it: Callable[[], AbstractAsyncContextManager[Any]],
) -> None:
    witness = Witness(crashes=2)
    user.set("alice")
    async with open_it() as sup:
        await sup.start_child(child(witness.run))
        user.set("bob")
        await wait_all_tasks_blocked()
    assert witness.seen == ["alice", "alice", "alice"]


async def test_a_child_started_by_hand_again_sees_what_it_saw_at_first() -> None:
    witness = Witness()
    user.set("alice")
    async with open_supervisor([child(witness.run)]) as sup:
        await sup.stop_child("run")
        user.set("bob")
        await sup.restart_child("run")
        await wait_all_tasks_blocked()
    assert witness.seen[-1] == "alice"


async def test_a_group_restart_gives_each_its_own() -> None:
    one, other = Witness(), Witness(crashes=1)
    user.set("alice")
    async with open_supervisor([child(one.run)], strategy="one_for_all") as sup:
        user.set("bob")
        await sup.start(other.run)
        await wait_all_tasks_blocked()
    assert (one.seen, other.seen) == (["alice", "alice"], ["bob", "bob"])


async def test_what_a_child_sets_is_seen_by_nobody_else() -> None:
    witness = Witness()
    user.set("alice")
    async with open_supervisor([child(witness.run)]):
        await wait_all_tasks_blocked()
        assert user.get() == "alice"
    assert user.get() == "alice"


async def test_an_object_that_a_child_put_into_its_context_is_not_kept_for_the_next() -> None:
    seen: list[object] = []

    async def work() -> None:
        seen.append(box.get(None))
        box.set(object())
        if len(seen) < 2:
            raise Crash("once")
        await trio.sleep_forever()

    box: ContextVar[object] = ContextVar("box")
    async with open_supervisor([child(work)]):
        await wait_all_tasks_blocked()
    assert seen == [None, None]


async def test_a_child_of_a_subtree_sees_what_the_subtree_sees() -> None:
    witness = Witness()
    user.set("alice")
    async with open_supervisor() as sup:
        user.set("bob")
        await sup.start_child(subtree([child(witness.run)], name="tree"))
        user.set("carol")
        await wait_all_tasks_blocked()
    assert witness.seen == ["bob"]
