"""What a picture of a search shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, final

import attrs

from ._dimensions import Choice, Dimension, LogUniform
from ._ranking import is_better
from ._trial import Trial
from ._values import as_number, same

__all__ = ["Axis", "axis_of", "far_limit", "rises_of", "tick_text", "worst_near"]

# Where trials are that have no such setting: below the axis.
_NOWHERE = -0.12

# More words would overlap.
_MOST_TICKS = 20

_FAR = 3


@final
@attrs.frozen
class Axis:
    """One setting, on an axis from 0 to 1."""

    name: str
    ticks: list[tuple[float, str]]
    """Where which value is."""

    places: list[float]
    """Where each trial is."""


def rises_of(trials: Iterable[Trial], *, maximize: bool) -> list[tuple[int, float]]:
    """Return each trial that was a new best, with its value.

    Example:
        >>> trials = [Trial(0, {}, 1.0), Trial(1, {}, 0.5), Trial(2, {}, 2.0)]
        >>> rises_of(trials, maximize=True)
        [(0, 1.0), (2, 2.0)]
    """
    best: Trial | None = None
    rises: list[tuple[int, float]] = []
    for trial in trials:
        if is_better(trial, best, maximize=maximize):
            assert trial.value is not None
            best = trial
            rises.append((trial.index, trial.value))
    return rises


def far_limit(values: Sequence[float], *, maximize: bool) -> float:
    """Return from where on a value is far off the better three quarters.

    Example:
        >>> far_limit([7, 8, 9, -1000], maximize=True)
        1
    """
    ranked = sorted(values, reverse=maximize)
    worst = ranked[(len(ranked) - 1) * 3 // 4]
    width = abs(worst - ranked[0])
    beyond = _FAR * width if width else math.inf
    return worst - beyond if maximize else worst + beyond


def worst_near(values: Sequence[float], *, maximize: bool) -> float:
    """Return the worst value, less those far off and a twentieth of the others.

    Example:
        >>> worst_near([7, 8, 9, -1000], maximize=True)
        7
    """
    limit = far_limit(values, maximize=maximize)
    near = [one for one in values if (one >= limit if maximize else one <= limit)]
    return sorted(near, reverse=not maximize)[len(near) // 20]


def axis_of(name: str, trials: Sequence[Trial], dimension: Dimension | None) -> Axis:
    """Return where trials are on a setting's axis, or below it without the setting."""
    numbers = [as_number(trial.params[name]) for trial in trials if name in trial.params]
    if isinstance(dimension, Choice) or not numbers or None in numbers:
        return _axis_of_words(name, trials, dimension)
    known = [number for number in numbers if number is not None]
    low, high = min(known), max(known)
    if dimension is not None:
        low, high = dimension.a, dimension.b
    is_log = isinstance(dimension, LogUniform)
    places = [
        _place(as_number(trial.params[name]) or 0.0, low, high, is_log=is_log)
        if name in trial.params
        else _NOWHERE
        for trial in trials
    ]
    ticks = [(_place(at, low, high, is_log=is_log), tick_text(at)) for at in _ends(low, high)]
    return Axis(name, _with_nowhere(ticks, places), places)


def tick_text(value: object, size: int = 14) -> str:
    """Return a value as it stands at an axis, cut short.

    Example:
        >>> tick_text(0.001), tick_text("a very long name of a choice")
        ('0.001', 'a very long n…')
    """
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= size else f"{text[: size - 1]}…"


# Helpers, in order of use


def _axis_of_words(name: str, trials: Sequence[Trial], dimension: Dimension | None) -> Axis:
    values: list[Any] = list(dimension.values) if isinstance(dimension, Choice) else []
    found: list[float | None] = []
    for trial in trials:
        if name not in trial.params:
            found.append(None)
            continue
        value = trial.params[name]
        where = next((at for at, one in enumerate(values) if same(one, value)), len(values))
        if where == len(values):
            values.append(value)
        found.append(where)
    last = max(len(values) - 1, 1)
    step = math.ceil(len(values) / _MOST_TICKS)
    shown = range(0, len(values), step) if values else ()
    ticks = [(_middle(at, last, values), tick_text(values[at])) for at in shown]
    places = [_NOWHERE if at is None else _middle(at, last, values) for at in found]
    return Axis(name, _with_nowhere(ticks, places), places)


def _middle(at: float, last: int, values: Sequence[object]) -> float:
    return at / last if len(values) > 1 else 0.5


def _place(value: float, low: float, high: float, *, is_log: bool) -> float:
    if low == high:
        return 0.5
    if is_log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _ends(low: float, high: float) -> list[float]:
    return [low] if low == high else [low, high]


def _with_nowhere(ticks: list[tuple[float, str]], places: list[float]) -> list[tuple[float, str]]:
    return [*ticks, (_NOWHERE, "without")] if _NOWHERE in places else ticks
