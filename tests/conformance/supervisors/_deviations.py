"""Where we do not do as OTP does, and why. This table is all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import final

import attrs

from ._format import Json, Observation, Scenario, Step
from ._spelling import KILLED, SHUTDOWN

__all__ = ["DEVIATIONS", "Deviation", "deviations_of"]


@final
@attrs.frozen(kw_only=True)
class Deviation:
    """What we do instead of what was recorded, in the scenarios of some name."""

    scenarios: str
    """A pattern for their names."""

    reason: str

    instead: Callable[[Step], Observation] | None
    """What we are to be seen doing in a step; None if it cannot be replayed at all."""

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario as we are to play it."""
        if self.instead is None:
            return scenario
        steps = tuple(attrs.evolve(step, seen=self.instead(step)) for step in scenario.steps)
        return attrs.evolve(scenario, steps=steps)


def children_are_stopped(step: Step) -> Observation:
    """When a supervisor is killed, its children are stopped, and not killed with it."""
    if step.action["op"] != "kill":
        return step.seen

    def instead(event: Json) -> Json:
        orphaned = event["ev"] == "exit" and "grp" in event and event["id"] != step.action["id"]
        return {**event, "reason": SHUTDOWN} if orphaned and event["reason"] == KILLED else event

    return attrs.evolve(step.seen, events=[instead(event) for event in step.seen.events])


def active_are_counted(step: Step) -> Observation:
    """The children that are active are those that are listed as running."""
    children = step.seen.children

    def instead(id: str, counts: Mapping[str, Json]) -> Json:
        return {**counts, "active": sum(child["state"] == "running" for child in children[id])}

    counts = {id: instead(id, each) for id, each in step.seen.counts.items()}
    returned = step.seen.returned
    if step.action["op"] == "count_children" and isinstance(returned, dict):
        returned = counts[step.action.get("sup", "root")]
    return attrs.evolve(step.seen, counts=counts, returned=returned)


DEVIATIONS = (
    Deviation(
        scenarios="nested/kill-inner-*",
        reason=(
            "When a supervisor is killed, OTP leaves its children without one, and their links "
            "kill them a moment later. In Trio a task cannot end before its children: they are "
            "stopped first, in order, each with its grace."
        ),
        instead=children_are_stopped,
    ),
    Deviation(
        scenarios="batch/simple-terminate-while-restarting",
        reason=(
            "A bug of OTP: after terminate_child of a child that is being restarted, a "
            "simple_one_for_one supervisor counts one active child too few for ever. "
            "We count those that run."
        ),
        instead=active_are_counted,
    ),
)


def deviations_of(name: str) -> Iterator[Deviation]:
    """Yield the deviations that are listed for a scenario."""
    for deviation in DEVIATIONS:
        if fnmatchcase(name, deviation.scenarios):
            yield deviation
