"""What mode does, on asyncio; on PyPI it is ``mode-streaming``."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from tests.comparison._needed import has_no, needed
from tests.comparison._worlds import PATIENCE, Answer, Broken, on_asyncio, yes_if

mode = needed("mode")
supervisors = needed("mode.supervisors")
threads = needed("mode.threads")
times = needed("mode.utils.times")

if TYPE_CHECKING:
    from collections.abc import Awaitable

    class Service:
        """As much of it as is used here."""

        async def on_start(self) -> None:
            """Be about to run."""

        async def on_stop(self) -> None:
            """Be about to stop."""

        async def start(self) -> None:
            """Start it."""

        async def stop(self) -> None:
            """Stop it."""

        def add_future(self, coro: Awaitable[None]) -> None:
            """Have a task."""

        async def __aenter__(self) -> Any: ...

        async def __aexit__(self, *_: object) -> None: ...

    class ServiceThread(Service):
        """A service in a thread of its own."""

else:
    Service = mode.Service
    ServiceThread = threads.ServiceThread

run = on_asyncio

MOMENT = 0.01
"""How long something takes that takes time; in seconds."""


async def settle() -> None:
    """Let all run that is ready, and what that makes ready; real time has no part in it."""
    for _ in range(200):
        await asyncio.sleep(0)


class Worker(Service):
    """A service that counts its starts, and crashes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.bomb = asyncio.Event()

    async def on_start(self) -> None:
        """Begin its task."""
        self.starts += 1
        self.bomb.clear()
        self.add_future(self.work())

    async def work(self) -> None:
        """Be that task."""
        await self.bomb.wait()
        raise Broken


async def crashed(*workers: Worker, strategy: Any, **limit: float) -> Any:
    """Run workers under a supervisor, have the second one (or the only one) crash."""
    supervisor = strategy(**limit)
    supervisor.add(*workers)
    await supervisor.start()
    await settle()
    workers[1 % len(workers)].bomb.set()
    await settle()
    return supervisor


async def restart() -> Answer:
    worker = Worker()
    supervisor = await crashed(worker, strategy=supervisors.OneForOneSupervisor)
    starts = worker.starts
    await supervisor.stop()
    return yes_if(starts == 2)


async def limit() -> Answer:
    worker = Worker()
    inner = supervisors.OneForOneSupervisor(max_restarts=1, over=1)
    inner.add(worker)
    outer = supervisors.OneForOneSupervisor()
    outer.add(inner)
    await outer.start()
    seen = list[tuple[int, int]]()  # starts of the worker, restarts of its supervisor
    for _ in range(2):
        await settle()
        worker.bomb.set()
        await settle()
        seen.append((worker.starts, inner.restart_count))
    await outer.stop()
    return yes_if(seen == [(2, 0), (2, 1)])


async def order() -> Answer:
    seen = list[str]()

    class First(Service):
        async def on_start(self) -> None:
            await asyncio.sleep(MOMENT)
            seen.append("first is ready")

    class Second(Service):
        async def on_start(self) -> None:
            seen.append("second begins")

    supervisor = supervisors.OneForOneSupervisor()
    supervisor.add(First(), Second())
    await supervisor.start()
    await supervisor.stop()
    return yes_if(seen == ["first is ready", "second begins"])


async def groups() -> Answer:
    workers = [Worker() for _ in range(3)]
    # By default it restarts one service at a time: its limit counts each of the group.
    supervisor = await crashed(
        *workers, strategy=supervisors.OneForAllSupervisor, max_restarts=100, over=100
    )
    all_of_them = [one.starts for one in workers] == [2, 2, 2]
    await supervisor.stop()
    rest = not has_no("mode", "RestForOne", "rest_for_one")
    return yes_if(all_of_them and rest, otherwise="partly" if all_of_them else "no")


async def stop() -> Answer:
    ended = list[str]()

    class Tidy(Service):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        async def on_stop(self) -> None:
            await asyncio.sleep(MOMENT * (3 - "abc".index(self.name)))
            ended.append(self.name)

    class Whole(Service):
        def on_init_dependencies(self) -> list[Service]:
            return [Tidy(name) for name in "abc"]

    async with Whole():
        pass
    within_a_service = ended == ["c", "b", "a"]
    ended.clear()
    supervisor = supervisors.OneForOneSupervisor()
    supervisor.add(*(Tidy(name) for name in "abc"))
    await supervisor.start()
    await supervisor.stop()
    # One after the other, each with time to clean up; but the first that was started first.
    assert sorted(ended) == ["a", "b", "c"]
    reverse = ended == ["c", "b", "a"]
    return yes_if(
        reverse and within_a_service, otherwise="partly" if reverse or within_a_service else "no"
    )


def has_mailboxes() -> Answer:
    """Return whether services have any; there is nobody to ask without."""
    return yes_if(not has_no("mode", "mailbox", "GenServer"))


async def gone() -> Answer:
    return has_mailboxes()


async def keep() -> Answer:
    return has_mailboxes()


async def cap() -> Answer:
    return has_mailboxes()


async def cancelled() -> Answer:
    return has_mailboxes()


async def isolation() -> Answer:
    mine = list[int]()

    class Holder(Service):
        def __init__(self, values: list[int]) -> None:
            super().__init__()
            self.values = values

        async def on_start(self) -> None:
            self.values.append(1)

    async with Holder(mine):
        await settle()
    return yes_if(not mine)


async def distribution() -> Answer:
    return has_mailboxes()


async def orphans() -> Answer:
    tasks = list[asyncio.Task[None]]()

    class Careless(Service):
        async def on_start(self) -> None:
            tasks.append(asyncio.create_task(asyncio.sleep(60)))
            self.add_future(self.work())

        async def work(self) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            await asyncio.sleep(60)

    async with Careless():
        await settle()
    its_own, that_of_mode = (task.done() for task in tasks)
    tasks[0].cancel()
    return yes_if(its_own, otherwise="partly" if that_of_mode else "no")


async def breaker() -> Answer:
    return yes_if(not has_no("mode", "breaker", "circuit"))


async def deadline() -> Answer:
    return yes_if(not has_no("mode", "retry", "retries", "backoff"))


async def registry() -> Answer:
    return yes_if(not has_no("mode", "registry", "whereis"))


async def virtual() -> Answer:
    bucket = times.rate_limit(0.001, 1)
    assert bucket.pour()
    loop = asyncio.get_running_loop()
    hours = 3600.0
    real = loop.time
    loop.time = lambda: real() + hours  # type: ignore[method-assign]  # a clock that jumps
    try:
        return yes_if(bucket.pour())  # its limit goes by another
    finally:
        loop.time = real  # type: ignore[method-assign]


async def preempt() -> Answer:
    beats = 0

    class Heart(Service):
        async def on_start(self) -> None:
            self.add_future(self.beat())

        async def beat(self) -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0)
                beats += 1

    async with Heart():
        await settle()
        before = beats
        sum(range(100_000))  # a worker that does not yield
        held_up = beats == before
    in_a_thread = await goes_on_beside_a_thread()
    return yes_if(
        in_a_thread and not held_up, otherwise="partly" if in_a_thread or not held_up else "no"
    )


async def goes_on_beside_a_thread() -> bool:
    """Return whether a service in a thread of its own that never yields holds up nobody."""
    begun, may_end = threading.Event(), threading.Event()

    class Busy(ServiceThread):
        async def on_start(self) -> None:
            self.add_future(self.work())

        async def work(self) -> None:
            begun.set()
            while not may_end.is_set():
                pass

    busy = Busy()
    await busy.start()
    try:
        await asyncio.to_thread(begun.wait, PATIENCE)
        await settle()
        return begun.is_set() and not may_end.is_set()
    finally:
        may_end.set()
        await busy.stop()


async def kill() -> Answer:
    free = asyncio.Event()

    class Stubborn(Service):
        async def on_start(self) -> None:
            self.add_future(self.work())

        async def work(self) -> None:
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue

    service = Stubborn()
    await service.start()
    await settle()
    stopping = asyncio.create_task(service.stop())
    await settle()
    killed = stopping.done()
    free.set()
    await stopping
    return yes_if(killed)
