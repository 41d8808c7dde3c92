"""Draws what was measured: one picture, of panels above each other with one axis of time."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from ._run import Outcome

__all__ = ["can_draw", "draw"]

# Of middling brightness, and without a background: to be read on white and on black.
INK = "#808080"
COLOURS = ("#1f8fd0", "#e07b1a", "#2fa35c", "#d0529a")


@attrs.frozen
class Panel:
    """One of the panels."""

    title: str
    columns: tuple[str, ...]
    unit: float = 1.0
    """What its numbers are divided by."""

    scale: str = "linear"


PANELS = (
    Panel("allocated by Python since before the load", ("blocks", "objects")),
    Panel("resident memory (MiB)", ("rss",), unit=2.0**20),
    Panel("tasks and messages, now", ("tasks", "queued", "buffered", "pending"), scale="symlog"),
    Panel("from sending to acknowledgement (s)", ("p50", "p99"), scale="symlog"),
    Panel("so far", ("sent", "delivered", "dead letters", "restarts"), scale="symlog"),
)


def can_draw() -> bool:
    """Return whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def draw(outcome: Outcome, file: Path) -> None:
    """Draw what was measured into a file, of the kind that its name says."""
    # Not pyplot, which would look for a screen.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(10, 13), layout="tight")
    columns = outcome.samples.columns
    unit, name = _unit_of_time(outcome.terms.seconds)
    times = [time / unit for time in columns.get("time", ())]
    for axes, panel in zip(figure.subplots(len(PANELS), sharex=True), PANELS, strict=True):
        for column, colour in zip(panel.columns, COLOURS, strict=False):
            values = [value / panel.unit for value in columns.get(column, ())]
            axes.plot(times, values, color=colour, linewidth=1.0, label=column)
        axes.axvspan(0, outcome.terms.warm_up / unit, color=INK, alpha=0.15, linewidth=0)
        _style(axes, panel)
    axes = figure.axes[-1]
    axes.set_xlabel(f"{name}; the warm-up is shaded", color=INK)
    verdict = f"failed: {outcome.failures[0]}" if outcome.failures else "it held"
    figure.suptitle(f"Seed {outcome.terms.seed}: {verdict}"[:110], color=INK)
    figure.savefig(file, transparent=True, dpi=110)


def _style(axes: Any, panel: Panel) -> None:
    axes.set_title(panel.title, color=INK, loc="left", fontsize=10)
    where = {"loc": "lower right", "bbox_to_anchor": (1, 0.97), "ncols": len(panel.columns)}
    axes.legend(labelcolor=INK, frameon=False, fontsize=9, **where)
    if panel.scale == "symlog":
        # Nought has to be shown too, and so has what is a hundredth.
        axes.set_yscale("symlog", linthresh=0.02 if "p99" in panel.columns else 10)
        axes.set_ylim(bottom=0)
    axes.tick_params(colors=INK, which="both")
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_alpha(0.4)


def _unit_of_time(seconds: float) -> tuple[float, str]:
    if seconds < 600:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 2 * 3600 else (3600.0, "hours")
