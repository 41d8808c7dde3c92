"""The calls that are made to a supervisor, and their results in the words of the recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from trio_foundation.supervision import (
    Child,
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    Supervisor,
    TooManyChildren,
)

from ._format import Json
from ._journal import Journal, Life
from ._look import count_children, which_children
from ._refusals import refusal_of_child
from ._spelling import reason_of
from ._tree import AnySupervisor, Builder, is_dynamic, strategy_of

__all__ = ["Call"]

OK = "ok"


def error(reason: Json) -> Json:
    """Return an error result."""
    return ["error", reason]


@attrs.define(eq=False)
class Call:
    """One call to one supervisor."""

    action: Mapping[str, Json]
    sup: AnySupervisor
    spec: Mapping[str, Json]
    """The recorded spec of that supervisor."""

    builder: Builder
    journal: Journal

    addressed: Life | None = attrs.field(init=False)
    """Whom a call by pid is about: the last incarnation when the call was made."""

    def __attrs_post_init__(self) -> None:
        self.addressed = self.journal.lives.get(self.action.get("key", ""))

    @property
    def is_immediate(self) -> bool:
        """Whether our verb for it is done at once, and does not wait for the supervisor."""
        return self.action["op"] in {"which_children", "count_children", "delete_child"}

    async def make(self) -> Json:
        """Make the call and return its result."""
        if self.is_immediate:
            return self.make_at_once()
        match self.action["op"]:
            case "start_child":
                return await self._start_child()
            case "terminate_child":
                return await self._terminate_child()
            case _:
                return await self._restart_child()

    def make_at_once(self) -> Json:
        """Make a call that needs no waiting, and return its result."""
        match self.action["op"]:
            case "which_children":
                return which_children(self.sup, self.spec, self.journal)
            case "count_children":
                return count_children(self.sup, self.spec, self.builder.script.turns.waiting)
            case _:
                return self._delete_child()

    async def _start_child(self) -> Json:
        spec = self._new_spec()
        name = spec["id"]
        while is_dynamic(self.spec) and name in self.sup.children:
            name += "'"  # for OTP these children have no names, and the same id comes again
        try:
            ours = self.builder.child_spec(spec, self.spec["id"], name=name)
            child = await self.sup.start_child(ours)
        except Exception as refused:
            reason = self._why_not_started(spec, refused)
            if reason is None:
                raise
            return error(reason)
        if child.state == "ignored":
            return "ignore" if strategy_of(self.spec) == "dynamic" else [OK, "undefined"]
        return [OK, self._pid(child)]

    def _why_not_started(self, spec: Mapping[str, Json], refused: Exception) -> Json:
        match refused:
            case ChildExists(state="running"):
                return ["already_started", self.journal.last_pid(spec["id"])]
            case ChildExists():
                return "already_present"
            case TooManyChildren():
                return "max_children"
            case ChildStartFailed():
                reason = reason_of(refused.__cause__)
                return reason if is_dynamic(self.spec) else [reason, ["child", spec["id"]]]
            case _:
                return refusal_of_child(spec, self.spec, refused)

    def _new_spec(self) -> Mapping[str, Json]:
        if "spec" in self.action:
            return cast("Mapping[str, Json]", self.action["spec"])
        # The template is the driver's: our dynamic supervisors take whatever they are given.
        return {**self.spec["template"], "id": self.action["key"], **self.action.get("over", {})}

    async def _terminate_child(self) -> Json:
        is_simple = strategy_of(self.spec) == "simple_one_for_one"
        if "id" in self.action:
            gone = error("simple_one_for_one" if is_simple else "not_found")
            return await self._stop(self.action["id"], gone)
        gone = OK if is_simple else error("not_found")
        life = self.addressed
        if life is None or self.journal.lives[life.id] is not life:
            return gone  # the pid of an incarnation that has been replaced by now
        return await self._stop(life.name, gone)

    async def _stop(self, name: str, gone: Json) -> Json:
        try:
            await self.sup.stop_child(name)
        except ChildNotFound:
            return gone
        return OK

    async def _restart_child(self) -> Json:
        if not isinstance(self.sup, Supervisor):
            return error("simple_one_for_one")  # there is no such verb
        try:
            child = await self.sup.restart_child(self.action["id"])
        except ChildNotFound:
            return error("not_found")
        except ChildRunning as running:
            return error(_why_not(running))
        except ChildStartFailed as failed:
            return error(reason_of(failed.__cause__))
        return [OK, "undefined"] if child.state == "ignored" else [OK, self._pid(child)]

    def _delete_child(self) -> Json:
        if not isinstance(self.sup, Supervisor):
            return error("simple_one_for_one")  # there is no such verb
        try:
            self.sup.delete_child(self.action["id"])
        except ChildNotFound:
            return error("not_found")
        except ChildRunning as running:
            return error(_why_not(running))
        return OK

    def _pid(self, child: Child[object]) -> Json:
        return {"pid": self.journal.id_of(child.name), "n": self.journal.number(child)}


def _why_not(running: ChildRunning) -> str:
    return "restarting" if running.state == "backing_off" else "running"
