"""Our registry, held against what was recorded of Elixir's.

``check`` replays one scenario and compares all that was recorded of it: what each operation
returned, and what a listener heard. How each part is done is told where it is done:

===============  ==========================================================
``_format``      what a scenario holds; what we do not know is refused
``_replay``      the operations on a registry of ours, by children
``_course``      how a registry behaves: a model of Elixir's, and of ours
``_deviations``  the table of where we do otherwise, and why
===============  ==========================================================

Where we deviate, both sides are held against the model: the recording must be what it says of
Elixir, and we must do what it says of us.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping, Sequence

from .._verdict import Difference, Verdict
from ._course import ELIXIR, OURS, course
from ._deviations import DEVIATIONS, Deviation, deviations_of
from ._format import Json, Scenario, Seen
from ._replay import replay

__all__ = ["DEVIATIONS", "Deviation", "check", "compare", "judge"]


def check(raw: Mapping[str, Json]) -> Verdict:
    """Replay one scenario, as it stands in its file, and compare everything."""
    try:
        scenario = Scenario.read(raw)
        return judge(scenario, replay(scenario))
    except Exception:  # noqa: BLE001  a scenario that cannot be replayed differs; the others go on
        trouble = Difference("replay", "the whole", "no error", traceback.format_exc())
        return Verdict(scenario=raw["name"], differences=(trouble,))


def judge(scenario: Scenario, seen: Sequence[Seen]) -> Verdict:
    """Hold what was seen against what was recorded, or against a deviation from it."""
    plain = tuple(compare(scenario, scenario.recorded, seen))
    if not plain:
        return Verdict(scenario=scenario.name)
    if any(compare(scenario, scenario.recorded, course(scenario, ELIXIR))):
        # No deviation can be blamed, for it starts from a recording that we understand.
        return Verdict(scenario=scenario.name, differences=plain)
    return Verdict(
        scenario=scenario.name,
        differences=tuple(compare(scenario, course(scenario, OURS), seen)),
        deviations=tuple(deviation.reason for deviation in deviations_of(scenario)),
    )


def compare(
    scenario: Scenario, expected: Sequence[Seen], got: Sequence[Seen]
) -> Iterator[Difference]:
    """Yield each field of each step in which two differ."""
    steps = zip(scenario.actions, expected, got, strict=True)
    for number, (action, theirs, ours) in enumerate(steps, start=1):
        where = f"step {number}, {json.dumps(action)}"
        pairs: dict[str, tuple[Json, Json]] = {
            "return": (theirs.returned, ours.returned),
            "heard": (theirs.heard, ours.heard),
            "contradictions": ([], [*ours.contradictions]),
        }
        for field, (one, other) in pairs.items():
            if json.dumps(one) != json.dumps(other):
                yield Difference(where, field, one, other)
