"""Supervisors, driven through the scenarios recorded from OTP's.

``check`` replays one scenario and compares all that was recorded of it: results, events in
their order, whether the root is alive, children and counts. How each part is done is told
where it is done:

===============  ==========================================================
``_format``      what a scenario holds; what we do not know is refused
``_tree``        recorded specs as ours
``_workers``     children that start, end and stop as the scenario says
``_journal``     what happened, told by the children and by the library
``_driver``      what is done to the tree, and waiting until it is quiet
``_batch``       many things at once, to a supervisor that is frozen
``_verbs``       calls and their results
``_spelling``    exit reasons as errors; ``_refusals`` for bad arguments
``_look``        children and counts, seen from outside
``_compare``     the comparison
``_deviations``  the table of where we do otherwise, and why
===============  ==========================================================
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from .._verdict import Difference, Verdict
from ._compare import compare
from ._deviations import DEVIATIONS, Deviation, deviations_of
from ._format import Json, Scenario
from ._replay import replay

__all__ = ["DEVIATIONS", "Deviation", "check"]


def check(raw: Mapping[str, Json]) -> Verdict:
    """Replay one scenario, as it stands in its file, and compare everything."""
    name: str = raw["name"]
    listed = [*deviations_of(name)]
    reasons = tuple(deviation.reason for deviation in listed)
    if any(deviation.instead is None for deviation in listed):
        return Verdict(scenario=name, deviations=reasons, skipped=True)
    try:
        scenario = Scenario.read(raw)
        seen = replay(scenario)
        if not any(compare(scenario, seen)):
            return Verdict(scenario=name)
        for deviation in listed:
            scenario = deviation.apply(scenario)
        differences = tuple(compare(scenario, seen))
    except Exception:  # noqa: BLE001  a scenario that cannot be replayed differs; the others go on
        trouble = Difference("replay", "the whole", "no error", traceback.format_exc())
        return Verdict(scenario=name, differences=(trouble,))
    return Verdict(scenario=name, differences=differences, deviations=reasons)
