"""A picture of a search: how the best has become better, and which settings the good ones share."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from ._result import SearchResult
from ._rules import Axis, Trial, axis_of, rises_of

__all__ = ["plot"]

# Something of matplotlib, which need not be there.
_Drawing: TypeAlias = Any

# Okabe and Ito's colours, and viridis, can be told apart by all who see.
_BLUE, _ORANGE, _GREY, _BLACK = "#0072B2", "#D55E00", "#999999", "#222222"

_MOST_LINES = 1_000


def plot(result: SearchResult, path: str | os.PathLike[str] | None = None) -> Any:  # noqa: ANN401
    """Draw a search: the best so far over the trials, and where the trials are in the space.

    On the left is what each trial has returned, and the best until then. On the right each
    line is a trial, which crosses the axis of each setting at its value; below the axes where
    it has none. The brighter, the better; the best is orange.

    It takes a second or so; in a Trio program write
    ``await trio.to_thread.run_sync(plot, result, "search.png")``.

    Args:
        result: What was found.
        path: Where to save the picture; the end of the name says as what, such as ``.png`` or
            ``.svg``. None to save it nowhere.

    Returns:
        A ``matplotlib.figure.Figure``, of which pyplot knows nothing.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.

    Example:
        >>> from trio_foundation.search import SearchResult, Trial
        >>> trials = [Trial(index, {"x": index / 9}, index * (9 - index)) for index in range(10)]
        >>> figure = plot(SearchResult(trials[4], trials))  # doctest: +SKIP
    """
    figure = _figure_class()(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    shown = [trial for trial in result.trials if _is_number(trial)]
    _draw_values(left, result, shown)
    _draw_space(figure, right, result, shown)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


# Helpers, in order of use


def _figure_class() -> _Drawing:
    try:
        return importlib.import_module("matplotlib.figure").Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "search.plot needs matplotlib: pip install 'trio-foundation[plot]'"
        ) from None


def _is_number(trial: Trial) -> bool:
    return trial.value is not None and math.isfinite(trial.value)


def _draw_values(axes: _Drawing, result: SearchResult, shown: Sequence[Trial]) -> None:
    complete = [trial for trial in shown if trial.state == "complete"]
    pruned = [trial for trial in shown if trial.state == "pruned"]
    failed = [trial.index for trial in result.trials if not _is_number(trial)]
    if complete:
        _dots(axes, complete, s=16, color=_GREY, label="trial")
    if pruned:
        _dots(axes, pruned, s=16, facecolors="none", edgecolors=_GREY, label="pruned")
    rises = rises_of(result.trials, maximize=result.maximize)
    if rises:
        last = result.trials[-1].index
        indexes = [*(index for index, _ in rises), last]
        values = [*(value for _, value in rises), rises[-1][1]]
        axes.step(indexes, values, where="post", color=_BLUE, linewidth=2, label="best so far")
        axes.plot(*rises[-1], "o", color=_ORANGE, markersize=8)
    if failed:
        # At the lower edge, whatever the values are.
        axes.plot(
            failed, [0.015] * len(failed), "x", color=_BLACK, markersize=5,
            transform=axes.get_xaxis_transform(), label="no number",
        )  # fmt: skip
    axes.set_xlabel("trial")
    axes.set_ylabel(f"value ({'more' if result.maximize else 'less'} is better)")
    axes.set_title("Trials", loc="left")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        _draw_legend(axes)


def _draw_legend(axes: _Drawing) -> None:
    # In a row beside the title, where it hides nothing.
    axes.legend(
        frameon=False, fontsize=8, ncols=5, loc="lower right", bbox_to_anchor=(1, 1),
        borderpad=0, columnspacing=1, handletextpad=0.4,
    )  # fmt: skip


def _dots(axes: _Drawing, trials: Sequence[Trial], **options: Any) -> None:
    axes.scatter([one.index for one in trials], [one.value for one in trials], **options)


def _draw_space(
    figure: _Drawing, axes: _Drawing, result: SearchResult, shown: Sequence[Trial]
) -> None:
    axes.set_title("Settings", loc="left")
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    ranked = sorted(shown, key=lambda one: one.value or 0.0, reverse=not result.maximize)
    ranked = ranked[-_MOST_LINES:]  # the best come last, and lie on top
    parallels = _axes_of(result, ranked)
    axes.set_xticks(range(len(parallels)), [axis.name for axis in parallels])
    if not ranked:
        return
    lines = [
        [(at, axis.places[number]) for at, axis in enumerate(parallels)]
        for number in range(len(ranked))
    ]
    values = [one.value or 0.0 for one in ranked]
    _draw_lines(figure, axes, lines, values, maximize=result.maximize)
    best = [line for line, one in zip(lines, ranked, strict=True) if one is result.best]
    if best:
        axes.plot(*zip(*best[0], strict=True), color=_ORANGE, linewidth=3, label="best")
        _draw_legend(axes)
    for at, axis in enumerate(parallels):
        _draw_axis(axes, at, axis)
    axes.set_xlim(-0.35, len(parallels) - 0.65)
    axes.set_ylim(-0.17, 1.05)


def _axes_of(result: SearchResult, trials: Sequence[Trial]) -> list[Axis]:
    dimensions = {} if result.space is None else dict(result.space.dimensions)
    names = dict.fromkeys([*dimensions, *(name for one in trials for name in one.params)])
    return [axis_of(name, trials, dimensions.get(name)) for name in names]


def _draw_lines(
    figure: _Drawing, axes: _Drawing, lines: list[Any], values: list[float], *, maximize: bool
) -> None:
    collections = importlib.import_module("matplotlib.collections")
    # The few worst are all one colour, or one outlier would take all the colours for itself.
    worst = sorted(values, reverse=not maximize)[len(values) // 20]
    ends = (worst, max(values)) if maximize else (min(values), worst)
    colours = "viridis" if maximize else "viridis_r"
    drawn = collections.LineCollection(
        lines, array=values, cmap=colours, linewidths=1, alpha=max(0.25, 1 - len(lines) / 400)
    )
    drawn.set_clim(*ends)
    axes.add_collection(drawn)
    bar = figure.colorbar(drawn, ax=axes, extend="min" if maximize else "max", pad=0.02)
    bar.set_label("value")
    bar.solids.set_alpha(1)


def _draw_axis(axes: _Drawing, at: int, axis: Axis) -> None:
    axes.plot([at, at], [0, 1], color=_BLACK, linewidth=1)
    for place, text in axis.ticks:
        axes.annotate(
            text, (at, place), xytext=(-4, 0), textcoords="offset points", ha="right",
            va="center", fontsize=8, color=_BLACK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )  # fmt: skip
