"""What an event is: a fact, frozen, with a name for log lines and fields for programs."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

__all__ = ["Event", "HandlerFailed"]


@attrs.frozen
class Event:
    """The base class of everything that can be subscribed to.

    A subclass is a frozen attrs class with a *name* of its own. One between this and the events of
    a room needs no name; subscribing to it means subscribing to all of them.

    Example:
        >>> import attrs
        >>> from typing import ClassVar
        >>> @attrs.frozen(kw_only=True)
        ... class OrderPaid(Event):
        ...     name: ClassVar[str] = "shop.order_paid"
        ...     order: int
        ...     after: float  # seconds from order to payment
        >>> OrderPaid(order=7, after=3.5)
        OrderPaid(order=7, after=3.5)
    """

    name: ClassVar[str]
    """What such an event is called in logs and metrics: dotted, it says where it comes from,
    as ``"foundation.supervision.child_started"`` does."""

    level: ClassVar[int] = logging.INFO
    """How serious such an event is, as a level of `logging`."""

    @property
    def severity(self) -> int:
        """How serious this very event is.

        It is the *level* of the class; override it if it depends on the fields.

        Example:
            >>> HandlerFailed(handler="h", event="e", error="x", traceback="").severity
            40
        """
        return self.level


@final
@attrs.frozen(kw_only=True)
class HandlerFailed(Event):
    """A handler raised, and was detached.

    If nobody listens to this event, it is logged as an error on the logger
    ``trio_foundation.telemetry``.

    Example:
        >>> import trio
        >>> def broken(event):
        ...     raise ValueError("no such column")
        >>> async def main():
        ...     with subscribe(broken), subscribe(lambda event: print(event.error), HandlerFailed):
        ...         emit(HandlerFailed(handler="h", event="e", error="first", traceback=""))
        >>> trio.run(main)
        first
        ValueError: no such column
    """

    name: ClassVar[str] = "foundation.telemetry.handler_failed"
    level: ClassVar[int] = logging.ERROR

    handler: str
    """The qualified name of the handler."""

    event: str
    """The *name* of the event that the handler was told."""

    error: str
    """The error's type and text."""

    traceback: str = attrs.field(repr=False)
    """Where the handler raised, as text: a live traceback would keep alive all that its
    frames refer to."""
