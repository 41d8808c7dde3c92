"""The events of the room."""

from __future__ import annotations

import logging
from typing import ClassVar, Literal, final

import attrs

from ..telemetry import Event
from ._rules import UndeliveredReason

__all__ = ["CallFinished", "CallStarted", "MessageDropped", "MessagingEvent"]


@attrs.frozen(kw_only=True)
class MessagingEvent(Event):
    """The base class of messaging events.

    Example:
        >>> MessageDropped(mailbox="orders", message="two apples", why="overflow").mailbox
        'orders'
    """


@final
@attrs.frozen(kw_only=True)
class MessageDropped(MessagingEvent):
    """A message was dropped, unreceived."""

    name: ClassVar[str] = "foundation.messaging.message_dropped"
    level: ClassVar[int] = logging.WARNING

    mailbox: str
    """The name of the mailbox, or of its server."""

    message: object = attrs.field(eq=False)
    """The message; of a server, the method's name."""

    why: UndeliveredReason | Literal["abandoned"]
    """``overflow``: no room. ``closed``: nobody left to receive it. ``abandoned``: its caller had
    left when its turn came."""


@final
@attrs.frozen(kw_only=True)
class CallStarted(MessagingEvent):
    """A server takes a message in hand."""

    name: ClassVar[str] = "foundation.messaging.call_started"
    level: ClassVar[int] = logging.DEBUG

    server: str
    """The server's name."""

    method: str
    """The method's name."""

    kind: Literal["call", "cast", "timer"]
    """``call``: somebody waits for the answer. ``timer``: one of the server's came due."""

    queued_for: float
    """How long the message has waited, in seconds."""


@final
@attrs.frozen(kw_only=True)
class CallFinished(MessagingEvent):
    """A server is done with a message."""

    name: ClassVar[str] = "foundation.messaging.call_finished"
    level: ClassVar[int] = logging.DEBUG

    server: str
    """The server's name."""

    method: str
    """The method's name."""

    kind: Literal["call", "cast", "timer"]
    """As in `CallStarted`."""

    queued_for: float
    """How long the message had waited, in seconds."""

    handled_for: float
    """How long its handler ran, in seconds."""

    outcome: Literal["returned", "refused", "crashed", "stopped"]
    """How the handler ended; ``refused``: by a `CallError`, or the message made no sense."""
