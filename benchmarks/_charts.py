"""Charts of what was found: bars of ratios, and curves over size.

Each is drawn twice, for a light and for a dark page, and the same findings give the same bytes.
What a chart was drawn from stands in it, so that one can see whether it is out of date without
drawing it.
"""

from __future__ import annotations

import importlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import attrs

__all__ = ["Bar", "Bars", "Chart", "Curves", "Panel", "can_draw", "draw", "files_of", "origin"]

Ground: TypeAlias = Literal["light", "dark"]


@final
@attrs.frozen
class Colours:
    """What is drawn in which colour; all can be told apart by those who see few."""

    ink: str
    faint: str
    better: str
    worse: str
    over: str


GROUNDS: Mapping[Ground, Colours] = {
    "light": Colours("#1a1a1a", "#c8c8c8", "#2b7bba", "#e69f00", "#c0392b"),
    "dark": Colours("#e8e8e8", "#4a4a4a", "#56b4e9", "#d9a520", "#ff6f5e"),
}


@final
@attrs.frozen
class Bar:
    """How many times as long ours takes, and the most that it may, if anything was promised."""

    label: str
    times: float
    limit: float | None

    @property
    def words(self) -> str:
        """What stands behind the bar."""
        if self.times <= 1:
            return f"{short(1 / self.times)} x as fast"
        return f"{short(self.times)} x as long"


@final
@attrs.frozen
class Bars:
    """Bars below each other."""

    name: str
    alt: str
    bars: tuple[Bar, ...]


@final
@attrs.frozen
class Panel:
    """Curves over size, in one frame."""

    title: str
    unit: str
    curves: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]


@final
@attrs.frozen
class Curves:
    """Panels beside and below each other."""

    name: str
    alt: str
    panels: tuple[Panel, ...]


Chart: TypeAlias = Bars | Curves


def short(value: float) -> str:
    """Return a number in some three digits.

    Example:
        >>> short(0.04317), short(1.0812), short(12.52), short(269_444.9)
        ('0.0432', '1.08', '12.5', '269,445')
    """
    if abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 2 - int(math.log10(abs(value))))}f}"


def origin(chart: Chart) -> str:
    """Return what identifies the numbers that a chart is drawn from."""
    return sha256(repr(chart).encode()).hexdigest()[:16]


def files_of(chart: Chart) -> dict[Ground, str]:
    """Return the names of the files of a chart."""
    return {ground: f"performance-{chart.name}-{ground}.svg" for ground in GROUNDS}


def can_draw() -> bool:
    """Return whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def draw(chart: Chart, folder: Path) -> None:
    """Write the files of a chart."""
    for ground, file in files_of(chart).items():
        colours = GROUNDS[ground]
        with _style(colours):
            figure = _bars(chart, colours) if isinstance(chart, Bars) else _curves(chart, colours)
            (folder / file).write_text(_svg(figure, chart), "utf-8")


def _style(colours: Colours) -> AbstractContextManager[None]:
    style: AbstractContextManager[None] = importlib.import_module("matplotlib").rc_context(
        {
            "svg.hashsalt": "trio_foundation",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
            "font.size": 9,
            "axes.edgecolor": colours.ink,
            "axes.labelcolor": colours.ink,
            "text.color": colours.ink,
            "xtick.color": colours.ink,
            "ytick.color": colours.ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return style


# matplotlib need not be there, and so has no types here.


def _figure(width: float, height: float) -> Any:  # noqa: ANN401
    # Not pyplot, which would look for a screen.
    return importlib.import_module("matplotlib.figure").Figure(
        figsize=(width, height), layout="constrained"
    )


def _svg(figure: Any, chart: Chart) -> str:  # noqa: ANN401
    written = io.StringIO()
    about = {"Title": chart.alt, "Description": f"drawn from {origin(chart)}"}
    figure.savefig(
        written,
        format="svg",
        transparent=True,
        metadata=about | {"Date": None, "Creator": None},
    )
    return re.sub(r"[ \t]+$", "", written.getvalue(), flags=re.MULTILINE)


# Bars

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def _bars(chart: Bars, colours: Colours) -> Any:  # noqa: ANN401
    figure = _figure(7.6, 0.9 + 0.34 * len(chart.bars))
    axes = figure.subplots()
    for place, bar in enumerate(chart.bars):
        axes.barh(place, bar.times - 1, left=1, height=0.62, color=_colour(bar, colours))
        if bar.limit is not None:
            ends = [place - 0.42, place + 0.42]
            axes.plot([bar.limit] * 2, ends, color=colours.ink, linewidth=1.6)
        axes.annotate(
            bar.words,
            (1, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    _axes_of_bars(axes, chart, colours)
    return figure


def _colour(bar: Bar, colours: Colours) -> str:
    if bar.limit is not None and bar.times > bar.limit:
        return colours.over
    return colours.better if bar.times <= 1 else colours.worse


def _axes_of_bars(axes: Any, chart: Bars, colours: Colours) -> None:  # noqa: ANN401
    ends = [value for bar in chart.bars for value in (bar.times, bar.limit or 1)]
    low, high = min(0.45, *ends) / 1.15, max(2.2, *ends) * 1.15
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvline(1, color=colours.ink, linewidth=1)
    axes.grid(axis="x", color=colours.faint, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(len(chart.bars) - 0.4, -0.6)
    axes.set_yticks(range(len(chart.bars)), [bar.label for bar in chart.bars])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for words, offset, side in (("◀ quicker", -6, "right"), ("slower ▶", 6, "left")):
        axes.annotate(
            words,
            (1, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(offset, 3),
            textcoords="offset points",
            ha=side,
            fontsize=8,
        )
    axes.set_xlabel("how many times as long ours takes; a mark shows the limit", fontsize=8)


# Curves

COLUMNS = 2


def _curves(chart: Curves, colours: Colours) -> Any:  # noqa: ANN401
    rows = math.ceil(len(chart.panels) / COLUMNS)
    figure = _figure(7.6, 2.3 * rows)
    frames = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes, panel in zip(frames, chart.panels, strict=False):
        _panel(axes, panel, colours)
    figure.supxlabel("how many there are", fontsize=8)
    for axes in frames[len(chart.panels) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Any, panel: Panel, colours: Colours) -> None:  # noqa: ANN401
    marks = (("o", "-", colours.better), ("s", "--", colours.worse))
    highest = max(points[-1][1] for _, points in panel.curves)
    for (label, points), (mark, line, colour) in zip(panel.curves, marks, strict=True):
        sizes, values = zip(*points, strict=True)
        axes.plot(sizes, values, marker=mark, linestyle=line, color=colour, markersize=4)
        axes.annotate(
            label,
            points[-1],
            xytext=(6, 3 if points[-1][1] == highest else -3),  # they may end in one place
            textcoords="offset points",
            va="bottom" if points[-1][1] == highest else "top",
            color=colour,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    _round_ends(axes, [value for _, points in panel.curves for _, value in points])
    largest = max(size for _, points in panel.curves for size, _ in points)
    axes.set_xlim(7, largest * 6)
    sizes_told = [10**n for n in range(1, 6) if 10**n <= largest]
    axes.set_xticks(sizes_told, [f"{size:,}" for size in sizes_told])
    axes.minorticks_off()
    axes.grid(color=colours.faint, linewidth=0.5)
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_ylabel(panel.unit)


def _round_ends(axes: Any, values: Sequence[float]) -> None:  # noqa: ANN401
    # At least two decades: otherwise what is flat looks steep.
    middle = math.sqrt(min(values) * max(values))
    low, high = min(min(values) / 2, middle / 10), max(max(values) * 2, middle * 10)
    ticks = [10.0**n for n in range(-3, 7) if low <= 10.0**n <= high]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
