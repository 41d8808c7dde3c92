"""The lines of a journal: a header, then a line for each trial, each a JSON object.

A last line without a newline, which a dying process leaves, does not count. A search that goes on
draws settings anew and compares their words: so a setting may be any object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast, final, get_args

import attrs

from ..._base import name_of
from ._dimensions import Dimension
from ._space import SearchSpace
from ._trial import Trial, TrialState
from ._values import is_whole, whole_number

__all__ = [
    "Line",
    "Pages",
    "decode",
    "described",
    "described_error",
    "encode",
    "header_of",
    "line_of",
    "same_words",
    "trial_of",
    "words_for",
]

Line: TypeAlias = dict[str, Any]
"""One line, decoded."""

_FORMAT = 1
_MARK = b'{"journal": '
_HEADER_KEYS = frozenset({"journal", "seed", "sampler", "maximize", "space"})
_ENDED = frozenset({"complete", "failed", "pruned"})
_TRIAL_KEYS = frozenset({"index", "state", "value", "params", "duration"})


@final
@attrs.frozen(kw_only=True)
class Pages:
    """What a journal holds."""

    header: Line | None
    """Its first line, if any."""

    lines: dict[int, Line]
    """The trials' lines, by number; of two, the later."""

    size: int
    """Bytes in whole lines."""


def header_of(
    space: SearchSpace, *, seed: int, sampler: str, iterations: float, maximize: bool
) -> Line:
    """Return the header, with *iterations* only where settings depend on it."""
    header = {
        "journal": _FORMAT,
        "seed": seed,
        "sampler": sampler,
        "maximize": maximize,
        "space": {name: described(one) for name, one in space.dimensions.items()},
    }
    return header | ({"iterations": iterations} if sampler == "latin_hypercube" else {})


def line_of(trial: Trial) -> Line:
    """Return the line for a trial.

    Example:
        >>> line_of(Trial(0, {"x": 0.5}, math.nan))["value"]
        'nan'
    """
    line: Line = {
        "index": trial.index,
        "state": trial.state,
        "value": _json_number(trial.value),
        "params": words_for(trial.params),
        "duration": trial.duration,
    }
    if trial.error is not None:
        line["error"] = described_error(trial.error)
    if trial.traceback:
        line["traceback"] = trial.traceback
    if trial.reports:
        line["reports"] = [[step, _json_number(one)] for step, one in trial.reports.items()]
    return line


def trial_of(line: Line, params: dict[str, Any], error: Exception | None) -> Trial:
    """Return the trial of a line."""
    reports = {int(step): float(value) for step, value in line.get("reports", [])}
    value = line["value"]
    return Trial(
        index=int(line["index"]),
        params=params,
        value=None if value is None else float(value),
        error=error,
        state=cast(TrialState, line["state"]),
        duration=float(line["duration"]),
        reports=reports,
        traceback=str(line.get("traceback", "")),
    )


def encode(line: Line) -> bytes:
    """Return a line as it stands in the file."""
    return json.dumps(line, allow_nan=False).encode() + b"\n"


def decode(data: bytes) -> Pages:
    r"""Return what the bytes of a journal hold.

    Raises:
        ValueError: A line is none of a journal; the text is its number.

    Example:
        >>> from ._dimensions import Uniform
        >>> header = header_of(
        ...     SearchSpace(x=Uniform(0, 1)), seed=7, sampler="random", iterations=9, maximize=True
        ... )
        >>> decode(encode(header) + b'{"index": 0, "state":').header == header
        True
    """
    if data[: len(_MARK)] != _MARK[: len(data)]:
        raise ValueError("1")  # it was never one, and must not be cut off
    size = data.rfind(b"\n") + 1
    header: Line | None = None
    lines: dict[int, Line] = {}
    for number, line in _numbered_lines(data[:size]):
        if number == 1:
            header = line
        else:
            lines[line["index"]] = line
    return Pages(header=header, lines=lines, size=size)


def described(thing: object) -> object:
    """Return a dimension, or any value, as JSON.

    Example:
        >>> described(("rbf", 1.5)), described(math.sqrt), described(math.inf)
        (['rbf', 1.5], 'math.sqrt', 'inf')
    """
    if isinstance(thing, get_args(Dimension)):
        return _described_dimension(cast(attrs.AttrsInstance, thing))
    if isinstance(thing, Mapping):
        items = cast(Mapping[object, object], thing).items()
        return {str(key): described(value) for key, value in items}
    if isinstance(thing, (set, frozenset)):
        return sorted((described(one) for one in cast(set[object], thing)), key=repr)
    if isinstance(thing, (list, tuple)):
        return [described(one) for one in cast(list[object], thing)]
    if thing is None or isinstance(thing, (bool, int, str)):
        return thing
    return _json_number(thing) if isinstance(thing, float) else _words(thing)


def words_for(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON."""
    return {name: described(value) for name, value in params.items()}


def same_words(one: object, other: object) -> bool:
    """Return whether two things are the same JSON: 1, 1.0 and true are three.

    Example:
        >>> same_words({"a": 1, "b": 2}, {"b": 2, "a": 1}), same_words([1], [True])
        (True, False)
    """
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def described_error(error: BaseException) -> str:
    """Return an error's type and text, in one line."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001  a broken __str__ must not hide the error
        text = f"<its __str__ raised {type(broken).__name__}>"
    name = type(error).__name__
    return f"{name}: {text}" if text else name


# Helpers, in order of use


def _described_dimension(dimension: attrs.AttrsInstance) -> Line:
    fields = [field.name for field in attrs.fields(type(dimension)) if field.init]
    told = {name: described(getattr(dimension, name)) for name in fields}
    return {"kind": type(dimension).__name__} | told


def _words(thing: object) -> str:
    name: object = getattr(thing, "__qualname__", None)
    if isinstance(name, str):  # a function or a class
        return f"{getattr(thing, '__module__', None)}.{name}"
    try:
        # Without addresses, which differ from run to run.
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))
    except Exception:  # noqa: BLE001  it is only for people
        return name_of(type(thing))


def _json_number(value: float | None) -> float | str | None:
    """Return a number as JSON knows it, which has neither NaN nor infinity."""
    return value if value is None or math.isfinite(value) else repr(float(value))


def _numbered_lines(data: bytes) -> Iterator[tuple[int, Line]]:
    for number, text in enumerate(data.splitlines(), 1):
        try:
            line = json.loads(text)
            (_check_header if number == 1 else _check_trial)(line)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            raise ValueError(str(number)) from None
        yield number, line


def _check_header(found: object) -> None:
    line = _line_with(found, _HEADER_KEYS)
    if not is_whole(line["seed"]) or not isinstance(line["space"], dict):
        raise ValueError


def _check_trial(found: object) -> None:
    line = _line_with(found, _TRIAL_KEYS)
    if whole_number("index", line["index"]) < 0 or line["state"] not in _ENDED:
        raise ValueError
    trial_of(line, {}, None)  # which raises if a number is none


def _line_with(found: object, keys: frozenset[str]) -> Line:
    if not isinstance(found, dict) or not keys <= cast(Line, found).keys():
        raise ValueError
    return cast(Line, found)
