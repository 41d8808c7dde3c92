"""What is shown: the system on a terminal, elsewhere a line a second."""

# ruff: noqa: PLC0415  rich is optional
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import trio

from ..agents import ReceiverStatistics
from ..supervision import SupervisorSnapshot
from ._run import Demo
from ._summary import summary
from ._system import System

__all__ = ["follow", "report", "say", "summarize"]

COLOURS: dict[str, str] = {
    "running": "green",
    "closed": "green",
    "backing off": "bold red",
    "half open": "bold red",
    "open": "bold red",
}  # the other states pass quickly


async def report(demo: Demo) -> None:
    """Show how the work goes on."""
    system, total = demo.system, len(demo.files)
    assert system is not None
    if can_draw():
        await draw(system, total)  # until the tree stops
    while True:
        await trio.sleep(1)
        say(in_a_line(system, total))


def in_a_line(system: System, total: int) -> str:
    """Return how far it is, and which circuits are not closed."""
    figures = system.coordinator.statistics()
    circuits = {name: one.state for name, one in figures.receivers.items() if one.state != "closed"}
    told = [
        f"{system.files_stored():7,} of {total:,} files counted",
        f"{system.restarts.total():3} crashes healed",
        f"{figures.buffered:3} messages buffered",
        *(f"circuit to {name} {state.replace('_', ' ')}" for name, state in circuits.items()),
    ]
    return ", ".join(told)


async def draw(system: System, total: int) -> None:
    """Draw ten pictures a second."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
    from rich.table import Column, Table
    from rich.text import Text

    one_line = partial(Text, no_wrap=True, overflow="ellipsis")
    bar = Progress(BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    task = bar.add_task("", total=total)

    def picture() -> Group:
        bar.update(task, completed=system.files_stored())
        heads = ("", "state", "restarts", "circuit", "waiting")
        columns = [Column(head, min_width=9, no_wrap=True) for head in heads]
        table = Table(*columns, "doing", box=None)  # the last column gives way to the others
        receivers = system.coordinator.statistics().receivers
        for cells in rows(system.tree.snapshot(), receivers):
            table.add_row(*(one_line(cell, COLOURS.get(cell, "")) for cell in cells))
        return Group(bar, table, one_line(system.last_crash, "red"))

    with Live(auto_refresh=False, get_renderable=picture) as live:
        try:
            while True:
                live.refresh()
                await trio.sleep(0.1)
        finally:
            live.refresh()


def rows(
    tree: SupervisorSnapshot,
    receivers: Mapping[str, ReceiverStatistics],
    state: str = "running",
    indent: str = "",
) -> Iterator[list[str]]:
    """Yield what to show of a supervisor and of all below it."""
    yield [indent + tree.name, state, f"{tree.restarts} of {tree.max_restarts}"]
    for one in tree.children:
        state = one.state.replace("_", " ")
        if one.supervisor is not None:
            yield from rows(one.supervisor, receivers, state, indent + "  ")
            continue
        lane = receivers.get(one.name)
        circuit = [lane.state.replace("_", " "), str(lane.buffered or "")] if lane else ["", ""]
        restarts, doing = str(one.incarnation - 1 or ""), str(one.status or "")
        yield [f"{indent}  {one.name}", state, restarts, *circuit, doing]


def follow(files: Sequence[Path]) -> Iterable[Path]:
    """Return the files; show how far the loop is."""
    if can_draw():
        from rich.progress import track

        return track(files, "The same with a plain loop", transient=True)
    say("The same with a plain loop ...")
    return files


def summarize(demo: Demo, verdict: str) -> None:
    table = summary(demo, verdict)
    if can_draw():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(show_header=False, show_lines=True)
        for head, lines in table.items():
            text = Text("\n".join(lines) or "none")
            text.highlight_regex("^EQUAL", "bold green")
            text.highlight_regex("^DIFFERENT", "bold red")
            drawn.add_row(Text(head, "bold"), text)
        Console().print(drawn)
        return
    for head, lines in table.items():
        for number, line in enumerate(lines or ["none"]):
            say(f"{'' if number else head:12} {line}")


def can_draw() -> bool:
    """Return whether there is a terminal, and rich to draw with."""
    return sys.stdout.isatty() and find_spec("rich") is not None


def say(text: str) -> None:
    """Write a line at once; if nobody reads any more, go on."""
    try:
        print(text.encode(errors="replace").decode(), flush=True)  # noqa: T201
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
