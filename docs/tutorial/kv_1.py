"""A key-value server in bare Trio: one bad line, and it is gone."""

from __future__ import annotations

import sys
from functools import partial

import trio
from wire import HOST, Lines, publish

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
    while (line := await lines.read()) is not None:
        await lines.write(answer(store, line))


async def serve(
    store: Store, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Take connections, and say where."""
    async with trio.open_nursery() as nursery:
        listen = partial(trio.serve_tcp, partial(talk, store), 0, host=HOST)
        [listener] = await nursery.start(listen)
        publish(listener, *sys.argv[1:])
        task_status.started()


async def main() -> None:
    """Serve for ever, or so we hope."""
    await serve({})


if __name__ == "__main__":
    trio.run(main)
