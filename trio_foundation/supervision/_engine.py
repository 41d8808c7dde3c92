"""The loop of a supervisor: what both kinds have in common.

One queue and one task do everything, one thing at a time: no decision races another. The loop is
shielded: a cancellation from outside reaches the body of the block first.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable
from contextvars import Context, copy_context
from operator import attrgetter
from typing import Literal, TypeAlias, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._waiting import State
from ..telemetry import Audience, wanted
from ._book import Book
from ._budget import Budget
from ._caller import find_caller
from ._current import current_run
from ._entry import Entry
from ._errors import ChildStartFailed, SupervisorClosed, SupervisorFailed
from ._events import ChildExited, ChildReady, ChildStarted, SupervisorStarted, SupervisorStopped
from ._exit import describe, forget_frames
from ._incarnation import CURRENT, Incarnation
from ._report import tell
from ._requests import Request, Verb
from ._rules import RestartWindow
from ._rules._words import Strategy
from ._sleeper import Sleeper
from ._spec import ChildSpec
from ._timers import Timers

__all__ = ["Engine", "Message", "Retry"]


@final
@attrs.define(eq=False)
class Retry:
    """A restart that is due; void if another came before it."""

    entry: Entry


# An incarnation says that it has ended, an entry that it is to be started.
Message: TypeAlias = Incarnation | Entry | Request | Retry


@attrs.define(eq=False)
class Engine(ABC):
    name: str
    max_restarts: int
    within: float
    rng: random.Random | None = None

    book: Book = attrs.field(init=False, default=attrs.Factory(Book, takes_self=True))
    entries: dict[str, Entry] = attrs.field(init=False)
    budget: Budget = attrs.field(init=False)
    path: str = attrs.field(init=False, default=attrs.Factory(attrgetter("name"), takes_self=True))
    """From the outermost supervisor, once the block is open."""
    parent: Incarnation | None = attrs.field(init=False, default=None)
    """The incarnation that opened the block, if one did."""
    audience: Audience = attrs.field(init=False)
    """Whether anybody listens to the events of each child."""
    body_scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    ending: str | None = attrs.field(init=False, default=None)
    """Why it ends; the first reason counts."""
    failure: SupervisorFailed | None = attrs.field(init=False, default=None)
    fatal: BaseException | None = attrs.field(init=False, default=None)
    """A KeyboardInterrupt and the like."""
    closed: bool = attrs.field(init=False, default=False)
    hurried: bool = attrs.field(init=False, default=False)
    running: int = attrs.field(init=False, default=0)
    """How many children have not ended."""

    body_ended: bool = attrs.field(init=False, default=False)
    _is_busy: bool = attrs.field(init=False, default=True)
    """Whether the loop is in the middle of something..."""
    joining: Incarnation | None = attrs.field(init=False, default=None)
    """... and whom it waits for, if it does."""
    inbox: deque[Message] = attrs.field(init=False, factory=deque[Message])
    sleeper: Sleeper = attrs.field(init=False, factory=Sleeper)
    _dues: Timers[Entry] = attrs.field(init=False, factory=Timers[Entry])
    _nursery: trio.Nursery | None = attrs.field(init=False, default=None)
    _booted: State[bool] = attrs.field(init=False, factory=lambda: State(False))
    _closed: State[bool] = attrs.field(init=False, factory=lambda: State(False))

    def __attrs_post_init__(self) -> None:
        window = RestartWindow(max_restarts=self.max_restarts, within=self.within)
        self.budget = Budget(window, self.rng)
        self.entries = self.book.entries

    # The life of the loop

    @enable_ki_protection
    def enlist(self) -> None:
        """Enter the first children into the book, all or none."""
        try:
            self.enroll(copy_context())
        except BaseException:
            for entry in list(self.entries.values()):
                self.book.drop(entry)
            raise

    @enable_ki_protection
    def begin(self, nursery: trio.Nursery) -> None:
        """Start the loop in the nursery that is to hold the children too."""
        self._nursery = nursery
        self.audience = Audience(ChildStarted, ChildReady, ChildExited)
        self.budget.open()
        self.parent = current_run()
        if self.parent is not None:
            self._join_tree(self.parent)
        nursery.start_soon(self._main, name=f"supervisor {self.path}")

    def _join_tree(self, parent: Incarnation) -> None:
        above = f"{parent.entry.path}/{parent.entry.name}"
        self.path = above if self.name == parent.entry.name else f"{above}/{self.name}"
        if parent.nested is None:
            parent.nested = set()
        parent.nested.add(self)
        self.hurried = parent.keeper.hurried or parent.is_overdue
        if self.rng is None and isinstance(parent.keeper, Engine):
            self.rng = self.budget.rng = parent.keeper.rng

    @enable_ki_protection
    async def _main(self) -> None:
        with trio.CancelScope(shield=True):
            try:
                await self.boot()
                self._booted.value = True
                self._is_busy = False
                if self.ending is None and wanted(SupervisorStarted):
                    tell(SupervisorStarted(supervisor=self.path), self.interrupt)
                while (message := await self._next()) is not None:
                    self._is_busy = True
                    if isinstance(message, Incarnation):
                        # Those who wait for the exit run after this step, and see what
                        # came of it.
                        message.announce()
                    work = self.handle(message)
                    if work is not None:
                        await work
                    self._is_busy = False
                    del message, work  # or the last child to end would be kept until the next
            except BaseException as error:  # noqa: BLE001  it goes on up, after the children
                self.interrupt(error)
            self._is_busy = True
            self._booted.value = True
            try:
                await self._await_body()
                await self.stop_all()
            except BaseException as error:  # noqa: BLE001  as above
                self.interrupt(error)
                self.hurry()
                await self.sleeper.until(lambda: self.running == 0)
        self._close()

    def _close(self) -> None:
        self.closed = True
        self._booted.value = True
        if self.parent is not None and self.parent.nested is not None:
            self.parent.nested.discard(self)
        self._refuse_orders()
        for entry in list(self.entries.values()):
            self.dismiss(entry)
        self._closed.value = True
        if wanted(SupervisorStopped):
            reason = self.ending or "finished"
            tell(SupervisorStopped(supervisor=self.path, reason=reason), self.interrupt)

    async def _await_body(self) -> None:
        """Wait until the body has ended; answer what it may itself wait for."""
        self._refuse_orders()
        self.cut_short()
        for entry in list(self.entries.values()):
            if entry.run is None:  # and nothing is started any more
                self.dismiss(entry)
        while True:
            while self.inbox:
                message = self.inbox.popleft()
                if isinstance(message, Incarnation):
                    message.announce()
                    if message.entry.run is message:
                        self.settle(message)
            if self.body_ended:
                return
            await self.sleeper.sleep(math.inf)

    def _refuse_orders(self) -> None:
        for message in self.inbox:
            if isinstance(message, Request):
                message.refuse(SupervisorClosed(self.path))
        exits = [message for message in self.inbox if isinstance(message, Incarnation)]
        self.inbox = deque(exits)

    def dismiss(self, entry: Entry) -> None:
        if entry.request is not None:
            entry.request.refuse(SupervisorClosed(self.path))
            entry.request = None
        for stopper in entry.stoppers or ():
            stopper.answer(entry.last_exit)
        entry.stoppers = None
        entry.forget()

    # What the two kinds do each in its own way

    @property
    @abstractmethod
    def kind(self) -> Strategy | Literal["dynamic"]:
        """The strategy, as a snapshot shows it."""

    @abstractmethod
    def enroll(self, context: Context) -> None:
        """Enter the first children into the book."""

    @abstractmethod
    async def boot(self) -> None:
        """Start the first children, in order."""

    @abstractmethod
    def handle(self, message: Message) -> Awaitable[None] | None:
        """Do one thing; return what is left to wait for, if anything."""

    @abstractmethod
    def cut_short(self) -> None:
        """Cut short what somebody waits for."""

    @abstractmethod
    def settle(self, run: Incarnation) -> None:
        """Let go of a child that has ended and is not started again."""

    @abstractmethod
    async def stop_all(self) -> None:
        """Stop and join every child."""

    # The queue

    def post(self, message: Message) -> None:
        self.inbox.append(message)
        self.sleeper.poke()

    async def _next(self) -> Message | None:
        while self.ending is None:
            if len(self._dues):
                now = trio.current_time()
                while (entry := self._dues.pop_due(now)) is not None:
                    assert isinstance(entry.retry, Retry)
                    self.inbox.append(entry.retry)
            if self.inbox:
                return self.inbox.popleft()
            await self.sleeper.sleep(self._dues.next_due)
        return None

    # What incarnations tell (see Keeper)

    def set_timer(self, run: Incarnation, due: float) -> None:
        """Let *run* be told at that time, in seconds, and at none set before."""
        run.timed = True
        self.sleeper.set_timer(run, due)

    def note_ready(self, run: Incarnation) -> None:
        """Let whoever started it go on."""
        request = run.entry.request
        if request is not None and not request.withdrawn:
            run.entry.request = None
            request.answer(run.entry.child)

    def note_ended(self, run: Incarnation) -> None:
        self.running -= 1
        self.post(run)
        if self._is_busy and run is not self.joining:
            run.announce()  # whoever waits may be what the loop waits for

    @enable_ki_protection
    def interrupt(self, error: BaseException) -> None:
        """Stop everything, and let *error* go on up, bare."""
        if self.fatal is None:
            self.fatal = error
        self.end("interrupted")

    @enable_ki_protection
    def end(self, cause: str, reason: str | None = None) -> None:
        """Begin to end; nothing is started any more."""
        if self.ending is None:
            self.ending = cause
        if cause == "finished":
            self.body_ended = True
        else:
            why = cause if reason is None else f"{cause}: {reason}"
            self.body_scope.cancel(reason=f"trio_foundation: supervisor {self.path!r}: {why}")
        if self.joining is not None:
            self.joining.leave()
        if not self.closed:
            self.sleeper.poke()

    @enable_ki_protection
    def hurry(self) -> None:
        """Cancel all that runs in the tree, cleaning up included."""
        self.hurried = True
        if self.ending is None:
            self.end("hurried")
        for entry in list(self.entries.values()):
            if entry.run is not None:
                entry.run.hurry()

    # Children in the book

    def check_open(self) -> None:
        """Raise `SupervisorClosed` once the end has begun."""
        if self.ending is not None or self._nursery is None:
            raise SupervisorClosed(self.path or self.name)

    def check_significant(self, spec: ChildSpec) -> None:
        """Refuse a significant child whose end would mean nothing."""
        if spec.significant:
            raise ValueError(
                f"child {spec.name!r} is significant, but supervisor {self.name!r} never ends for "
                "its children: open it with auto_shutdown='any_significant' or 'all_significant'"
            )

    def spawn(self, entry: Entry, *, is_restart: bool = False) -> Incarnation:
        """Return a new incarnation."""
        assert self._nursery is not None
        if entry.last_exit is not None:
            forget_frames(entry.last_exit.error)
        if entry.retry is not None:
            self.unschedule(entry)
        entry.incarnations += 1
        entry.restarts += is_restart
        now = trio.current_time()
        run = Incarnation(entry, entry.incarnations, now)
        entry.run = run
        entry.leader = None
        entry.become("starting")
        self.running += 1
        if self.audience.is_there and wanted(ChildStarted):
            started = ChildStarted(supervisor=self.path, child=entry.name, incarnation=run.number)
            tell(started, self.interrupt)
        if entry.context is None:
            _launch(self._nursery, run)
        else:
            entry.context.run(_launch, self._nursery, run)
        if not entry.spec.takes_task_status:
            run.be_ready(now)
        elif entry.spec.ready_within != math.inf:
            self.set_timer(run, now + entry.spec.ready_within)
        return run

    # Restarts

    def plan_restart(self, run: Incarnation) -> float:
        """Return how long the restart is put off, in seconds."""
        run.entry.run = None
        return self.budget.plan(run)

    def schedule(self, entry: Entry, delay: float) -> None:
        """Let the restart come due after *delay* seconds; with 0, in its turn."""
        retry = Retry(entry)
        entry.retry = retry
        entry.leader = entry
        entry.become("backing_off")
        if delay > 0:
            self._dues.set(entry, trio.current_time() + delay)
        else:
            self.inbox.append(retry)
            self.sleeper.poke()

    def unschedule(self, entry: Entry) -> None:
        """Call off the restart that is due, if any."""
        if entry.retry is not None:
            entry.retry = None
            self._dues.clear(entry)

    def admit(self, entry: Entry) -> bool:
        """Return whether *entry* may be restarted now; if not, give up."""
        failure = self.budget.admit(entry)
        if failure is not None:
            self.fail(failure)
        return failure is None

    def fail(self, failure: SupervisorFailed) -> None:
        if self.failure is None and self.ending is None:
            self.failure = failure
        self.end("failed")

    def start_failure(self, entry: Entry) -> ChildStartFailed:
        exit = entry.last_exit
        error = None if exit is None else exit.error
        why = "it was stopped" if error is None else describe(error)
        failure = ChildStartFailed(self.path, entry.name, why)
        failure.__cause__ = error
        return failure

    def restarts_in_window(self) -> int:
        return 0 if self.closed else self.budget.window.count(trio.current_time())

    # Orders

    @enable_ki_protection
    async def ask(self, verb: Verb, subject: object) -> object:
        """Queue an order, and return the answer."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.check_open()
        request = Request(verb, subject, by=find_caller(self, self.joining))
        self.post(request)
        return await request.wait()

    def find_for(self, request: Request) -> Entry | None:
        """Return the entry that a request names, or refuse it."""
        try:
            return self.book.find(str(request.subject))
        except LookupError as missing:
            request.refuse(missing)
            return None

    async def wait_booted(self) -> None:
        """Wait until the first children are ready, or one is not."""
        await self._booted.wait_value(bool)

    async def wait_closed(self) -> None:
        await self._closed.wait_value(bool)


def _launch(nursery: trio.Nursery, run: Incarnation) -> None:
    # Trio gives the task a copy of the context that it is started in. Only that copy is to
    # say who the child is: the captured one would keep the incarnation alive. It says so from
    # the beginning, not from the first step on, for whoever is told of new tasks.
    before = CURRENT.set(run)
    try:
        entry = run.entry
        nursery.start_soon(run.main, name=f"{entry.keeper.path}/{entry.name}")
    finally:
        CURRENT.reset(before)
