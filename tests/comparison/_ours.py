"""What trio_foundation does."""

from __future__ import annotations

from typing import ClassVar

import trio
from trio.testing import wait_all_tasks_blocked

from tests.comparison._worlds import Answer, Broken, elsewhere, on_trio, yes_if
from trio_foundation import Backoff
from trio_foundation.messaging import CallFailed, MailboxFull, Ref, Server, ServerGone, serve
from trio_foundation.registry import Registry
from trio_foundation.resilience import BreakerOpen, CircuitBreaker, retry
from trio_foundation.supervision import (
    Strategy,
    SupervisorFailed,
    child,
    open_supervisor,
    subtree,
)

run = on_trio


async def broken() -> None:
    raise Broken


async def restart() -> Answer:
    runs = list[float]()

    async def work() -> None:
        runs.append(trio.current_time())
        if len(runs) == 1:
            raise Broken
        await trio.sleep_forever()

    async with open_supervisor([child(work)]):
        await wait_all_tasks_blocked()
    return yes_if(len(runs) == 2)


async def limit() -> Answer:
    inner = subtree([child(broken)], max_restarts=3, within=5.0, name="inner")
    try:
        async with open_supervisor([inner], max_restarts=2):
            await trio.sleep_forever()
    except SupervisorFailed:
        return "yes"


async def order() -> Answer:
    seen = list[str]()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        seen.append("first is ready")
        task_status.started()
        await trio.sleep_forever()

    async def next_one() -> None:
        seen.append("second begins")
        await trio.sleep_forever()

    async with open_supervisor([child(slow), child(next_one)]):
        await wait_all_tasks_blocked()
    return yes_if(seen == ["first is ready", "second begins"])


async def groups() -> Answer:
    restarted = [await starts_under("one_for_all"), await starts_under("rest_for_one")]
    return yes_if(restarted == [[2, 2, 2], [1, 2, 2]])


async def starts_under(strategy: Strategy) -> list[int]:
    """Return how often each of three was started, when the one in the middle crashed once."""
    starts = [0, 0, 0]

    async def work(place: int) -> None:
        starts[place] += 1
        if starts == [1, 1, 1] and place == 1:
            raise Broken
        await trio.sleep_forever()

    async def middle() -> None:
        starts[1] += 1
        await wait_all_tasks_blocked()
        if starts[1] == 1:
            raise Broken
        await trio.sleep_forever()

    children = [child(work, 0, name="0"), child(middle), child(work, 2, name="2")]
    async with open_supervisor(children, strategy=strategy):
        await trio.sleep(1)
    return starts


async def stop() -> Answer:
    ended = list[tuple[str, float]]()

    async def work(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            ended.append((name, trio.current_time()))

    begun = trio.current_time()
    async with open_supervisor([child(work, name, name=name) for name in ("a", "b", "c")]):
        await wait_all_tasks_blocked()
    return yes_if(ended == [(name, begun + after) for after, name in enumerate("cba", 1)])


class Clerk(Server):
    """A server that takes its time, or crashes."""

    handled: ClassVar[list[str]] = []

    async def take(self, what: str) -> str:
        """Handle a message."""
        if what == "bomb":
            await trio.sleep(1)
            raise Broken
        if what == "slow":
            await trio.sleep(10)
        self.handled.append(what)
        return what


async def gone() -> Answer:
    spec, clerk = serve(Clerk, capacity=10, restart="temporary")
    told = list[tuple[type[Exception], float]]()

    async def ask(what: str) -> None:
        try:
            await clerk.call(Clerk.take, what)
        except (CallFailed, ServerGone) as error:
            told.append((type(error), trio.current_time()))

    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        begun = trio.current_time()
        nursery.start_soon(ask, "bomb")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "one that waits")
        await trio.sleep(5)
        await ask("one that is late")
    return yes_if(
        told == [(CallFailed, begun + 1), (ServerGone, begun + 1), (ServerGone, begun + 5)]
    )


async def keep() -> Answer:
    Clerk.handled = []
    spec, clerk = serve(Clerk, capacity=10)
    async with open_supervisor([spec]):
        for what in ("bomb", "one", "two"):
            clerk.cast(Clerk.take, what)
        await trio.sleep(5)
    return yes_if(Clerk.handled == ["one", "two"])


async def cap() -> Answer:
    Clerk.handled = []
    refusing, one = serve(Clerk, capacity=2, overflow="reject", name="one")
    dropping, other = serve(Clerk, capacity=2, overflow="drop_oldest", name="other")
    async with open_supervisor([refusing, dropping]):
        for clerk in (one, other):
            clerk.cast(Clerk.take, "slow")
        await trio.sleep(1)
        refused = is_refused(one)
        dropped = not is_refused(other)
        await trio.sleep(20)
    return yes_if(refused and dropped and Clerk.handled.count("third") == 1)


def is_refused(clerk: Ref[Clerk]) -> bool:
    """Fill a mailbox with room for two; return whether it takes no third."""
    try:
        for what in ("first", "second", "third"):
            clerk.cast(Clerk.take, what)
    except MailboxFull:
        return True
    return False


async def cancelled() -> Answer:
    Clerk.handled = []
    spec, clerk = serve(Clerk, capacity=10)
    async with open_supervisor([spec]):
        clerk.cast(Clerk.take, "slow")
        with trio.move_on_after(1):
            await clerk.call(Clerk.take, "what nobody waits for")
        await trio.sleep(20)
    return yes_if(Clerk.handled == ["slow"])


async def orphans() -> Answer:
    before = trio.lowlevel.current_statistics().tasks_living
    spec, _ = serve(Clerk, capacity=10)
    async with open_supervisor([spec, child(trio.sleep_forever)]):
        await wait_all_tasks_blocked()
    return yes_if(trio.lowlevel.current_statistics().tasks_living == before)


async def breaker() -> Answer:
    prices = CircuitBreaker("prices", failure_threshold=1, slow_after=1.0, reset_timeout=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(prices.call, trio.sleep_forever)
        await trio.sleep(2)
        asked = trio.current_time()
        try:
            await prices.call(trio.sleep_forever)
        except BreakerOpen:
            rejected = trio.current_time()
        else:
            return "no"
        nursery.cancel_scope.cancel()
    return yes_if(rejected == asked)


async def deadline() -> Answer:
    begun = trio.current_time()
    with trio.move_on_after(5):
        try:
            await retry(broken, backoff=Backoff(initial=10.0, jitter=0.0))
        except Broken:
            return yes_if(trio.current_time() == begun)
    return "no"


async def registry() -> Answer:
    names = Registry[str, int]()

    async def work() -> None:
        await trio.sleep(1)
        raise Broken

    async with open_supervisor([child(work, restart="temporary")]) as supervisor:
        names.bind("web", 8080, supervisor.children["work"])
        there = "web" in names
        await trio.sleep(5)
    return yes_if(there and "web" not in names)


async def virtual() -> Answer:
    runs = list[float]()

    async def hourly() -> None:
        runs.append(trio.current_time())
        await trio.sleep(3600)
        raise Broken

    async with open_supervisor([child(hourly)], max_restarts=1, within=60.0):
        await trio.sleep(10_000)
    return yes_if(len(runs) == 3)


async def preempt() -> Answer:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await trio.lowlevel.checkpoint()
            beats += 1

    async with open_supervisor([child(beat)]):
        await trio.lowlevel.checkpoint()
        before = beats
        sum(range(100_000))  # a worker that does not yield
        held_up = beats == before
    return yes_if(not held_up)


async def kill() -> Answer:
    async def refuse() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    begun = trio.current_time()
    async with open_supervisor([child(refuse, grace=1.0)]):
        await wait_all_tasks_blocked()
    return yes_if(trio.current_time() - begun < 1000)


class Holder(Server):
    """A server that changes what it is sent."""

    async def change(self, values: list[int]) -> None:
        """Do so."""
        values.append(1)


async def isolation() -> Answer:
    mine = list[int]()
    spec, holder = serve(Holder, capacity=10)
    async with open_supervisor([spec]):
        await holder.call(Holder.change, mine)
    return yes_if(not mine)


async def distribution() -> Answer:
    _, clerk = serve(Clerk, capacity=10)
    return yes_if(elsewhere(clerk) is not None)
