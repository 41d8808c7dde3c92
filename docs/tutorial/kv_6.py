"""What the store does not know, another server may: behind a circuit breaker."""

from __future__ import annotations

from contextlib import suppress

import trio
from store import Store
from wire import HOST, Lines, connect, publish

from trio_foundation import Backoff
from trio_foundation.messaging import CallError, CallFailed, Ref, serve
from trio_foundation.resilience import BreakerOpen, CircuitBreaker, Pipeline, TimedOut
from trio_foundation.supervision import child, open_dynamic_supervisor, open_supervisor, subtree

LOST = (OSError, trio.BrokenResourceError)  # how a connection fails


async def fetch(key: str) -> str:
    """Ask the server upstream."""
    async with await connect("upstream.port") as stream:
        lines = Lines(stream)
        await lines.write(f"GET {key}")
        value = await lines.read()
    if value is None:
        raise ConnectionError("upstream hung up")
    return value


async def get(store: Ref[Store], upstream: Pipeline, key: str) -> str:
    """Return what is stored; or else what upstream says, and remember it."""
    with suppress(CallError):
        return await store.call(Store.get, key)
    value = await upstream.call(fetch, key)
    if value == "(nothing)":
        raise CallError(f"there is no {key}")
    await store.call(Store.put, key, value)
    return value


async def answer(store: Ref[Store], upstream: Pipeline, line: str) -> str:
    """Do what a line says."""
    match line.split():
        case ["GET", key]:
            return await get(store, upstream, key)
        case ["SET", key, value]:
            return await store.call(Store.put, key, value)
        case ["DEL", key]:
            return await store.call(Store.delete, key)
        case ["ADD", key, number]:
            return await store.call(Store.add, key, number)
        case _:
            raise CallError("write GET key, SET key value, DEL key or ADD key number")


async def reply(store: Ref[Store], upstream: Pipeline, line: str) -> str:
    """Return what the client is told, whatever comes of its line."""
    try:
        return await answer(store, upstream, line)
    except (CallError, CallFailed, BreakerOpen, TimedOut, *LOST) as error:
        return f"ERROR: {error}"


async def talk(store: Ref[Store], upstream: Pipeline, stream: trio.SocketStream) -> None:
    """Answer the lines of one client, until it leaves."""
    lines = Lines(stream)
    async with stream:
        while (line := await lines.read()) is not None:
            await lines.write(await reply(store, upstream, line))


async def listen(
    store: Ref[Store], upstream: Pipeline, *, task_status: trio.TaskStatus[None]
) -> None:
    """Take connections, and make each a child."""
    [listener] = await trio.open_tcp_listeners(0, host=HOST)
    async with open_dynamic_supervisor(name="connections") as connections, listener:
        publish(listener)
        task_status.started()
        while True:
            stream = await listener.accept()
            connections.start_soon(talk, store, upstream, stream)


def guarded() -> Pipeline:
    """Return the way to the server upstream."""
    breaker = CircuitBreaker("upstream", failure_threshold=3, reset_timeout=2.0)
    return Pipeline(breaker=breaker, timeout=2.0)


async def main() -> None:
    """Serve for ever."""
    patience = Backoff(initial=0.1, maximum=5.0)
    spec, store = serve(Store, capacity=100, name="store", backoff=patience)
    data = subtree([spec], name="data", max_restarts=50, within=600.0)
    async with open_supervisor([data, child(listen, store, guarded())], name="kv"):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
