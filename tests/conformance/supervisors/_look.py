"""What can be seen of a tree from outside, in the words of the recording."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from trio_foundation.supervision import Child, ChildRestarting

from ._format import Json
from ._journal import OUTSIDE, Journal
from ._tree import ANY_SUPERVISOR, AnySupervisor, is_dynamic, strategy_of

__all__ = ["count_children", "is_busy", "running_supervisors", "which_children"]

BUSY = {"starting", "stopping", "backing_off"}


def running_supervisors(name: str, sup: AnySupervisor) -> Iterator[tuple[str, AnySupervisor]]:
    """Yield a supervisor and those below it that run, each with its id."""
    yield name, sup
    for child in sup.children.values():
        if child.state == "running" and isinstance(child.value, ANY_SUPERVISOR):
            yield from running_supervisors(child.name, child.value)


def is_busy(name: str, sup: AnySupervisor) -> bool:
    """Return whether a child of the tree is between two states that last."""
    return any(
        child.state in BUSY
        for _, each in running_supervisors(name, sup)
        for child in each.children.values()
    )


def which_children(sup: AnySupervisor, spec: Mapping[str, Json], journal: Journal) -> Json:
    """Return the children of a supervisor as OTP lists them: the youngest first."""
    listed = [child for name, child in sup.children.items() if not name.startswith(OUTSIDE)]
    return [_entry(child, journal, is_keyed=is_dynamic(spec)) for child in reversed(listed)]


def count_children(sup: AnySupervisor, spec: Mapping[str, Json], held: Container[str]) -> Json:
    """Return the counts of a supervisor.

    Children of the driver's own do not count. Those that it holds, by name, are not active:
    if they were not held, they would not have begun to start yet.
    """
    counts = sup.count_children()
    ours = sum(name.startswith(OUTSIDE) for name in sup.children)
    specs: Json = counts.specs - ours
    if strategy_of(spec) == "simple_one_for_one":
        # OTP counts the template, of which there is one. Ours are one for each child.
        specs = 1 if specs == len(sup.children) else f"{specs} for {len(sup.children)} children"
    return {
        "specs": specs,
        "active": counts.active - ours - sum(name in held for name in sup.children),
        "supervisors": counts.supervisors,
        "workers": counts.workers - ours,
    }


def _entry(child: Child[object], journal: Journal, *, is_keyed: bool) -> Json:
    id = journal.id_of(child.name)
    state = _state(child, journal, is_keyed=is_keyed)
    entry: Json = {"id": None if is_keyed else id, "type": child.spec.kind, "state": state}
    if state == "running":
        entry["n"] = journal.number(child)
        if is_keyed:
            entry["key"] = id
    return entry


def _state(child: Child[object], journal: Journal, *, is_keyed: bool) -> str:
    """Return the state of a child as OTP calls it.

    For us all members of a group are backing off while a restart is due. For OTP only that
    one is restarting whose start failed; the others are not running. In a dynamic
    supervisor the next attempt may be under way already.
    """
    if child.state in {"stopped", "ignored"}:
        return "undefined"
    if child.state == "backing_off":
        return "restarting" if journal.latest.get(child.name) is ChildRestarting else "undefined"
    if is_keyed and child.state == "starting" and child.incarnation > 1:
        return "restarting"
    return child.state
