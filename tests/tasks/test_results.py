"""Tests of what became of an item, and of the errors: plain values that can be pickled."""

from __future__ import annotations

import pickle

import pytest
import trio

from trio_foundation import FoundationError
from trio_foundation.tasks import (
    Failed,
    Ok,
    TaskCancelled,
    TaskSupervisorNotRunning,
    TaskTimeout,
    TooManyTasks,
)

from ._things import Failure


def test_a_good_one_unwraps_to_its_value() -> None:
    assert Ok("a", 1).unwrap() == 1


def test_a_bad_one_raises_its_error() -> None:
    error = Failure()
    with pytest.raises(Failure) as caught:
        Failed("a", error).unwrap()
    assert caught.value is error


def test_they_can_be_told_apart_by_a_match() -> None:
    found: list[object] = []
    results: list[Ok[str, int] | Failed[str]] = [Ok("a", 1), Failed("b", Failure("c"))]
    for result in results:
        match result:
            case Ok(item, value):
                found.append((item, value))
            case Failed(item, error):
                found.append((item, str(error)))
    assert found == [("a", 1), ("b", "c")]


def test_equal_ones_are_equal() -> None:
    assert Ok("a", 1) == Ok("a", 1) != Ok("a", 2)
    assert hash(Ok("a", 1)) == hash(Ok("a", 1))


@pytest.mark.parametrize(
    "error",
    [
        TaskSupervisorNotRunning(),
        TaskSupervisorNotRunning("tasks"),
        TooManyTasks("tasks", 3),
        TaskTimeout("fetch", 2.5),
        TaskCancelled("fetch"),
    ],
    ids=repr,
)
def test_errors_can_be_pickled(error: FoundationError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert isinstance(error, FoundationError)


def test_so_can_results() -> None:
    assert pickle.loads(pickle.dumps(Ok("a", 1))) == Ok("a", 1)
    failed: Failed[str] = pickle.loads(pickle.dumps(Failed("a", TaskTimeout("fetch", 1.0))))
    assert isinstance(failed.error, TaskTimeout)


def test_too_slow_is_what_trio_calls_too_slow() -> None:
    assert issubclass(TaskTimeout, trio.TooSlowError)
