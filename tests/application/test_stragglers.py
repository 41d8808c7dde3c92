"""Tests of finding what still runs, and of where it is said to be."""

from __future__ import annotations

import sys
import traceback
from signal import SIGTERM
from types import FrameType

import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.application._rules import Straggler
from trio_foundation.application._signals import StopSignals, where_blocked
from trio_foundation.application._stragglers import find_stragglers
from trio_foundation.supervision import ChildSpec, child, open_supervisor, subtree


async def wait() -> None:
    await trio.sleep_forever()


async def wait_in_two_tasks() -> None:
    async with trio.open_nursery() as nursery:  # noqa: ASYNC112  a second task is the point
        nursery.start_soon(wait)


async def open_own_supervisor() -> None:
    async with open_supervisor([child(wait)], name="own"):
        await trio.sleep_forever()


async def stragglers_among(*children: ChildSpec) -> dict[str, Straggler]:
    """Return what runs of these children, by their paths."""
    async with open_supervisor(children, name="app"):
        await wait_all_tasks_blocked()
        found = find_stragglers()
    return {one.path: one for one in found}


def functions(one: Straggler) -> list[list[str]]:
    return [[place.function for place in stack] for stack in one.stacks]


async def test_children_are_found_with_the_lines_of_the_user() -> None:
    (found,) = (await stragglers_among(child(wait))).values()
    assert (found.path, found.incarnation, found.is_stopping) == ("app/wait", 1, False)
    ((place,),) = found.stacks
    assert (place.file, place.function) == (__file__, "wait")
    assert place.source == "await trio.sleep_forever()"


async def test_supervisors_wait_for_their_children_and_are_left_out() -> None:
    tree = subtree([subtree([child(wait)], name="inner")], name="outer")
    assert set(await stragglers_among(tree)) == {"app/outer/inner/wait"}


async def test_the_tasks_of_a_child_belong_to_it() -> None:
    found = await stragglers_among(child(wait_in_two_tasks))
    assert functions(found["app/wait_in_two_tasks"]) == [["wait_in_two_tasks"], ["wait"]]


async def test_a_supervisor_that_a_child_opened_is_looked_into() -> None:
    found = await stragglers_among(child(open_own_supervisor))
    assert set(found) == {"app/open_own_supervisor", "app/open_own_supervisor/own/wait"}


async def test_tasks_that_belong_to_no_child_are_left_out() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        assert set(await stragglers_among(child(wait))) == {"app/wait"}
        nursery.cancel_scope.cancel()


async def test_a_child_that_blocks_is_told_by_its_own_lines() -> None:
    text = where_blocked(sys._getframe())
    assert text.startswith("It kept all other tasks from running, here:\n  File")
    assert "in test_a_child_that_blocks_is_told_by_its_own_lines" in text
    assert "trio/_core" not in text


async def test_if_nothing_blocks_nothing_is_told() -> None:
    of_trio = next(
        frame
        for frame, _ in traceback.walk_stack(sys._getframe())
        if frame.f_globals["__name__"].startswith("trio.")
    )
    assert where_blocked(of_trio) == where_blocked(None) == ""


async def test_the_third_signal_tells_where_it_hangs_if_no_task_has_seen_the_others() -> None:
    forced: list[FrameType | None] = []
    signals = StopSignals(lambda _, frame: forced.append(frame))
    here = sys._getframe()
    for _ in range(3):
        assert not forced
        signals.on_signal(SIGTERM, here)
    assert forced == [here]
    signals.show()
    signals.on_signal(SIGTERM, here)
    assert forced == [here, None]
