"""A picture of a tree, at one moment."""

from __future__ import annotations

import math
from typing import Literal, final

import attrs

from ._rules._words import ChildState

__all__ = ["ChildCounts", "ChildSnapshot", "SupervisorSnapshot"]


@final
@attrs.frozen(kw_only=True)
class ChildCounts:
    """How many children a supervisor has, as by Erlang's ``count_children``.

    Example:
        >>> ChildCounts(specs=3, active=2, supervisors=1, workers=2).active
        2
    """

    specs: int
    """All in its book, running or not."""

    active: int
    """Those that run now."""

    supervisors: int
    """Those in the book that are supervisors."""

    workers: int
    """Those in the book that are not."""


@final
@attrs.frozen(kw_only=True)
class ChildSnapshot:
    """One child of a `SupervisorSnapshot`.

    Example:
        >>> ChildSnapshot(name="web", state="running", incarnation=2, kind="worker",
        ...               status=None, last_exit="crashed", supervisor=None).incarnation
        2
    """

    name: str
    """Its name in the supervisor."""

    state: ChildState
    """See `Child.state`."""

    incarnation: int
    """How often it was started so far."""

    kind: Literal["worker", "supervisor"]
    """Whether it is itself a supervisor."""

    status: object
    """See `Child.status`."""

    last_exit: str | None
    """How its last incarnation ended, in a sentence; None if none has."""

    supervisor: SupervisorSnapshot | None
    """The tree below it, if it is a running supervisor."""


@final
@attrs.frozen(kw_only=True)
class SupervisorSnapshot:
    """A supervisor and all that is below it; ``str`` draws it.

    Example:
        >>> web = ChildSnapshot(name="web", state="running", incarnation=2, kind="worker",
        ...                     status="3 requests", last_exit=None, supervisor=None)
        >>> print(SupervisorSnapshot(name="app", strategy="one_for_one", restarts=1,
        ...                          max_restarts=3, within=5.0, children=(web,)))
        app (one_for_one, 1 of 3 restarts in 5 s)
        `- web  running, incarnation 2: 3 requests
    """

    name: str
    """Its name."""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one", "dynamic"]
    """Which children a restart takes along; ``dynamic`` is one_for_one."""

    restarts: int
    """How many restarts count against its limit now."""

    max_restarts: int
    """The limit: so many restarts..."""

    within: float
    """... in so many seconds."""

    children: tuple[ChildSnapshot, ...]
    """Its children, in start order."""

    def __str__(self) -> str:
        return "\n".join(_draw(self))


def _draw(supervisor: SupervisorSnapshot) -> list[str]:
    span = "in all" if supervisor.within == math.inf else f"in {supervisor.within:g} s"
    lines = [
        f"{supervisor.name} ({supervisor.strategy}, {supervisor.restarts} of "
        f"{supervisor.max_restarts} restarts {span})"
    ]
    last = len(supervisor.children) - 1
    for place, child in enumerate(supervisor.children):
        corner, stem = ("`- ", "   ") if place == last else ("|- ", "|  ")
        head, *rest = _draw_child(child)
        lines.append(corner + head)
        lines += [stem + line for line in rest]
    return lines


def _draw_child(child: ChildSnapshot) -> list[str]:
    status = "" if child.status is None else f": {child.status}"
    state = child.state.replace("_", " ")
    line = f"{child.name}  {state}, incarnation {child.incarnation}{status}"
    if child.supervisor is None:
        return [line]
    head, *rest = _draw(child.supervisor)
    return [f"{head}  {state}, incarnation {child.incarnation}{status}", *rest]
