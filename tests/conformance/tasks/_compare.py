"""Everything that was recorded, held against what we did.

Two things have no order. What happens to tasks in one moment: the recording is sorted there.
And what comes of tasks that end in one moment, if the results come in the order of their ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from .._verdict import Difference
from ._format import Json, Observation, Scenario
from ._journal import Seen

__all__ = ["compare"]


def compare(scenario: Scenario, expected: Observation, seen: Seen) -> Iterator[Difference]:
    """Yield each field in which we differ from what is expected."""
    got = seen.observation
    moments = None if scenario.ordered else sorted(end.t for end in expected.ends.values())
    pairs: dict[str, tuple[Json, Json]] = {
        "starts": (_starts(expected), _starts(got)),
        "ends": (_ends(expected), _ends(got)),
        "emits": (_emits(expected, moments), _emits(got, moments)),
        "last": ([*expected.last], [*got.last]),
        "outcome": (expected.outcome, got.outcome),
        "orphans": (expected.orphans, got.orphans),
        "contradictions": ([], seen.contradictions),
    }
    for field, (theirs, ours) in pairs.items():
        if _text(theirs) != _text(ours):
            yield Difference("stream", field, theirs, ours)


def _starts(observation: Observation) -> Json:
    return sorted([t, f"start of {i}"] for i, t in observation.starts.items())


def _ends(observation: Observation) -> Json:
    return sorted(
        [end.t, f"end of {i}: {_text(end.reason)}"] for i, end in observation.ends.items()
    )


def _emits(observation: Observation, moments: list[float] | None) -> Json:
    """Return the results with their times; those of tasks that ended in one moment sorted.

    Args:
        observation: Theirs, or ours.
        moments: When the tasks should end whose results come in the order of their ends.
    """
    times = [t for t, _ in observation.emits]
    results = [result for _, result in observation.emits]
    if moments is not None:
        moments = moments[: len(results)] + [-1.0] * (len(results) - len(moments))
        tied = groupby(zip(moments, results, strict=True), key=lambda pair: pair[0])
        results = [each for _, group in tied for each in sorted((r for _, r in group), key=_text)]
    return [[t, result] for t, result in zip(times, results, strict=True)]


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
