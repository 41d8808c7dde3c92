"""The report of a failure, which begins at the bottom: with the child to blame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import indent
from typing import TypeAlias, final

import attrs

__all__ = ["Crashed", "GaveUp", "Level", "NotStarted", "failure_report"]

_EXITS_SHOWN = 5

_INDENT = "    "


@final
@attrs.frozen(kw_only=True)
class GaveUp:
    """A supervisor went past its limit of restarts."""

    supervisor: str
    """The path of the supervisor."""

    child: str
    """The name of the child whose failure was one too many."""

    max_restarts: int
    """How many restarts were allowed..."""

    within: float
    """... in how many seconds."""

    failed: tuple[str, ...]
    """The children whose failures spent the limit, oldest first."""

    exits: tuple[str, ...]
    """What is known of each failure."""

    is_return: bool = False
    """Whether the last of them was a return."""


@final
@attrs.frozen(kw_only=True)
class NotStarted:
    """A child ended before it was ready."""

    supervisor: str

    child: str


@final
@attrs.frozen(kw_only=True)
class Crashed:
    """The tree crashed by itself: what was run is no supervisor."""

    exit: str
    """What is known of its end."""


Level: TypeAlias = GaveUp | NotStarted | Crashed


def failure_report(levels: Sequence[Level], traceback: str) -> str:
    """Return what to tell of a failure.

    The first of *levels* is the culprit, the others failed because of it; *traceback* is its
    last, or empty.

    Example:
        >>> level = NotStarted(supervisor="application", child="db")
        >>> print(failure_report([level], "OSError: no route to host"), end="")
        The application failed: child 'db' of supervisor 'application' failed to start
        <BLANKLINE>
        Its traceback:
            OSError: no route to host
    """
    culprit, *others = levels
    history = _history(culprit)
    parts = [f"The application failed: {_sentence(culprit)}{':' if history else ''}\n{history}"]
    if traceback:
        parts.append(f"Its {_which(culprit)}traceback:\n{indent(traceback.rstrip(), _INDENT)}\n")
    if others:
        parts.append("Therefore:\n" + "".join(f"- {_sentence(level)}\n" for level in others))
    if advice := _advice(culprit):
        parts.append(f"{advice}\n")
    return "\n".join(parts)


def _sentence(level: Level) -> str:
    if isinstance(level, Crashed):
        return level.exit
    child = f"child {level.child!r} of supervisor {level.supervisor!r}"
    if isinstance(level, NotStarted):
        return f"{child} failed to start"
    ended = "returned" if level.is_return else "failed"
    if level.max_restarts == 0:
        return f"{child} {ended}, and no restart is allowed there"
    window = _window(level.within)
    if set(level.failed) <= {level.child}:
        return f"{child} was restarted {_times(level.max_restarts)}{window} and {ended} again"
    restarts = "restart" if level.max_restarts == 1 else "restarts"
    return (
        f"{child} {ended}, after {level.max_restarts} {restarts}{window} in that supervisor "
        f"({_shares(level)})"
    )


def _window(within: float) -> str:
    if within == math.inf:
        return ""
    return f" within {within:g} {'second' if within == 1 else 'seconds'}"


def _shares(level: GaveUp) -> str:
    # The last failure is the one too many: no restart came of it.
    restarted = level.failed[:-1]
    names = dict.fromkeys(restarted)
    return ", ".join(f"{name!r} {_times(restarted.count(name))}" for name in names)


def _history(level: Level) -> str:
    if not isinstance(level, GaveUp):
        return ""
    left_out = len(level.exits) - _EXITS_SHOWN
    before = "1 failure" if left_out == 1 else f"{left_out} failures"
    lines = [f"({before} before these)"] if left_out > 0 else []
    lines += [exit.partition("\n")[0] for exit in level.exits[-_EXITS_SHOWN:]]
    return indent("".join(f"{line}\n" for line in lines), _INDENT)


def _which(level: Level) -> str:
    return "last " if isinstance(level, GaveUp) and level.max_restarts else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _advice(level: Level) -> str:
    if isinstance(level, Crashed):
        return (
            "Nothing restarts the top of an application. To have this child restarted, put it "
            "into a supervisor: subtree([child(...)], name=...)."
        )
    if isinstance(level, GaveUp) and level.is_return:
        return (
            "A permanent child is restarted when it returns, too. One that may come to an end "
            "is written child(..., restart='transient')."
        )
    return ""
