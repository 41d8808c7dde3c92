"""The errors of the room."""

from __future__ import annotations

from typing import final

import trio

from .._base import FoundationError

__all__ = [
    "CallError",
    "CallFailed",
    "MailboxClosed",
    "MailboxFull",
    "SelfCall",
    "ServerGone",
]


@final
class MailboxFull(FoundationError, trio.WouldBlock):
    """There is no room in the mailbox, and its overflow policy lets nobody wait.

    A call raises it too when a drop policy dropped it.

    Example:
        >>> print(MailboxFull("orders", 100))
        mailbox 'orders' is full: 100 messages wait in it
    """

    mailbox: str
    """The name of the mailbox, or of its server."""

    capacity: int
    """How many messages may wait."""

    def __init__(self, mailbox: str, capacity: int) -> None:
        super().__init__(mailbox, capacity)
        self.mailbox = mailbox
        self.capacity = capacity

    def __str__(self) -> str:
        messages = "1 message waits" if self.capacity == 1 else f"{self.capacity} messages wait"
        return f"mailbox {self.mailbox!r} is full: {messages} in it"


@final
class MailboxClosed(FoundationError, trio.BrokenResourceError, trio.ClosedResourceError):
    """The mailbox is closed, to senders and receiver.

    Example:
        >>> print(MailboxClosed("orders"))
        mailbox 'orders' is closed
    """

    mailbox: str
    """The mailbox's name."""

    def __init__(self, mailbox: str) -> None:
        super().__init__(mailbox)
        self.mailbox = mailbox

    def __str__(self) -> str:
        return f"mailbox {self.mailbox!r} is closed"


class CallError(FoundationError):
    """The base class of errors by which a handler refuses one call.

    Raised alone or as the only error of a nursery, it reaches the caller as itself, and the server
    lives on. Any other error crashes the server.

    Raise it before anything is changed. One of *another* server, if a handler lets it pass, refuses
    the handler's own call too.

    Example:
        >>> class OutOfStock(CallError):
        ...     pass
        >>> try:
        ...     raise OutOfStock("no more apples")
        ... except CallError as refusal:
        ...     print(refusal)
        no more apples
    """


@final
class CallFailed(FoundationError):
    """The server ended while it held the call: nobody knows how far it came.

    Its ``__cause__`` is what the handler raised, if anything. Call again only what may safely be
    done twice.

    Example:
        >>> print(CallFailed("counter", "increment", "crashed"))
        server 'counter' crashed while it handled 'increment'
    """

    server: str
    """The server's name."""

    method: str
    """The method's name."""

    how: str
    """How the server ended: ``"crashed"``, or ``"was stopped"``."""

    traceback: str
    """Where the handler raised, as text; empty if it did not. (At a restart the cause loses its
    own.)"""

    def __init__(self, server: str, method: str, how: str, traceback: str = "") -> None:
        super().__init__(server, method, how)
        self.server = server
        self.method = method
        self.how = how
        self.traceback = traceback

    def __str__(self) -> str:
        return f"server {self.server!r} {self.how} while it handled {self.method!r}"


@final
class ServerGone(FoundationError):
    """No incarnation of the server runs, and none is scheduled.

    It was stopped, has finished, is ignored, or its supervisor has closed. The call was not
    handled. After ``restart_child`` the server answers again.

    Example:
        >>> print(ServerGone("counter"))
        server 'counter' is gone: it does not run, and is not going to be started
    """

    server: str
    """The server's name."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.server = server

    def __str__(self) -> str:
        return f"server {self.server!r} is gone: it does not run, and is not going to be started"


@final
class SelfCall(FoundationError, RuntimeError):
    """A handler called its own server, which would wait for itself for ever.

    Example:
        >>> print(SelfCall("counter", "increment"))
        server 'counter' calls itself, and would wait for itself for ever: in a handler write \
`await self.increment(...)`, or cast it
    """

    server: str
    """The server's name."""

    method: str
    """The method's name."""

    def __init__(self, server: str, method: str) -> None:
        super().__init__(server, method)
        self.server = server
        self.method = method

    def __str__(self) -> str:
        return (
            f"server {self.server!r} calls itself, and would wait for itself for ever: in a "
            f"handler write `await self.{self.method}(...)`, or cast it"
        )
