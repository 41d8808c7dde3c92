"""What an event is."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

__all__ = ["Event", "HandlerFailed"]


@attrs.frozen
class Event:
    """The base class of all events.

    A subclass is a frozen attrs class with a *name* of its own. A common base of several needs no
    name; subscribing to it means subscribing to all of them.

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
    """Its name in logs and metrics: dotted, with its source in front, such as
    ``"foundation.supervision.child_started"``."""

    level: ClassVar[int] = logging.INFO
    """How serious such an event is, as a level of `logging`."""

    @property
    def severity(self) -> int:
        """How serious this very event is: its *level*; override it if it depends on the fields.

        Example:
            >>> HandlerFailed(handler="h", event="e", error="x", traceback="").severity
            40
        """
        return self.level


@final
@attrs.frozen(kw_only=True)
class HandlerFailed(Event):
    """A handler raised, and was detached.

    If nobody listens, it is logged as an error on the logger ``trio_foundation.telemetry``.

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
    """The *name* of the event told."""

    error: str
    """The error's type and text."""

    traceback: str = attrs.field(repr=False)
    """Where the handler raised, as text, which keeps no frames alive."""
