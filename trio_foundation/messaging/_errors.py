"""What can go wrong between a sender and a receiver."""

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

    A call raises it too when a drop policy took its place in the queue.

    Example:
        >>> print(MailboxFull("orders", 100))
        mailbox 'orders' is full: 100 messages wait in it
    """

    mailbox: str
    """The name of the mailbox, or of its server."""

    capacity: int
    """How many messages may wait in it."""

    def __init__(self, mailbox: str, capacity: int) -> None:
        super().__init__(mailbox, capacity)
        self.mailbox = mailbox
        self.capacity = capacity

    def __str__(self) -> str:
        messages = "1 message waits" if self.capacity == 1 else f"{self.capacity} messages wait"
        return f"mailbox {self.mailbox!r} is full: {messages} in it"


@final
class MailboxClosed(FoundationError, trio.BrokenResourceError, trio.ClosedResourceError):
    """The mailbox was closed: nothing can be sent to it or received from it.

    It is both of Trio's errors, that of a broken other end and that of a closed own end.

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
    """The base class for what a server answers to refuse one call.

    Raised in a handler, alone or as the only error of a nursery there, it arrives at the caller as
    itself, and the server lives on. Any other error crashes the server.

    Raise it before the handler has changed anything. That of *another* server, if a handler lets it
    pass, refuses the handler's own call too.

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
    """The server ended while it held the call, so nobody knows how far it came.

    Its ``__cause__`` is what the handler raised, if it raised. Call again only what may safely be
    done twice; a server that comes back answers.

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
    """Where the handler raised, as text; empty if it did not. (The cause loses its own traceback
    when the server is started again.)"""

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

    It was stopped, has finished, is ignored, or its supervisor has closed. The call was not handled
    at all. After ``restart_child`` the server answers again.

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
