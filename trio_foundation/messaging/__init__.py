"""How do tasks talk?

Through mailboxes with a cap, and servers that answer. `open_mailbox` is a memory channel that
knows what to do when it is full, and loses nothing without a word. `serve` makes a supervised
child of a class: its async methods are its messages, `Ref.call` waits for the answer, and both
its mailbox and its `Ref` outlive the crashes of whoever answers.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._errors import CallError, CallFailed, MailboxClosed, MailboxFull, SelfCall, ServerGone
from ._events import CallFinished, CallStarted, MessageDropped, MessagingEvent
from ._mailbox import Address, Mailbox, open_mailbox
from ._rules import Overflow, UndeliveredReason
from ._statistics import MailboxStatistics

__all__ = [
    "Address",
    "CallError",
    "CallFailed",
    "CallFinished",
    "CallStarted",
    "Mailbox",
    "MailboxClosed",
    "MailboxFull",
    "MailboxStatistics",
    "MessageDropped",
    "MessagingEvent",
    "Overflow",
    "SelfCall",
    "ServerGone",
    "UndeliveredReason",
    "open_mailbox",
]

_give_home(globals())
