"""Listening to the signals that ask a program to stop.

The handler itself counts them. `trio.open_signal_receiver` tells of signals in a task, which a
child may keep from running; takes two of a kind at once for one; and raises anew one that comes as
the program ends.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import final

import attrs
import trio

from .._waiting import State
from ._rules import Forced, Hurrying, Running, Stage, Stopping, after_grace, after_signal

__all__ = ["StopSignals", "end_by_force", "listen", "name_of", "where_blocked"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@final
@attrs.define(eq=False)
class StopSignals:
    """How far the stop has come."""

    force: Callable[[int, FrameType | None], object]
    """Ends the process by a signal; is told where it hangs."""
    stage: Stage = attrs.field(init=False, factory=Running)
    _seen: State[Stage] = attrs.field(init=False, factory=lambda: State[Stage](Running()))

    async def wait_asked(self) -> Stopping | Hurrying:
        stage = await self._seen.wait_value(lambda stage: not isinstance(stage, Running))
        assert isinstance(stage, (Stopping, Hurrying))
        return stage

    async def wait_insisted(self) -> Hurrying:
        """Wait until it is time to hurry."""
        stage = await self._seen.wait_value(lambda stage: isinstance(stage, Hurrying))
        assert isinstance(stage, Hurrying)
        return stage

    def end_grace(self) -> None:
        """Note that time has run out."""
        self.stage = after_grace(self.stage)
        self.show()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Count a signal; one too many ends the process."""
        is_deaf = self._seen.value != self.stage
        self.stage = after_signal(self.stage, number)
        if isinstance(self.stage, Forced):
            self.force(number, frame if is_deaf else None)

    def show(self) -> None:
        """Let waiting tasks see what the handler saw."""
        self._seen.value = self.stage


@contextmanager
def listen() -> Generator[StopSignals]:
    """Take over SIGINT and SIGTERM until the block ends."""
    signals = StopSignals(end_by_force)
    token = trio.lowlevel.current_trio_token()

    def handle(number: int, frame: FrameType | None) -> None:
        signals.on_signal(number, frame)
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(signals.show, idempotent=True)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            # None stands for a handler that was not installed from Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def end_by_force(number: int, frame: FrameType | None) -> None:
    """End the process as if the signal had no handler; *frame* is where it hangs, if it does."""
    text = f"{name_of(number)} came once more: the process ends by force.\n{where_blocked(frame)}"
    # The standard streams may be in the middle of a write, and are not to be entered twice.
    with suppress(OSError):
        os.write(2, text.encode(errors="backslashreplace"))
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    # The first process of a container has no default handlers, so it is still here.
    os._exit(128 + number)


def name_of(number: int) -> str:
    """Return ``SIGTERM`` for 15."""
    return signal.Signals(number).name


def where_blocked(frame: FrameType | None) -> str:
    """Return where a task keeps the scheduler to itself."""
    if frame is None:
        return ""
    frames: list[tuple[FrameType, int]] = []
    for outer, line in traceback.walk_stack(frame):
        module = str(outer.f_globals.get("__name__", ""))
        if module.startswith(("trio.", "trio_foundation.supervision.")):
            break
        frames.append((outer, line))
    if not frames:
        return ""
    stack = traceback.StackSummary.extract(iter(reversed(frames)))
    return "It kept all other tasks from running, here:\n" + "".join(stack.format())
