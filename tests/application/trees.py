"""Trees that the tests run as programs: ``python -m trio_foundation run trees:NAME``.

Each child says on stdout when it has come to the point that a test waits for.
"""

from __future__ import annotations

import signal
import time

import trio

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildSpec,
    child,
    cleanup_scope,
    current_child,
    dynamic_subtree,
    subtree,
)


def say(what: str) -> None:
    print(current_child().name, what, flush=True)  # noqa: T201


async def serve() -> None:
    """Run until stopped."""
    try:
        say("runs")
        await trio.sleep_forever()
    finally:
        say("stopped")


async def work_hard() -> None:
    """Keep the scheduler busy, and crash now and then."""
    for _ in range(1_000):
        await trio.lowlevel.checkpoint()
    if current_child().incarnation == 10:
        say("works")
    raise ConnectionError


async def start_slowly(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
    """Never be ready."""
    del task_status
    try:
        say("starts")
        await trio.sleep_forever()
    finally:
        say("stopped")


async def come_back_slowly(*, task_status: trio.TaskStatus[None]) -> None:
    """Be ready at once the first time, and never again."""
    if current_child().incarnation == 1:
        task_status.started()
        raise ConnectionError
    await start_slowly(task_status=task_status)


async def fail() -> None:
    """Crash, and say so."""
    say("crashes")
    raise ConnectionError


async def clean_up() -> None:
    """Take longer to clean up than anybody waits."""
    try:
        say("runs")
        await trio.sleep_forever()
    finally:
        with cleanup_scope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flush_buffers)
                say("cleans up")
        say("was cut short" if scope.cancelled_caught else "is clean")


async def flush_buffers() -> None:
    """Wait for a disk that never answers."""
    await trio.sleep_forever()


async def start_and_clean_up(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
    """Never be ready, and take long to clean up."""
    del task_status
    await clean_up()


async def refuse_to_stop() -> None:
    """Hide from every cancellation."""
    with trio.CancelScope(shield=True):
        say("runs")
        await trio.sleep_forever()


async def block() -> None:
    """Keep all other tasks from running, signals or not."""
    say("runs")
    while True:
        time.sleep(0.01)  # noqa: ASYNC251


async def end_with_a_signal() -> None:
    """Be told to stop in the very last moment."""
    signal.raise_signal(signal.SIGTERM)


async def be_told_while_stopping() -> None:
    """Be told to stop while being stopped."""
    try:
        say("runs")
        await trio.sleep_forever()
    finally:
        signal.raise_signal(signal.SIGTERM)
        with cleanup_scope():
            await trio.sleep(0.05)  # noqa: ASYNC102


async def not_start(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
    """Crash before being ready."""
    del task_status
    raise ConnectionError


def named(*names: str) -> list[ChildSpec]:
    """Write down servers."""
    return [child(serve, name=name) for name in names]


bare = child(serve)

nested = subtree([*named("a"), subtree(named("b", "c"), name="inner"), *named("d")], name="app")

busy = subtree(
    [*named("a"), *(child(work_hard, name=f"worker-{n}") for n in range(5)), *named("b")],
    name="app",
    max_restarts=1_000_000,
)

dynamic = dynamic_subtree(name="jobs")

starting = subtree([*named("a"), child(start_slowly, name="slow"), *named("b")], name="app")

restarting = subtree([*named("a"), child(come_back_slowly, name="slow")], name="app")

backing_off = subtree(
    [*named("a"), child(fail, backoff=Backoff(initial=1_000, maximum=1_000))], name="app"
)

stubborn = subtree([*named("a"), child(clean_up, name="slow", grace=1_000)], name="app")

stubborn_start = subtree(
    [*named("a"), child(start_and_clean_up, name="slow", grace=1_000)], name="app"
)

failing_slowly = subtree(
    [child(clean_up, name="slow", grace=1_000), child(fail)], name="app", max_restarts=1
)

failing_when_told = subtree(
    [child(be_told_while_stopping), child(fail)], name="app", max_restarts=1
)

not_starting_when_told = subtree([child(be_told_while_stopping), child(not_start)], name="app")

immortal = subtree([*named("a"), child(refuse_to_stop, name="slow")], name="app")

blocking = child(block)

last_moment = child(end_with_a_signal)

tree_of_trees = [nested, busy]


def make() -> ChildSpec:
    """Write a tree down when it is asked for."""
    return nested


def make_nothing() -> None:
    """Forget to return a tree."""


def make_for(name: str) -> ChildSpec:
    """Write down a tree that needs to know more."""
    return child(serve, name=name)
