"""The block in which serial operations are executed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import final

from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock, check_count, check_name
from ._serial import SerialOperations

__all__ = ["open_serial_operations"]


def open_serial_operations(
    *, name: str, capacity: int = 1000
) -> AbstractAsyncContextManager[SerialOperations]:
    """Open a block in which batches of operations run one at a time.

    **Nothing is rolled back** when one fails; for steps that are undone see `Saga`.

    When its body ends, batches that wait, of tasks outside the block, get `SerialOperationsClosed`;
    those that run come to their end, with those that their operations execute. If the body fails or
    is cancelled, they end with the operation in hand, and the same error says what they have done.

    Args:
        name: What they are called, in errors and events.
        capacity: How many batches may wait for their turn, of all keys together; with 0, none.

    Returns:
        The block, for ``async with``; it gives `SerialOperations` to its body.

    Raises:
        TypeError: *name* is no string, or *capacity* no whole number.
        ValueError: *name* is empty, or *capacity* below 0.

    Cancellation:
        Entering is no checkpoint. Leaving waits for batches that run; cancelled meanwhile, it waits
        no longer, and they end with the operation in hand.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_serial_operations(name="ledger", capacity=10) as serial:
        ...         print(await serial.execute([trio.lowlevel.checkpoint], "order 7"))
        >>> trio.run(main)
        [None]
    """
    return _Block(check_name("name", name), check_count("capacity", capacity))


@final
class _Block(AsyncBlock[SerialOperations]):
    opens = "serial operations"

    def __init__(self, name: str, capacity: int) -> None:
        self._name = name
        self._capacity = capacity
        self._serial: SerialOperations | None = None

    async def __aenter__(self) -> SerialOperations:
        if self._serial is not None:
            raise RuntimeError(
                "the block of serial operations is entered once: call open_serial_operations again"
            )
        self._serial = SerialOperations(self._name, self._capacity)
        return self._serial

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._serial is not None
        await self._serial._end(has_failed=exc is not None)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
