"""What a supervisor keeps about one child, over all its incarnations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, final

import attrs

from .._waiting import State
from ._exit import Exit
from ._rules._words import ChildState

if TYPE_CHECKING:  # these three know one another
    from ._child import Child
    from ._incarnation import Incarnation
    from ._requests import Request
    from ._spec import ChildSpec

__all__ = ["Entry", "Hooks"]

_logger = logging.getLogger("trio_foundation.supervision")


@final
class Hooks:
    """Callbacks in order of registration, each with its own removal.

    One that raises is logged and does not keep the others from being called: they belong
    to other rooms, and an owner's end must reach all of them.
    """

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[..., object]] = {}

    def add(self, callback: Callable[..., object]) -> Callable[[], None]:
        """Add a callback.

        Returns:
            A function that removes it, and may be called again.
        """
        key = object()
        self._callbacks[key] = callback

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def call(self, *args: object) -> None:
        """Call them all."""
        for key in list(self._callbacks):
            callback = self._callbacks.get(key)
            if callback is None:  # removed by one before it
                continue
            try:
                callback(*args)
            except Exception:
                _logger.exception("a callback of a child raised, and is ignored: %r", callback)


@final
@attrs.define(eq=False)
class Entry:
    """A child in the book of its supervisor. `Child` is the handle that users hold."""

    name: str
    spec: ChildSpec
    path: str
    """The path of the supervisor."""
    context: Context
    """The context variables of whoever handed over the spec."""

    child: Child[Any] = attrs.field(init=False)
    run: Incarnation | None = attrs.field(init=False, default=None)
    """The incarnation that has not been noticed to be gone."""
    state: ChildState = attrs.field(init=False, default="starting")
    incarnations: int = attrs.field(init=False, default=0)
    restarts: int = attrs.field(init=False, default=0)
    attempt: int = attrs.field(init=False, default=0)
    value: Any = attrs.field(init=False, default=None)
    last_exit: Exit | None = attrs.field(init=False, default=None)
    status: object = attrs.field(init=False, default=None)
    forgotten: bool = attrs.field(init=False, default=False)
    """Gone for good: it can never be started again."""
    leader: Entry | None = attrs.field(init=False, default=None)
    """The child whose restart it waits for: itself, or a sibling in a group restart."""
    retry: object = attrs.field(init=False, default=None)
    """The restart that is due; a later or an earlier one is void."""
    request: Request | None = attrs.field(init=False, default=None)
    """The start that waits for it to be ready."""
    stoppers: list[Request] | None = attrs.field(init=False, default=None)
    """Those who wait for it to be stopped, in a dynamic supervisor."""

    on_exit: Hooks | None = attrs.field(init=False, default=None)
    on_gone: Hooks | None = attrs.field(init=False, default=None)
    on_forgotten: Hooks | None = attrs.field(init=False, default=None)
    _watched: State[ChildState] | None = attrs.field(init=False, default=None)

    @property
    def alive(self) -> bool:
        """Whether an incarnation is running at this very moment."""
        return self.run is not None and not self.run.ended

    def watch(self) -> State[ChildState]:
        """Return the state as something to wait on; made when the first waiter comes."""
        if self._watched is None:
            self._watched = State(self.state)
        return self._watched

    def become(self, state: ChildState) -> None:
        """Change the state, and wake whoever waited for it."""
        self.state = state
        if self._watched is not None:
            self._watched.value = state

    def hook(
        self,
        moment: Literal["on_exit", "on_gone", "on_forgotten"],
        callback: Callable[..., object],
    ) -> Callable[[], None]:
        """Have *callback* called at that moment.

        Returns:
            A function that removes it, and may be called again.
        """
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
        """Note that nothing runs and nothing is scheduled, from now on."""
        was_at_rest = self.at_rest
        self.run = self.leader = None
        self.become(state)
        if self.on_gone is not None and not was_at_rest:
            self.on_gone.call()

    def forget(self) -> None:
        """Note that it is gone for good."""
        self.rest("ignored" if self.state == "ignored" else "stopped")
        self.forgotten = True
        if self.on_forgotten is not None:
            self.on_forgotten.call()
