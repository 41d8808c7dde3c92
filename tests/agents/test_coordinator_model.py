"""Whatever happens, in whatever order: each message has one end, and the order is kept."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import trio
import trio.testing
from hypothesis import given, settings, strategies as st

from trio_foundation.agents import AnsweredKeys, DeadLetter, DeliveryError

from ._robots import Orders, Works, at_work

Step = tuple[Literal["send", "mode", "wait", "force", "stop", "cancelled"], Any]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("mode"), st.sampled_from(["work", "crash", "hang", "refuse"])),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 2.5, 11.0])),
        st.tuples(st.just("force"), st.sampled_from(["force_open", "reset", "disable"])),
        st.tuples(st.just("stop"), st.booleans()),
        st.tuples(st.just("cancelled"), st.sampled_from([0.0, 1.0])),
    ),
    max_size=25,
)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Story:
    """What is done to one robot, and what came of each message."""

    def __init__(self, works: Works, nursery: trio.Nursery) -> None:
        self.works = works
        self.nursery = nursery
        self.number = 0
        self.ends: Counter[str] = Counter()
        self.delivered: list[int] = []

    async def do(self, step: Step) -> None:  # noqa: C901  one branch for each kind of step
        kind, what = step
        ann = self.works.orders["ann"]
        match kind:
            case "send":
                for _ in range(what):
                    self.nursery.start_soon(self.send, self.next())
                    await trio.testing.wait_all_tasks_blocked()
            case "mode":
                ann.mode = what
            case "wait":
                await trio.sleep(what)
            case "force":
                if "ann" in self.works.agents:
                    getattr(self.works.coordinator.breaker("ann"), what)()
            case "stop":
                child = self.works.supervisor.children["ann"]
                if child.state == "running":
                    await self.works.supervisor.stop_child("ann")
                    if what:
                        await self.works.supervisor.restart_child("ann")
                elif child.state == "stopped":
                    await self.works.supervisor.restart_child("ann")
            case "cancelled":
                with trio.move_on_after(what):
                    await self.send(self.next())
        self.works.check()

    def next(self) -> int:
        self.number += 1
        return self.number

    async def send(self, number: int) -> None:
        try:
            receipt = await self.works.coordinator.deliver("ann", number, key=f"{number}")
        except DeliveryError as error:
            self.ends[type(error).__name__] += 1
        else:
            self.ends[receipt.status] += 1
            if receipt.status == "delivered":
                self.delivered.append(number)


@settings(max_examples=150)
@given(
    story=steps,
    capacity=st.integers(1, 4),
    overflow=st.sampled_from(["drop_oldest", "reject", "block"]),
    concurrency=st.sampled_from([1, 1, 3]),
    attempts=st.sampled_from([1, 2]),
)
def test_each_message_has_one_end(
    story: list[Step], capacity: int, overflow: Any, concurrency: int, attempts: int
) -> None:
    letters: list[DeadLetter] = []

    async def main() -> None:
        orders = Orders(answered=AnsweredKeys(1000))
        async with at_work(
            orders=orders,
            buffer_capacity=capacity,
            overflow=overflow,
            drain_concurrency=concurrency,
            attempts=attempts,
            delivery_timeout=2.0,
            on_dead_letter=letters.append,
        ) as works:
            async with trio.open_nursery() as nursery:
                told = Story(works, nursery)
                for step in story:
                    await told.do(step)
            orders.mode = "work"
            if "ann" in works.agents:
                works.coordinator.breaker("ann").reset()
            returned = await works.coordinator.drain(100)
            await trio.testing.wait_all_tasks_blocked()
            works.check()
            total = works.coordinator.statistics()
            assert total.buffered == total.in_flight == 0
            assert total.dead_lettered == len(letters)
            assert total.returned == len(returned)
            # An agent that remembers keys has done each once, and all that it is said to have done.
            assert max(Counter(orders.done).values(), default=1) == 1
            assert {*told.delivered} <= {*orders.done}
            lost = {letter.message for letter in letters if letter.outcome == "not_done"}
            assert not lost & {*orders.done}

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
