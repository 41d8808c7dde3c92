"""What serial operations and sagas raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import trio

from .._base import FoundationError, seconds_in_words, told, written
from ._rules import Fate

__all__ = [
    "BatchDeadlock",
    "SagaFailed",
    "SerialOperationFailed",
    "SerialOperationsClosed",
    "SerialOperationsFull",
    "UndoTimedOut",
]


@final
class SerialOperationFailed(FoundationError):
    """An operation of a batch raised; those before it stay done, those after it are not begun.

    Example:
        >>> print(SerialOperationFailed("order 7", 1, ["seat 12"], OSError("no route")))
        batch 'order 7' failed at index 1 with OSError('no route'); the 1 before it is done, and \
stays done
    """

    tx_id: Any
    """What the batch is called."""

    index: int
    """Which operation it was, from 0."""

    completed: list[Any]
    """What the operations before it returned, in order."""

    error: Exception
    """What the operation raised, also the ``__cause__``."""

    def __init__(self, tx_id: object, index: int, completed: list[Any], error: Exception) -> None:
        super().__init__(tx_id, index, completed, error)
        self.tx_id = tx_id
        self.index = index
        self.completed = completed
        self.error = error

    def __str__(self) -> str:
        failed = f"batch {self.tx_id!r} failed at index {self.index} with {written(self.error)}"
        if not self.index:
            return f"{failed}; nothing was done before it"
        are = "is done, and stays" if self.index == 1 else "are done, and stay"
        return f"{failed}; the {self.index} before it {are} done"


@final
class SerialOperationsFull(FoundationError):
    """As many batches wait as may; this one was not begun.

    Example:
        >>> print(SerialOperationsFull("ledger", "order 7", 1000))
        'ledger' takes no batch 'order 7': 1000 wait already; raise its capacity
    """

    name: str
    """The name of the serial operations."""

    tx_id: Any
    """What the batch is called."""

    capacity: int
    """How many may wait."""

    def __init__(self, name: str, tx_id: object, capacity: int) -> None:
        super().__init__(name, tx_id, capacity)
        self.name = name
        self.tx_id = tx_id
        self.capacity = capacity

    def __str__(self) -> str:
        return (
            f"{self.name!r} takes no batch {self.tx_id!r}: {self.capacity} wait already; "
            "raise its capacity"
        )


@final
class SerialOperationsClosed(FoundationError):
    """The block has ended, so the batch was not begun, or not completed.

    Example:
        >>> print(SerialOperationsClosed("ledger", "order 7", ["seat 12"]))
        'ledger' was closed under batch 'order 7', of which 1 is done, and stays done
    """

    name: str
    """The name of the serial operations."""

    tx_id: Any
    """What the batch is called."""

    completed: list[Any]
    """What the operations done by then returned, in order."""

    def __init__(self, name: str, tx_id: object, completed: list[Any]) -> None:
        super().__init__(name, tx_id, completed)
        self.name = name
        self.tx_id = tx_id
        self.completed = completed

    def __str__(self) -> str:
        if not self.completed:
            return f"{self.name!r} is closed: batch {self.tx_id!r} was not begun"
        done = len(self.completed)
        are = "is done, and stays" if done == 1 else "are done, and stay"
        return f"{self.name!r} was closed under batch {self.tx_id!r}, of which {done} {are} done"


@final
class BatchDeadlock(FoundationError, RuntimeError):
    """A batch would wait for ever for one within whose operation it is executed; it is not begun.

    Call its operations directly, or use another key; take two keys everywhere in the same order.

    Example:
        >>> print(BatchDeadlock("ledger", "inner", "alice", "outer"))
        batch 'inner' of 'ledger' would wait for itself: the line of 'alice' is held by batch \
'outer', which cannot end before 'inner' has
    """

    name: str
    """The name of the serial operations."""

    tx_id: Any
    """What the batch is called."""

    key: Any
    """The key that it would wait for."""

    holder: Any
    """What the batch with the key is called."""

    def __init__(self, name: str, tx_id: object, key: object, holder: object) -> None:
        super().__init__(name, tx_id, key, holder)
        self.name = name
        self.tx_id = tx_id
        self.key = key
        self.holder = holder

    def __str__(self) -> str:
        line = "without a key" if self.key is None else f"of {self.key!r}"
        return (
            f"batch {self.tx_id!r} of {self.name!r} would wait for itself: the line {line} is held "
            f"by batch {self.holder!r}, which cannot end before {self.tx_id!r} has"
        )


@final
class SagaFailed(FoundationError):
    """A step of a saga failed, or an undo did; the undos have run.

    The ``__cause__`` is *error*; of several errors, a group, *error* first.

    Example:
        >>> print(SagaFailed("trip", "hotel", (OSError("no room"),), undone=("hotel", "flight")))
        saga 'trip' failed with OSError('no room') at step 'hotel'; undone: hotel, flight
    """

    saga: str
    """The name of the saga."""

    step: str
    """The name of the step that failed first, or was cancelled."""

    errors: tuple[BaseException, ...]
    """What steps raised, that of *step* first; several only of steps side by side."""

    undo_errors: tuple[BaseException, ...]
    """What undos raised, in order."""

    undone: tuple[str, ...]
    """The names of the steps whose undo returned, in order."""

    fates: Mapping[str, Fate]
    """What became of each step before it was undone."""

    def __init__(
        self,
        saga: str,
        step: str,
        errors: tuple[BaseException, ...],
        undo_errors: tuple[BaseException, ...] = (),
        undone: tuple[str, ...] = (),
        fates: Mapping[str, Fate] | None = None,
    ) -> None:
        super().__init__(saga, step, errors, undo_errors, undone, fates)
        self.saga = saga
        self.step = step
        self.errors = errors
        self.undo_errors = undo_errors
        self.undone = undone
        self.fates = {} if fates is None else fates

    @property
    def error(self) -> BaseException:
        """What *step* raised: the first cause; a `trio.Cancelled` if it was cancelled."""
        return self.errors[0]

    def __str__(self) -> str:
        is_cancelled = isinstance(self.error, trio.Cancelled)
        ended = "was cancelled" if is_cancelled else f"failed with {written(self.error)}"
        undone = ", ".join(self.undone) or "nothing"
        failed = "".join(f"; an undo failed with {told(error)}" for error in self.undo_errors)
        return f"saga {self.saga!r} {ended} at step {self.step!r}; undone: {undone}{failed}"


@final
class UndoTimedOut(FoundationError, trio.TooSlowError):
    """An undo took longer than it may, and was cancelled.

    Example:
        >>> print(UndoTimedOut("trip", "hotel", 30.0))
        the undo of step 'hotel' of saga 'trip' took longer than 30 s
    """

    saga: str
    """The name of the saga."""

    step: str
    """The name of the step."""

    seconds: float
    """How long it was given, in seconds."""

    def __init__(self, saga: str, step: str, seconds: float) -> None:
        super().__init__(saga, step, seconds)
        self.saga = saga
        self.step = step
        self.seconds = seconds

    def __str__(self) -> str:
        took = f"took longer than {seconds_in_words(self.seconds)}"
        return f"the undo of step {self.step!r} of saga {self.saga!r} {took}"
