"""A supervisor whose children are started, restarted and stopped in order.

While it does one thing, all else waits; only its own end cuts it short.
"""

from __future__ import annotations

from contextvars import Context
from functools import partial
from typing import final

import attrs

from ._caller import is_within, waits_for_itself
from ._engine import Engine, Message, Retry
from ._entry import Entry
from ._errors import ChildRunning, SupervisorClosed
from ._incarnation import Incarnation
from ._requests import Request, StartOrder
from ._rules import ends_supervisor, is_restarted, restart_group
from ._rules._words import AutoShutdown, Strategy
from ._spec import ChildSpec

__all__ = ["StaticEngine"]


@final
@attrs.define(eq=False, kw_only=True)
class StaticEngine(Engine):
    specs: tuple[ChildSpec, ...] = ()
    strategy: Strategy = "one_for_one"
    auto_shutdown: AutoShutdown = "never"

    @property
    def kind(self) -> Strategy:
        return self.strategy

    def check_significant(self, spec: ChildSpec) -> None:
        if self.auto_shutdown == "never":
            Engine.check_significant(self, spec)

    # From first to last

    def enroll(self, context: Context) -> None:
        given = frozenset(spec.name for spec in self.specs if spec.is_named)
        for spec in self.specs:
            self.book.register(spec, context, reserved=given)

    async def boot(self) -> None:
        """Start the first children, each ready before the next; one failure is final."""
        for entry in list(self.entries.values()):
            if self.ending is not None:
                return
            if not await self._is_started(self.spawn(entry)):
                self.fail(self.start_failure(entry))

    async def stop_all(self) -> None:
        """Stop the children newest first, each gone before the next is asked."""
        for entry in reversed(list(self.entries.values())):
            await self._halt(entry, self.ending or "finished")
            self.dismiss(entry)

    def cut_short(self) -> None:
        """Do nothing: the loop itself did what could be cut short."""

    def settle(self, run: Incarnation) -> None:
        self.dismiss(run.entry)

    async def handle(self, message: Message) -> None:
        if isinstance(message, Incarnation):
            if message.entry.run is message:  # else it was replaced, or stopped meanwhile
                await self._on_exit(message)
        elif isinstance(message, Retry):
            if message.entry.retry is message:
                await self._attempt(message.entry)
        elif isinstance(message, Entry):
            await self._on_start_soon(message)
        elif not message.is_void:
            await {"start": self._on_start, "restart": self._on_restart, "stop": self._on_stop}[
                message.verb
            ](message)

    # Exits and restarts

    async def _on_exit(self, run: Incarnation) -> None:
        assert run.exit is not None
        entry = run.entry
        was_ready = run.ready_at is not None
        if is_restarted(entry.spec.restart, run.exit.reason, was_ready=was_ready):
            await self._restart(run, at_once=was_ready)
            return
        entry.run = None
        self._put_to_rest(entry)
        others = (other for other in self.entries.values() if other is not entry)
        if entry.spec.significant and ends_supervisor(
            self.auto_shutdown,
            others_remain=any(other.spec.significant and not other.at_rest for other in others),
        ):
            self.end("auto_shutdown")

    async def _restart(self, run: Incarnation, *, at_once: bool) -> None:
        entry = run.entry
        delay = self.plan_restart(run)
        if delay == 0 and at_once:
            await self._attempt(entry)
            return
        # A failed start is tried again in its turn, so that orders and other exits get
        # theirs: a child that never starts must not keep the supervisor to itself.
        self.schedule(entry, delay)
        if delay > 0:
            await self._halt_siblings(entry)

    async def _attempt(self, leader: Entry) -> None:
        self.unschedule(leader)
        if not self.admit(leader):
            return
        group = await self._halt_siblings(leader)
        for place, entry in enumerate(group):
            if self.ending is not None:
                return
            if entry.forgotten:  # deleted meanwhile
                continue
            run = self.spawn(entry, is_restart=True)
            if not await self._is_started(run):
                # From here on the one that failed leads, and the rest of the group waits.
                for waiting in group[place + 1 :]:
                    waiting.leader = entry
                await self._restart(run, at_once=False)
                return

    async def _is_started(self, run: Incarnation) -> bool:
        """Return whether *run* is ready, or need not be."""
        await self._settle(run)
        if run.ready_at is not None:
            return True
        run.entry.run = None
        if run.ignored:
            self._put_to_rest(run.entry, ignored=True)
        return run.ignored or self.ending is not None

    async def _halt_siblings(self, leader: Entry) -> list[Entry]:
        """Return the group of *leader*, oldest first, when all but it are stopped."""
        if self.strategy == "one_for_one":
            return [leader]
        leader.become("backing_off")  # the siblings may take their time to stop
        # Those that are to be started for the first time come after this, in their turn.
        members = [one for one in self.entries.values() if one.incarnations or one.at_rest]
        group = restart_group(self.strategy, members, leader)
        for entry in reversed(group):
            if entry is leader:
                continue
            if self.ending is not None:
                break
            await self._halt(entry, self.strategy, to_return=entry.spec.restart != "temporary")
            if entry.forgotten:
                continue  # deleted meanwhile
            if entry.spec.restart == "temporary":
                self.book.drop(entry)
            else:
                self.unschedule(entry)
                entry.leader = leader
                entry.become("backing_off")
        return [entry for entry in group if not entry.forgotten]

    async def _settle(self, run: Incarnation) -> None:
        """Wait until *run* is ready or has ended; the end of the supervisor cuts it short."""
        self.joining = run
        await self.sleeper.until(lambda: run.ready_at is not None or run.ended or self.ending)
        self.joining = None
        if run.ready_at is None:
            run.cancel(self.ending or "finished")
            await self._join(run)
        elif run.ended:
            run.announce()  # its exit is handled in its turn, but may be waited for until then

    async def _join(self, run: Incarnation) -> None:
        """Wait until *run* has ended; who waits for its exit sees what came of it."""
        for message in self.inbox:
            if isinstance(message, Request) and is_within(message.by, run):
                message.turn_down(waits_for_itself(run, self.path))
        self.joining = run
        await self.sleeper.until(lambda: run.ended)
        self.joining = None
        run.announce()
        if run in self.inbox:
            self.inbox.remove(run)  # a thousand that are joined would be looked through above

    async def _halt(self, entry: Entry, cause: str, *, to_return: bool = False) -> None:
        run = entry.run
        if run is not None:
            run.stop(cause, to_return=to_return)
            await self._join(run)
            entry.run = None

    def _put_to_rest(self, entry: Entry, *, ignored: bool = False) -> None:
        entry.rest("ignored" if ignored else "stopped")
        if entry.spec.restart == "temporary":
            self.book.drop(entry)

    # Orders

    async def _on_start_soon(self, entry: Entry) -> None:
        if entry.incarnations or entry.at_rest:
            return  # a group restart or a stop came first
        run = self.spawn(entry)
        if not await self._is_started(run):
            await self._on_exit(run)

    async def _on_start(self, request: Request) -> None:
        order = request.subject
        assert isinstance(order, StartOrder)
        try:
            self.check_significant(order.spec)
            entry = self.book.register(order.spec, order.context)
        except ValueError as refused:
            request.refuse(refused)
            return
        if not await self._start_for(request, entry):
            self.book.drop(entry)

    async def _on_restart(self, request: Request) -> None:
        entry = self.find_for(request)
        if entry is None:
            return
        if not entry.at_rest:
            request.refuse(ChildRunning(self.path, entry.name, entry.state))
            return
        if not await self._start_for(request, entry):
            entry.rest()

    async def _start_for(self, request: Request, entry: Entry) -> bool:
        """Start *entry* for a caller; return whether it counts as started."""
        request.begun = True
        entry.request = request
        run = self.spawn(entry)
        request.on_withdrawn = partial(run.cancel, "its start was cancelled")
        if request.withdrawn:  # while the start was told
            request.on_withdrawn()
        await self._settle(run)
        entry.request = None
        if run.ready_at is not None and not request.withdrawn:
            return True
        await self._join(run)
        entry.run = None
        if run.ignored:
            self._put_to_rest(entry, ignored=True)
            request.answer(entry.child)
            return True
        if self.ending is not None:
            request.refuse(SupervisorClosed(self.path))
        else:
            request.refuse(self.start_failure(entry))
        return False

    async def _on_stop(self, request: Request) -> None:
        entry = self.find_for(request)
        if entry is None:
            return
        request.begun = True
        run = entry.run
        if run is not None:
            if is_within(request.by, run):
                run.stop("stop_child", ask=False)
                request.answer(None)  # if it is shielded, it would wait for itself
            await self._halt(entry, "stop_child")
        for other in list(self.entries.values()):
            if other.leader is entry and other is not entry:
                other.rest()  # it waited for a restart that is not going to be
        self.unschedule(entry)
        if not entry.at_rest:
            self._put_to_rest(entry)
        request.answer(None if run is None else run.exit)

    def delete(self, name: str) -> ChildSpec:
        """Forget a child that is stopped, and return its spec."""
        self.check_open()
        entry = self.book.find(name)
        if not entry.at_rest:
            raise ChildRunning(self.path, name, entry.state)
        self.book.drop(entry)
        return entry.spec

    # What starts without being waited for

    def start_soon(self, spec: ChildSpec, context: Context) -> Entry:
        """Return the entry of a new child, to be started in its turn."""
        self.check_open()
        self.check_significant(spec)
        entry = self.book.register(spec, context)
        self.post(entry)
        return entry

    def note_ready(self, run: Incarnation) -> None:
        """Let whoever started it go on, and the loop."""
        Engine.note_ready(self, run)
        self.sleeper.poke()
