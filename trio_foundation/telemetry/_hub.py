"""Who is told of an event.

Subscriptions belong to one `trio.run`. Where nobody listens, an event costs one look-up.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, TypeVar, final, overload
from weakref import WeakSet

import attrs
import trio
from trio.lowlevel import RunVar, enable_ki_protection, in_trio_run

from .._base import is_plain_function
from ._events import Event, HandlerFailed

__all__ = ["Audience", "emit", "subscribe", "wanted"]

EventT = TypeVar("EventT", bound=Event)
EventT1 = TypeVar("EventT1", bound=Event)
EventT2 = TypeVar("EventT2", bound=Event)
EventT3 = TypeVar("EventT3", bound=Event)

# The overloads for two and three types are for mypy, which takes `Event` for the common
# type of two of its subclasses. More types than that need a handler of a common base.


@overload
def subscribe(handler: Callable[[Event], object]) -> AbstractContextManager[None]: ...
@overload
def subscribe(
    handler: Callable[[EventT], object], *event_types: type[EventT]
) -> AbstractContextManager[None]: ...
@overload
def subscribe(
    handler: Callable[[EventT1 | EventT2], object],
    event_type_1: type[EventT1],
    event_type_2: type[EventT2],
    /,
) -> AbstractContextManager[None]: ...
@overload
def subscribe(
    handler: Callable[[EventT1 | EventT2 | EventT3], object],
    event_type_1: type[EventT1],
    event_type_2: type[EventT2],
    event_type_3: type[EventT3],
    /,
) -> AbstractContextManager[None]: ...
def subscribe(
    handler: Callable[[Any], object], *event_types: type[Event]
) -> AbstractContextManager[None]:
    """Have a function called with every event of some types, until the block ends.

    Handlers are called in the order of their subscriptions, in the task that emits, and delay it:
    keep them quick. To do more, ``send_nowait`` the event into a memory channel with room (a full
    one raises `trio.WouldBlock`), and let a task receive it.

    A handler that raises an `Exception` is detached, and `HandlerFailed` is emitted. Handlers may
    emit, subscribe and unsubscribe; one that is gone is not called any more, a new one is not told
    of the event under way. Subscribed twice, a handler is called twice. Two Trio runs in a process
    share nothing.

    Args:
        handler: A plain function of the event.
        *event_types: Their classes, subclasses included; with none, all events.

    Returns:
        The block, for ``with``; leaving it ends this subscription only.

    Raises:
        TypeError: *handler* is async or not callable, or a type is no event class.
        RuntimeError: Outside a Trio run.

    Example:
        >>> import trio
        >>> heard = []
        >>> async def main():
        ...     with subscribe(heard.append, HandlerFailed):
        ...         emit(HandlerFailed(handler="h", event="e", error="x", traceback=""))
        >>> trio.run(main)
        >>> heard
        [HandlerFailed(handler='h', event='e', error='x')]
    """
    _check_handler(handler)
    for event_type in event_types:
        _check_event_type("subscribe", event_type)
    hub = _find_hub()
    if hub is None:
        raise RuntimeError(
            "subscribe works within a Trio run only: write `with subscribe(...):` "
            "in the async function that trio.run is given"
        )
    return Subscription(hub, handler, event_types or (Event,))


def wanted(event_type: type[Event]) -> bool:
    """Return whether anybody listens to events of this type.

    Ask before you build an event, to save the cost. Outside a Trio run, and in threads, the answer
    is no.

    Args:
        event_type: The class of the event to emit.

    Raises:
        TypeError: *event_type* is no event class.

    Example:
        >>> if wanted(HandlerFailed):
        ...     emit(HandlerFailed(handler="h", event="e", error="x", traceback=""))
    """
    try:
        return bool(hub_of_this_run.get()[event_type])
    except (LookupError, RuntimeError):  # the first question in this run, or no run
        hub = _find_hub()
        return hub is not None and bool(hub[event_type])


@final
class Audience:
    """Whether anybody listens to events of some types, kept up to date.

    It is `wanted` as an attribute, for code that asks many thousand times a second. It belongs to
    the Trio run in which it is made.

    Args:
        *event_types: The classes of the events to emit.

    Raises:
        TypeError: One of them is no event class.
        RuntimeError: Outside a Trio run.

    Example:
        >>> import trio
        >>> async def main():
        ...     audience = Audience(HandlerFailed)
        ...     print(audience.is_there)
        ...     with subscribe(print):
        ...         print(audience.is_there)
        >>> trio.run(main)
        False
        True
    """

    __slots__ = ("__weakref__", "event_types", "is_there", "since")

    event_types: tuple[type[Event], ...]
    """The classes of the events."""

    is_there: bool
    """Whether anybody listens."""

    since: float
    """Since when that is so, in seconds by `trio.current_time`."""

    def __init__(self, *event_types: type[Event]) -> None:
        hub = _find_hub()
        if hub is None:
            raise RuntimeError("an audience belongs to a Trio run: make it within one")
        self.event_types = event_types
        self.is_there = False
        self.since = trio.current_time()
        hub.audiences.add(self)
        hub.inform(self)


def emit(event: Event) -> None:
    """Tell an event to everybody who listens to its type.

    An `Exception` of a handler does not come out here; anything else, such as a
    `KeyboardInterrupt`, does. Outside a Trio run, and in threads, nothing happens.

    Args:
        event: What happened.

    Raises:
        TypeError: *event* is no event.

    Emits:
        HandlerFailed: For each handler that raised, after it was detached.

    Example:
        >>> import trio
        >>> async def main():
        ...     with subscribe(print):
        ...         emit(HandlerFailed(handler="h", event="e", error="x", traceback=""))
        >>> trio.run(main)
        HandlerFailed(handler='h', event='e', error='x')
    """
    hub = _find_hub()
    if hub is None:
        return
    try:
        listeners = hub[type(event)]
    except TypeError:
        raise TypeError(f"emit takes an event, such as HandlerFailed(...), not {event!r}") from None
    failures: list[HandlerFailed] = []
    try:
        for subscription in listeners:
            # A handler before this one may have ended the subscription.
            if subscription.is_open:
                try:
                    subscription.handler(event)
                except Exception as error:  # noqa: BLE001  watching must not hurt
                    subscription.end()
                    failures.append(_failure(subscription.handler, event, error))
    finally:
        # Only now: the report is an event too. From within the loop, a row of handlers that
        # fail on reports would nest as deep as it is long.
        for failure in failures:
            _report(failure)


@attrs.define(eq=False)
class Subscription:
    """One handler, told of events while the block is open."""

    _hub: Hub
    handler: Callable[[Any], object]
    event_types: tuple[type[Event], ...]
    is_open: bool = attrs.field(default=False, init=False)

    @enable_ki_protection
    def __enter__(self) -> None:
        if self.is_open:
            raise RuntimeError("this subscription is open already: call subscribe again")
        self.is_open = True
        self._hub.subscriptions[self] = None
        self._hub.note_change()

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    @enable_ki_protection
    def end(self) -> None:
        """Detach the handler."""
        self.is_open = False
        self._hub.subscriptions.pop(self, None)
        self._hub.note_change()


class Hub(dict[type[Event], tuple[Subscription, ...]]):
    """Who listens to what, in one Trio run.

    As a dictionary it holds the answers so far, by exact type; a change of subscriptions clears it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: dict[Subscription, None] = {}  # in order
        self.audiences: WeakSet[Audience] = WeakSet()

    def note_change(self) -> None:
        """Forget all answers."""
        self.clear()
        for audience in self.audiences:
            self.inform(audience)

    def inform(self, audience: Audience) -> None:
        """Tell an audience whether it is there."""
        is_there = any(self[event_type] for event_type in audience.event_types)
        if is_there != audience.is_there:
            audience.is_there = is_there
            if in_trio_run():  # else the run is over, and nobody will ask
                audience.since = trio.current_time()

    def __missing__(self, event_type: type[Event]) -> tuple[Subscription, ...]:
        _check_event_type("wanted", event_type)
        found = tuple(s for s in self.subscriptions if issubclass(event_type, s.event_types))
        self[event_type] = found
        return found


hub_of_this_run: RunVar[Hub] = RunVar("trio_foundation.telemetry")


def _find_hub() -> Hub | None:
    try:
        return hub_of_this_run.get()
    except LookupError:
        hub = Hub()
        hub_of_this_run.set(hub)
        return hub
    except RuntimeError:
        if in_trio_run():  # then it is a `RecursionError`
            raise
        return None


def _check_handler(handler: object) -> None:
    if not callable(handler):
        raise TypeError(
            f"subscribe takes a function first, then event classes, but got {handler!r}"
        )
    if not is_plain_function(handler):
        raise TypeError(
            f"subscribe takes a plain function, but {_name_of(handler)} is async, and nobody "
            "would await it: subscribe the send_nowait of a memory channel, and await in a task "
            "that receives from it"
        )


def _check_event_type(caller: str, event_type: object) -> None:
    if not isinstance(event_type, type) or not issubclass(event_type, Event):
        raise TypeError(
            f"{caller} takes subclasses of trio_foundation.telemetry.Event, not {event_type!r}"
        )


def _name_of(handler: object) -> str:
    # Not its `repr`, which may be long, and may even fail.
    while isinstance(handler, functools.partial):
        handler = handler.func
    module: str | None = getattr(handler, "__module__", None)  # that of a built-in method
    qualname: str = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    return f"{module}.{qualname}" if module else qualname


def _failure(handler: object, event: Event, error: Exception) -> HandlerFailed:
    return HandlerFailed(
        handler=_name_of(handler),
        event=getattr(event, "name", type(event).__qualname__),
        error="".join(traceback.format_exception_only(error)).strip(),
        traceback="".join(traceback.format_exception(error)),
    )


def _report(failure: HandlerFailed) -> None:
    if wanted(HandlerFailed):
        emit(failure)
        return
    # A logger can be broken as well, and then there is nobody left to tell.
    with suppress(Exception):
        logging.getLogger("trio_foundation.telemetry").error(
            "%s was detached: it raised on %s\n%s",
            failure.handler,
            failure.event,
            failure.traceback,
        )
