"""From the specs of a scenario to ours, and to an open supervisor.

Values are handed on as they are recorded, nonsense included: refusing it is the library's
part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import attrs

from trio_foundation.supervision import (
    ChildSpec,
    DynamicSupervisor,
    Supervisor,
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)

from ._format import Json, is_supervisor
from ._journal import Journal
from ._script import Script
from ._workers import Mortal, Worker

__all__ = ["ANY_SUPERVISOR", "AnySupervisor", "Builder", "is_dynamic", "strategy_of"]

AnySupervisor: TypeAlias = Supervisor | DynamicSupervisor
ANY_SUPERVISOR = (Supervisor, DynamicSupervisor)

DYNAMIC = {"simple_one_for_one", "dynamic"}


@attrs.define(eq=False)
class Builder:
    """Makes the children of one scenario, and keeps what the driver has to know of them."""

    journal: Journal
    script: Script
    killed: frozenset[str]
    """The ids that the scenario kills."""

    supervisors: dict[str, Mapping[str, Json]] = attrs.field(
        init=False, factory=dict[str, Mapping[str, Json]]
    )
    """The specs of all supervisors, by id."""

    mortals: dict[str, Mortal] = attrs.field(init=False, factory=dict[str, Mortal])

    def open(self, spec: Mapping[str, Json]) -> AbstractAsyncContextManager[AnySupervisor]:
        """Open the supervisor at the root of the tree."""
        self.supervisors[spec["id"]] = spec
        # A dynamic supervisor takes no children to begin with, so a list of them is refused.
        open_it: Callable[..., AbstractAsyncContextManager[AnySupervisor]] = (
            open_dynamic_supervisor if is_dynamic(spec) else open_supervisor
        )
        return open_it(*self._children(spec), name=spec["id"], **_options(spec))

    def child_spec(
        self, spec: Mapping[str, Json], owner: str, name: str | None = None
    ) -> ChildSpec:
        """Return our spec of a recorded one."""
        made = self._subtree(spec) if is_supervisor(spec) else self._worker(spec, owner)
        if name is not None and name != spec["id"]:
            self.journal.ids[name] = spec["id"]
            made = attrs.evolve(made, name=name)
        return made

    def _worker(self, spec: Mapping[str, Json], owner: str) -> ChildSpec:
        worker = Worker(spec, owner, self.script, self.journal)
        made = child(worker.run, name=spec["id"], grace=_grace(spec), **_child_options(spec))
        # For OTP the type of a child is a label, and a worker may carry either.
        return attrs.evolve(made, kind=spec["type"]) if "type" in spec else made

    def _subtree(self, spec: Mapping[str, Json]) -> ChildSpec:
        self.supervisors[spec["id"]] = spec
        self.journal.supervisors.add(spec["id"])
        make: Callable[..., ChildSpec] = dynamic_subtree if is_dynamic(spec) else subtree
        options = {**_child_options(spec), **_options(spec)}
        made = make(*self._children(spec), name=spec["id"], **options)
        made = attrs.evolve(made, grace=_grace(spec))
        if "starts" not in spec and spec["id"] not in self.killed:
            return made
        mortal = self.mortals[spec["id"]] = Mortal(spec, made.async_fn, self.script)
        return attrs.evolve(made, async_fn=mortal.run)

    def _children(self, spec: Mapping[str, Json]) -> list[list[ChildSpec]]:
        """Return the arguments of whatever opens it: a list of children, but for a dynamic one."""
        if is_dynamic(spec) and "children" not in spec:
            return []
        return [[self.child_spec(each, spec["id"]) for each in spec.get("children", ())]]


def strategy_of(spec: Mapping[str, Json]) -> str:
    """Return the strategy of a supervisor."""
    strategy: str = spec.get("flags", {}).get("strategy", "one_for_one")
    return strategy


def is_dynamic(spec: Mapping[str, Json]) -> bool:
    """Return whether a supervisor has no children but those added to it."""
    return strategy_of(spec) in DYNAMIC


def _options(spec: Mapping[str, Json]) -> dict[str, Any]:
    """Return a supervisor's flags as our options, with the defaults of the system recorded."""
    flags = dict(spec.get("flags", {}))
    strategy = flags.pop("strategy", "one_for_one")
    default = 3 if strategy == "dynamic" else 1
    options = {
        "max_restarts": flags.pop("intensity", default),
        "within": flags.pop("period", 5),
        **flags,
    }
    if strategy not in DYNAMIC:
        return {"strategy": strategy, **options}
    if options.get("auto_shutdown") == "never":
        del options["auto_shutdown"]  # ours never do
    return options


def _child_options(spec: Mapping[str, Json]) -> dict[str, Any]:
    return {
        "restart": spec.get("restart", "permanent"),
        "significant": spec.get("significant", False),
    }


def _grace(spec: Mapping[str, Json]) -> Json:
    """Return how long a child has to stop, in seconds; what is no time is left as it is."""
    match spec.get("shutdown"):
        case None:
            return math.inf if spec.get("type") == "supervisor" else 5.0
        case "infinity":
            return math.inf
        case "brutal_kill":
            return 0
        case int() as milliseconds:
            return milliseconds / 1000
        case nonsense:
            return nonsense
