"""A supervisor whose children come and go by the thousand.

Nothing waits its turn: children start at once, and at the end all are stopped together.
"""

from __future__ import annotations

import math
from contextvars import Context, copy_context
from functools import partial
from typing import Literal, final

import attrs
import trio

from ._caller import find_caller, is_within
from ._engine import Engine, Message, Retry
from ._entry import Entry
from ._errors import SupervisorClosed, TooManyChildren
from ._incarnation import Incarnation
from ._requests import Request
from ._rules import is_restarted
from ._spec import ChildSpec

__all__ = ["DynamicEngine"]


@final
@attrs.define(eq=False, kw_only=True)
class DynamicEngine(Engine):
    max_children: float = math.inf

    @property
    def kind(self) -> Literal["dynamic"]:
        return "dynamic"

    def enroll(self, context: Context) -> None:
        """Enter nobody."""

    async def boot(self) -> None:
        """Start nobody."""

    async def stop_all(self) -> None:
        """Ask and cancel all children at once, and join them."""
        for entry in list(self.entries.values()):
            if entry.run is not None:
                entry.run.stop(self.ending or "finished")
        while self.running or self.inbox:
            while self.inbox:
                message = self.inbox.popleft()
                if isinstance(message, Incarnation) and message.entry.run is message:
                    self.settle(message)
            if self.running:
                await self.sleeper.sleep(math.inf)

    def cut_short(self) -> None:
        """Cancel the children that somebody waits for to be ready."""
        for entry in self.entries.values():
            if entry.request is not None and entry.run is not None:
                entry.run.cancel(self.ending or "finished")

    def settle(self, run: Incarnation) -> None:
        if run.entry.request is not None:
            self._on_failed_start(run, run.entry.request)
        else:
            self._forget(run.entry, run)

    def handle(self, message: Message) -> None:
        if isinstance(message, Incarnation):
            if message.entry.run is message:
                self._on_exit(message)
        elif isinstance(message, Retry):
            if message.entry.retry is message:
                self._attempt(message.entry)
        elif isinstance(message, Request) and not message.is_void:
            self._on_stop(message)

    # Starting

    def start_soon(self, spec: ChildSpec) -> Entry:
        """Return the entry of a child that runs at the next step."""
        self.check_open()
        if spec.significant:
            self.check_significant(spec)
        if len(self.entries) >= self.max_children:
            raise TooManyChildren(self.path, int(self.max_children))
        # One that is not started again needs no copy of the context kept for that.
        context = None if spec.restart == "temporary" else copy_context()
        entry = self.book.register(spec, context)
        self.spawn(entry)
        return entry

    async def start(self, spec: ChildSpec) -> Entry:
        await trio.lowlevel.checkpoint_if_cancelled()
        find_caller(self, self.joining)
        entry = self.start_soon(spec)
        run = entry.run
        assert run is not None
        if run.ready_at is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return entry
        entry.request = Request("start", entry, begun=True)
        entry.request.on_withdrawn = partial(run.cancel, "its start was cancelled")
        await entry.request.wait()
        return entry

    # Exits and restarts

    def _on_exit(self, run: Incarnation) -> None:
        entry = run.entry
        assert run.exit is not None
        was_ready = run.ready_at is not None
        if entry.request is not None:
            self._on_failed_start(run, entry.request)
        elif run.ignored or run.ending == "stopped" or entry.stoppers:
            self._forget(entry, run)
        elif is_restarted(entry.spec.restart, run.exit.reason, was_ready=was_ready):
            delay = self.plan_restart(run)
            if delay == 0 and was_ready:
                self._attempt(entry)
            else:
                self.schedule(entry, delay)
        else:
            self._forget(entry, run)

    def _on_failed_start(self, run: Incarnation, request: Request) -> None:
        entry = run.entry
        entry.request = None
        self._forget(entry, run)
        if run.ignored:
            request.answer(entry.child)
        elif self.ending is not None:
            request.refuse(SupervisorClosed(self.path))
        else:
            request.refuse(self.start_failure(entry))

    def _attempt(self, entry: Entry) -> None:
        self.unschedule(entry)
        if self.admit(entry):
            self.spawn(entry, is_restart=True)

    def _forget(self, entry: Entry, run: Incarnation) -> None:
        stoppers, entry.stoppers = entry.stoppers, None
        if run.ignored:
            entry.rest("ignored")
        self.book.drop(entry)
        for stopper in stoppers or ():
            stopper.answer(run.exit)

    # Orders

    def _on_stop(self, request: Request) -> None:
        request.begun = True
        entry = self.find_for(request)
        if entry is None:
            return
        run = entry.run
        if run is None:  # its restart is due
            self.unschedule(entry)
            self.book.drop(entry)
            request.answer(None)
            return
        entry.stoppers = [*(entry.stoppers or ()), request]
        if run.ended:
            self.settle(run)
        else:
            by_itself = is_within(request.by, run)
            run.stop("stop_child", ask=not by_itself)
            if by_itself:
                request.answer(None)  # if it is shielded, it would wait for itself
