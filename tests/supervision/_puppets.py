"""Children that do what a test tells them, and a diary of what they did.

In a diary ``+a`` says that the child *a* was started, ``!a`` that its start failed, and
``-a`` that it ended, in whatever way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import attrs
import trio

from trio_foundation.supervision import ChildOptions, ChildSpec, ShutdownChild, child, cleanup_scope

__all__ = ["Crash", "Diary", "Puppet", "puppets", "rest", "specs"]


class Crash(Exception):
    """What puppets crash with."""


async def rest(*, task_status: trio.TaskStatus[str]) -> None:
    """Be ready at once, with a value, and then do nothing for ever."""
    task_status.started("ready")
    await trio.sleep_forever()


@attrs.define(eq=False)
class Diary:
    """What happened, in order, and when."""

    lines: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    def note(self, line: str) -> None:
        """Write down a line, with the time."""
        self.lines.append((trio.current_time(), line))

    def take(self) -> list[str]:
        """Tear out the lines so far, and return them without their times."""
        lines = [line for _, line in self.lines]
        self.lines.clear()
        return lines


@attrs.define(eq=False)
class Puppet:
    """A child that lives until a test pulls one of its strings; `run` is its function."""

    name: str = "a"
    diary: Diary = attrs.field(factory=Diary)
    takes: float = 0.0
    """How long it takes to be ready, in seconds."""
    cleanup: float = 0.0
    """How long it takes to clean up, in seconds."""
    refusals: Sequence[BaseException] = ()
    """What its next starts fail with."""
    _pulled: trio.Event = attrs.field(init=False, factory=trio.Event)
    _error: BaseException | None = attrs.field(init=False, default=None)

    async def run(self, *, task_status: trio.TaskStatus[str]) -> None:
        """Live one incarnation."""
        if self.refusals:
            self.diary.note(f"!{self.name}")
            refusal, *self.refusals = self.refusals
            raise refusal
        self.diary.note(f"+{self.name}")
        self._pulled, self._error = trio.Event(), None
        try:
            if self.takes:
                await trio.sleep(self.takes)
            task_status.started(self.name)
            await self._pulled.wait()
        finally:
            if self.cleanup:
                with cleanup_scope():
                    await trio.sleep(self.cleanup)
            self.diary.note(f"-{self.name}")
        if self._error is not None:
            raise self._error

    async def run_plainly(self) -> None:
        """Live one incarnation of a child that is ready at once."""
        await self.run(task_status=trio.TASK_STATUS_IGNORED)

    def spec(self, **options: Unpack[ChildOptions]) -> ChildSpec:
        """Write it down as a child, under its own name."""
        options.setdefault("name", self.name)
        return child(self.run, **options)

    def crash(self, error: BaseException | None = None) -> None:
        """Let it raise *error*, or a `Crash`."""
        self._error = Crash(self.name) if error is None else error
        self._pulled.set()

    def finish(self) -> None:
        """Let it return."""
        self._pulled.set()

    def shut_down(self) -> None:
        """Let it end in good order."""
        self.crash(ShutdownChild("done"))


def puppets(names: str) -> tuple[Diary, list[Puppet]]:
    """Return a puppet for each letter, and the diary that they share."""
    diary = Diary()
    return diary, [Puppet(name, diary) for name in names]


def specs(*some: Puppet, **options: Unpack[ChildOptions]) -> list[ChildSpec]:
    """Write puppets down as children, all with the same options."""
    return [one.spec(**options) for one in some]
