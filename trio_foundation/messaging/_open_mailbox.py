"""How a mailbox is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, final, get_args

from .._base import check_choice, check_count, check_name, fits, is_plain_function
from ..telemetry import emit, wanted
from ._events import MessageDropped
from ._log import log_error
from ._mailbox import Address, Mailbox
from ._rules import Overflow, UndeliveredReason
from ._store import Store

__all__ = ["check_capacity", "open_mailbox"]

T = TypeVar("T")


@final
class open_mailbox(tuple[Address[T], Mailbox[T]]):  # noqa: N801  it is used as a function
    """Open a mailbox: an address to send to, and the mailbox to receive from.

    As with `trio.open_memory_channel`, the type of its messages is optional:
    ``orders, mailbox = open_mailbox[Order](100)``.

    Args:
        capacity: How many messages may wait, at least 1 and not infinite.
        overflow: What happens to one more; see `Overflow`.
        name: For errors and events.
        on_undelivered: A plain function, called with each dropped message, and ``"overflow"`` or
            ``"closed"``. What it raises is logged and ignored.

    Raises:
        TypeError: *capacity* is no whole number, or *on_undelivered* no plain function.
        ValueError: *capacity* is below 1 or infinite, or *overflow* is no policy.

    Emits:
        MessageDropped: For each dropped message.

    Example:
        >>> orders, mailbox = open_mailbox[int](1, overflow="drop_newest", on_undelivered=print)
        >>> orders.send_nowait(1)
        >>> orders.send_nowait(2)
        2 overflow
        >>> mailbox.statistics().dropped
        1
    """

    __slots__ = ()

    def __new__(
        cls,
        capacity: int,
        *,
        overflow: Overflow = "block",
        name: str = "mailbox",
        on_undelivered: Callable[[T, UndeliveredReason], object] | None = None,
    ) -> open_mailbox[T]:
        check_capacity(capacity, "write open_mailbox(100) for at most 100 messages")
        check_choice("overflow", overflow, get_args(Overflow))
        check_name("name", name)
        _check_hook(on_undelivered)

        def drop(message: T, why: UndeliveredReason) -> None:
            _drop(name, on_undelivered, message, why)

        store: Store[T] = Store(name, capacity, overflow, drop)
        return super().__new__(cls, (Address(store), Mailbox(store)))


def check_capacity(capacity: object, advice: str) -> None:
    """Refuse what is no cap."""
    if capacity == math.inf:
        raise ValueError(
            f"capacity must be a whole number, not {capacity!r}: a queue without a cap is a slow "
            f"crash; {advice}"
        )
    check_count("capacity", capacity, least=1)


def _check_hook(on_undelivered: object) -> None:
    if on_undelivered is not None and not is_plain_function(on_undelivered):
        raise TypeError(
            "on_undelivered takes a plain function of the message and the reason, which is "
            f"called at once, but got {on_undelivered!r}: to do more, let it put the message into "
            "another mailbox"
        )
    if callable(on_undelivered) and not fits(on_undelivered, None, None):
        raise TypeError(
            f"on_undelivered is called with the message and the reason, and {on_undelivered!r} does "
            "not take two arguments"
        )


def _drop(
    mailbox: str,
    on_undelivered: Callable[[T, UndeliveredReason], object] | None,
    message: T,
    why: UndeliveredReason,
) -> None:
    try:
        if wanted(MessageDropped):
            emit(MessageDropped(mailbox=mailbox, message=message, why=why))
    finally:
        if on_undelivered is not None:
            try:
                on_undelivered(message, why)
            except Exception:  # noqa: BLE001  it is not the sender's business
                told = "on_undelivered of mailbox %r raised, and is ignored: %r"
                log_error(told, mailbox, on_undelivered)
