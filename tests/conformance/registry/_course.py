"""How a registry behaves, worked out from what is done to it: a model.

Where we do otherwise than Elixir is told by `Ways`; all of it is in what listeners hear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from ._format import Json, Scenario, Seen

__all__ = ["ELIXIR", "OURS", "Ways", "course"]


@attrs.frozen(kw_only=True)
class Ways:
    """In what we do otherwise."""

    hears_of_ends: bool
    """Whether a listener hears of the entries that end with their process."""

    hears_of_each: bool
    """Whether it hears of each entry that is unregistered, or of a key that its process is rid of."""

    hears_of_nothing: bool
    """Whether it hears of a key that is unregistered though its process had no entry of it."""

    hears_of_updates: bool
    """Whether it hears of new values."""


ELIXIR = Ways(
    hears_of_ends=False, hears_of_each=False, hears_of_nothing=True, hears_of_updates=False
)

OURS = Ways(hears_of_ends=True, hears_of_each=True, hears_of_nothing=False, hears_of_updates=True)


@attrs.frozen
class Row:
    """An entry."""

    key: str
    p: str
    value: Json


def course(scenario: Scenario, ways: Ways) -> list[Seen]:
    """Return what is to be seen of each step."""
    model = _Model(scenario, ways)
    return [model.play(action) for action in scenario.actions]


class _Model:
    def __init__(self, scenario: Scenario, ways: Ways) -> None:
        self.scenario = scenario
        self.ways = ways
        self.rows: list[Row] = []
        self.metadata: dict[str, Json] = {}
        self.dead: set[str] = set()
        self.heard: list[Json] = []

    def play(self, action: Mapping[str, Json]) -> Seen:
        arguments = dict(action)
        operation = arguments.pop("op")
        self.heard = []
        if arguments.get("p") in self.dead and operation not in {"keys", "values"}:
            return Seen("noop", self.heard if self.scenario.has_listener else None)
        verb: Callable[..., Json] = getattr(self, operation)
        returned = verb(**arguments)
        return Seen(returned, self.heard if self.scenario.has_listener else None)

    # By a process

    def register(self, p: str, key: str, value: Json, error: str = "already_registered") -> Json:
        if self.scenario.keys == "unique" and (taken := self.of(key)):
            return ["error", [error, {"pid": taken[0].p}]]
        self.rows.append(Row(key, p, value))
        self.heard.append(["register", key, {"pid": p}, value])
        return "ok"

    def start_via(self, p: str, key: str) -> Json:
        return self.register(p, key, None, "already_started")

    def unregister(self, p: str, key: str) -> Json:
        self.remove(p, key, self.own(p, key))
        return "ok"

    def unregister_match(self, p: str, key: str, value: Json) -> Json:
        self.remove(p, key, [row for row in self.own(p, key) if row.value == value])
        return "ok"

    def remove(self, p: str, key: str, rows: list[Row]) -> None:
        self.rows = [row for row in self.rows if not any(row is other for other in rows)]
        event = ["unregister", key, {"pid": p}]
        if self.ways.hears_of_each:
            self.heard += [event] * len(rows)
        elif rows and not self.own(p, key):
            self.heard.append(event)
        if not rows and not self.own(p, key) and self.ways.hears_of_nothing:
            self.heard.append(event)

    def update_value(self, p: str, key: str, value: Json) -> Json:
        if self.scenario.keys == "duplicate":
            return "unsupported"
        if not (own := self.own(p, key)):
            return "error"
        (old,) = own
        self.rows = [Row(key, p, value) if row is old else row for row in self.rows]
        if self.ways.hears_of_updates:
            self.heard.append(["update", key, {"pid": p}, value])
        return [value, old.value]

    def exit(self, p: str, reason: Json) -> None:
        del reason
        self.dead.add(p)
        if self.ways.hears_of_ends:
            ended = [row for row in self.rows if row.p == p]
            self.heard += [["unregister", row.key, {"pid": p}] for row in ended]
        self.rows = [row for row in self.rows if row.p != p]

    def keys(self, p: str) -> Json:
        return sorted(row.key for row in self.rows if row.p == p)

    def values(self, p: str, key: str) -> Json:
        return sorted(row.value for row in self.own(p, key))

    def own(self, p: str, key: str) -> list[Row]:
        return [row for row in self.of(key) if row.p == p]

    # By anybody

    def of(self, key: str) -> list[Row]:
        return [row for row in self.rows if row.key == key]

    def lookup(self, key: str) -> Json:
        pairs = [[row.p, row.value] for row in self.of(key)]
        return sorted(pairs) if self.scenario.is_sorted else pairs

    def match(self, key: str, value: Json) -> Json:
        return [pair for pair in self.lookup(key) if pair[1] == value]

    def count_match(self, key: str, value: Json) -> Json:
        return len(self.match(key, value))

    def count(self) -> Json:
        return len(self.rows)

    def dispatch(self, key: str) -> Json:
        return self.lookup(key) or "not_called"

    def select_all(self) -> Json:
        return sorted([row.key, row.p, row.value] for row in self.rows)

    def whereis(self, key: str) -> Json:
        found = self.of(key)
        return {"pid": found[0].p} if found else "undefined"

    def meta(self, key: str) -> Json:
        return ["ok", self.metadata[key]] if key in self.metadata else "error"

    def put_meta(self, key: str, value: Json) -> Json:
        self.metadata[key] = value
        return "ok"
