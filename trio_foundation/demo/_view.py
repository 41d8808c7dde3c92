"""What is shown: on a terminal the tree as it lives, elsewhere a line a second."""

# ruff: noqa: PLC0415  rich is optional
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import trio

from ..supervision import Supervisor, SupervisorSnapshot
from ._work import Work

__all__ = ["follow", "report", "say", "summarize"]

COLOURS = {"running": "green", "backing_off": "bold red"}  # the other states pass quickly


async def report(work: Work, tree: Supervisor) -> None:
    """Show how the work goes on; the reporter runs this."""
    if can_draw():
        await draw(work, tree)  # until the tree stops
    while True:
        await trio.sleep(1)
        done, restarts = len(work.acknowledged), work.restarts.total()
        say(f"{done:7,} of {len(work.files):,} files counted, {restarts:3} crashes healed")


async def draw(work: Work, tree: Supervisor) -> None:
    """Draw ten pictures a second."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
    from rich.table import Column, Table
    from rich.text import Text

    bar = Progress(BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    task = bar.add_task("", total=len(work.files))

    def picture() -> Group:
        bar.update(task, completed=len(work.acknowledged))
        heads = ("", "state", "restarts", "file")
        table = Table(*(Column(head, min_width=14, no_wrap=True) for head in heads), box=None)
        for name, state, restarts, file in rows(tree.snapshot()):
            colour = COLOURS.get(state, "yellow")
            table.add_row(name, Text(state.replace("_", " "), colour), restarts, Text(file, "dim"))
        return Group(bar, table, Text(work.last_crash, "red", no_wrap=True, overflow="ellipsis"))

    with Live(auto_refresh=False, get_renderable=picture) as live:
        try:
            while True:
                live.refresh()
                await trio.sleep(0.1)
        finally:
            live.refresh()


def rows(tree: SupervisorSnapshot, state: str = "running", indent: str = "") -> Iterator[list[str]]:
    """Yield the name, state, restarts and status of a supervisor and of all below it."""
    yield [indent + tree.name, state, f"{tree.restarts} of at most {tree.max_restarts}", ""]
    for one in tree.children:
        if one.supervisor is not None:
            yield from rows(one.supervisor, one.state, indent + "  ")
        else:
            restarts = str(one.incarnation - 1 or "")
            yield [f"{indent}  {one.name}", one.state, restarts, str(one.status or "")]


def follow(files: Sequence[Path]) -> Iterable[Path]:
    """Return the files, and show how far the plain loop over them is."""
    if can_draw():
        from rich.progress import track

        return track(files, "The same with a plain loop", transient=True)
    say("The same with a plain loop ...")
    return files


def summarize(work: Work, verdict: str) -> None:
    """Show the table at the end."""
    names, skipped, restarts = work.identifiers, work.skipped, work.restarts
    counted, top = len(work.counted), sorted(names, key=lambda name: (-names[name], name))
    table = {
        "files": [f"{counted - len(skipped):,} counted, {len(skipped):,} skipped"],
        "skipped": [f"{path}: {fault}" for path, fault in sorted(skipped.items())],
        "identifiers": [f"{names.total():,} counted, {len(names):,} different"],
        "top ten": [f"{names[name]:9,} {name}" for name in top[:10]],
        "restarts": [f"{restarts[name]:9,} {name}" for name in sorted(restarts)],
        "comparison": [verdict],
    }
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
    """Return whether there is a terminal, and rich to draw on it with."""
    return sys.stdout.isatty() and find_spec("rich") is not None


def say(text: str) -> None:
    """Write a line at once; and if nobody reads any more, go on without a word."""
    try:
        print(text.encode(errors="replace").decode(), flush=True)  # noqa: T201
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
