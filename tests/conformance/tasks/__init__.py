"""Maps over tasks, held against the streams recorded from Elixir's.

``check`` replays one scenario of ``Task.Supervisor.async_stream`` or ``async_stream_nolink``
with `open_map`, and compares all that was recorded of it: when each task started and ended and
how, what the consumer got and when, what became of the caller, and who was left behind. How
each part is done is told where it is done:

===============  ==========================================================
``_format``      what a scenario holds; what we do not know is refused
``_replay``      a scenario as a map of ours, its consumer and its caller
``_journal``     what happened, told by the tasks and by the library
``_spelling``    exit reasons as errors
``_compare``     the comparison
``_course``      how a stream goes: a model of Elixir's, and of ours
``_deviations``  the table of where we do otherwise, and why
===============  ==========================================================

Where we deviate, little can be compared one to one. So there both sides are held against
the model: the recording must be what it says of Elixir, and we must do what it says of us.
Then the ways in which the two differ in the model are all that we do otherwise.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from .._verdict import Difference, Verdict
from ._compare import compare
from ._course import ELIXIR, OURS, course
from ._deviations import DEVIATIONS, Deviation, deviations_of
from ._format import Json, Scenario
from ._journal import Seen
from ._replay import replay

__all__ = ["DEVIATIONS", "Deviation", "check", "judge"]


def check(raw: Mapping[str, Json]) -> Verdict:
    """Replay one scenario, as it stands in its file, and compare everything.

    It is replayed twice, for a library that nobody listens to takes other paths.
    """
    try:
        scenario = Scenario.read(raw)
        verdict = judge(scenario, replay(scenario, listening=True))
        return (
            verdict if verdict.differences else judge(scenario, replay(scenario, listening=False))
        )
    except Exception:  # noqa: BLE001  a scenario that cannot be replayed differs; the others go on
        trouble = Difference("replay", "the whole", "no error", traceback.format_exc())
        return Verdict(scenario=raw["name"], differences=(trouble,))


def judge(scenario: Scenario, seen: Seen) -> Verdict:
    """Hold what was seen against what was recorded, or against a deviation from it."""
    plain = tuple(compare(scenario, scenario.observed, seen))
    if not plain:
        return Verdict(scenario=scenario.name)
    if scenario.observed != course(scenario, ELIXIR):
        # No deviation can be blamed, for it starts from a recording that we understand.
        return Verdict(scenario=scenario.name, differences=plain)
    return Verdict(
        scenario=scenario.name,
        differences=tuple(compare(scenario, course(scenario, OURS), seen)),
        deviations=tuple(deviation.reason for deviation in deviations_of(scenario)),
    )
