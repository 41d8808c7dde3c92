"""The page docs/explanation/performance.rst, written from what lies in ``results/``.

Nothing that is lost may be left out: what misses its promise, what another library does more
quickly and what grows with size has to be explained in reasons.toml, or there is no page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import attrs

from . import _charts
from ._book import Book, Row, beside_it_grows, figure, losses, reason_of, sizes_told
from ._charts import Bar, Bars, Chart, Curves, Panel, short
from ._curves import GROWTH
from ._record import Record, Spread, Told, read

__all__ = ["FOLDER", "PAGE", "Page", "compose", "page", "write"]

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PAGE = DOCS / "explanation" / "performance.rst"
FOLDER = DOCS / "_static"


@final
@attrs.frozen
class Page:
    """The text, and the charts that it shows."""

    text: str
    charts: tuple[Chart, ...]


def write() -> None:
    """Write the page, and its charts."""
    written = page()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(written.text, "utf-8")
    if not _charts.can_draw():
        raise SystemExit("the text is written; its charts take matplotlib: pip install matplotlib")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("performance-*.svg"):
        old.unlink()
    for chart in written.charts:
        _charts.draw(chart, FOLDER)


def page() -> Page:
    """Return the page as what is in results/ makes it."""
    reasons: dict[str, str] = tomllib.loads((HERE / "reasons.toml").read_text("utf-8"))
    files = sorted((HERE / "results").glob("*.json"), key=lambda file: ("peers" in file.name, file))
    return compose([read(file) for file in files], reasons)


def compose(records: Sequence[Record], reasons: Mapping[str, str]) -> Page:
    """Return the page for some records; those at the end replace what others say of the same."""
    for record in records:
        if record.smoke:
            raise SystemExit(f"{record.file} is of a smoke run: its numbers mean nothing")
    book = Book.of(records)
    charts: list[Chart] = []
    lines = [HEAD, *_rooms(book, charts), *_sizes(book, charts), *_peers(book, charts)]
    lines += [*_lost(book, reasons), *_other_world(book, reasons, charts), *_where(records)]
    return Page("\n".join(lines), tuple(charts))


# The text

HEAD = """\
.. Written by ``python -m benchmarks --page`` from benchmarks/results and benchmarks/reasons.toml:
   change those, or the program, and not this page.

Performance
===========

What the library costs, beside bare Trio and beside other libraries. ``python -m benchmarks`` asks
the same questions on your machine. Where we lose is told :ref:`below <where-we-lose>`, with the
reason; what it was measured on, :ref:`at the end <measured-on>`.

How to read it
--------------

- Each job is written twice, with the library and as one would write it without. Both take turns in
  one process, most of them for 30 rounds.
- *ours* and *beside it* are medians. Half of the rounds lie within the percentage behind them.
- The *figure* is the ratio of the two, or their difference where the unit says so. There are two ways
  to take a ratio, of the medians and round by round; it is the less favourable one.
- The *limit* is the most or the least that the figure was promised to be.
- A bar to the left of 1 says that ours is quicker, one to the right that it is slower, and a red one
  that it is past its limit.
- Times belong to the machine. Ratios move by some hundredths from run to run.
"""


def _rooms(book: Book, charts: list[Chart]) -> Iterator[str]:
    for room in sorted({row.one.room for row in book.own}):
        rows = [row for row in book.own if row.one.room == room]
        yield from _heading(room.capitalize())
        yield from _bars(Bars(room, f"{room}: {ALT}", _bars_of(book, rows)), charts)
        yield from _findings(book, rows)


ALT = "how many times as long ours takes, in bars; the numbers are in the table"


def _sizes(book: Book, charts: list[Chart]) -> Iterator[str]:
    if not book.curves:
        return
    yield from _heading("One of many")
    yield SIZES
    panels = [_panel(row.one) for row in book.curves]
    alt = "what one costs, over how many there are; the ends of the curves are in the table"
    yield from _image(Curves("sizes", alt, tuple(panels)), charts)
    head = ["", "among 1,000", "among the most", "ours grows", "beside it grows", "limit", "kept"]
    yield from _table(head, [_size_row(book, row) for row in book.curves])


SIZES = """\
What one costs among 10 and among 100,000. The largest is held against 1,000, and how that grows
against how the same grows in bare Trio or in plain dictionaries: 1,000 of anything stay in the
caches of the processor, and 100,000 do not.
"""


def _panel(one: Told) -> Panel:
    curves = (
        (curve, tuple((size, float(f"{at.median:.4g}")) for size, at in sorted(points.items())))
        for curve, points in one.points.items()
    )
    return Panel(one.what, one.samples_in, tuple(curves))


def _size_row(book: Book, row: Row) -> list[str]:
    one = row.one
    few, many = sizes_told(one)
    return [
        _escaped(book.what(row)),
        f"{short(one.points['ours'][few].median)} {_escaped(one.samples_in)}",
        f"{short(one.points['ours'][many].median)} ({many:,})",
        f"{short(one.readings[GROWTH])} x",
        f"{beside_it_grows(one)} x ({_escaped(one.beside)})",
        f"{one.bound} {one.target:g} x that",
        _kept(one),
    ]


def _peers(book: Book, charts: list[Chart]) -> Iterator[str]:
    if not book.peers:
        return
    yield from _heading("Beside other libraries")
    yield PEERS
    for room in sorted({row.one.room for row in book.peers}):
        rows = [row for row in book.peers if row.one.room == room]
        yield f".. rubric:: {room.capitalize()}\n"
        alt = f"{room}, beside other libraries: {ALT}"
        yield from _bars(Bars(f"{room}-peers", alt, _bars_of(book, rows)), charts)
        yield from _findings(book, rows)


PEERS = """\
Each of them leaves something out that ours does, or does something else; benchmarks/README.md says
what. Where there is no limit, nothing was promised.
"""


def _lost(book: Book, reasons: Mapping[str, str]) -> Iterator[str]:
    yield ".. _where-we-lose:\n"
    yield from _heading("Where we lose, and why")
    rows = [*book.own, *book.curves, *book.peers]
    promises = [one for row in rows for one in (row.one, *row.later.values()) if _promised(one)]
    yield (
        f"{sum(one.met for one in promises)} of {len(promises)} limits are kept. Here is every one that is not, "
        "all that another\nlibrary does more quickly, and what grows with size, each with its reason.\n"
    )
    yield from _explained(book, rows, reasons)


def _explained(book: Book, rows: Sequence[Row], reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield each reason once, behind all that it explains."""
    groups: dict[str, list[str]] = {}
    unexplained: list[str] = []
    for loss in losses(rows):
        name = loss.row.one.name
        reason = reason_of(name, reasons)
        if reason is None:
            unexplained.append(f"  {name}: {loss.what}")
            continue
        where = "" if loss.python == loss.row.python else f" on Python {loss.python}"
        what = f"- **{_escaped(book.what(loss.row))}**{where}: {_escaped(loss.what)}."
        groups.setdefault(" ".join(reason.split()), []).append(what)
    if unexplained:
        told = "\n".join(unexplained)
        raise SystemExit(f"benchmarks/reasons.toml does not say why we lose here:\n{told}")
    for reason, those in groups.items():
        yield from those
        yield f"\n  {reason}\n"


def _other_world(book: Book, reasons: Mapping[str, str], charts: list[Chart]) -> Iterator[str]:
    if not book.other_world:
        return
    yield from _heading("Another world: Erlang")
    yield ERLANG
    alt = f"beside Erlang: {ALT}"
    yield from _bars(Bars("erlang", alt, _bars_of(book, book.other_world)), charts)
    yield from _findings(book, book.other_world)
    yield from _explained(book, book.other_world, reasons)


ERLANG = """\
The same jobs, done by ``gen_server`` and ``supervisor`` in Erlang's own machine. It has processes
with a heap each, takes the processor from them after so many steps, uses all cores, and compiles to
machine code. So this tells what one pays for Python, and not how one design compares with the other.
"""


def _where(records: Sequence[Record]) -> Iterator[str]:
    yield ".. _measured-on:\n"
    yield from _heading("What it was measured on")
    machines = {
        f"{one.machine['processor']}, {one.machine['cores']} cores, {one.machine['system']}."
        for one in records
    }
    yield from (f"{_escaped(machine)}\n" for machine in sorted(machines))
    yield from _table(
        ["results", "Python", "Trio", "commit", "load before", "rounds"],
        [
            [
                f"``{one.file}``",
                one.machine["python"],
                one.machine["trio"],
                one.machine["commit"],
                f"{one.machine['load']}",
                _rounds(one),
            ]
            for one in records
        ],
    )


def _rounds(record: Record) -> str:
    rounds = sorted({one.rounds for one in record.findings.values()})
    return f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"


# Parts of it


def _bars_of(book: Book, rows: Sequence[Row]) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            book.what(row),
            float(f"{row.one.times:.6g}"),
            row.one.limit if _promised(row.one) else None,
        )
        for row in rows
        if row.one.kind == "ratio"
    )


def _bars(chart: Bars, charts: list[Chart]) -> Iterator[str]:
    if chart.bars:
        yield from _image(chart, charts)


def _image(chart: Chart, charts: list[Chart]) -> Iterator[str]:
    charts.append(chart)
    for ground, file in _charts.files_of(chart).items():
        yield f".. image:: ../_static/{file}\n   :class: only-{ground}\n   :alt: {chart.alt}\n"


def _findings(book: Book, rows: Sequence[Row]) -> Iterator[str]:
    later = sorted({python for row in rows for python in row.later})
    body = [
        [
            _escaped(book.what(row)),
            f"{_median(row.one.ours)} {_escaped(row.one.samples_in)}",
            _median(row.one.theirs),
            _escaped(figure(row.one)),
            *(short(row.later[one].figure) if one in row.later else "" for one in later),
            f"{row.one.bound} {row.one.target:g}" if _promised(row.one) else "none",
            _kept(row.one, *row.later.values()) if _promised(row.one) else "",
        ]
        for row in rows
    ]
    pythons = [f"on {python}" for python in later]
    yield from _table(["", "ours", "beside it", "figure", *pythons, "limit", "kept"], body)


def _promised(one: Told) -> bool:
    """Return whether the target is a promise; beside some peers it is only there to be noticed."""
    return one.peer is None or one.bound == "at least" or one.target < NO_PROMISE


NO_PROMISE = 20.0


def _median(spread: Spread) -> str:
    return f"{short(spread.median)} ±{spread.percent:.0f} %"


def _kept(*ones: Told) -> str:
    return "yes" if all(one.met for one in ones) else "**no**"


def _heading(text: str) -> list[str]:
    return [text, "-" * len(text), ""]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a simple table, a line a row; a row whose first cell is empty would end the one above."""
    rows = [[cell or "\\ " for cell in row] for row in (head, *body)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rule = " ".join("=" * width for width in widths)
    lines = [
        " ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    yield from (line.rstrip() for line in (rule, lines[0], rule, *lines[1:], rule, ""))


def _escaped(text: str) -> str:
    """Return text that says what it says, and is no markup."""
    return re.sub(r"([\\*|`]|_(?!\w))", r"\\\1", text)
