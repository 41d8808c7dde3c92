"""What the next signal means, and with which code the program ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

import attrs

__all__ = [
    "Ended",
    "Exited",
    "Failed",
    "Forced",
    "Hurrying",
    "Orderly",
    "Running",
    "Stage",
    "Stopping",
    "after_grace",
    "after_signal",
    "code_of_exit",
    "exit_code",
]

# What a shell adds to the number of the signal that ended a program.
_SIGNALLED = 128


# How far the stop has come


@final
@attrs.frozen
class Running:
    """Nobody has asked for anything."""


@final
@attrs.frozen
class Stopping:
    """The tree stops in order."""

    signal: int
    """The number of the signal that asked."""


@final
@attrs.frozen
class Hurrying:
    """All that runs is cancelled, cleaning up included."""

    signal: int
    """The number of the signal that insisted; if time ran out, of the one that asked."""


@final
@attrs.frozen
class Forced:
    """The process is to end, whatever runs."""

    signal: int
    """The number of the signal that was one too many."""


Stage: TypeAlias = Running | Stopping | Hurrying | Forced

_NEXT: dict[type[Stage], Callable[[int], Stage]] = {
    Running: Stopping,
    Stopping: Hurrying,
    Hurrying: Forced,
    Forced: Forced,
}


def after_signal(stage: Stage, signal: int) -> Stage:
    """Return the stage after one more signal, by its number.

    Example:
        >>> after_signal(after_signal(Running(), 15), 2)
        Hurrying(signal=2)
    """
    return _NEXT[type(stage)](signal)


def after_grace(stage: Stage) -> Stage:
    """Return the stage when the time for stopping in order is over.

    Example:
        >>> after_grace(Stopping(15))
        Hurrying(signal=15)
    """
    return Hurrying(stage.signal) if isinstance(stage, Stopping) else stage


# How it ended


@final
@attrs.frozen
class Orderly:
    """The tree ended by itself, or was stopped."""


@final
@attrs.frozen
class Failed:
    """The tree crashed, gave up, or did not start."""


@final
@attrs.frozen
class Exited:
    """Somebody in the tree ended the program, with a code."""

    code: int
    """The code to end with."""


Ended: TypeAlias = Orderly | Failed | Exited


def exit_code(stage: Stage, ended: Ended) -> int:
    """Return the code that a program ends with.

    A stop that was cut short counts as such, whatever came of the tree.

    Example:
        >>> exit_code(Stopping(15), Orderly()), exit_code(Hurrying(15), Orderly())
        (0, 143)
    """
    if isinstance(stage, (Hurrying, Forced)):
        return _SIGNALLED + stage.signal
    if isinstance(ended, Exited):
        return ended.code
    return 1 if isinstance(ended, Failed) else 0


def code_of_exit(code: object) -> int:
    """Return the number that Python makes of what `SystemExit` was given.

    Example:
        >>> code_of_exit(None), code_of_exit(3), code_of_exit("no such file")
        (0, 3, 1)
    """
    if code is None:
        return 0
    return code if isinstance(code, int) else 1
