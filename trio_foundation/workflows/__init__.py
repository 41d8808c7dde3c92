"""What is done in order?

`open_serial_operations` runs batches of operations one at a time, and **rolls nothing back**. A
`Saga` is for steps that are undone if a later one fails; each says beforehand how.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._atomic import AtomicTransaction
from ._errors import (
    BatchDeadlock,
    SagaFailed,
    SerialOperationFailed,
    SerialOperationsClosed,
    SerialOperationsFull,
    UndoTimedOut,
)
from ._events import BatchFinished, BatchOutcome, StepFinished, StepUndone
from ._open import open_serial_operations
from ._rules import Action, Fate, RetryOn, SagaStep, StepRetry, Undo
from ._saga import Saga, SagaResult
from ._serial import SerialOperations, SerialStatistics

__all__ = [
    "Action",
    "AtomicTransaction",
    "BatchDeadlock",
    "BatchFinished",
    "BatchOutcome",
    "Fate",
    "RetryOn",
    "Saga",
    "SagaFailed",
    "SagaResult",
    "SagaStep",
    "SerialOperationFailed",
    "SerialOperations",
    "SerialOperationsClosed",
    "SerialOperationsFull",
    "SerialStatistics",
    "StepFinished",
    "StepRetry",
    "StepUndone",
    "Undo",
    "UndoTimedOut",
    "open_serial_operations",
]

_give_home(globals())
