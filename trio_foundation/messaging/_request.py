"""Messages to a server."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, final

import outcome
import trio
from trio.lowlevel import Abort, Task

if TYPE_CHECKING:
    from ._store import Store

__all__ = ["HANDLED", "NO_KWARGS", "UNDATED", "Call", "Cast", "Kind", "Own", "Request", "Tick"]

Kind: TypeAlias = Literal["call", "cast", "timer", "own"]

UNDATED: Final = -math.inf
"""The time of an undated cast: older than any timer."""

NO_KWARGS: Final[Mapping[str, Any]] = MappingProxyType({})


class Request:
    __slots__ = ("args", "kwargs", "method", "queued_at")

    kind: ClassVar[Kind]
    is_abandoned: bool = False
    """Whether its caller has left."""

    method: str
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    queued_at: float

    caller: Task | None
    """Who waits for the answer."""


@final
class Cast(Request):
    """Its maker fills it in: an ``__init__`` in Python is slow."""

    __slots__ = ()
    kind: ClassVar[Kind] = "cast"
    caller: Task | None = None


@final
class Tick(Request):
    """A timer of the server itself came due."""

    __slots__ = ("job",)
    kind: ClassVar[Kind] = "timer"
    caller: Task | None = None

    def __init__(self, job: tuple[str, tuple[object, ...]], due: float) -> None:
        self.method, self.args = job
        self.kwargs = NO_KWARGS
        self.queued_at = due
        self.job: tuple[str, tuple[object, ...]] = job
        """The identical object that the timer was set with."""


@final
class Own(Request):
    """``setup`` or ``teardown``."""

    __slots__ = ()
    kind: ClassVar[Kind] = "own"
    caller: Task | None = None

    def __init__(self, method: str) -> None:
        self.method = method
        self.args = ()
        self.kwargs = NO_KWARGS
        self.queued_at = UNDATED


@final
class Call(Request):
    __slots__ = ("caller", "is_abandoned", "line", "on_abandoned", "result")
    kind: ClassVar[Kind] = "call"

    def __init__(
        self,
        method: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        queued_at: float,
    ) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.queued_at = queued_at
        self.caller = None
        self.is_abandoned = False
        self.on_abandoned: Callable[[], None] | None = None
        self.result: outcome.Outcome[Any] | None = None
        """The answer, if it came before the caller waited."""
        self.line: Store[Request] | None = None
        """Where the caller stands in line for room."""

    def settle(self, result: outcome.Outcome[Any]) -> None:
        """Give the caller its answer, unless it has left."""
        caller, self.caller = self.caller, None
        if caller is not None:
            trio.lowlevel.reschedule(caller, result)
        elif not self.is_abandoned:
            self.result = result

    def abandon(self, _: object) -> Abort:
        """Let the caller leave: in line, without sending; in the queue, to be passed over."""
        self.is_abandoned = True
        if self.on_abandoned is not None:
            self.on_abandoned()
        caller, self.caller = self.caller, None
        if self.line is not None and caller is not None:
            self.line.withdraw(caller)
        return Abort.SUCCEEDED


HANDLED: ContextVar[Request | None] = ContextVar("trio_foundation.messaging.handled", default=None)
"""The message handled in this context, or when it was copied."""
