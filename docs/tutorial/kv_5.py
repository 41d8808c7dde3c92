"""A store that keeps crashing is given time, and a limit of its own."""

from __future__ import annotations

import trio
from store import Store
from wire import HOST, Lines, publish

from trio_foundation import Backoff
from trio_foundation.messaging import CallError, CallFailed, Ref, serve
from trio_foundation.supervision import child, open_dynamic_supervisor, open_supervisor, subtree


async def answer(store: Ref[Store], line: str) -> str:
    """Do what a line says."""
    match line.split():
        case ["GET", key]:
            return await store.call(Store.get, key)
        case ["SET", key, value]:
            return await store.call(Store.put, key, value)
        case ["DEL", key]:
            return await store.call(Store.delete, key)
        case ["ADD", key, number]:
            return await store.call(Store.add, key, number)
        case _:
            raise CallError("write GET key, SET key value, DEL key or ADD key number")


async def reply(store: Ref[Store], line: str) -> str:
    """Return what the client is told, whatever comes of its line."""
    try:
        return await answer(store, line)
    except (CallError, CallFailed) as error:
        return f"ERROR: {error}"


async def talk(store: Ref[Store], stream: trio.SocketStream) -> None:
    """Answer the lines of one client, until it leaves."""
    lines = Lines(stream)
    async with stream:
        while (line := await lines.read()) is not None:
            await lines.write(await reply(store, line))


async def listen(store: Ref[Store], *, task_status: trio.TaskStatus[None]) -> None:
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
    patience = Backoff(initial=0.1, maximum=5.0)
    spec, store = serve(Store, capacity=100, name="store", backoff=patience)
    data = subtree([spec], name="data", max_restarts=50, within=600.0)
    async with open_supervisor([data, child(listen, store)], name="kv") as kv:
        print(kv.snapshot(), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
