"""What becomes of a message for which there is no room."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["WHEN_FULL", "Loser", "Overflow", "UndeliveredReason"]

Overflow: TypeAlias = Literal["block", "reject", "drop_oldest", "drop_newest"]
"""What a full mailbox does with one more message.

``block``: the sender waits for room. ``reject``: it is refused with `MailboxFull`. ``drop_oldest``:
the message that has waited longest is dropped. ``drop_newest``: the new one is.
"""

UndeliveredReason: TypeAlias = Literal["overflow", "closed"]
"""Why a message was dropped: no room, or nobody left to receive it."""

Loser: TypeAlias = Literal["sender", "oldest", "newest"]

# Whoever loses when there is no room: the sender, who is told, or one of the messages.
WHEN_FULL: Mapping[Overflow, Loser] = MappingProxyType(
    {"block": "sender", "reject": "sender", "drop_oldest": "oldest", "drop_newest": "newest"}
)
