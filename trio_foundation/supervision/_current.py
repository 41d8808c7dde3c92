"""What a child can ask about itself, anywhere in its own code."""

from __future__ import annotations

from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from ._child import Child
from ._incarnation import CURRENT, Incarnation

__all__ = ["cleanup_scope", "current_child", "current_run", "stop_requested"]


def current_run() -> Incarnation | None:
    """Return the incarnation that the calling code runs in, if any."""
    run = CURRENT.get(None)
    return None if run is None or run.ended else run


def current_child() -> Child[Any]:
    """Return the child that the calling code runs in.

    What it calls, and the tasks that it starts, know it until the incarnation has ended.

    Raises:
        RuntimeError: Outside a child, and in a task that outlived its incarnation.

    Example:
        >>> import trio
        >>> async def work():
        ...     current_child().status = "warming up"
        ...     print(current_child().name)
        >>> async def main():
        ...     async with open_supervisor() as sup:
        ...         await sup.start_soon(work, restart="temporary").wait_exit()
        >>> trio.run(main)
        work
    """
    return _run("current_child").entry.child


@enable_ki_protection
def stop_requested() -> trio.Event:
    """Return the event that is set when this child is asked to stop; always the same one.

    Who calls it becomes a listener: the supervisor sets the event, waits up to *grace* for the
    child to end by itself, and only then cancels it. To look without becoming one, see whether
    ``current_child().state`` is ``"stopping"``.

    Raises:
        RuntimeError: Outside a child.

    Example:
        >>> import trio, trio.testing
        >>> async def serve():
        ...     await stop_requested().wait()
        ...     print("the last request is answered")
        >>> async def main():
        ...     async with open_supervisor([child(serve)]):
        ...         await trio.testing.wait_all_tasks_blocked()
        >>> trio.run(main)
        the last request is answered
    """
    return _run("stop_requested").stop_requested()


@enable_ki_protection
def cleanup_scope() -> trio.CancelScope:
    """Return a shielded scope for what has to be awaited in a ``finally``.

    Enter it once, at once. It ends *grace* seconds after the child was cancelled, by whatever; of a
    listener that was only asked so far, *grace* seconds after it would be. With no stop under way
    it lasts *grace* seconds from its entry, or less if a stop begins meanwhile.

    Raises:
        RuntimeError: Outside a child.

    Example:
        >>> import trio, trio.testing
        >>> async def work():
        ...     try:
        ...         await trio.sleep_forever()
        ...     finally:
        ...         with cleanup_scope():
        ...             await trio.sleep(0)
        ...             print("goodbye said")
        >>> async def main():
        ...     async with open_supervisor([child(work)]):
        ...         await trio.testing.wait_all_tasks_blocked()
        >>> trio.run(main)
        goodbye said
    """
    return _run("cleanup_scope").cleanup_scope()


def _run(caller: str) -> Incarnation:
    run = current_run()
    if run is None:
        raise RuntimeError(
            f"{caller} works within a child of a supervisor only: call it in the function that "
            "the supervisor runs, or in what that function calls"
        )
    return run
