"""Tests of the context in which handlers run: the server's own, not the caller's."""

from __future__ import annotations

from contextvars import ContextVar

import trio

from trio_foundation.messaging import Server, serve
from trio_foundation.supervision import Exit, current_child, open_supervisor

from ._servers import Asked, Crash, attempt

COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


class Painter(Server):
    """Tells which colour it sees."""

    seen: list[str]

    def __init__(self) -> None:
        self.made_in = COLOUR.get()

    async def setup(self) -> None:
        self.set_up_in = COLOUR.get()

    async def look(self) -> str:
        return COLOUR.get()

    async def look_back(self) -> tuple[str, str]:
        return self.made_in, self.set_up_in

    async def mix(self, colour: str) -> None:
        COLOUR.set(colour)

    async def spill(self, colour: str) -> None:
        COLOUR.set(colour)
        raise Crash

    async def who(self) -> tuple[str, int]:
        return current_child().name, current_child().incarnation

    async def task(self) -> str:
        return trio.lowlevel.current_task().name


async def test_a_handler_sees_the_values_of_whoever_opened_the_supervisor() -> None:
    spec, ref = serve(Painter, capacity=1)
    COLOUR.set("red")
    async with open_supervisor([spec]):
        COLOUR.set("blue")
        assert await ref.call(Painter.look) == "red"
        assert await ref.call(Painter.look_back) == ("red", "red")


async def test_two_callers_cannot_tell_a_handler_anything_by_their_context() -> None:
    async def ask(colour: str) -> None:
        COLOUR.set(colour)
        seen.append(await ref.call(Painter.look))

    seen: list[str] = []
    spec, ref = serve(Painter, capacity=2)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        nursery.start_soon(ask, "red")
        nursery.start_soon(ask, "blue")
    assert seen == ["none", "none"]


async def test_what_a_handler_sets_stays_in_the_incarnation() -> None:
    spec, ref = serve(Painter, capacity=1)
    async with open_supervisor([spec]):
        await ref.call(Painter.mix, "green")
        assert COLOUR.get() == "none"
        assert await ref.call(Painter.look) == "green"
        await attempt(ref, Painter.spill, "black")
        assert await ref.call(Painter.look) == "none"


async def test_a_handler_knows_its_child() -> None:
    spec, ref = serve(Painter, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Painter.who) == ("Painter", 1)
        await attempt(ref, Painter.spill, "black")
        assert await ref.call(Painter.who) == ("Painter", 2)


async def test_all_of_an_incarnation_runs_in_one_task_that_is_named_after_the_child() -> None:
    tasks: set[trio.lowlevel.Task] = set()

    class Single(Server):
        async def setup(self) -> None:
            tasks.add(trio.lowlevel.current_task())

        async def work(self) -> str:
            tasks.add(trio.lowlevel.current_task())
            return trio.lowlevel.current_task().name

        async def teardown(self, exit: Exit) -> None:
            tasks.add(trio.lowlevel.current_task())

    spec, ref = serve(Single, capacity=1)
    async with open_supervisor([spec], name="tree"), trio.open_nursery() as nursery:
        asked = [Asked(nursery, ref, Single.work) for _ in range(3)]
    assert {one.answer for one in asked} == {"tree/Single"}
    assert len(tasks) == 1
