"""What a scenario holds, checked field by field.

A field that this replayer does not know is refused, not passed over: it would be
something that was recorded and is not compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from .._recordings import Json, is_object

__all__ = ["Json", "NotInFormat", "Observation", "Scenario", "Step", "is_supervisor"]

SUPERVISOR_FIELDS = {"flags", "children", "template"}
CHILD_FIELDS = {"restart", "shutdown", "type", "significant", "starts", "on_stop"}
FLAGS = {"strategy", "intensity", "period", "auto_shutdown", "max_children"}

# Each action: the fields it must have, and those it may have.
ACTIONS: dict[str, tuple[set[str], set[str]]] = {
    "exit": ({"id", "reason"}, set()),
    "kill": ({"id"}, set()),
    "wait": ({"ms"}, set()),
    "stop": (set(), {"reason"}),
    "start_child": (set(), {"spec", "key", "over", "sup"}),
    "terminate_child": (set(), {"id", "key", "sup"}),
    "restart_child": ({"id"}, {"sup"}),
    "delete_child": ({"id"}, {"sup"}),
    "which_children": (set(), {"sup"}),
    "count_children": (set(), {"sup"}),
    "batch": ({"actions"}, set()),
}

EVENTS: dict[str, tuple[set[str], set[str]]] = {
    "start": ({"id", "n", "sup"}, {"grp"}),
    "start_error": ({"id", "reason"}, {"grp"}),
    "ignore": ({"id"}, {"grp"}),
    "exit": ({"id", "n", "reason"}, {"grp"}),
}


class NotInFormat(Exception):
    """A scenario that holds something we do not know how to replay or compare."""


@attrs.frozen(kw_only=True)
class Observation:
    """What could be seen after the start, or after a step."""

    returned: Json
    events: list[Json]
    alive: bool
    children: Json
    counts: Json


@attrs.frozen
class Step:
    """Something that was done, and what could be seen then."""

    action: Mapping[str, Json]
    seen: Observation


@attrs.frozen(kw_only=True)
class Scenario:
    """One recorded run of a supervision tree."""

    name: str
    tags: tuple[str, ...]
    supervisor: Mapping[str, Json]
    start: Observation
    steps: tuple[Step, ...]

    @classmethod
    def read(cls, raw: Mapping[str, Json]) -> Scenario:
        """Read a scenario, and refuse it if it holds more than we know."""
        _check_fields(
            "scenario", raw, {"name", "category", "supervisor", "start", "steps"}, {"tags"}
        )
        _check_child(raw["supervisor"])
        return cls(
            name=raw["name"],
            tags=tuple(raw.get("tags", ())),
            supervisor=raw["supervisor"],
            start=_read_observation("start", raw["start"]),
            steps=tuple(_read_step(step) for step in raw["steps"]),
        )


def is_supervisor(spec: Mapping[str, Json]) -> bool:
    """Return whether a child is a supervisor itself, whatever its type says."""
    return not SUPERVISOR_FIELDS.isdisjoint(spec)


def _read_step(raw: Json) -> Step:
    _check_action(raw.get("do"))
    observation = {field: value for field, value in raw.items() if field != "do"}
    return Step(raw["do"], _read_observation("step", observation))


def _read_observation(what: str, raw: Json) -> Observation:
    _check_fields(what, raw, {"return", "events", "alive", "children", "counts"})
    for event in raw["events"]:
        _check_kind("event", event, "ev", EVENTS)
    return Observation(
        returned=raw["return"],
        events=raw["events"],
        alive=raw["alive"],
        children=raw["children"],
        counts=raw["counts"],
    )


def _check_action(raw: Json) -> None:
    _check_kind("action", raw, "op", ACTIONS)
    for action in raw.get("actions", ()):
        _check_action(action)
    if "spec" in raw:
        _check_child(raw["spec"])
    if "over" in raw:
        _check_fields("over", raw["over"], (), CHILD_FIELDS | SUPERVISOR_FIELDS)


def _check_child(raw: Json) -> None:
    _check_fields("child", raw, {"id"}, CHILD_FIELDS | SUPERVISOR_FIELDS)
    if "flags" in raw:
        _check_fields("flags", raw["flags"], (), FLAGS)
    if is_object(raw.get("on_stop")):
        _check_fields("on_stop", raw["on_stop"], (), {"delay", "exit"})
    for child in raw.get("children", ()):
        _check_child(child)
    if "template" in raw:
        _check_child(raw["template"])


def _check_kind(
    what: str, raw: Json, field: str, kinds: Mapping[str, tuple[set[str], set[str]]]
) -> None:
    kind = raw.get(field, "") if is_object(raw) else ""
    if kind not in kinds:
        raise NotInFormat(f"unknown {what}: {raw!r}")
    needed, allowed = kinds[kind]
    _check_fields(f"{what} {kind!r}", raw, {field, *needed}, allowed)


def _check_fields(
    what: str, raw: Json, needed: Collection[str], allowed: Collection[str] = ()
) -> None:
    if not is_object(raw):
        raise NotInFormat(f"{what} is no object: {raw!r}")
    fields = set(raw)
    if missing := sorted(set(needed) - fields):
        raise NotInFormat(f"{what} lacks {', '.join(missing)}: {raw!r}")
    if unknown := sorted(fields - set(needed) - set(allowed)):
        raise NotInFormat(f"{what} has unknown {', '.join(unknown)}: {raw!r}")
