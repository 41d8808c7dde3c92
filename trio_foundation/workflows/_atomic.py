"""The old name of serial operations."""

from __future__ import annotations

import random
import warnings
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import TypeVar, final

from .._base import Backoff
from ._rules import RetryOn
from ._serial import SerialOperations

__all__ = ["AtomicTransaction"]

R = TypeVar("R")

_BACKOFF = Backoff()


@final
class AtomicTransaction:
    """Deprecated: the old name of `SerialOperations`, which never were atomic.

    Use those, or a `Saga`, whose steps are undone. Making one gives a ``DeprecationWarning``.

    Args:
        serial: What does all the work.

    Raises:
        TypeError: *serial* is something else.

    Example:
        >>> import trio, warnings
        >>> async def main():
        ...     async with open_serial_operations(name="ledger") as serial:
        ...         with warnings.catch_warnings(record=True) as told:
        ...             warnings.simplefilter("always")
        ...             old = AtomicTransaction(serial)
        ...         print(told[0].category.__name__, await old.execute([trio.lowlevel.checkpoint]))
        >>> trio.run(main)
        DeprecationWarning [None]
    """

    __slots__ = ("_serial",)

    def __init__(self, serial: SerialOperations) -> None:
        if not isinstance(serial, SerialOperations):
            raise TypeError(
                f"AtomicTransaction takes what open_serial_operations gives, not {serial!r}"
            )
        warnings.warn(
            "AtomicTransaction is deprecated, since nothing about it is atomic: use the "
            "SerialOperations that it was given, or a Saga where steps are to be undone",
            DeprecationWarning,
            stacklevel=2,
        )
        self._serial = serial

    async def execute(
        self,
        operations: Iterable[Callable[[], Awaitable[R]]],
        tx_id: object = None,
        *,
        key: Hashable = None,
    ) -> list[R]:
        """Do as `SerialOperations.execute`, with the same arguments.

        Returns:
            What the operations returned, in their order.

        Cancellation:
            As there.
        """
        return await self._serial.execute(operations, tx_id, key=key)

    async def execute_with_retry(  # noqa: PLR0913  those of what it stands for
        self,
        operations: Iterable[Callable[[], Awaitable[R]]],
        tx_id: object = None,
        *,
        attempts: int = 3,
        backoff: Backoff = _BACKOFF,
        retry_on: RetryOn = Exception,
        key: Hashable = None,
        rng: random.Random | None = None,
    ) -> list[R]:
        """Do as `SerialOperations.execute_with_retry`, with the same arguments.

        Returns:
            What the operations returned in the last attempt.

        Cancellation:
            As there.
        """
        return await self._serial.execute_with_retry(
            operations,
            tx_id,
            attempts=attempts,
            backoff=backoff,
            retry_on=retry_on,
            key=key,
            rng=rng,
        )
