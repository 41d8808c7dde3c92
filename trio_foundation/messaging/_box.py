"""The mailbox of a server in one Trio run, and where its child stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, final
from weakref import ref

import outcome
import trio
from trio.lowlevel import Task

from ..supervision import Child, ChildState
from ..telemetry import Audience, emit, wanted
from ._current_message import CurrentMessage
from ._errors import MailboxFull, ServerGone
from ._events import MessageDropped
from ._request import Call, Request, Tick
from ._rules import Overflow, UndeliveredReason
from ._store import Store

__all__ = ["Box"]


@final
class Box:
    __slots__ = (
        "__weakref__",
        "_child",
        "_forget_child",
        "audience",
        "current",
        "has_timers",
        "is_shut",
        "name",
        "now",
        "on_stopping",
        "postponed",
        "retry",
        "root",
        "since",
        "state",
        "store",
        "takes_own",
        "task",
    )

    def __init__(
        self,
        name: str,
        capacity: int,
        overflow: Overflow,
        audience: Audience,
        now: Callable[[], float],
    ) -> None:
        self.name: str = name
        self.root: Task | None = trio.lowlevel.current_root_task()
        """The Trio run."""
        self.now: Callable[[], float] = now
        """The clock of the run, in seconds."""
        self.audience: Audience = audience
        """Whether somebody listens, and needs times."""
        self.has_timers: bool = False
        """Whether messages are dated, to be compared with timers."""
        self.store: Store[Request] = Store(name, capacity, overflow, self._dropped)
        # A weak reference, since the child has the spec, that the post, and the run keeps this
        # box for as long as there is a post.
        self._child: Callable[[], Child[Any] | None] = _nobody
        self.is_shut: bool = False
        """Whether new messages are refused: the server is gone or leaving..."""
        self.takes_own: bool = False
        """... but not those of its own handlers, while it drains."""
        self.task: Task | None = None
        """The task of the present incarnation..."""
        self.current: Request | None = None
        """... the message that it has in hand..."""
        self.since: float = 0.0
        """... and since when, in seconds."""
        self.state: str | None = None
        self.on_stopping: Callable[[], None] | None = None
        """Called when the incarnation is to stop."""
        self.postponed: list[Request] | None = None
        """Messages that wait for another state of a `StateServer`, oldest first..."""
        self.retry: deque[Request] | None = None
        """... and those that are to be tried in this one, all newer than the others."""
        self._forget_child: Callable[[], None] | None = None

    # The child

    @property
    def child(self) -> Child[Any] | None:
        """The child that it serves, if there is one."""
        return self._child()

    def move_in(self, child: Child[Any]) -> None:
        """Serve *child* from now on; ValueError if another is not at rest."""
        other = self.child
        if other is not None and other is not child and not _is_at_rest(other.state):
            raise ValueError(
                f"server {self.name!r} is child {other.name!r} of a supervisor already "
                f"({other.state}), and runs once at a time: write serve(...) again for another"
            )
        if self._forget_child is not None:
            self._forget_child()
        self._child = ref(child)
        self.is_shut = False
        self._forget_child = child.on_state(self._note_state)

    def _note_state(self, state: ChildState) -> None:
        if _is_at_rest(state):
            self.is_shut = True
            self._refuse_all()
        elif state == "stopping":
            child = self.child
            self.is_shut = child is not None and child.leaving
            if self.on_stopping is not None:
                self.on_stopping()
        else:
            self.is_shut = False

    def _refuse_all(self) -> None:
        self.store.dismiss_waiting(lambda: ServerGone(self.name))
        self.store.reclaim()
        aside = [*(self.postponed or ()), *(self.retry or ())]
        self.postponed = self.retry = None
        for request in reversed(aside):
            self.store.give_back(request)
        self.store.flush()

    def _dropped(self, request: Request, why: UndeliveredReason) -> None:
        if isinstance(request, Call):
            request.settle(outcome.Error(self._refusal(why)))
        if wanted(MessageDropped):
            emit(MessageDropped(mailbox=self.name, message=request.method, why=why))

    def _refusal(self, why: UndeliveredReason) -> MailboxFull | ServerGone:
        if why == "overflow":
            return MailboxFull(self.name, self.store.capacity)
        return ServerGone(self.name)

    def end_incarnation(self) -> None:
        self.task = self.current = self.on_stopping = self.state = None
        self.takes_own = self.has_timers = False
        self.forget_ticks()

    def forget_ticks(self, job: object = None) -> None:
        """Forget the timers set aside, or only that of *job*."""
        if self.postponed is not None:
            self.postponed = [one for one in self.postponed if not _is_tick(one, job)]
        if self.retry is not None:
            self.retry = deque(one for one in self.retry if not _is_tick(one, job))

    def give_up(self, request: Request) -> None:
        """Drop a message for want of room."""
        self.store.count_as_dropped()
        self._dropped(request, "overflow")

    def pass_over(self, request: Request) -> None:
        """Drop a message whose caller has left."""
        self.store.count_as_dropped()
        if wanted(MessageDropped):
            emit(MessageDropped(mailbox=self.name, message=request.method, why="abandoned"))

    # What is shown

    def status(self, child: Child[Any], shown: object) -> object:
        if child is not self.child:
            return shown
        current = self.current
        if shown is None and self.state is not None:
            shown = f"in state {self.state!r}"
        if current is None:
            return shown
        return CurrentMessage(
            method=current.method,
            since=self.since,
            running_for=self.now() - self.since,
            queued=self.store.used,
            shown=shown,
        )


def _is_tick(request: Request, job: object) -> bool:
    return isinstance(request, Tick) and (job is None or request.job is job)


def _nobody() -> None:
    return None


def _is_at_rest(state: ChildState) -> bool:
    return state in {"stopped", "ignored"}
