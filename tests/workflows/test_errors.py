"""Tests of the errors, and of the old name."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from trio_foundation import Backoff, FoundationError
from trio_foundation.workflows import (
    AtomicTransaction,
    BatchDeadlock,
    SagaFailed,
    SerialOperationFailed,
    SerialOperationsClosed,
    SerialOperationsFull,
    UndoTimedOut,
    open_serial_operations,
)

from ._things import Failure, Log

ERRORS: list[FoundationError] = [
    SerialOperationFailed("t", 0, [], OSError("x")),
    SerialOperationFailed("t", 1, ["a"], OSError("x")),
    SerialOperationsFull("s", "t", 5),
    SerialOperationsClosed("s", "t", ["a", "b"]),
    BatchDeadlock("s", "t", "k", "u"),
    SagaFailed("s", "b", (OSError("x"),), (OSError("y"),), ("a",), {"a": "done"}),
    SagaFailed("s", "b", (OSError("x"),)),
    UndoTimedOut("s", "a", 5.0),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: FoundationError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert set(vars(copy)) == set(vars(error))
    assert isinstance(error, FoundationError)


def test_an_error_says_what_was_done() -> None:
    assert [str(error) for error in (ERRORS[0], ERRORS[1], ERRORS[3])] == [
        "batch 't' failed at index 0 with OSError('x'); nothing was done before it",
        "batch 't' failed at index 1 with OSError('x'); the 1 before it is done, and stays done",
        "'s' was closed under batch 't', of which 2 are done, and stay done",
    ]


async def test_the_old_name_warns_and_does_the_same() -> None:
    log = Log()
    async with open_serial_operations(name="s") as serial:
        with pytest.warns(DeprecationWarning, match="nothing about it is atomic") as warned:
            old = AtomicTransaction(serial)
        assert warned[0].filename == __file__
        assert await old.execute(log.ops("a"), "t", key="k") == ["a"]
        assert await old.execute_with_retry(log.ops("b"), "t", key="k") == ["b"]
        with pytest.raises(SerialOperationFailed) as caught:
            await old.execute_with_retry(
                [log.op("c", error=Failure())], attempts=2, backoff=Backoff(initial=0.0)
            )
        assert caught.value.__notes__ == ["attempt 2 of 2"]
        assert serial.statistics().batches == 4


def test_the_old_name_takes_what_the_block_gives() -> None:
    wrong: Any = open_serial_operations(name="s")
    with pytest.raises(TypeError, match="AtomicTransaction takes what open_serial_operations giv"):
        AtomicTransaction(wrong)
