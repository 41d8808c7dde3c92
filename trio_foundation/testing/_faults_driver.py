"""What stands between Trio and the task of a child.

A task that waits yields to Trio what it waits for, and gets back what came of it. `Driven` takes
the place of the public `trio.lowlevel.Task.coro`, as greenback does, and may answer for Trio. It
breaks a wait off by a `trio.CancelScope` around it: an error raised in the midst of a wait would
leave whoever is waited for an entry of a task that has gone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from types import CodeType, FrameType
from typing import Any, Protocol, final

import outcome
import trio
from trio.abc import Instrument
from trio.testing import MockClock

from ..supervision import current_child
from ._rules import Fault, error_of

__all__ = ["Driven", "Pilot"]


_PACKAGE = "trio_foundation."

_DEMO = "trio_foundation.demo"  # a program like any other


# How many checkpoints that nothing can be raised at are let pass, before more is done.
_PATIENCE = 10


class Pilot(Protocol):
    """Says which faults there are; is told which have happened."""

    is_active: bool

    def at_checkpoint(self, path: str) -> Iterable[Fault]: ...

    def number_of(self, path: str) -> int: ...

    def note_fired(self, fault: Fault) -> None: ...


@final
class Driven(Coroutine[Any, Any, Any]):
    """Replaces the coroutine of a child's own task, and may interfere at each checkpoint.

    *armed* are the child's faults that wait for a checkpoint where they can happen; what one
    incarnation has not got, the next one gets.
    """

    def __init__(
        self, task: trio.lowlevel.Task, path: str, armed: deque[Fault], pilot: Pilot
    ) -> None:
        self._task = task
        self._inner: Any = task.coro
        self.path = path
        self._armed = armed
        self._pilot = pilot
        self._own_scope = _scope_of(task)
        self._wait: trio.CancelScope | None = self._own_scope
        """Breaks off the present wait; before the first, all of the child, cleaning up included."""
        self._striking: Fault | None = None
        self._misses = 0
        self._pauses: list[Fault] = []
        self._course = self._drive()
        self._course.send(None)
        task.coro = self  # type: ignore[assignment]

    # What Trio, and whoever looks where a task is, takes for the coroutine

    def send(self, value: object) -> Any:  # noqa: ANN401  whatever Trio and the task say
        return self._course.send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401  likewise
        """Go on with an error, as Trio does with a task that yields what is not Trio's."""
        return self._course.throw(*error)

    def close(self) -> None:
        self._course.close()
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._course

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any attribute of it
        return getattr(self._inner, name)  # cr_frame, cr_await, __qualname__ and the like

    # The way of a task

    def _drive(self) -> Generator[Any, Any, Any]:
        resume: Callable[[Any], Any] = self._inner.send
        value: Any = yield
        if self._striking is not None:  # it was under way when we came in between
            value = yield from self._answer(value)
        while True:
            try:
                message = resume(value)
            except StopIteration as end:
                self._leave_behind()
                return end.value
            try:
                answer = yield from self._give_way(message)
            except Exception as error:  # noqa: BLE001  see `throw`
                resume, value = self._inner.throw, error
            else:
                resume, value = self._inner.send, answer

    def _give_way(self, message: object) -> Generator[Any, Any, Any]:
        if not self._pilot.is_active and not self._armed:
            self._wait = None
            return (yield message)
        if self._pilot.is_active:
            self._armed.extend(self._pilot.at_checkpoint(self.path))
        value: Any = None
        try:
            with trio.CancelScope() as self._wait:
                self.strike()
                value = yield message  # noqa: ASYNC101  the task does not see the scope
        finally:
            self._wait = None
        return (yield from self._answer(value))

    def _answer(self, value: outcome.Outcome[Any]) -> Generator[Any, Any, Any]:
        """Return what the task is told in place of Trio's answer."""
        is_cancelled = isinstance(value, outcome.Error) and isinstance(value.error, trio.Cancelled)
        fault, self._striking = self._striking, None
        pauses, self._pauses = self._pauses, []
        if fault is not None:
            if is_cancelled or self._is_at(trio.lowlevel.checkpoint):
                self._pilot.note_fired(fault)
                return outcome.Error(error_of(fault, self.path, self._pilot.number_of(self.path)))
            # What was waited for has happened, so to raise now would belie it. The next one then.
            self._misses += 1
            self._armed.appendleft(fault)
        if is_cancelled and self._own_scope.cancel_called:
            self._armed.extendleft(reversed(pauses))
            return value
        for pause in pauses:
            self._pilot.note_fired(pause)
            yield from self._pause(pause, shield=is_cancelled)
        return value

    def _pause(self, fault: Fault, *, shield: bool) -> Generator[Any, Any, None]:
        # What was waited for before has happened, and is told afterwards. If that is a Cancelled,
        # a deadline has come, as it does in trio.sleep, and in its scope nothing could be
        # awaited: thus the shield.
        guard = _Guard(self._own_scope, trio.CancelScope(shield=shield))
        trio.lowlevel.add_instrument(guard)
        try:
            with guard.wait:
                yield from _rest(fault).__await__()
        except trio.Cancelled:  # noqa: ASYNC103  the task is told so at its next checkpoint
            pass
        finally:
            trio.lowlevel.remove_instrument(guard)

    def _leave_behind(self) -> None:
        """Leave the rest to the next incarnation."""
        self._armed.extendleft(reversed(self._pauses))
        if self._striking is not None:
            self._armed.appendleft(self._striking)

    # Faults

    def strike(self) -> None:
        """Let what is armed happen where the task is, if it can."""
        while self._armed and self._striking is None:
            fault = self._armed.popleft()
            if fault.kind in {"crash", "interrupt"}:
                if not self._strike_down(fault):
                    self._armed.appendleft(fault)
                    return
            elif fault.kind in {"delay", "hang"}:
                self._pauses.append(fault)
            else:
                self._pilot.note_fired(fault)
                if fault.kind == "cancel":
                    self._own_scope.cancel(reason="an injected fault")
                else:
                    _starve(fault.seconds)

    def _strike_down(self, fault: Fault) -> bool:
        """Return whether the fault happens, or is at least tried."""
        joined = self._nursery_joined()
        if joined is not None:
            # The end of a nursery cannot be broken off. But the nursery can: by a task in it.
            try:
                joined.start_soon(
                    _crash, fault, self.path, self._pilot.number_of(self.path), name="fault"
                )
            except RuntimeError:  # it has just ended
                return False
            self._pilot.note_fired(fault)
            return True
        if self._wait is None or self._is_at(_nursery_end()):
            return False
        self._striking = fault
        self._wait.cancel(reason="an injected fault")
        if self._misses >= _PATIENCE:
            # It finds all that it asks for, and so never waits. But before it asks the next time
            # it looks whether it is cancelled.
            self._own_scope.cancel(reason="an injected fault")
        return True

    def _nursery_joined(self) -> trio.Nursery | None:
        """Return the child's nursery whose end the task waits for, if any."""
        frames = self._frames()
        codes = [frame.f_code for frame in frames]
        end = _nursery_end()
        if end not in codes or not self._task.child_nurseries:
            return None
        opener = str(frames[codes.index(end) - 1].f_globals.get("__name__", ""))
        # A nursery within this library may have no place for a task that it does not know.
        is_ours = opener.startswith(_PACKAGE) and not opener.startswith(_DEMO)
        return None if is_ours else self._task.child_nurseries[-1]

    def _is_at(self, function: Callable[..., object] | CodeType) -> bool:
        """Return whether the task waits in that function."""
        code = function if isinstance(function, CodeType) else function.__code__
        return any(frame.f_code is code for frame in self._frames())

    def _frames(self) -> list[FrameType]:
        return [frame for frame, _ in self._task.iter_await_frames()]


async def _rest(fault: Fault) -> None:
    """Wait as the fault says."""
    await trio.sleep(fault.seconds if fault.kind == "delay" else math.inf)


@final
class _Guard(Instrument):
    """Ends a wait when a scope around it is cancelled, across a shield."""

    def __init__(self, outer: trio.CancelScope, wait: trio.CancelScope) -> None:
        self.outer = outer
        self.wait = wait

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.outer.cancel_called and self.wait.shield:
            self.wait.shield = False


def _nursery_end() -> CodeType:
    code: CodeType = type(trio.open_nursery()).__aexit__.__code__
    return code


async def _crash(fault: Fault, path: str, checkpoint: int) -> None:
    await trio.lowlevel.checkpoint()
    raise error_of(fault, path, checkpoint)


def _scope_of(task: trio.lowlevel.Task) -> trio.CancelScope:
    """Return the scope of the child's function."""
    child = task.context.copy().run(current_child)
    run = child._entry.run  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    assert run is not None
    return run.scope


def _starve(seconds: float) -> None:
    """Let time pass in which no task runs."""
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, MockClock):
        clock.jump(seconds)  # to the others that is what a busy loop looks like
        return
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        pass
