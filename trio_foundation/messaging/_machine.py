"""What runs the table of a server with states."""

from __future__ import annotations

from collections import deque
from typing import Literal, final

from ._box import Box
from ._request import Call, Request, Tick
from ._rules import Appointment, Table
from ._server import Job, Steering
from ._state_server import StateServer, WrongState
from ._users_code import run, run_method

__all__ = ["Machine"]


@final
class Machine:
    """The state of one incarnation of a `StateServer`."""

    __slots__ = (
        "_box",
        "_chosen",
        "_is_moving",
        "_left",
        "_loop",
        "_server",
        "_table",
        "_ticks",
        "_timeout",
        "is_broken",
        "state",
    )

    def __init__(self, loop: Steering, box: Box, server: StateServer) -> None:
        self._loop = loop
        self._box = box
        self._server = server
        self._table = _table_of(server)
        self._chosen: str | None = None
        self._is_moving = False
        self._ticks: set[int] = set()
        """The timers set aside, by the identity of their jobs."""
        self._left = False
        """Whether the caller of a message set aside has left."""
        self.is_broken = False
        """Whether a move between states has failed; no `CallError` refuses that."""
        self._timeout: Appointment[Job] | None = None
        self.state = self._table.initial

    async def begin(self) -> None:
        """Enter the first state, and try what an earlier incarnation had set aside."""
        await self._enter(self.state)
        self._try_again()

    def is_postponed(self, request: Request) -> bool:
        """Set a message aside that waits for another state; return whether it does."""
        if self._table.reaction(self.state, request.method) != "postpone":
            return False
        box = self._box
        if box.postponed is None:
            box.postponed = []
        if isinstance(request, Tick):
            if id(request.job) not in self._ticks:  # else it is one of the times left out
                self._ticks.add(id(request.job))
                box.postponed.append(request)
            return True
        if self._is_full(box.postponed) and self._left:
            self._pass_over_abandoned(box.postponed)
        if self._is_full(box.postponed):
            box.give_up(request)
            return True
        box.store.set_aside()
        box.postponed.append(request)
        if isinstance(request, Call):
            request.on_abandoned = self._note_abandoned
        return True

    def is_waited_for(self) -> bool:
        """Return whether a message set aside is still wanted."""
        if self._left and self._box.postponed is not None:
            self._pass_over_abandoned(self._box.postponed)
        return self._box.store.aside > 0

    def forget_timer(self, job: Job) -> None:
        self._ticks.discard(id(job))

    def _is_full(self, postponed: list[Request]) -> bool:
        return len(postponed) - len(self._ticks) >= self._box.store.capacity

    def _note_abandoned(self) -> None:
        self._left = True

    def _pass_over_abandoned(self, postponed: list[Request]) -> None:
        self._left = False
        for request in postponed:
            if request.is_abandoned:
                self._box.store.take_up()
                self._box.pass_over(request)
        postponed[:] = [request for request in postponed if not request.is_abandoned]

    async def handle(self, request: Request) -> object:
        """Run a message's method, and go where it leads."""
        method = request.method
        if self._table.reaction(self.state, method) == "refuse":
            handled = self._table.handled_in(self.state)
            raise WrongState(self._box.name, method, self.state, handled)
        self._chosen = None
        value = await run_method(self._server, request)
        self.is_broken = True  # unless all that follows goes well
        target = self._target(method)
        if target != self.state:
            await self._change(target)
        self.is_broken = False
        return value

    def become(self, state: str) -> None:
        current = self._box.current
        if current is None or current.kind == "own" or self._is_moving:
            raise RuntimeError(
                "become works in the method of a message only, and takes effect when it returns"
            )
        targets = self._table.targets(self.state, current.method)
        if state not in targets:
            raise ValueError(
                f"in state {self.state!r}, {current.method!r} leads to {_either(targets)}, "
                f"not to {state!r}"
            )
        self._chosen = state

    def _target(self, method: str) -> str:
        targets = self._table.targets(self.state, method)
        if self._chosen is not None:
            return self._chosen
        if len(targets) == 1:
            return targets[0]
        if self.state in targets:
            return self.state
        raise RuntimeError(
            f"in state {self.state!r}, {method!r} has to choose where it leads to, {_either(targets)}"
            f": call self.become({targets[0]!r}), for example"
        )

    async def _change(self, target: str) -> None:
        await self._act("exit")
        if self._timeout is not None:
            self._loop.call_off(self._timeout)
            self._timeout = None
        await self._enter(target)
        self._try_again()

    def _try_again(self) -> None:
        box = self._box
        # Whatever is still to be tried came after all that was set aside.
        if box.retry is None:
            box.retry = deque()
        box.retry.extendleft(reversed(box.postponed or ()))
        box.postponed = None
        self._ticks.clear()

    async def _enter(self, state: str) -> None:
        self.state = self._box.state = state
        timeout = self._table.rows[state].timeout
        if timeout is not None:
            seconds, method = timeout
            self._timeout = self._loop.set_timer(method, (), after=seconds, every=None)
        await self._act("enter")

    async def _act(self, moment: Literal["enter", "exit"]) -> None:
        row = self._table.rows[self.state]
        action = row.enter if moment == "enter" else row.exit
        if action is not None:
            self._is_moving = True
            try:
                await run(getattr(self._server, action))
            finally:
                self._is_moving = False


def _table_of(server: StateServer) -> Table:
    table: Table | None = getattr(type(server), "_table", None)
    if table is None:
        name = type(server).__name__
        raise TypeError(f"{name} has no states: write states = {{'ready': State({{...}})}} in it")
    return table


def _either(states: tuple[str, ...]) -> str:
    return " or ".join(repr(state) for state in states)
