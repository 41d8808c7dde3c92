"""What a scenario holds, checked field by field.

A field that this replayer does not know is refused, not passed over: it would be something that
was recorded and is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from .._recordings import Json, is_object

__all__ = ["Json", "NotInFormat", "Scenario", "Seen"]

# Each operation, and the fields that it has.
OPERATIONS = {
    "count": set[str](),
    "count_match": {"key", "value"},
    "dispatch": {"key"},
    "exit": {"p", "reason"},
    "keys": {"p"},
    "lookup": {"key"},
    "match": {"key", "value"},
    "meta": {"key"},
    "put_meta": {"key", "value"},
    "register": {"p", "key", "value"},
    "select_all": set[str](),
    "start_via": {"p", "key"},
    "unregister": {"p", "key"},
    "unregister_match": {"p", "key", "value"},
    "update_value": {"p", "key", "value"},
    "values": {"p", "key"},
    "whereis": {"key"},
}


class NotInFormat(Exception):
    """A scenario that holds something we do not know how to replay or compare."""


@attrs.frozen
class Seen:
    """What could be seen of one step."""

    returned: Json

    heard: list[Json] | None
    """What the listener heard; None if there is none."""

    contradictions: tuple[str, ...] = ()
    """What is wrong with our registry after it, or with what it tells."""


@attrs.frozen(kw_only=True)
class Scenario:
    """One recorded life of a registry."""

    name: str
    keys: Literal["unique", "duplicate"]
    partitions: int
    has_listener: bool
    actions: list[Mapping[str, Json]]
    recorded: list[Seen]

    @property
    def is_sorted(self) -> bool:
        """Whether entries were recorded in no order of their own."""
        return self.partitions > 1

    @classmethod
    def read(cls, raw: Mapping[str, Json]) -> Scenario:
        """Read a scenario, and refuse it if it holds more than we know."""
        _check_fields(
            "scenario", raw, {"name", "category", "keys", "partitions", "listener", "steps"}
        )
        if raw["keys"] not in {"unique", "duplicate"}:
            raise NotInFormat(f"unknown keys: {raw['keys']!r}")
        fields = {"do", "return", "heard"} if raw["listener"] else {"do", "return"}
        for step in raw["steps"]:
            _check_fields("step", step, fields)
            action = step["do"]
            operation: Json = action.get("op") if is_object(action) else None
            if operation not in OPERATIONS:
                raise NotInFormat(f"unknown operation: {action!r}")
            _check_fields(f"operation {operation}", action, {"op", *OPERATIONS[operation]})
        return cls(
            name=raw["name"],
            keys=raw["keys"],
            partitions=raw["partitions"],
            has_listener=raw["listener"],
            actions=[step["do"] for step in raw["steps"]],
            recorded=[Seen(step["return"], step.get("heard")) for step in raw["steps"]],
        )


def _check_fields(what: str, raw: Json, fields: set[str]) -> None:
    if not is_object(raw) or set(raw) != fields:
        raise NotInFormat(f"{what} should have {', '.join(sorted(fields))}: {raw!r}")
