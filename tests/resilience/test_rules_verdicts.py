"""Tests of what errors and results say."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from trio_foundation._base import mistake
from trio_foundation.resilience import BulkheadFull, NotCalled, RateLimited
from trio_foundation.resilience._rules import Judge, Verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (OSError(), "failure"),
        (FileNotFoundError(), "ignored"),
        (ValueError(), "ignored"),
        (KeyboardInterrupt(), "ignored"),
        (ExceptionGroup("g", [FileNotFoundError(), ValueError()]), "ignored"),
        (ExceptionGroup("g", [FileNotFoundError(), ExceptionGroup("h", [OSError()])]), "failure"),
        (BaseExceptionGroup("g", [KeyboardInterrupt(), OSError()]), "failure"),
    ],
    ids=repr,
)
def test_a_group_says_what_the_worst_of_its_leaves_says(
    error: BaseException, verdict: Verdict
) -> None:
    assert Judge(counts=OSError, ignores=FileNotFoundError).of_error(error) == verdict


@pytest.mark.parametrize("error", [BulkheadFull("b", 1, 0), RateLimited("r", 1.0)], ids=repr)
def test_who_did_not_even_call_says_nothing_unless_that_is_named(error: NotCalled) -> None:
    assert Judge().of_error(error) == "ignored"
    assert Judge().of_error(ExceptionGroup("g", [error, OSError()])) == "failure"
    assert Judge(counts=(OSError, NotCalled)).of_error(error) == "failure"
    assert Judge(counts=type(error)).of_error(error) == "failure"
    assert Judge(counts=lambda _: "failure").of_error(error) == "failure"


def test_what_is_no_exception_says_nothing_even_if_it_is_named() -> None:
    judge = Judge(counts=BaseException)
    assert judge.of_error(KeyboardInterrupt()) == "ignored"
    assert judge.of_error(trio.TooSlowError()) == "failure"


def test_the_mistake_of_a_caller_says_nothing_even_if_it_is_named() -> None:
    judge = Judge(counts=TypeError)
    assert judge.of_error(mistake("call takes an async function")) == "ignored"
    assert judge.of_error(TypeError("call takes an async function")) == "failure"


def test_a_group_is_a_success_only_if_all_of_it_is() -> None:
    def judge(error: BaseException) -> Any:
        return str(error)

    verdicts = [
        Judge(counts=judge).of_error(ExceptionGroup("g", [*map(ValueError, leaves)]))
        for leaves in (["success"], ["success", "ignored"], ["success", "failure"])
    ]
    assert verdicts == ["success", "ignored", "failure"]


def test_a_judge_must_give_a_verdict() -> None:
    def judge(error: BaseException) -> Any:
        return True

    with pytest.raises(TypeError) as caught:
        Judge(counts=judge).of_error(ValueError())
    assert str(caught.value) == (
        "what counts() returns must be 'failure', 'success' or 'ignored', not True"
    )


async def judge_later(error: BaseException) -> Verdict:
    return "failure"


NO_COUNTS = "counts must be classes of errors or a plain function, not"
NO_IGNORES = "ignores must be classes of errors, not"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": 3}, f"{NO_COUNTS} 3: write counts=OSError"),
        ({"counts": int}, f"{NO_COUNTS} {int}: write counts=OSError"),
        ({"counts": judge_later}, f"{NO_COUNTS} {judge_later}: write counts=OSError"),
        ({"ignores": int}, f"{NO_IGNORES} {int}: write ignores=KeyError"),
        ({"ignores": (OSError, 3)}, f"{NO_IGNORES} ({OSError}, 3): write ignores=KeyError"),
        (
            {"result_is_failure": 3},
            "result_is_failure must be a plain function or None, not 3: "
            "write result_is_failure=lambda result: result is None",
        ),
    ],
    ids=["number", "class", "async", "no error", "not all", "result"],
)
def test_a_judge_of_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Judge(**options)
    assert str(caught.value) == message


def wrapped(error: BaseException) -> BaseException:
    return BaseExceptionGroup("deeper", [error])


def test_a_deep_group_can_be_judged() -> None:
    error: BaseException = ValueError()
    for _ in range(3_000):
        error = wrapped(error)
    assert Judge().of_error(error) == "failure"


def test_results_are_successes_if_nobody_says_otherwise() -> None:
    assert Judge().of_result(None) == "success"
    judge = Judge(result_is_failure=lambda result: result == 503)
    assert [judge.of_result(result) for result in (200, 503)] == ["success", "failure"]
