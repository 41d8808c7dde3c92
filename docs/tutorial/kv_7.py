"""The whole service, as a tree: it stops in order, and ends what it has begun."""

from __future__ import annotations

import logging
from contextlib import suppress

import trio
from store import Store
from wire import HOST, Lines, connect, publish

from trio_foundation import Backoff
from trio_foundation.messaging import CallError, CallFailed, Ref, serve
from trio_foundation.resilience import BreakerOpen, CircuitBreaker, Pipeline, TimedOut
from trio_foundation.supervision import (
    ChildSpec,
    child,
    open_dynamic_supervisor,
    stop_requested,
    subtree,
)

logger = logging.getLogger("kv")

LOST = (OSError, trio.BrokenResourceError)  # how a connection fails


async def fetch(key: str) -> str:
    """Ask the server upstream."""
    logger.info("asks upstream for %s", key)
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
    """Answer the lines of one client, until it leaves or we are asked to stop."""
    lines, asked = Lines(stream), stop_requested()
    async with stream:
        while (line := await next_line(lines, asked)) is not None:
            await lines.write(await reply(store, upstream, line))


async def next_line(lines: Lines, asked: trio.Event) -> str | None:
    """Wait for the next line; None if the client leaves, or we are asked to stop."""
    line = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave, asked, nursery.cancel_scope)
        line = await lines.read()
        nursery.cancel_scope.cancel()
    return line


async def leave(asked: trio.Event, waiting: trio.CancelScope) -> None:
    """Wait no longer for a line when we are asked to stop."""
    await asked.wait()
    waiting.cancel()


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


def tree() -> ChildSpec:
    """Return the service, which is stopped newest first: its front, then its data."""
    patience = Backoff(initial=0.1, maximum=5.0)
    spec, store = serve(Store, capacity=100, name="store", backoff=patience, drain=True)
    data = subtree([spec], name="data", max_restarts=50, within=600.0)
    return subtree([data, child(listen, store, guarded())], name="kv")
