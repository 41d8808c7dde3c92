"""Tests of what is refused and of how a plan is told, word for word."""

from __future__ import annotations

import inspect
import math
import random
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

import pytest

from trio_foundation import Backoff
from trio_foundation.workflows import SagaStep
from trio_foundation.workflows._rules import (
    Batch,
    Line,
    Lines,
    Plan,
    check_completed,
    check_operations,
    check_retry_on,
    count_taken,
    delay_before_next,
)

A = TypeVarTuple("A")
R = TypeVar("R")


async def nothing() -> None: ...
async def pay(amount: object) -> None: ...


def is_closed(coroutine: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def refused(given: Any) -> str:
    with pytest.raises(TypeError) as caught:
        check_operations("execute", given)
    return str(caught.value)


# Operations


@pytest.mark.parametrize("given", [3, None, "ab", b"ab"])
def test_what_is_no_list_is_refused(given: object) -> None:
    assert refused(given) == f"execute takes a list of async functions, not {given!r}"


def test_a_function_that_is_not_in_a_list_is_told_how_to_be() -> None:
    assert refused(pay) == (
        f"execute takes a list of async functions, not {pay!r}: write execute([pay])"
    )


def test_a_coroutine_that_is_not_in_a_list_is_told_what_to_write_and_closed() -> None:
    coroutine = pay(1)
    assert refused(coroutine) == (
        f"execute takes a list of async functions, not {coroutine!r}: "
        "write execute([functools.partial(pay, ...)])"
    )
    assert is_closed(coroutine)


@pytest.mark.parametrize(
    ("operations", "index"), [([pay], 0), ([nothing, pay, pay], 1), ((nothing, nothing, pay), 2)]
)
def test_an_operation_that_takes_arguments_is_told_by_its_place(
    operations: Any, index: int
) -> None:
    assert refused(operations) == (
        f"execute calls its operations without arguments, but pay, at index {index}, takes some: "
        "write functools.partial(pay, ...)"
    )


@pytest.mark.parametrize(
    ("wrong", "write"),
    [(3, ""), ((), ""), ((pay, 5), ": write functools.partial(pay, ...)")],
    ids=["number", "empty tuple", "function and argument"],
)
def test_what_is_no_function_is_told_by_its_place(wrong: object, write: str) -> None:
    message = f"execute takes async functions, but at index 1 got {wrong!r}{write}"
    assert refused([nothing, wrong, 4]) == message


def test_coroutines_in_a_list_are_closed_and_the_first_is_told() -> None:
    first, second = pay(1), nothing()
    assert refused([nothing, first, second, 3]) == (
        f"execute takes async functions, but at index 1 got {first!r}: "
        "write functools.partial(pay, ...), not pay(...)"
    )
    assert is_closed(first)
    assert is_closed(second)


@pytest.mark.parametrize(
    ("completed", "error"), [((), TypeError), (None, TypeError), ([1], ValueError)]
)
def test_only_an_empty_list_can_be_filled(completed: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        check_completed(completed)
    assert str(caught.value) == f"completed must be an empty list, not {completed!r}"


def test_the_list_that_is_filled_is_the_one_that_was_given() -> None:
    completed: list[object] = []
    assert check_completed(completed) is completed


@pytest.mark.parametrize("retry_on", [OSError, (OSError, TimeoutError), ()])
def test_classes_of_errors_may_be_retried_on(retry_on: object) -> None:
    check_retry_on(retry_on)


@pytest.mark.parametrize(
    "retry_on", [3, int, KeyboardInterrupt, (OSError, 3), (KeyboardInterrupt, OSError), OSError()]
)
def test_nothing_else_may_be_retried_on(retry_on: object) -> None:
    with pytest.raises(TypeError) as caught:
        check_retry_on(retry_on)
    assert str(caught.value) == (
        f"retry_on must be a subclass of Exception, or a tuple of them, not {retry_on!r}"
    )


def test_the_spread_comes_from_the_dice_that_are_given() -> None:
    backoff = Backoff(initial=1.0, factor=2.0, maximum=50.0, jitter=0.5)
    delay = delay_before_next(
        3, attempts=9, backoff=backoff, rng=random.Random(7), now=0.0, until=100.0
    )
    assert delay == backoff.delay(2, random.Random(7))


# Functions that are told something


def count(function: Any) -> int:
    return count_taken("the undo of 'seat'", function, ("the result", "the fate"))


async def of_three_things(a: Any, b: Any, c: Any) -> None: ...
async def of_a_word(a: Any, *, b: Any) -> None: ...


of_three: Any = of_three_things


@pytest.mark.parametrize(("function", "arguments"), [(of_three, 3), (of_a_word, 2)])
def test_a_function_that_requires_too_much_is_refused(function: Any, arguments: int) -> None:
    with pytest.raises(TypeError) as caught:
        count(function)
    name = function.__name__
    assert str(caught.value) == (
        "the undo of 'seat' is called with at most the result and the fate, but "
        f"{name} takes {arguments} arguments: write functools.partial({name}, ...)"
    )


def test_a_coroutine_is_no_function_and_closed() -> None:
    coroutine = pay(1)
    with pytest.raises(TypeError) as caught:
        count(coroutine)
    assert str(caught.value) == (
        "the undo of 'seat' is an async function, but got a coroutine: "
        "write functools.partial(pay, ...), not pay(...)"
    )
    assert is_closed(coroutine)


async def generate() -> Any:
    yield 1


@pytest.mark.parametrize("wrong", [3, None, generate])
def test_what_is_no_async_function_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError) as caught:
        count(wrong)
    assert str(caught.value) == f"the undo of 'seat' is an async function, but got {wrong!r}"


# Who waits for whom


def test_a_batch_is_part_of_a_turn_if_one_that_it_is_in_has_its_turn() -> None:
    lines = Lines()
    outer = Batch("outer", "a", None)
    between = Batch("between", "b", outer)
    inner = Batch("inner", "c", between)
    assert not lines.is_part_of_a_turn(inner)
    lines.take(Batch("other", "a", None))
    assert not lines.is_part_of_a_turn(inner)
    lines.take(between)
    assert lines.is_part_of_a_turn(inner)
    assert not lines.is_part_of_a_turn(outer)
    assert not lines.is_part_of_a_turn(between)


def test_of_two_that_wait_within_a_batch_both_are_followed() -> None:
    mine = Batch("mine", "m", None)
    first, second, third = (Batch(key, key, None) for key in "xyz")
    first.inner = {Batch(1, "m", first): Line(mine), Batch(2, "y", first): Line(second)}
    second.inner = {Batch(3, "z", second): Line(third)}
    assert Lines().would_wait_for_ever(Line(first), Batch("inner", "x", mine))


# A plan in words


class Once:
    """Calls an action once."""

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        return await async_fn(*args)


async def book() -> None: ...
async def cancel() -> None: ...


def test_a_plan_is_told_step_by_step() -> None:
    plan = Plan()
    plan = plan.then(SagaStep("flight", book, cancel, retry=Once(), undo_timeout=5.0))
    plan = plan.then(SagaStep("hotel", book, cancel), SagaStep("car", book))
    assert list(plan.described("trip", 60.0)) == [
        "saga 'trip': 3 steps",
        "1. flight: book, retried; undo: cancel, within 5 s",
        "2. hotel: book; undo: cancel, within 60 s, side by side",
        "   car: book; no undo, side by side",
    ]


def test_a_plan_of_one_step_has_one_step() -> None:
    plan = Plan().then(SagaStep("flight", book))
    assert list(plan.described("trip", 60.0)) == [
        "saga 'trip': 1 step",
        "1. flight: book; no undo",
    ]


def test_a_step_that_is_there_already_is_refused() -> None:
    plan = Plan().then(SagaStep("flight", book))
    for steps in ([SagaStep("flight", book)], [SagaStep("car", book), SagaStep("car", book)]):
        with pytest.raises(ValueError, match=r"^the steps of a saga have names of ") as caught:
            plan.then(*steps)
        assert str(caught.value) == (
            f"the steps of a saga have names of their own, and there is a {steps[0].name!r} already"
        )


@pytest.mark.parametrize("retry", [3, Once])
def test_what_cannot_call_an_action_is_no_retry(retry: Any) -> None:
    message = (
        f"retry must have an async method call(async_fn, *args), as Retry() has, not {retry!r}"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        SagaStep("flight", book, retry=retry)


def test_a_function_of_a_step_is_told_by_what_it_is_for() -> None:
    with pytest.raises(TypeError, match=r"^the action of 'x' is called with at most the results, "):
        SagaStep("x", of_three)
    most = "the result and the fate"
    with pytest.raises(TypeError, match=f"^the undo of 'x' is called with at most {most}, but "):
        SagaStep("x", book, of_three)


@pytest.mark.parametrize(
    ("name", "undo_timeout", "message"),
    [
        ("", None, "name must "),
        ("x", 0.0, "undo_timeout must be more than 0 seconds and finite, not 0.0"),
        ("x", math.inf, "undo_timeout must be more than 0 seconds and finite, not inf"),
    ],
)
def test_a_step_of_nonsense_is_refused(name: str, undo_timeout: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        SagaStep(name, book, cancel, undo_timeout=undo_timeout)


def test_a_step_is_planned_with_what_its_functions_take() -> None:
    steps = [SagaStep("a", book), SagaStep("b", pay, pay), SagaStep("c", book, cancel)]
    planned = list(Plan().then(*steps))
    assert [(one.action_takes, one.undo_takes) for one in planned] == [(0, 0), (1, 1), (0, 0)]
    assert [one.step for one in planned] == steps


def test_a_batch_is_what_it_was_made_of_and_nobody_has_looked_at_the_clock() -> None:
    outer = Batch("outer", "a", None)
    between = Batch("between", "b", outer)
    inner = Batch("inner", "c", between)
    assert (inner.tx_id, inner.key, inner.outer) == ("inner", "c", between)
    assert (inner.inner, inner.runs_in) == (None, None)
    assert (inner.arrived_at, inner.begun_at) == (-math.inf, -math.inf)
    assert list(inner.outers()) == [between, outer]


def test_a_key_that_cannot_be_one_is_refused() -> None:
    key: Any = ["a"]
    with pytest.raises(TypeError) as caught:
        Lines().take(Batch("b", key, None))
    assert str(caught.value) == "key must be hashable, such as a string or a tuple, not ['a']"
