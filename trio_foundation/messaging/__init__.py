"""How do tasks talk?

`open_mailbox` is a memory channel with an overflow policy; every loss is counted and told. `serve`
makes a supervised child of a class: its async methods are its messages, and its mailbox outlives
its crashes.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._current_message import CurrentMessage
from ._errors import CallError, CallFailed, MailboxClosed, MailboxFull, SelfCall, ServerGone
from ._events import CallFinished, CallStarted, MessageDropped, MessagingEvent
from ._mailbox import Address, Mailbox
from ._open_mailbox import open_mailbox
from ._ref import Ref
from ._rules import Overflow, UndeliveredReason
from ._serve import Served, serve
from ._server import Server, Timer
from ._state_server import State, StateServer, WrongState
from ._statistics import MailboxStatistics

__all__ = [
    "Address",
    "CallError",
    "CallFailed",
    "CallFinished",
    "CallStarted",
    "CurrentMessage",
    "Mailbox",
    "MailboxClosed",
    "MailboxFull",
    "MailboxStatistics",
    "MessageDropped",
    "MessagingEvent",
    "Overflow",
    "Ref",
    "SelfCall",
    "Served",
    "Server",
    "ServerGone",
    "State",
    "StateServer",
    "Timer",
    "UndeliveredReason",
    "WrongState",
    "open_mailbox",
    "serve",
]

_give_home(globals())
