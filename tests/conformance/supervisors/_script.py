"""How the starts of all children of a scenario turn out.

The script belongs to the whole scenario: the attempts are counted by id, whoever makes
them, and over all supervisors that a child has had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs
import trio

from trio_foundation.supervision import IgnoreChild

from ._format import Json
from ._journal import Journal
from ._spelling import Crash

__all__ = ["Script", "Turns"]


@attrs.define(eq=False)
class Turns:
    """Where restarts of a frozen dynamic supervisor wait for their turn; see ``_batch``."""

    held: bool = False
    waiting: dict[str, trio.Event] = attrs.field(init=False, factory=dict[str, trio.Event])
    """Those that wait, by name, the first of them first."""

    @property
    def next(self) -> str | None:
        """The name of the child that has waited longest."""
        return next(iter(self.waiting), None)

    async def wait(self, name: str) -> None:
        """Wait for the turn of a child, if there are turns now."""
        if not self.held:
            return
        event = self.waiting[name] = trio.Event()
        try:
            await event.wait()
        finally:
            if self.waiting.get(name) is event:
                del self.waiting[name]

    def call(self, name: str) -> None:
        """Let a child have its turn, if it waits for one."""
        event = self.waiting.pop(name, None)
        if event is not None:
            event.set()


@attrs.define(eq=False)
class Script:
    """Says of every start attempt how it turns out, and writes down those that fail."""

    journal: Journal
    turns: Turns = attrs.field(factory=Turns)
    _attempts: Counter[str] = attrs.field(init=False, factory=Counter[str])

    def attempt(self, spec: Mapping[str, Json], *, is_written: bool = True) -> None:
        """Make a start attempt: return if it is to turn out well, raise if not.

        A supervisor's attempts are not *written* here, since the library tells of them.

        Raises:
            IgnoreChild: If it is to be ignored.
            Crash: If it is to fail.
        """
        id, outcomes = spec["id"], spec.get("starts", ())
        outcome: Json = outcomes[self._attempts[id]] if self._attempts[id] < len(outcomes) else "ok"
        self._attempts[id] += 1
        if outcome == "ok":
            return
        if outcome == "ignore":
            if is_written:
                self.journal.lived.append({"ev": "ignore", "id": id})
            raise IgnoreChild
        # An error that the start function returned, or an early exit: both are an error here.
        _, reason = outcome
        if is_written:
            self.journal.lived.append({"ev": "start_error", "id": id, "reason": reason})
        raise Crash(reason)
