"""What a scenario holds, checked field by field.

A field that this replayer does not know is refused, not passed over: it would be
something that was recorded and is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import attrs

from .._recordings import Json, is_list, is_object

__all__ = ["Ending", "Json", "NotInFormat", "Observation", "Scenario", "Script"]

FIELDS = {"name", "category", "fn", "options", "tasks", "take", "consumer_ms", "trap_exit"}
OPTIONS = {"ordered", "max_concurrency", "timeout", "on_timeout", "zip_input_on_exit"}

# Each way in which a task may end by itself, and each event: the fields that it has.
ENDINGS = {"ok": {"ms"}, **{how: {"ms", "reason"} for how in ("exit", "raise", "throw")}}
EVENTS = {
    "start": {"t", "i"},
    "end": {"t", "i", "reason"},
    "emit": {"t", "result"},
    "done": {"t"},
    "caller_exit": {"t"},
}
LAST = {"done", "caller_exit"}


class NotInFormat(Exception):
    """A scenario that holds something we do not know how to replay or compare."""


@attrs.frozen
class Script:
    """What the task of one item does."""

    ms: float
    """How long it takes, in milliseconds."""

    do: str
    """How it ends then: ``ok``, ``exit``, ``raise`` or ``throw``."""

    value: Json = None
    """What it exits with, raises or throws."""

    @property
    def reason(self) -> Json:
        """The exit reason of the process that does it."""
        match self.do:
            case "ok":
                return "normal"
            case "exit":
                return self.value
            case "raise":
                return ["error", self.value]
            case _:
                return ["nocatch", self.value]

    @property
    def fails(self) -> bool:
        """Whether processes that are linked to it fail, too."""
        return bool(self.reason != "normal")


@attrs.frozen
class Ending:
    """How the task of an item ended."""

    t: float
    reason: Json


@attrs.frozen(kw_only=True)
class Observation:
    """What could be seen of a stream; all times in milliseconds from its start."""

    starts: dict[int, float]
    """When the task of each item started."""

    ends: dict[int, Ending]
    """When it ended, and how."""

    emits: list[tuple[float, Json]]
    """When the consumer got a result, and which."""

    last: tuple[str, float]
    """How it ended for the caller, and when."""

    outcome: Json
    orphans: int


@attrs.frozen(kw_only=True)
class Scenario:
    """One recorded run of a stream."""

    name: str
    linked: bool
    """Whether the tasks are linked to the caller."""

    ordered: bool
    max_concurrency: int
    timeout: float
    """How long a task may take, in milliseconds."""

    kills_late_task: bool
    """Whether one that takes longer is killed; else the caller exits."""

    zips: bool
    """Whether the item is handed out with the reason."""

    tasks: tuple[Script, ...]
    take: int | None
    """After how many results the consumer has enough."""

    consumer_ms: float
    """How long it is busy with each, in milliseconds."""

    trap_exit: bool
    max_children: float
    observed: Observation

    @property
    def crash_is_fatal(self) -> bool:
        """Whether the caller dies with a task that fails."""
        return self.linked and not self.trap_exit

    @property
    def timeout_is_fatal(self) -> bool:
        """Whether the caller exits because of a task that takes too long."""
        return not self.kills_late_task

    @property
    def any_failure_is_fatal(self) -> bool:
        """Whether the caller ends with any task that does not end well."""
        return self.crash_is_fatal and self.timeout_is_fatal

    @classmethod
    def read(cls, raw: Mapping[str, Json]) -> Scenario:
        """Read a scenario, and refuse it if it holds more than we know."""
        _check_fields("scenario", raw, {*FIELDS, "max_children", "observed"})
        options = raw["options"]
        _check_fields("options", options, OPTIONS)
        _check_choice("fn", raw["fn"], {"async_stream", "async_stream_nolink"})
        _check_choice("on_timeout", options["on_timeout"], {"exit", "kill_task"})
        return cls(
            name=raw["name"],
            linked=raw["fn"] == "async_stream",
            ordered=options["ordered"],
            max_concurrency=options["max_concurrency"],
            timeout=math.inf if options["timeout"] == "infinity" else options["timeout"],
            kills_late_task=options["on_timeout"] == "kill_task",
            zips=options["zip_input_on_exit"],
            tasks=tuple(_read_script(task) for task in raw["tasks"]),
            take=raw["take"],
            consumer_ms=raw["consumer_ms"],
            trap_exit=raw["trap_exit"],
            max_children=math.inf if raw["max_children"] is None else raw["max_children"],
            observed=_read_observation(raw["observed"]),
        )


def _read_script(raw: Json) -> Script:
    _check_kind("task", raw, "do", ENDINGS)
    return Script(raw["ms"], raw["do"], raw.get("reason"))


def _read_observation(raw: Json) -> Observation:
    _check_fields("observed", raw, {"outcome", "timeline", "orphans"})
    timeline = raw["timeline"]
    for event in timeline:
        _check_kind("event", event, "ev", EVENTS)
    starts = [event for event in timeline if event["ev"] == "start"]
    ends = [event for event in timeline if event["ev"] == "end"]
    last = [event for event in timeline if event["ev"] in LAST]
    if len(last) != 1 or any(len({each["i"] for each in e}) < len(e) for e in (starts, ends)):
        raise NotInFormat(f"something happens twice, or no end is told of: {timeline!r}")
    return Observation(
        starts={event["i"]: event["t"] for event in starts},
        ends={event["i"]: Ending(event["t"], event["reason"]) for event in ends},
        emits=[(event["t"], event["result"]) for event in timeline if event["ev"] == "emit"],
        last=(last[0]["ev"], last[0]["t"]),
        outcome=raw["outcome"],
        orphans=raw["orphans"],
    )


def _check_choice(what: str, value: Json, choices: Collection[str]) -> None:
    if is_list(value) or is_object(value) or value not in choices:
        raise NotInFormat(f"unknown {what}: {value!r}")


def _check_kind(what: str, raw: Json, field: str, kinds: Mapping[str, set[str]]) -> None:
    kind: Json = raw.get(field) if is_object(raw) else None
    if kind not in kinds:
        raise NotInFormat(f"unknown {what}: {raw!r}")
    _check_fields(f"{what} {kind!r}", raw, {field, *kinds[kind]})


def _check_fields(what: str, raw: Json, needed: Collection[str]) -> None:
    if not is_object(raw):
        raise NotInFormat(f"{what} is no object: {raw!r}")
    if missing := sorted(set(needed) - set(raw)):
        raise NotInFormat(f"{what} lacks {', '.join(missing)}: {raw!r}")
    if unknown := sorted(set(raw) - set(needed)):
        raise NotInFormat(f"{what} has unknown {', '.join(unknown)}: {raw!r}")
