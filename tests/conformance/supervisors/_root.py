"""The block of the supervisor at the root, in a task of its own."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from trio_foundation.supervision import ChildStartFailed, RestartLimitReached

from ._format import Json
from ._journal import Journal
from ._refusals import refusal_of_boot
from ._spelling import NORMAL, SHUTDOWN, end_with, reason_of
from ._tree import AnySupervisor, Builder

__all__ = ["Root"]


@attrs.define(eq=False)
class Root:
    """Boots the tree, stops it when told to, and writes down how it ended."""

    spec: Mapping[str, Json]
    builder: Builder
    journal: Journal

    sup: AnySupervisor | None = None
    """The supervisor, once it has booted."""

    booted: Json = None
    """How booting went, as a result."""

    ended: bool = False
    _order: Json = None
    _ordered: trio.Event = attrs.field(factory=trio.Event)

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self.sup is not None and not self.ended

    @property
    def is_changing(self) -> bool:
        """Whether it is still booting, or has been told to stop and has not ended yet."""
        return not self.ended and (self.sup is None or self._ordered.is_set())

    def stop(self, reason: Json) -> None:
        """Tell it to stop, for a reason of its parent's."""
        self._order = reason
        self._ordered.set()

    async def run(self) -> None:
        """Open the supervisor and stay until it ends."""
        error: Exception | None = None
        try:
            async with self.builder.open(self.spec) as self.sup:
                self.booted = ["ok"]
                self.journal.both({"ev": "start", "id": self.spec["id"], "n": 1, "sup": None})
                await self._body(self.sup)
        except Exception as raised:  # noqa: BLE001  sorted out below
            error = raised
        self.ended = True
        if self.sup is None:
            self._note_failed_boot(error)
        else:
            self._note_end(error)

    async def _body(self, sup: AnySupervisor) -> None:
        await self._ordered.wait()
        if self._order == SHUTDOWN:
            sup.shutdown()
            await trio.sleep_forever()
        # Any other reason of the parent's is an end of the body.
        end_with(self._order)

    def _note_failed_boot(self, error: Exception | None) -> None:
        assert error is not None
        if isinstance(error, ChildStartFailed):
            reason = reason_of(error)
        else:
            reason = refusal_of_boot(self.spec, error)
        if reason is None:
            raise error
        self.booted = ["error", reason]
        self.journal.both({"ev": "start_error", "id": self.spec["id"], "reason": reason})

    def _note_end(self, error: Exception | None) -> None:
        reason, words = self._reason(error)
        told = self.journal.endings.get(self.spec["id"])
        if told != words:
            self.journal.contradictions.append(f"the root ended {words}, but we are told: {told}")
        self.journal.both({"ev": "exit", "id": self.spec["id"], "n": 1, "reason": reason})

    def _reason(self, error: Exception | None) -> tuple[Json, str]:
        """Return the reason that it ended with, and the word that the library has for it."""
        if isinstance(error, RestartLimitReached):
            return SHUTDOWN, "failed"
        if error is None and self._order is None:
            return SHUTDOWN, "auto_shutdown"
        if error is None and self._order == SHUTDOWN:
            return SHUTDOWN, "shutdown"
        if error is not None and reason_of(error) != self._order:
            raise error
        return (NORMAL if error is None else self._order), "finished"
