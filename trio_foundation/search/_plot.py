"""A picture of a search."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from ._result import SearchResult
from ._rules import Axis, Trial, axis_of, far_limit, rises_of, worst_near

__all__ = ["plot"]

# Something of matplotlib, which need not be there.
_Drawing: TypeAlias = Any

# Okabe and Ito's colours, and viridis, can be told apart by all who see.
_BLUE, _ORANGE, _GREY, _BLACK = "#0072B2", "#D55E00", "#999999", "#222222"

_MOST_LINES = 1_000

# How many letters fit below the axes side by side.
_MOST_LETTERS = 70


def plot(result: SearchResult, path: str | os.PathLike[str] | None = None) -> Any:  # noqa: ANN401
    """Draw the trials of a search, with ``pip install 'trio-foundation[plot]'``.

    On the left is what each trial returned, and the best until then. On the right each trial is a
    line that crosses each setting's axis at its value, or below it if it has none; brighter is
    better, and the best is orange.

    It takes about a second; in a Trio program write
    ``await trio.to_thread.run_sync(plot, result, "search.png")``.

    Args:
        result: What was found.
        path: Where to save the picture, as ``.png``, ``.svg`` or the like; None for nowhere.

    Returns:
        A ``matplotlib.figure.Figure``, unknown to pyplot.

    Raises:
        ModuleNotFoundError: Without matplotlib.

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
    failed = [trial.index for trial in result.trials if not _is_number(trial)]
    near, far = _near_and_far(shown, maximize=result.maximize)
    complete = [trial for trial in near if trial.state == "complete"]
    pruned = [trial for trial in near if trial.state == "pruned"]
    if complete:
        _dots(axes, complete, s=16, color=_GREY, label="trial")
    if pruned:
        _dots(axes, pruned, s=16, facecolors="none", edgecolors=_GREY, label="pruned")
    rises = rises_of(result.trials, maximize=result.maximize)
    if rises:
        _draw_rises(axes, rises, result.trials[-1].index)
    if far:
        edge, arrow = (0.04, "v") if result.maximize else (0.98, "^")
        _draw_at_edge(
            axes, [trial.index for trial in far], edge, arrow, color=_GREY, label="far off"
        )
    if failed:
        _draw_at_edge(axes, failed, 0.015, "x", color=_BLACK, label="no number")
    if not shown:
        axes.set_yticks([])
    axes.set_xlabel("trial")
    axes.set_ylabel(f"value ({'more' if result.maximize else 'less'} is better)")
    axes.set_title("Trials", loc="left")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        _draw_legend(axes)


def _near_and_far(
    shown: Sequence[Trial], *, maximize: bool
) -> tuple[Sequence[Trial], Sequence[Trial]]:
    if not shown:
        return [], []
    limit = far_limit([trial.value or 0.0 for trial in shown], maximize=maximize)
    near: list[Trial] = []
    far: list[Trial] = []
    for trial in shown:
        value = trial.value or 0.0
        is_far = value < limit if maximize else value > limit
        (far if is_far else near).append(trial)
    return near, far


def _draw_rises(axes: _Drawing, rises: Sequence[tuple[int, float]], last: int) -> None:
    # The line may come from a trial that is far off; the axis stays with those that are near.
    limits = axes.get_ylim()
    indexes = [*(index for index, _ in rises), last]
    values = [*(value for _, value in rises), rises[-1][1]]
    axes.step(indexes, values, where="post", color=_BLUE, linewidth=2, label="best so far")
    axes.plot(*rises[-1], "o", color=_ORANGE, markersize=8)
    axes.set_ylim(limits)


def _draw_at_edge(
    axes: _Drawing, indexes: Sequence[int], edge: float, marker: str, **options: Any
) -> None:
    """Draw trials whose value cannot be shown, at a fixed height."""
    axes.plot(
        indexes, [edge] * len(indexes), marker, linestyle="", markersize=5,
        transform=axes.get_xaxis_transform(), **options,
    )  # fmt: skip


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
    # The best come last, and lie on top; one that was pruned may have been better.
    ranked = [one for one in ranked if one is not result.best][1 - _MOST_LINES :]
    ranked += [one for one in shown if one is result.best]
    parallels = _axes_of(result, ranked)
    _draw_names(axes, [axis.name for axis in parallels])
    if not ranked:
        axes.set_xlim(-0.35, max(len(parallels) - 0.65, 0.35))
        axes.text(
            0.5, 0.5, "no trial has a number", transform=axes.transAxes, ha="center", color=_GREY
        )
        return
    lines = [_line_of(parallels, number) for number in range(len(ranked))]
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


def _draw_names(axes: _Drawing, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names, parse_math=False)
    if sum(map(len, names)) > _MOST_LETTERS:
        axes.tick_params(axis="x", labelrotation=30)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def _line_of(parallels: Sequence[Axis], number: int) -> list[tuple[float, float]]:
    """Return a trial's line; across a single axis, a dash."""
    if len(parallels) == 1:
        place = parallels[0].places[number]
        return [(0, place), (0.1, place)]
    return [(at, axis.places[number]) for at, axis in enumerate(parallels)]


def _axes_of(result: SearchResult, trials: Sequence[Trial]) -> list[Axis]:
    dimensions = {} if result.space is None else dict(result.space.dimensions)
    names = dict.fromkeys([*dimensions, *(name for one in trials for name in one.params)])
    return [axis_of(name, trials, dimensions.get(name)) for name in names]


def _draw_lines(
    figure: _Drawing, axes: _Drawing, lines: list[Any], values: list[float], *, maximize: bool
) -> None:
    collections = importlib.import_module("matplotlib.collections")
    # The worst are all one colour, or a few outliers would take all the colours for themselves.
    worst = worst_near(values, maximize=maximize)
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
            va="center", fontsize=8, color=_BLACK, parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )  # fmt: skip
