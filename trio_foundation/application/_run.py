"""Running a tree as a program."""

from __future__ import annotations

import inspect
import logging
import math
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import outcome
import trio

from .._base import check_seconds
from ..supervision import (
    Child,
    ChildSpec,
    ChildStartFailed,
    Exit,
    Supervisor,
    open_supervisor,
)
from ._causes import is_failure, report_of_error, report_of_exit
from ._rules import (
    Ended,
    Exited,
    Failed,
    Orderly,
    Stage,
    code_of_exit,
    exit_code,
    hurry_report,
)
from ._signals import StopSignals, listen, name_of
from ._stragglers import find_stragglers

__all__ = ["run_application"]

_logger = logging.getLogger("trio_foundation.application")

_KEYBOARD_INTERRUPT = 130


def run_application(tree: ChildSpec | Callable[[], ChildSpec], *, grace: float = 30.0) -> int:
    """Run a tree until it ends or is told to stop, and return the exit code of the program.

    It runs Trio itself, as a program's last call: ``sys.exit(run_application(tree))``. The tree
    runs under a supervisor ``application``, which does not restart it, whatever its *restart* says:
    put what is to be restarted into a `subtree`.

    SIGTERM and SIGINT (Ctrl-C) stop the tree in order, newest first. A second signal, of either
    kind, or the end of *grace* cancels all that still runs, every `cleanup_scope` included, and
    reports on stderr what that is, and where. One more signal ends the process by force, even if
    a task is shielded for ever, or keeps the scheduler to itself.

    A failure is reported on stderr, beginning with the child to blame: how often it was
    restarted, within which time, and its last traceback.

    Args:
        tree: What `child`, `subtree` or `dynamic_subtree` returns; or a function without
            arguments that returns it, called before Trio runs.
        grace: How many seconds a stop in order may take, from the first signal. With `math.inf`, as
            long as the children do, each with its own *grace*; with 0, the first signal does what
            the second one does.

    Returns:
        0 if the tree ended in good order, by itself or after a first signal; 1 if it
        crashed, gave up or did not start; 128 + n after a signal n that was a second one, or
        was not heeded within *grace*; 130 after a `KeyboardInterrupt` of a child; what a child gave
        to `SystemExit`.

    Raises:
        TypeError: *tree* is neither a spec nor a function that returns one.
        ValueError: *grace* is negative or NaN.
        RuntimeError: Within a Trio run, or outside the main thread, where signals arrive.

    Example:
        >>> from trio_foundation.supervision import child
        >>> async def greet():
        ...     print("hello")
        >>> run_application(child(greet))
        hello
        0
    """
    check_seconds("grace", grace)
    _check_place()
    spec = attrs.evolve(_spec_of(tree), restart="temporary", significant=False)
    try:
        stage, result = trio.run(_run, spec, grace)
    except KeyboardInterrupt:  # it came when we did not listen yet, or no longer
        return _KEYBOARD_INTERRUPT
    return exit_code(stage, _ended(result))


# What is refused


def _check_place() -> None:
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "run_application runs Trio itself, and was called within a Trio run: "
            "call it outside of trio.run, or open the tree with open_supervisor"
        )
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "run_application listens to signals, which Python delivers in the main thread only: "
            f"call it there, not in thread {threading.current_thread().name!r}"
        )


def _spec_of(tree: object) -> ChildSpec:
    if isinstance(tree, ChildSpec):
        return tree
    name = getattr(tree, "__name__", repr(tree))
    if inspect.iscoroutinefunction(tree):
        raise TypeError(
            f"run_application takes a tree, but {name} is an async function: write "
            f"run_application(child({name}))"
        )
    if callable(tree):
        made: object = tree()
        if isinstance(made, ChildSpec):
            return made
        if isinstance(made, (list, tuple)):
            raise TypeError(
                f"run_application takes one tree, but {name} returned a list of children: write "
                "return subtree([...], name='app')"
            )
        raise TypeError(
            f"run_application takes a function that returns what child() or subtree() "
            f"returns, but {name} returned {made!r}"
        )
    if inspect.iscoroutine(tree):
        tree.close()  # or Python would warn that it was never awaited
        raise TypeError(
            f"run_application takes a tree, but got a coroutine: write "
            f"run_application(child({name})), not run_application({name}(...))"
        )
    if isinstance(tree, (list, tuple)):
        raise TypeError(
            "run_application takes one tree, but got a list of children: write "
            "run_application(subtree([...], name='app'))"
        )
    raise TypeError(
        f"run_application takes what child() or subtree() returns, or a function that returns "
        f"it, not {tree!r}"
    )


# What runs


async def _run(spec: ChildSpec, grace: float) -> tuple[Stage, outcome.Outcome[Exit | None]]:
    with listen() as signals:
        async with trio.open_nursery() as nursery:
            # Whatever leaves the tree is kept out of the nursery, which would make a group of it.
            result = await outcome.acapture(_run_tree, spec, nursery, signals, grace)
            nursery.cancel_scope.cancel(reason="trio_foundation: the tree has ended")
        return signals.stage, result


async def _run_tree(
    spec: ChildSpec, nursery: trio.Nursery, signals: StopSignals, grace: float
) -> Exit | None:
    """Run the tree; return its end, or None if it did not begin."""
    trees: list[Child[Any]] = []
    async with open_supervisor(name="application") as sup:
        nursery.start_soon(_obey, signals, sup, grace, trees)
        tree = await sup.start_child(spec)
        trees.append(tree)
        if tree.state == "ignored":
            _logger.info("%s", tree.last_exit)
        else:
            _logger.info("%r is ready", tree.name)
            await tree.wait_exit()
    return trees[0].last_exit if trees else None


async def _obey(
    signals: StopSignals, sup: Supervisor, grace: float, trees: list[Child[Any]]
) -> None:
    """Stop the tree as the signals ask."""
    asked = name_of((await signals.wait_asked()).signal)
    # Of a start that is cut short the supervisor keeps nothing, and it may have failed already.
    trees.extend(sup.children.values())
    patience = "as long as it takes" if grace == math.inf else f"for up to {grace:g} s"
    _logger.info("%s: stopping in order, newest first, %s", asked, patience)
    sup.shutdown(asked)
    why = f"{asked} came {grace:g} s ago"
    with trio.move_on_after(grace):
        why = f"{name_of((await signals.wait_insisted()).signal)} came as a second signal"
    signals.end_grace()
    _tell(hurry_report(why, find_stragglers()))
    sup.hurry()


# What comes of it


def _ended(result: outcome.Outcome[Exit | None]) -> Ended:
    """Return how it ended; report a failure."""
    try:
        exit = result.unwrap()
    except ChildStartFailed as failure:
        _tell(report_of_error(failure))
        return Failed()
    except KeyboardInterrupt:
        return Exited(_KEYBOARD_INTERRUPT)
    except SystemExit as left:
        if left.code is not None and not isinstance(left.code, int):
            _tell(f"{left.code}\n")
        return Exited(code_of_exit(left.code))
    if exit is None or not is_failure(exit):
        return Orderly()
    _tell(report_of_exit(exit))
    return Failed()


def _tell(text: str) -> None:
    # A program may be run without a stderr, or with one whose reader is gone.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
