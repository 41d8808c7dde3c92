"""An order to a supervisor, and the task that waits for the answer."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import attrs
import outcome
import trio

from ._spec import ChildSpec

if TYPE_CHECKING:  # an entry keeps the request that started it
    from ._incarnation import Incarnation

__all__ = ["Request", "StartOrder", "Verb"]

Verb: TypeAlias = Literal["start", "restart", "stop"]


@final
@attrs.frozen(eq=False)
class StartOrder:
    spec: ChildSpec
    context: Context


@final
@attrs.define(eq=False)
class Request:
    """One order: its caller is parked until the supervisor's loop has answered it.

    A cancelled caller withdraws a start that nobody has begun, cuts short one under way and waits
    until the child is gone, and lets a stop go on.
    """

    verb: Verb
    subject: object
    """A `StartOrder`, or the name of a child."""
    on_withdrawn: Callable[[], None] | None = None
    """Cuts short what was begun."""
    begun: bool = False
    withdrawn: bool = False
    by: Incarnation | None = None
    """The incarnation that asks, if one does."""
    _task: trio.lowlevel.Task | None = None
    _cancelled: Callable[[], object] | None = None

    @property
    def is_void(self) -> bool:
        """Whether it was withdrawn before it was begun; a stop never is."""
        return self.withdrawn and self.verb != "stop"

    async def wait(self) -> object:
        """Return the answer, or raise it."""
        self._task = trio.lowlevel.current_task()
        answer: object = await trio.lowlevel.wait_task_rescheduled(self._abort)
        return answer

    def _abort(self, raise_cancel: Callable[[], object]) -> trio.lowlevel.Abort:
        self.withdrawn = True
        if self.begun and self.verb != "stop":
            self._cancelled = raise_cancel
            if self.on_withdrawn is not None:
                self.on_withdrawn()
            return trio.lowlevel.Abort.FAILED
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def answer(self, value: object) -> None:
        """Let the caller go on with *value*, unless answered before."""
        self._resolve(outcome.Value(value))

    def refuse(self, error: BaseException) -> None:
        """Raise *error* in the caller, unless answered before."""
        self._resolve(outcome.Error(error))

    def turn_down(self, error: BaseException) -> None:
        """Refuse it before it is begun; a stop is done all the same."""
        self.withdrawn = True
        self.refuse(error)

    def _resolve(self, answer: outcome.Outcome[Any]) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        if self._cancelled is not None:
            answer = outcome.capture(self._cancelled)
        trio.lowlevel.reschedule(task, answer)
