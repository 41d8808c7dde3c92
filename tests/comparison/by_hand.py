"""What one writes by hand with Trio's nurseries and tenacity, as well as one can in little room.

`keep_running` starts a worker again, `Desk` is a task that is asked by messages, `named` knows who is
there. That is some 50 lines.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

import trio

from tests.comparison._needed import needed

__all__ = ["Desk", "Question", "keep_running", "named"]

tenacity = needed("tenacity")

AsyncFn: TypeAlias = Callable[..., Awaitable[object]]


async def keep_running(
    async_fn: AsyncFn,
    *args: object,
    attempts: int = 4,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a worker, and run it again when it crashes; the last crash is the nursery's."""
    ready: list[trio.TaskStatus[None]] = [task_status]

    async def incarnation() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(async_fn, *args)
            if ready:
                ready.pop().started()

    again = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(attempts), sleep=trio.sleep, reraise=True
    )
    await again(incarnation)


Question: TypeAlias = tuple[Any, trio.MemorySendChannel[Any]]


class Desk:
    """A task that is asked: its channel outlives its crashes, and is closed when it is given up."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]], *, capacity: int) -> None:
        self.handle = handle
        self.questions, self.inbox = trio.open_memory_channel[Question](capacity)

    async def ask(self, what: object) -> Any:
        """Ask, and wait for the answer."""
        sender, receiver = trio.open_memory_channel[Any](1)
        async with receiver:
            await self.questions.send((what, sender))
            return await receiver.receive()

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Answer questions; whoever asked one that it crashes with is told."""
        task_status.started()
        async for what, sender in self.inbox:
            async with sender:
                answer = await self.handle(what)
                try:
                    sender.send_nowait(answer)
                except trio.BrokenResourceError:
                    continue  # nobody waits for it any more

    async def run(self, *, attempts: int = 4) -> None:
        """Serve as long as it is worth it, then close; those in the queue are told as well."""
        try:
            await keep_running(self.serve, attempts=attempts)
        finally:
            while self.inbox.statistics().current_buffer_used:
                self.inbox.receive_nowait()[1].close()
            self.inbox.close()


@contextmanager
def named(names: dict[str, Any], name: str, value: object) -> Generator[None]:
    """Be known by a name while the block runs."""
    names[name] = value
    try:
        yield
    finally:
        del names[name]
