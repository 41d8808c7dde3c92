"""Everything that was recorded, held against what we did.

Two values are equal if their JSON is. Only two things have no order, by the rules of the
format: the events of one ``grp``, and the children of a dynamic supervisor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from .._recordings import is_list, is_object
from .._verdict import Difference
from ._format import Json, Observation, Scenario
from ._replay import Seen

__all__ = ["compare"]


def compare(scenario: Scenario, seen: Sequence[Seen]) -> Iterator[Difference]:
    """Yield each field of each step in which we differ from the recording."""
    yield from _differences("start", scenario.start, seen[0])
    for number, (step, ours) in enumerate(zip(scenario.steps, seen[1:], strict=True), start=1):
        where = f"step {number}, {json.dumps(step.action)}"
        yield from _differences(where, step.seen, ours)


def _differences(where: str, expected: Observation, seen: Seen) -> Iterator[Difference]:
    got = seen.observation
    pairs: dict[str, tuple[Json, Json]] = {
        "return": (_unordered(expected.returned), _unordered(got.returned)),
        "events": _grouped(expected.events, got.events),
        "events as told": _grouped(expected.events, seen.told),
        "alive": (expected.alive, got.alive),
        "children": (_unordered(expected.children), _unordered(got.children)),
        "counts": (expected.counts, got.counts),
        "contradictions": ([], seen.contradictions),
    }
    for field, (theirs, ours) in pairs.items():
        if _text(theirs) != _text(ours):
            yield Difference(where, field, theirs, ours)


def _grouped(expected: list[Json], got: list[Json]) -> tuple[list[Json], list[Json]]:
    """Return both lists of events, with those sorted that were recorded as concurrent."""
    theirs: list[Json] = []
    ours: list[Json] = []
    for group, events in groupby(expected, key=lambda event: event.get("grp")):
        part = [{field: event[field] for field in event if field != "grp"} for event in events]
        mine = got[len(ours) : len(ours) + len(part)]
        theirs += part if group is None else _sorted(part)
        ours += mine if group is None else _sorted(mine)
    return theirs, ours + got[len(ours) :]


def _unordered(value: Json) -> Json:
    """Return a value with the children of dynamic supervisors, which have no ids, sorted."""
    if is_object(value):
        return {key: _unordered(each) for key, each in value.items()}
    if not is_list(value):
        return value
    items = [_unordered(each) for each in value]
    if all(is_object(each) and each.get("id", "") is None for each in items):
        return _sorted(items)
    return items


def _sorted(values: list[Json]) -> list[Json]:
    return sorted(values, key=_text)


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
