"""The loop of one incarnation; a KeyboardInterrupt reaches users' code, not the bookkeeping."""

from __future__ import annotations

import math
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Generic, TypeVar, final

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from ..supervision import Child, Exit, ShutdownChild, cleanup_scope, stop_requested
from ._box import Box
from ._errors import CallError, CallFailed
from ._log import log_error, log_warning
from ._machine import Machine
from ._post import Post
from ._ref import Ref
from ._request import HANDLED, NO_KWARGS, Call, Own, Request, Tick
from ._rules import Appointment, Timetable
from ._server import Job, Server
from ._state_server import StateServer
from ._store import NOTHING, Nothing
from ._telling import tell_finished, tell_started
from ._users_code import is_misaddressed, make, run, run_for_certain, run_method, sole_leaf

__all__ = ["Loop"]

S = TypeVar("S", bound=Server)


class Later(Enum):
    """Let others run, and look again."""

    LATER = "later"


LATER: Final = Later.LATER

# How many messages are handled before other tasks get their turn, whatever is queued.
_TURN: Final = 32


@final
class Loop(Generic[S]):
    """One incarnation, from its making to its teardown."""

    __slots__ = (
        "_allowed",
        "_beat_due",
        "_beat_every",
        "_farewell",
        "_is_draining",
        "_is_plain",
        "_is_stopping",
        "_timetable",
        "box",
        "child",
        "is_over",
        "machine",
        "post",
        "ref",
        "server",
    )

    def __init__(self, post: Post[S], box: Box, child: Child[Any]) -> None:
        self.post = post
        self.box = box
        self.child = child
        self.ref: Ref[Any] = Ref(post)
        self.server: S | None = None
        self.machine: Machine | None = None
        self.is_over = False
        self._is_plain = True
        """Whether there is only the queue to look after."""
        self._timetable: Timetable[Job] | None = None
        self._beat_every: float | None = None
        self._beat_due = math.inf
        self._allowed: float = math.inf
        """How many messages more it handles."""
        self._is_stopping = False
        self._is_draining = False
        """Whether it ends when the queue is empty."""
        self._farewell: ShutdownChild | None = None

    # From first to last

    @enable_ki_protection
    async def run(self, task_status: trio.TaskStatus[Ref[S]]) -> None:
        box = self.box
        box.task = trio.lowlevel.current_task()
        box.on_stopping = self._on_stopping
        try:
            self._take_in_hand(Own("setup"))
            await self._set_up()
            box.current = None
            if self.post.drain:
                stop_requested()  # so that from now on it is asked before it is cancelled
            self._begin_to_beat()
            task_status.started(self.ref)
            await self._work()
        except BaseException as error:
            try:
                self._fail(error)
            finally:
                await self._tear_down(error)
            raise
        else:
            await self._tear_down(self._farewell)
            if self._farewell is not None:
                raise self._farewell
        finally:
            self.is_over = True
            box.end_incarnation()
            HANDLED.set(None)

    async def _set_up(self) -> None:
        server = make(self.post.factory)
        object.__setattr__(server, "_steering", self)  # it may be frozen
        self.server = server
        if self.post.server_type is None:
            self.post.server_type = type(server)
        await run(server.setup)
        if isinstance(server, StateServer):
            self.machine = Machine(self, self.box, server)
            self._is_plain = False
            await self.machine.begin()

    async def _tear_down(self, error: BaseException | None) -> None:
        """Run teardown; its error does not hide *error*."""
        server = self.server
        if server is None or type(server).teardown is Server.teardown:
            return
        exit = self.child.exit_by(error)
        self._take_in_hand(Own("teardown"))
        try:
            with cleanup_scope():
                await run_for_certain(server.teardown, exit)
        except Exception as second:
            if exit.error is None or exit.reason == "shutdown":
                raise
            log_error("teardown of server %r raised, after %s", self.box.name, exit)
            with suppress(Exception):  # neither need know how to say what it is
                assert error is not None
                error.add_note(f"and then teardown raised {type(second).__name__}: {second}")

    def _take_in_hand(self, request: Request) -> None:
        self.box.since = self.box.now()
        self.box.current = request
        HANDLED.set(request)

    # The loop

    async def _work(self) -> None:
        store = self.box.store
        while True:
            if await self._take_turn():
                await trio.lowlevel.checkpoint()
            elif self._allowed <= 0 or (self._is_draining and not self._has_to_wait):
                return
            elif self._is_plain:
                store.receiver = self.box.task
                await trio.lowlevel.wait_task_rescheduled(store.stop_parking)
            else:
                await self._park()

    async def _take_turn(self) -> bool:  # noqa: C901, PLR0915  each message pays for each call
        """Handle messages; return whether there may be more."""
        box, server, machine = self.box, self.server, self.machine
        take, now, audience = box.store.take, box.now, box.audience
        assert server is not None
        for _ in range(_TURN):
            request = take() if self._is_plain else self._choose()
            if request is NOTHING:
                return False
            if request is LATER:
                return True
            if request.is_abandoned:
                box.pass_over(request)
                continue
            box.current = request
            box.since = now()
            HANDLED.set(request)
            if audience.is_there:
                tell_started(box, request)
            try:
                value = await (
                    run_method(server, request) if machine is None else machine.handle(request)
                )
            except Exception as error:
                refusal = self._refusal(request, error)
                if refusal is None:
                    raise
                box.current = None
                self._refuse(request, refusal)
                del refusal  # its traceback holds this frame
            else:
                box.current = None
                if request.caller is not None:
                    _answer(request, value)
                value = None  # it may be large
                if audience.is_there:
                    tell_finished(box, request, "returned")
            request.args, request.kwargs = (), NO_KWARGS
        return True

    def _refusal(self, request: Request, error: Exception) -> Exception | None:
        """Return what refuses this one call, or None if the error crashes the server."""
        if self.machine is not None and self.machine.is_broken:
            return None
        leaf = sole_leaf(error)
        if isinstance(leaf, CallError):
            return leaf
        if is_misaddressed(error, self.server, request):
            refusal = TypeError(f"server {self.box.name!r}: {error}{_advice(request)}")
            refusal.__cause__ = error
            return refusal
        return None

    def _refuse(self, request: Request, refusal: Exception) -> None:
        if isinstance(request, Call):
            request.settle(outcome.Error(refusal))
        else:
            log_warning(
                "server %r refused the %s of %r: %r",
                self.box.name,
                request.kind,
                request.method,
                refusal,
            )
        tell_finished(self.box, request, "refused")

    def _fail(self, error: BaseException) -> None:
        """Answer the message in hand."""
        request, self.box.current = self.box.current, None
        if request is None or request.kind == "own":
            return
        exit = self.child.exit_by(error)
        if isinstance(request, Call):
            failure = CallFailed(self.box.name, request.method, _how(exit), exit.traceback)
            failure.__cause__ = exit.error
            request.settle(outcome.Error(failure))
        request.args, request.kwargs = (), NO_KWARGS
        tell_finished(self.box, request, "stopped" if exit.error is None else "crashed")

    # What there is to do besides the queue

    def _choose(self) -> Request | Nothing | Later:
        """Return what to handle next."""
        now = self.box.now()
        if self._beat_every is not None:
            self.child.beat()
            self._beat_due = now + self._beat_every
        for _ in range(_TURN):
            if self._allowed <= 0:
                return NOTHING
            self._allowed -= 1
            request = self._next(now)
            if isinstance(request, Nothing) or request.is_abandoned or self.machine is None:
                return request
            if not self.machine.is_postponed(request):
                return request
        return LATER

    def _next(self, now: float) -> Request | Nothing:
        box = self.box
        if box.retry:
            request = box.retry.popleft()
            if request.kind != "timer":
                box.store.take_up()
            return request
        table = None if self._is_stopping and not self._has_to_wait else self._timetable
        if table is not None and table.next_due <= now:
            first = box.store.peek()
            if first is NOTHING or table.next_due < first.queued_at:
                come_due = table.pop(now)
                assert come_due is not None
                due, job = come_due
                return Tick(job, due)
        return box.store.take()

    @property
    def _has_to_wait(self) -> bool:
        """Whether it drains, and messages set aside may yet be handled, by a timer."""
        if not self._is_draining or self.machine is None or not self.machine.is_waited_for():
            return False
        return self._timetable is not None and self._timetable.next_due < math.inf

    async def _park(self) -> None:
        due = self._beat_due
        if self._timetable is not None:
            due = min(due, self._timetable.next_due)
        if due == math.inf:
            await self.box.store.park()
        else:
            with trio.CancelScope(deadline=due):
                await self.box.store.park()

    def _begin_to_beat(self) -> None:
        liveness = self.child.spec.liveness
        if liveness is not None:
            # Twice as often as asked for, so that an idle server is never late; and before
            # each message, so that its handler has all the time there is.
            self._beat_every = liveness.every / 2
            self._is_plain = False

    def _on_stopping(self) -> None:
        """Take no more messages, but drain those that are there."""
        self._is_plain = False
        self._is_stopping = True
        if not self.post.drain or self.child.ending != "stopped":
            self._allowed = 0
        elif self.child.leaving:
            self._is_draining = self.box.takes_own = True  # and nobody else's
            self._allowed = math.inf
        else:
            self._allowed = min(self._allowed, self.box.store.count())
        self.box.store.wake()

    # What the server asks for (see `Steering`)

    def set_timer(
        self, method: str, args: tuple[object, ...], *, after: float, every: float | None
    ) -> Appointment[Job]:
        if self._timetable is None:
            self._timetable = Timetable()
            self._is_plain = False
            self.box.has_timers = True
        now = self.box.now()
        appointment = self._timetable.enter((method, args), now=now, after=after, every=every)
        self.box.store.wake()  # it waits for what came due before
        return appointment

    def call_off(self, appointment: Appointment[Job]) -> None:
        if self._timetable is not None:
            self._timetable.call_off(appointment)
            self.box.forget_ticks(appointment.subject)
            if self.machine is not None:
                self.machine.forget_timer(appointment.subject)

    def shut_down(self, reason: object) -> None:
        """End after the message in hand."""
        if self._farewell is None:
            self._farewell = ShutdownChild(reason)
        self._is_plain = False
        self._allowed = 0
        self.box.store.wake()


def _advice(request: Request) -> str:
    if "timeout" not in request.kwargs:
        return ""
    return "; a call has no time-out, write `with trio.fail_after(seconds):` around it"


def _answer(request: Request, value: object) -> None:
    assert isinstance(request, Call)
    request.settle(outcome.Value(value))


def _how(exit: Exit) -> str:
    return {
        "returned": "ended",
        "shutdown": "shut down",
        "crashed": "crashed",
        "stopped": "was stopped",
        "unresponsive": "was unresponsive, and ended,",
    }[exit.reason]
