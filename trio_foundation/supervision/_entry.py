"""What a supervisor keeps about one child, over all its incarnations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, final

import attrs

from .._waiting import State
from ._exit import Exit
from ._report import say
from ._rules._words import ChildState

if TYPE_CHECKING:  # these three know one another
    from ._child import Child
    from ._incarnation import Incarnation, Keeper
    from ._requests import Request
    from ._spec import ChildSpec

__all__ = ["Entry", "Hooks"]


@final
class Hooks:
    """Callbacks in order of registration, each with its own removal."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[..., object]] = {}

    def add(self, callback: Callable[..., object]) -> Callable[[], None]:
        """Add a callback; return what removes it."""
        key = object()
        self._callbacks[key] = callback

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def call(self, interrupt: Callable[[BaseException], None], *args: object) -> None:
        """Call them all; log an Exception, and give *interrupt* what is none."""
        for key in list(self._callbacks):
            callback = self._callbacks.get(key)
            if callback is None:  # removed by one before it
                continue
            try:
                callback(*args)
            except Exception:  # noqa: BLE001  see above
                message = "a callback of a child raised, and is ignored: %r"
                say(logging.ERROR, message, callback, exc_info=True)
            except BaseException as error:  # noqa: BLE001  it goes on up, after the bookkeeping
                interrupt(error)


@final
@attrs.define(eq=False)
class Entry:
    name: str
    spec: ChildSpec
    keeper: Keeper
    context: Context | None
    """Of whoever handed over the spec; None if the child is started once and at once."""

    child: Child[Any] = attrs.field(init=False)
    run: Incarnation | None = attrs.field(init=False, default=None)
    """The incarnation not yet noticed to be gone."""
    state: ChildState = attrs.field(init=False, default="starting")
    incarnations: int = attrs.field(init=False, default=0)
    restarts: int = attrs.field(init=False, default=0)
    attempt: int = attrs.field(init=False, default=0)
    value: Any = attrs.field(init=False, default=None)
    last_exit: Exit | None = attrs.field(init=False, default=None)
    status: object = attrs.field(init=False, default=None)
    forgotten: bool = attrs.field(init=False, default=False)
    """Gone for good."""
    leader: Entry | None = attrs.field(init=False, default=None)
    """The child whose restart it waits for: itself or a sibling."""
    retry: object = attrs.field(init=False, default=None)
    """The restart that is due; any other is void."""
    request: Request | None = attrs.field(init=False, default=None)
    """The start that waits for it to be ready."""
    stoppers: list[Request] | None = attrs.field(init=False, default=None)
    """Who waits for it to be stopped, in a dynamic supervisor."""

    on_state: Hooks | None = attrs.field(init=False, default=None)
    on_exit: Hooks | None = attrs.field(init=False, default=None)
    on_gone: Hooks | None = attrs.field(init=False, default=None)
    on_forgotten: Hooks | None = attrs.field(init=False, default=None)
    _watched: State[tuple[ChildState, int]] | None = attrs.field(init=False, default=None)

    @property
    def path(self) -> str:
        return self.keeper.path

    @property
    def alive(self) -> bool:
        """Whether an incarnation is running at this very moment."""
        return self.run is not None and not self.run.ended

    async def wait(self, is_so: Callable[[ChildState], bool]) -> ChildState:
        """Return the state when that is so; tried anew at each start too."""
        if self._watched is None:
            self._watched = State((self.state, self.incarnations))
        state, _ = await self._watched.wait_value(lambda now: is_so(now[0]))
        return state

    def become(self, state: ChildState) -> None:
        """Change the state, and tell of it."""
        before = self.state
        self.state = state
        if self._watched is not None:
            self._watched.value = (state, self.incarnations)
        if self.on_state is not None and state != before:
            self.on_state.call(self.keeper.interrupt, state)

    def hook(
        self,
        moment: Literal["on_state", "on_exit", "on_gone", "on_forgotten"],
        callback: Callable[..., object],
    ) -> Callable[[], None]:
        """Have *callback* called at that moment; return what removes it."""
        hooks: Hooks | None = getattr(self, moment)
        if hooks is None:
            hooks = Hooks()
            setattr(self, moment, hooks)
        return hooks.add(callback)

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs and nothing is scheduled."""
        return self.state in {"stopped", "ignored"}

    def rest(self, state: Literal["stopped", "ignored"] = "stopped") -> None:
        """Note that nothing runs and nothing is scheduled."""
        was_at_rest = self.at_rest
        self.run = self.leader = None
        self.become(state)
        if self.on_gone is not None and not was_at_rest:
            self.on_gone.call(self.keeper.interrupt)

    def forget(self) -> None:
        if self.forgotten:
            return
        self.forgotten = True
        self.rest("ignored" if self.state == "ignored" else "stopped")
        if self.on_forgotten is not None:
            self.on_forgotten.call(self.keeper.interrupt)
