"""The errors of supervisors, and two that children raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from .._base import FoundationError
from ._rules._words import ChildState

if TYPE_CHECKING:  # an exit tells of errors, and an error of exits
    from ._exit import Exit

__all__ = [
    "ChildExists",
    "ChildNotFound",
    "ChildRunning",
    "ChildStartFailed",
    "IgnoreChild",
    "RestartLimitReached",
    "ShutdownChild",
    "SupervisorClosed",
    "SupervisorFailed",
    "TooManyChildren",
]


class SupervisorFailed(FoundationError):
    """The base of `ChildStartFailed` and `RestartLimitReached`: catch it for both.

    Example:
        >>> issubclass(RestartLimitReached, SupervisorFailed)
        True
    """

    supervisor: str
    """The supervisor's path, as ``app/web``."""


@final
class ChildStartFailed(SupervisorFailed):
    """A child ended before it was ready; its error, if any, is the ``__cause__``.

    Example:
        >>> print(ChildStartFailed("app", "db", "OSError: no route to host"))
        child 'db' of supervisor 'app' failed to start: OSError: no route to host
    """

    child: str
    """The child's name."""

    why: str
    """What ended it, in words."""

    def __init__(self, supervisor: str, child: str, why: str) -> None:
        super().__init__(supervisor, child, why)
        self.supervisor = supervisor
        self.child = child
        self.why = why

    def __str__(self) -> str:
        return f"child {self.child!r} of supervisor {self.supervisor!r} failed to start: {self.why}"


@final
class RestartLimitReached(SupervisorFailed):
    """A supervisor gave up: its children failed more often than its limit allows.

    The ``__cause__`` is the last crash, if that raised anything, with its traceback as text in a
    note; of an outer supervisor, the `RestartLimitReached` of the inner one.

    Example:
        >>> print(RestartLimitReached("app", "poll", 3, 5.0, ()))
        supervisor 'app' gave up: child 'poll' failed again, and the limit of 3 restarts in \
5 seconds is spent
    """

    child: str
    """The child that went over the limit."""

    max_restarts: int
    """The limit: so many restarts..."""

    within: float
    """... in so many seconds."""

    exits: tuple[Exit, ...]
    """The failures that spent it, oldest first; at most the last hundred."""

    body_error: BaseException | None
    """What the body raised when it was cancelled, if anything."""

    def __init__(
        self,
        supervisor: str,
        child: str,
        max_restarts: int,
        within: float,
        exits: tuple[Exit, ...],
    ) -> None:
        super().__init__(supervisor, child, max_restarts, within, exits)
        self.supervisor = supervisor
        self.child = child
        self.max_restarts = max_restarts
        self.within = within
        self.exits = exits
        self.body_error = None

    def __str__(self) -> str:
        is_orderly = bool(self.exits) and self.exits[-1].reason in {"returned", "shutdown"}
        ended = ("ended" if is_orderly else "failed") + (" again" if self.max_restarts else "")
        restarts = "1 restart" if self.max_restarts == 1 else f"{self.max_restarts} restarts"
        return (
            f"supervisor {self.supervisor!r} gave up: child {self.child!r} {ended}, and "
            f"the limit of {restarts} in {self.within:g} seconds is spent"
        )


@final
class ChildExists(FoundationError, ValueError):
    """There is a child of that name already.

    Example:
        >>> print(ChildExists("app", "web", "stopped"))
        supervisor 'app' already has a child 'web' (stopped): restart_child('web') starts it, \
delete_child('web') makes room for another
    """

    supervisor: str
    """The supervisor's path."""

    child: str
    """The child's name."""

    state: ChildState
    """Its state."""

    def __init__(self, supervisor: str, child: str, state: ChildState) -> None:
        super().__init__(supervisor, child, state)
        self.supervisor = supervisor
        self.child = child
        self.state = state

    def __str__(self) -> str:
        advice = (
            f"restart_child({self.child!r}) starts it, delete_child({self.child!r}) makes room "
            "for another"
            if self.state in {"stopped", "ignored"}
            else "give the new one another name=, or none"
        )
        return (
            f"supervisor {self.supervisor!r} already has a child {self.child!r} "
            f"({self.state}): {advice}"
        )


@final
class ChildNotFound(FoundationError, LookupError):
    """There is no child of that name, or not any more.

    Example:
        >>> print(ChildNotFound("app", "wbe", ("web", "db")))
        supervisor 'app' has no child 'wbe'; it has 'web', 'db'
    """

    supervisor: str
    """The supervisor's path."""

    child: str
    """The name asked for."""

    children: tuple[str, ...]
    """The names that there are; at most the first ten."""

    def __init__(self, supervisor: str, child: str, children: tuple[str, ...]) -> None:
        super().__init__(supervisor, child, children)
        self.supervisor = supervisor
        self.child = child
        self.children = children

    def __str__(self) -> str:
        known = ", ".join(repr(name) for name in self.children) or "none"
        return f"supervisor {self.supervisor!r} has no child {self.child!r}; it has {known}"


@final
class ChildRunning(FoundationError):
    """The child has to be stopped first.

    Example:
        >>> print(ChildRunning("app", "web", "running"))
        child 'web' of supervisor 'app' is running: stop_child('web') first
    """

    supervisor: str
    """The supervisor's path."""

    child: str
    """The child's name."""

    state: ChildState
    """Its state; see `Child.state`."""

    def __init__(self, supervisor: str, child: str, state: ChildState) -> None:
        super().__init__(supervisor, child, state)
        self.supervisor = supervisor
        self.child = child
        self.state = state

    def __str__(self) -> str:
        doing = self.state.replace("_", " ")
        return (
            f"child {self.child!r} of supervisor {self.supervisor!r} is {doing}: "
            f"stop_child({self.child!r}) first"
        )


@final
class TooManyChildren(FoundationError):
    """A dynamic supervisor has as many children as it may.

    Example:
        >>> print(TooManyChildren("jobs", 100))
        supervisor 'jobs' is full, max_children=100: let a child end first, or allow more
    """

    supervisor: str
    """The supervisor's path."""

    max_children: int
    """How many it may have."""

    def __init__(self, supervisor: str, max_children: int) -> None:
        super().__init__(supervisor, max_children)
        self.supervisor = supervisor
        self.max_children = max_children

    def __str__(self) -> str:
        return (
            f"supervisor {self.supervisor!r} is full, max_children={self.max_children}: "
            "let a child end first, or allow more"
        )


@final
class SupervisorClosed(FoundationError):
    """The supervisor takes no more children or orders.

    Example:
        >>> print(SupervisorClosed("app"))
        supervisor 'app' is closed: its block has ended, is ending, or was not entered yet
    """

    supervisor: str
    """The supervisor's path."""

    def __init__(self, supervisor: str) -> None:
        super().__init__(supervisor)
        self.supervisor = supervisor

    def __str__(self) -> str:
        return (
            f"supervisor {self.supervisor!r} is closed: its block has ended, is ending, "
            "or was not entered yet"
        )


@final
class ShutdownChild(FoundationError):
    """Raise it in a child to end that child in good order.

    In Erlang ``{shutdown, Reason}``: a permanent child is restarted after it, a transient one is
    not.

    Example:
        >>> raise ShutdownChild("the queue is empty")
        Traceback (most recent call last):
        ...
        trio_foundation.supervision.ShutdownChild: the queue is empty
    """

    reason: object
    """For whoever reads the `Exit`."""

    def __init__(self, reason: object = "shutdown") -> None:
        super().__init__(reason)
        self.reason = reason


@final
class IgnoreChild(FoundationError):
    """Raise it in a child, before it is ready, to say that it is not needed.

    The child counts as started, does not run, and may be started later (state ``ignored``). Only a
    function that takes ``task_status`` can say so; after readiness it is a crash.

    Example:
        >>> raise IgnoreChild("no printer is configured")
        Traceback (most recent call last):
        ...
        trio_foundation.supervision.IgnoreChild: no printer is configured
    """

    reason: object
    """For whoever reads the `Exit`."""

    def __init__(self, reason: object = "ignored") -> None:
        super().__init__(reason)
        self.reason = reason
