"""What triotp does; it needs Python 3.13."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from tests.comparison._needed import has_no, needed
from tests.comparison._worlds import Answer, Broken, on_trio, yes_if

supervisor = needed("triotp.supervisor")
gen_server = needed("triotp.gen_server")
mailbox = needed("triotp.mailbox")
logbook = needed("logbook")

PERMANENT, TEMPORARY = supervisor.restart_strategy.PERMANENT, supervisor.restart_strategy.TEMPORARY


def run(trial: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run it as a node of triotp would, in virtual time."""

    def in_a_node() -> Answer:
        mailbox.context_mailbox_registry.set({})
        mailbox.context_name_registry.set({})
        with logbook.NullHandler().applicationbound():
            return on_trio(trial)

    return contextvars.copy_context().run(in_a_node)


def spec(task: Any, *args: object, restart: Any = PERMANENT) -> Any:
    """Return a child."""
    return supervisor.child_spec(id="worker", task=task, args=list(args), restart=restart)


async def restart() -> Answer:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise Broken
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(work)], supervisor.options())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return yes_if(runs == 2)


async def limit() -> Answer:
    starts = [0, 0]

    async def worker(which: int) -> None:
        starts[which] += 1
        if starts[which] > 3 and which == 0:
            await trio.sleep_forever()
        raise Broken

    options = supervisor.options(max_restarts=3, max_seconds=5)
    try:
        await supervisor.start([spec(worker, 0), spec(worker, 1)], options)
    except (Broken, ExceptionGroup):
        return yes_if(starts == [4, 4])  # 3 restarts of each
    return "no"


async def order() -> Answer:
    seen = list[str]()

    async def slow(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        seen.append("first begins")
        await trio.sleep(1)
        seen.append("first is ready")
        task_status.started()
        await trio.sleep_forever()

    async def next_one() -> None:
        seen.append("second begins")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(slow), spec(next_one)], supervisor.options())
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    in_order = seen == ["first begins", "second begins", "first is ready"]
    return yes_if(
        seen == ["first begins", "first is ready", "second begins"],
        otherwise="partly" if in_order else "no",
    )


async def groups() -> Answer:
    starts = [0, 0, 0]

    async def work(place: int) -> None:
        starts[place] += 1
        await wait_all_tasks_blocked()
        if place == 1 and starts[1] == 1:
            raise Broken
        await trio.sleep_forever()

    async def all_of_them() -> None:
        async with trio.open_nursery() as nursery:
            for place in range(3):
                nursery.start_soon(work, place)

    async def starts_under(children: list[Any]) -> list[int]:
        starts[:] = 0, 0, 0
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.start, children, supervisor.options())
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return starts.copy()

    has_strategies = not has_no("triotp", "one_for_all", "rest_for_one")
    alone = await starts_under([spec(work, place) for place in range(3)]) == [1, 2, 1]
    whole = await starts_under([spec(all_of_them)]) == [2, 2, 2]
    return yes_if(has_strategies or not alone, otherwise="partly" if whole else "no")


async def stop() -> Answer:
    ended = list[float]()

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            ended.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(work)] * 3, supervisor.options())
        await wait_all_tasks_blocked()
        begun = trio.current_time()
        nursery.cancel_scope.cancel()
    return yes_if(ended != [begun + 1] * 3)


def change(values: list[int]) -> None:
    """Change what was sent."""
    values.append(1)


class Clerk:
    """The callbacks of a generic server."""

    def __init__(self) -> None:
        self.handled = list[str]()
        self.module = SimpleNamespace(
            __name__="clerk",
            init=self.init,
            handle_call=self.handle_call,
            handle_cast=self.handle_cast,
            terminate=self.terminate,
        )

    async def init(self, _: object) -> None:
        """Begin."""

    async def terminate(self, reason: object, state: object) -> None:
        """End."""

    async def handle_call(self, what: str, _: object, state: object) -> tuple[Any, object]:
        """Handle a call."""
        await self.handle_cast(what, state)
        return gen_server.Reply(what), state

    async def handle_cast(self, what: Any, state: object) -> tuple[Any, object]:
        """Handle a message."""
        if what == "bomb":
            await trio.sleep(1)
            raise Broken
        if what == "slow":
            await trio.sleep(10)
        if not isinstance(what, str):
            change(what)
        self.handled.append(str(what))
        return gen_server.NoReply(), state

    async def run(self) -> None:
        """Be the server, under its supervisor."""
        await gen_server.start(self.module, None, "clerk")

    async def run_once(self) -> None:
        """Be the server until it crashes."""
        try:
            await self.run()
        except Broken:
            return


async def gone() -> Answer:
    told = list[str]()

    async def ask(what: str) -> None:
        with trio.move_on_after(100):
            try:
                await gen_server.call("clerk", what)
            except (
                mailbox.MailboxDoesNotExist,
                trio.BrokenResourceError,
                trio.ClosedResourceError,
            ):
                told.append(what)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Clerk().run_once)
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "bomb")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "waits")
        await trio.sleep(5)
        await ask("late")
    # Who waits for an answer from the server that crashes is told nothing, and waits for ever.
    return yes_if("bomb" in told, otherwise="partly" if told == ["waits", "late"] else "no")


async def keep() -> Answer:
    clerk = Clerk()

    async def cast(what: str) -> None:
        try:
            await gen_server.cast("clerk", what)
        except (mailbox.MailboxDoesNotExist, trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(clerk.run)], supervisor.options())
        await wait_all_tasks_blocked()
        for what in ("bomb", "one", "two"):
            nursery.start_soon(cast, what)
            await wait_all_tasks_blocked()
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    return yes_if(clerk.handled == ["one", "two"])


async def cap() -> Answer:
    waited = False
    mid = mailbox.create()
    with trio.move_on_after(5) as patience:
        await mailbox.send(mid, "first")
    waited = patience.cancelled_caught
    # Its size is zero, and cannot be chosen; whoever sends waits until it is taken.
    return "partly" if waited else "no"


async def cancelled() -> Answer:
    clerk = Clerk()
    crashed = False

    async def run() -> None:
        nonlocal crashed
        try:
            await clerk.run()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            crashed = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        nursery.start_soon(gen_server.cast, "clerk", "slow")
        await wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await gen_server.call("clerk", "what nobody waits for")
        await trio.sleep(20)
        withdrawn = clerk.handled == ["slow"]
        with trio.move_on_after(1):
            await gen_server.call("clerk", "slow")
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    # A call that waits is withdrawn. One in hand: the server crashes when it answers.
    return yes_if(withdrawn and not crashed, otherwise="partly" if withdrawn else "no")


async def orphans() -> Answer:
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(trio.sleep_forever)], supervisor.options())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return yes_if(trio.lowlevel.current_statistics().tasks_living == before)


async def breaker() -> Answer:
    return yes_if(not has_no("triotp", "breaker", "circuit"))


async def deadline() -> Answer:
    return yes_if(not has_no("triotp", "retry", "retries", "backoff"))


async def registry() -> Answer:
    async def work() -> None:
        async with mailbox.open("web"):
            await trio.sleep(1)
            raise Broken

    names = mailbox.context_name_registry.get()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(once, work)
        await wait_all_tasks_blocked()
        there = "web" in names
    return yes_if(there and "web" not in names)


async def once(work: Callable[[], Awaitable[None]]) -> None:
    """Let it crash."""
    try:
        await work()
    except Broken:
        return


async def virtual() -> Answer:
    runs = 0

    async def hourly() -> None:
        nonlocal runs
        runs += 1
        await trio.sleep(3600)
        raise Broken

    with trio.move_on_after(10_000):
        await supervisor.start([spec(hourly)], supervisor.options(max_restarts=1, max_seconds=60))
    return yes_if(runs == 3)


async def preempt() -> Answer:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await trio.lowlevel.checkpoint()
            beats += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(beat)], supervisor.options())
        before = beats
        sum(range(100_000))  # a worker that does not yield
        held_up = beats == before
        nursery.cancel_scope.cancel()
    return yes_if(not held_up)


async def kill() -> Answer:
    async def refuse() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [spec(refuse)], supervisor.options())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return yes_if(trio.current_time() - begun < 1000)


async def isolation() -> Answer:
    mine = list[int]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Clerk().run)
        await wait_all_tasks_blocked()
        await gen_server.call("clerk", mine)
        nursery.cancel_scope.cancel()
    return yes_if(not mine)


async def distribution() -> Answer:
    mid = mailbox.create()
    mailbox.context_mailbox_registry.set({})  # as in another process
    try:
        with trio.move_on_after(1):
            await mailbox.send(mid, "hello")
    except mailbox.MailboxDoesNotExist:
        return "no"
    return "yes"
