"""The two ends of a mailbox."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, TypeVar, cast, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_count
from ._errors import MailboxClosed
from ._statistics import MailboxStatistics
from ._store import NOTHING, Store

__all__ = ["Address", "Mailbox"]

T = TypeVar("T")
SendT_contra = TypeVar("SendT_contra", contravariant=True)
ReceiveT_co = TypeVar("ReceiveT_co", covariant=True)


@final
class Address(trio.abc.SendChannel[SendT_contra], Generic[SendT_contra]):
    """The sending end of a mailbox, for any number of tasks.

    It needs no clone and no closing; only the receiver closes a mailbox.

    Example:
        >>> import trio
        >>> async def main():
        ...     orders, mailbox = open_mailbox[str](10)
        ...     await orders.send("two apples")
        ...     print(await mailbox.receive())
        >>> trio.run(main)
        two apples
    """

    __slots__ = ("__weakref__", "_store")

    def __init__(self, store: Store[SendT_contra]) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<Address of mailbox {self.name!r}>"

    @property
    def name(self) -> str:
        """What the mailbox is called."""
        return self._store.name

    @enable_ki_protection
    async def send(self, value: SendT_contra) -> None:
        """Send a message, and wait for room if the policy is ``block``.

        Waiting senders are served in order.

        Raises:
            MailboxFull: There is no room and the policy is ``reject``.
            MailboxClosed: The mailbox is closed, now or while it waits.

        Cancellation:
            The message is not sent.

        Emits:
            MessageDropped: If a drop policy dropped this message or an older one.

        Example:
            >>> import trio
            >>> async def main():
            ...     orders, mailbox = open_mailbox[int](1)
            ...     async with trio.open_nursery() as nursery, mailbox:
            ...         nursery.start_soon(orders.send, 1)
            ...         nursery.start_soon(orders.send, 1)  # waits until the other is received
            ...         print(await mailbox.receive(), await mailbox.receive())
            >>> trio.run(main)
            1 1
        """
        await self._store.send(value)

    @enable_ki_protection
    def send_nowait(self, value: SendT_contra) -> None:
        """Send a message at once; call it in the Trio thread.

        Raises:
            trio.WouldBlock: There is no room and the policy is ``block``.
            MailboxFull: There is no room and the policy is ``reject``.
            MailboxClosed: The mailbox is closed.

        Emits:
            As `send`.

        Example:
            >>> orders, mailbox = open_mailbox[int](2, overflow="drop_oldest")
            >>> for number in (1, 2, 3):
            ...     orders.send_nowait(number)
            >>> mailbox.receive_nowait(), mailbox.receive_nowait()
            (2, 3)
        """
        self._store.put(value)

    async def aclose(self) -> None:
        """Do nothing but be a checkpoint.

        Cancellation:
            Leaves nothing behind.
        """
        await trio.lowlevel.checkpoint()

    def statistics(self) -> MailboxStatistics:
        """Return the figures of the mailbox, as they are now."""
        return self._store.statistics()


@final
class Mailbox(trio.abc.ReceiveChannel[ReceiveT_co], Generic[ReceiveT_co]):
    """The receiving end of a mailbox, for one task at a time.

    The end of a ``with`` or ``async with`` block closes it. ``async for`` receives until then.

    Cancellation:
        A block is closed all the same; a cancelled loop loses no message.

    Example:
        >>> import trio
        >>> async def main():
        ...     orders, mailbox = open_mailbox[str](10)
        ...     orders.send_nowait("two apples")
        ...     orders.send_nowait("stop")
        ...     async for order in mailbox:
        ...         print(order)
        ...         if order == "stop":
        ...             mailbox.close()
        >>> trio.run(main)
        two apples
        stop
    """

    __slots__ = ("__weakref__", "_is_busy", "_store")

    def __init__(self, store: Store[ReceiveT_co]) -> None:
        self._store = store
        self._is_busy = False

    def __repr__(self) -> str:
        return f"<Mailbox {self.name!r}>"

    @property
    def name(self) -> str:
        """What the mailbox is called."""
        return self._store.name

    @enable_ki_protection
    async def receive(self) -> ReceiveT_co:
        """Receive the oldest message; wait for one if there is none.

        Returns:
            The message.

        Raises:
            MailboxClosed: The mailbox is closed, now or while it waits.
            trio.BusyResourceError: Another task is receiving.

        Cancellation:
            No message is taken.

        Example:
            >>> import trio
            >>> async def main():
            ...     orders, mailbox = open_mailbox[int](10)
            ...     orders.send_nowait(1)
            ...     print(await mailbox.receive())
            >>> trio.run(main)
            1
        """
        store = self._store
        self._begin()
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            message = store.take()
            if message is NOTHING:
                self._check_open()
                await store.park()
                return cast("ReceiveT_co", store.take())
            await trio.lowlevel.cancel_shielded_checkpoint()
            return message
        finally:
            self._is_busy = False

    @enable_ki_protection
    def receive_nowait(self) -> ReceiveT_co:
        """Receive the oldest message, if there is one.

        Returns:
            The message.

        Raises:
            trio.WouldBlock: There is none.
            MailboxClosed: The mailbox is closed.
            trio.BusyResourceError: A task is receiving.

        Example:
            >>> orders, mailbox = open_mailbox[int](10)
            >>> orders.send_nowait(1)
            >>> mailbox.receive_nowait()
            1
        """
        if self._is_busy:
            self._begin()
        message = self._store.take()
        if message is NOTHING:
            self._check_open()
            raise trio.WouldBlock
        return message

    @enable_ki_protection
    async def receive_batch(self, max_items: int | None = None) -> list[ReceiveT_co]:
        """Receive all messages that are there; wait for one if there is none.

        For small messages it is many times faster: one wake-up serves all.

        Args:
            max_items: The most to receive, at least 1; None for all.

        Returns:
            The messages, in the order sent; at least one.

        Raises:
            ValueError: *max_items* is below 1.
            MailboxClosed: The mailbox is closed, now or while it waits.
            trio.BusyResourceError: Another task is receiving.

        Cancellation:
            No message is taken.

        Example:
            >>> import trio
            >>> async def main():
            ...     orders, mailbox = open_mailbox[int](10)
            ...     for number in range(5):
            ...         orders.send_nowait(number)
            ...     print(await mailbox.receive_batch(3), await mailbox.receive_batch())
            >>> trio.run(main)
            [0, 1, 2] [3, 4]
        """
        if max_items is not None:
            check_count("max_items", max_items, least=1)
        store = self._store
        self._begin()
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            messages = store.take_all(max_items)
            if messages:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return messages
            self._check_open()
            await store.park()
            first = cast("ReceiveT_co", store.take())
            return [first, *store.take_all(None if max_items is None else max_items - 1)]
        finally:
            self._is_busy = False

    @enable_ki_protection
    async def __anext__(self) -> ReceiveT_co:
        try:
            return await self.receive()
        except MailboxClosed:
            raise StopAsyncIteration from None

    def close(self) -> None:
        """Close the mailbox, in the Trio thread; this may be called again.

        Whoever waits gets `MailboxClosed`. Each message inside is dropped, and handed to
        *on_undelivered*.

        Emits:
            MessageDropped: For each message inside.

        Example:
            >>> orders, mailbox = open_mailbox[str](10, on_undelivered=print)
            >>> orders.send_nowait("two apples")
            >>> mailbox.close()
            two apples closed
        """
        self._store.close()

    async def aclose(self) -> None:
        """Do what `close` does, and be a checkpoint.

        Cancellation:
            The mailbox is closed all the same.
        """
        self.close()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> Mailbox[ReceiveT_co]:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def statistics(self) -> MailboxStatistics:
        """Return the figures of the mailbox, as they are now."""
        return self._store.statistics()

    def _begin(self) -> None:
        if self._is_busy:
            raise trio.BusyResourceError(
                f"another task is receiving from mailbox {self.name!r}: a mailbox has one "
                "receiver at a time"
            )
        self._is_busy = True

    def _check_open(self) -> None:
        if self._store.is_closed:
            raise MailboxClosed(self.name)
