"""The report of what still runs: who is being stopped, with stacks, then who waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import attrs

__all__ = ["Place", "Straggler", "hurry_report"]

_STACKS_SHOWN = 10

_LINES_SHOWN = 20


@final
@attrs.frozen
class Place:
    """A line of a task's stack."""

    file: str

    line: int

    function: str

    source: str
    """The text of the line, if known."""


@final
@attrs.frozen(kw_only=True)
class Straggler:
    """A child that still runs."""

    path: str
    """Where it is in the tree: ``application/web/http``."""

    incarnation: int
    """Which of its starts, from 1."""

    is_stopping: bool
    """Whether it has been asked or cancelled; else it waits for its turn."""

    stacks: tuple[tuple[Place, ...], ...]
    """Of each task the user's lines, outermost first."""


def hurry_report(why: str, stragglers: Sequence[Straggler]) -> str:
    """Return what to tell when an ordered stop is cut short; *why* begins the sentence.

    Example:
        >>> here = Place("shop.py", 12, "sell", "await customer()")
        >>> web = Straggler(path="app/web", incarnation=1, is_stopping=False, stacks=((here,),))
        >>> print(hurry_report("SIGINT came as a second signal", [web]), end="")
        SIGINT came as a second signal: all that still runs is cancelled now, and has no time \
to clean up.
        Waiting for their turn to be stopped:
            app/web (incarnation 1), in sell, shop.py:12
        One more signal ends the process by force, whatever still runs then.
    """
    head = f"{why}: all that still runs is cancelled now, and has no time to clean up."
    force = "One more signal ends the process by force, whatever still runs then."
    lines = [head, *_lines(sorted(stragglers, key=lambda one: one.path)), force]
    return "".join(f"{line}\n" for line in lines)


def _lines(stragglers: Sequence[Straggler]) -> list[str]:
    stopping = [one for one in stragglers if one.is_stopping]
    waiting = [one for one in stragglers if not one.is_stopping]
    lines: list[str] = []
    if stopping:
        lines.append("Still stopping:")
        for one in stopping[:_STACKS_SHOWN]:
            lines += _with_stacks(one)
        lines += _rest(len(stopping) - _STACKS_SHOWN)
    if waiting:
        lines.append("Waiting for their turn to be stopped:")
        lines += [f"    {_name(one)}{_where(one)}" for one in waiting[:_LINES_SHOWN]]
        lines += _rest(len(waiting) - _LINES_SHOWN)
    return lines


def _with_stacks(one: Straggler) -> list[str]:
    if not one.stacks:
        return [f"    {_name(one)}"]
    first, *others = one.stacks
    lines = [f"    {_name(one)} is here:", *_stack(first)]
    for stack in others:
        lines += ["    and here, in another of its tasks:", *_stack(stack)]
    return lines


def _stack(stack: Sequence[Place]) -> list[str]:
    lines: list[str] = []
    for place in stack:
        lines.append(f'        File "{place.file}", line {place.line}, in {place.function}')
        if place.source:
            lines.append(f"            {place.source}")
    return lines


def _where(one: Straggler) -> str:
    if not one.stacks:
        return ""
    place = one.stacks[0][-1]
    return f", in {place.function}, {place.file}:{place.line}"


def _name(one: Straggler) -> str:
    return f"{one.path} (incarnation {one.incarnation})"


def _rest(left_out: int) -> list[str]:
    return [f"    and {left_out} more"] if left_out > 0 else []
