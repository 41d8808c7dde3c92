"""A till that sells over TCP; told to stop, it takes nobody new and finishes what it has begun.

``python -m trio_foundation run drain:tree --grace 30`` runs it until SIGTERM or Ctrl-C.
"""

from __future__ import annotations

from functools import partial

import trio

from trio_foundation.messaging import Ref, Server, serve
from trio_foundation.supervision import (
    ChildSpec,
    child,
    open_dynamic_supervisor,
    stop_requested,
    subtree,
)

REQUEST = 8.0  # the longest request that is worth waiting for, in seconds


class Till(Server):
    """Takes a second for each sale."""

    async def setup(self) -> None:
        """Begin the day."""
        self.sold = 0

    async def sell(self, item: str) -> str:
        """Sell one."""
        await trio.sleep(1.0)
        self.sold += 1
        return f"sold {item}, number {self.sold}\n"


async def converse(stream: trio.SocketStream, till: Ref[Till]) -> None:
    """Answer one client; leave between two requests if asked to stop."""
    asked = stop_requested()
    async with stream:
        while (item := await next_request(stream, asked)) is not None:
            await stream.send_all(b"one moment\n")
            answer = await till.call(Till.sell, item)
            await stream.send_all(answer.encode())


async def next_request(stream: trio.SocketStream, asked: trio.Event) -> str | None:
    """Wait for a line; None if the client leaves, or we do."""
    line = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel_after, asked, nursery.cancel_scope)
        line = await stream.receive_some(1000)
        nursery.cancel_scope.cancel()
    return line.decode().strip() if line else None


async def cancel_after(asked: trio.Event, scope: trio.CancelScope) -> None:
    """End the wait for a request when the server is asked to stop."""
    await asked.wait()
    scope.cancel()


async def listen(till: Ref[Till], *, task_status: trio.TaskStatus[None]) -> None:
    """Take connections; each is a child of its own."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    # A cancellation closes the listener first, and then asks the connections to stop.
    async with open_dynamic_supervisor(name="connections") as connections, listener:
        print(listener.socket.getsockname()[1], flush=True)
        task_status.started()
        while True:
            stream = await listener.accept()
            connections.start_soon(converse, stream, till, grace=REQUEST + 2.0)


def tree() -> ChildSpec:
    """Return the program: stopped newest first, so the listener goes before the till."""
    spec, till = serve(Till, capacity=100, drain=True, grace=10.0)
    return subtree([spec, child(partial(listen, till), name="listen", grace=15.0)], name="shop")
