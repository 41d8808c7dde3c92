"""Each connection is a child: a bad client ends only itself."""

from __future__ import annotations

import trio
from wire import HOST, Lines, publish

from trio_foundation.supervision import child, open_dynamic_supervisor, open_supervisor

Store = dict[str, str]


def answer(store: Store, line: str) -> str:
    """Do what a line says."""
    command, key, *rest = line.split()
    if command == "SET":
        store[key] = rest[0]
        return "OK"
    if command == "GET":
        return store.get(key, "(nothing)")
    if command == "DEL":
        store.pop(key, None)
        return "OK"
    return "ERROR: write SET key value, GET key or DEL key"


async def talk(store: Store, stream: trio.SocketStream) -> None:
    """Answer the lines of one client, until it leaves."""
    lines = Lines(stream)
    async with stream:
        while (line := await lines.read()) is not None:
            await lines.write(answer(store, line))


async def listen(store: Store, *, task_status: trio.TaskStatus[None]) -> None:
    """Take connections, and make each a child."""
    [listener] = await trio.open_tcp_listeners(0, host=HOST)
    async with open_dynamic_supervisor(name="connections") as connections, listener:
        publish(listener)
        task_status.started()
        while True:
            stream = await listener.accept()
            connections.start_soon(talk, store, stream)


async def main() -> None:
    """Serve for ever."""
    async with open_supervisor([child(listen, {})], name="kv"):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
