"""What `by_hand` does: nurseries, memory channels and tenacity."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from tests.comparison._needed import has_no, needed
from tests.comparison._worlds import Answer, Broken, elsewhere, on_trio, yes_if
from tests.comparison.by_hand import Desk, keep_running, named

tenacity = needed("tenacity")

run = on_trio


async def broken(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    raise Broken


async def restart() -> Answer:
    runs = 0

    async def work(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal runs
        runs += 1
        task_status.started()
        if runs == 1:
            raise Broken
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(keep_running, work)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return yes_if(runs == 2)


async def limit() -> Answer:
    escalates = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_running, broken)
    except (Broken, ExceptionGroup):
        escalates = True
    hours = 0

    async def hourly(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal hours
        hours += 1
        task_status.started()
        await trio.sleep(3600)
        raise Broken

    try:
        await keep_running(hourly)
    except (Broken, ExceptionGroup):
        # An attempt counts for ever, so a crash an hour is too many after some hours.
        return yes_if(escalates and hours > 4, otherwise="partly")
    return "yes"


async def order() -> Answer:
    seen = list[str]()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        seen.append("first is ready")
        task_status.started()
        await trio.sleep_forever()

    async def next_one(*, task_status: trio.TaskStatus[None]) -> None:
        seen.append("second begins")
        task_status.started()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(keep_running, slow)
        await nursery.start(keep_running, next_one)
        nursery.cancel_scope.cancel()
    return yes_if(seen == ["first is ready", "second begins"])


async def groups() -> Answer:
    starts = [0, 0, 0]

    async def work(place: int, *, task_status: trio.TaskStatus[None]) -> None:
        starts[place] += 1
        task_status.started()
        await wait_all_tasks_blocked()
        if place == 1 and starts[1] == 1:
            raise Broken
        await trio.sleep_forever()

    async def group(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            for place in range(3):
                await nursery.start(work, place)
            task_status.started()

    async with trio.open_nursery() as nursery:
        await nursery.start(keep_running, group)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    # All of a nursery together; the rest after the one that crashed, without those before, not.
    return yes_if(starts == [1, 2, 2], otherwise="partly" if starts == [2, 2, 2] else "no")


async def stop() -> Answer:
    ended = list[tuple[str, float]]()

    async def work(name: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            ended.append((name, trio.current_time()))

    async with trio.open_nursery() as nursery:
        for name in "abc":
            await nursery.start(keep_running, work, name)
        await wait_all_tasks_blocked()
        begun = trio.current_time()
        nursery.cancel_scope.cancel()
    all_at_once = {at for _, at in ended} == {begun + 1}
    return yes_if(not all_at_once)


class Handler:
    """What a desk does."""

    def __init__(self) -> None:
        self.handled = list[str]()

    async def __call__(self, what: str) -> str:
        """Handle a message."""
        if what == "bomb":
            await trio.sleep(1)
            raise Broken
        if what == "slow":
            await trio.sleep(10)
        self.handled.append(what)
        return what


async def swallow(desk: Desk, attempts: int) -> None:
    """Run a desk, whatever becomes of it."""
    try:
        await desk.run(attempts=attempts)
    except (Broken, ExceptionGroup):
        return


async def gone() -> Answer:
    desk = Desk(Handler(), capacity=10)
    told = list[float]()

    async def ask(what: str) -> None:
        try:
            await desk.ask(what)
        except (trio.EndOfChannel, trio.BrokenResourceError):
            told.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(swallow, desk, 1)
        begun = trio.current_time()
        nursery.start_soon(ask, "bomb")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "one that waits")
        await trio.sleep(5)
        await ask("one that is late")
    return yes_if(told == [begun + 1, begun + 1, begun + 5])


async def keep() -> Answer:
    handler = Handler()
    desk = Desk(handler, capacity=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(swallow, desk, 4)
        for what in ("bomb", "one", "two"):
            nursery.start_soon(ask_in_vain, desk, what)
            await wait_all_tasks_blocked()
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    return yes_if(handler.handled == ["one", "two"])


async def ask_in_vain(desk: Desk, what: str) -> None:
    """Ask, whatever the answer is."""
    try:
        await desk.ask(what)
    except trio.EndOfChannel:
        return


async def cap() -> Answer:
    desk = Desk(Handler(), capacity=1)
    sender, _ = trio.open_memory_channel[Any](1)
    desk.questions.send_nowait(("first", sender))
    try:
        desk.questions.send_nowait(("second", sender))
    except trio.WouldBlock:
        # To wait or to be refused; a channel cannot drop its oldest message.
        return yes_if(hasattr(desk.questions, "drop_oldest"), otherwise="partly")
    return "no"


async def cancelled() -> Answer:
    handler = Handler()
    desk = Desk(handler, capacity=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(swallow, desk, 4)
        nursery.start_soon(desk.ask, "slow")
        await wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await desk.ask("what nobody waits for")
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    return yes_if(handler.handled == ["slow"])


async def orphans() -> Answer:
    before = trio.lowlevel.current_statistics().tasks_living
    desk = Desk(Handler(), capacity=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return yes_if(trio.lowlevel.current_statistics().tasks_living == before)


async def breaker() -> Answer:
    return yes_if(not (has_no("tenacity", "breaker") and has_no("trio", "circuit")))


async def deadline() -> Answer:
    async def fail() -> None:
        raise Broken

    async def seconds_of(**stop: Any) -> float:
        begun = trio.current_time()
        again = tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(10), sleep=trio.sleep, reraise=True, **stop
        )
        with trio.move_on_after(5):
            with suppress(Broken):
                await again(fail)
        return trio.current_time() - begun

    by_itself = await seconds_of()
    if_told = await seconds_of(stop=tenacity.stop_before_delay(5))
    return yes_if(by_itself == 0, otherwise="partly" if if_told == 0 else "no")


async def registry() -> Answer:
    names = dict[str, int]()

    async def work() -> None:
        with named(names, "web", 8080):
            await trio.sleep(1)
            raise Broken

    there = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await wait_all_tasks_blocked()
            there = "web" in names
    except (Broken, ExceptionGroup):
        return yes_if(there and "web" not in names)
    return "no"


async def virtual() -> Answer:
    runs = 0

    async def hourly(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal runs
        runs += 1
        task_status.started()
        await trio.sleep(3600)
        raise Broken

    with trio.move_on_after(10_000):
        await keep_running(hourly)
    return yes_if(runs == 3)


async def preempt() -> Answer:
    beats = 0

    async def beat(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal beats
        task_status.started()
        while True:
            await trio.lowlevel.checkpoint()
            beats += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(keep_running, beat)
        before = beats
        sum(range(100_000))  # a worker that does not yield
        held_up = beats == before
        nursery.cancel_scope.cancel()
    return yes_if(not held_up)


async def kill() -> Answer:
    async def refuse(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=True):
            task_status.started()
            await trio.sleep(1000)

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_running, refuse)
        nursery.cancel_scope.cancel()
    return yes_if(trio.current_time() - begun < 1000)


async def isolation() -> Answer:
    async def change(values: list[int]) -> None:
        values.append(1)

    mine = list[int]()
    desk = Desk(change, capacity=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        await desk.ask(mine)
        nursery.cancel_scope.cancel()
    return yes_if(not mine)


async def distribution() -> Answer:
    handler = Handler()
    desk = Desk(handler, capacity=10)
    there = elsewhere(desk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        with trio.move_on_after(5):
            if there is not None:
                await there.ask("a letter")
        nursery.cancel_scope.cancel()
    return yes_if(handler.handled == ["a letter"])
