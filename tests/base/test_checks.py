"""Tests of the argument checks: good values pass, and bad ones are shown with what to write."""

from __future__ import annotations

import functools
import math
import pickle
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import CoroutineType
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from trio_foundation._base import (
    awaitable_of,
    check_async_fn,
    check_bool,
    check_choice,
    check_count,
    check_name,
    check_number,
    check_seconds,
    fits,
    is_mistake,
    is_plain_function,
    mistake,
)


def refused(error: type[Exception], message: str) -> AbstractContextManager[object]:
    """Expect an error with exactly this text."""
    return pytest.raises(error, match=f"^{re.escape(message)}$")


async def poll(seconds: float = 1.0, what: object = None) -> None: ...


async def idle() -> None: ...


async def collect(*items: object) -> None: ...


async def tick() -> AsyncIterator[int]:
    yield 1


class Poller:
    async def run(self) -> None: ...
    async def __call__(self) -> None: ...


# Seconds


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5, math.inf])
def test_a_length_of_time_passes_as_a_float(value: float) -> None:
    passed = check_seconds("grace", value)
    assert passed == value
    assert type(passed) is float


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (-1, {}, "grace must be 0 seconds or more, not -1"),
        (math.nan, {}, "grace must be 0 seconds or more, not nan"),
        (-math.inf, {}, "grace must be 0 seconds or more, not -inf"),
        (0, {"above_zero": True}, "grace must be more than 0 seconds, not 0"),
        (math.nan, {"above_zero": True}, "grace must be more than 0 seconds, not nan"),
        (math.inf, {"finite": True}, "grace must be 0 seconds or more and finite, not inf"),
        (
            math.inf,
            {"finite": True, "above_zero": True},
            "grace must be more than 0 seconds and finite, not inf",
        ),
    ],
)
def test_what_is_no_length_of_time_is_refused(
    value: float, options: dict[str, bool], message: str
) -> None:
    with refused(ValueError, message):
        check_seconds("grace", value, **options)


@pytest.mark.parametrize("value", ["5", None, True, False, 1j], ids=repr)
def test_seconds_are_a_number_and_no_truth_value(value: object) -> None:
    with refused(TypeError, f"grace must be a number of seconds, not {value!r}"):
        check_seconds("grace", value)


@given(st.floats() | st.integers(min_value=-(10**300), max_value=10**300))
def test_seconds_pass_exactly_if_they_are_zero_or_more(value: float) -> None:
    try:
        check_seconds("grace", value)
    except ValueError:
        assert math.isnan(value) or value < 0
    else:
        assert value >= 0


# Numbers


def test_a_number_within_its_limits_passes_as_a_float() -> None:
    assert [check_number("jitter", n, least=0, most=1) for n in (0, 0.5, 1)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "factor must be 1 or more and finite, not 0.5"),
        (math.nan, "factor must be 1 or more and finite, not nan"),
        (math.inf, "factor must be 1 or more and finite, not inf"),
    ],
)
def test_a_number_outside_its_limits_is_refused(value: float, message: str) -> None:
    with refused(ValueError, message):
        check_number("factor", value, least=1)


def test_what_is_no_number_is_refused() -> None:
    with refused(TypeError, "factor must be a number, not '2'"):
        check_number("factor", "2", least=1)


# Counts


def test_a_count_passes_as_it_is() -> None:
    assert check_count("max_restarts", 0) == 0
    assert check_count("capacity", 10**30, least=1) == 10**30
    assert check_count("max_children", math.inf, allow_inf=True) == math.inf


@pytest.mark.parametrize(
    ("value", "least", "message"),
    [
        (-1, 0, "max_restarts must be 0 or more, not -1"),
        (0, 1, "max_restarts must be 1 or more, not 0"),
    ],
)
def test_a_count_that_is_too_small_is_refused(value: int, least: int, message: str) -> None:
    with refused(ValueError, message):
        check_count("max_restarts", value, least=least)


@pytest.mark.parametrize("value", [2.0, math.inf, math.nan, "3", True, None], ids=repr)
def test_a_count_is_a_whole_number(value: object) -> None:
    with refused(TypeError, f"max_restarts must be a whole number, not {value!r}"):
        check_count("max_restarts", value)


@pytest.mark.parametrize("value", [2.0, -math.inf, math.nan, False], ids=repr)
def test_of_the_floats_only_infinity_can_be_a_count(value: object) -> None:
    with refused(TypeError, f"max_children must be a whole number or math.inf, not {value!r}"):
        check_count("max_children", value, allow_inf=True)


# Words


def test_one_of_the_choices_passes() -> None:
    check_choice("restart", "transient", ("permanent", "transient", "temporary"))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("on",), "mode must be 'on', not 'up'"),
        (("on", "off"), "mode must be 'on' or 'off', not 'up'"),
        (("on", "off", "auto"), "mode must be 'on', 'off' or 'auto', not 'up'"),
    ],
    ids=["one", "two", "three"],
)
def test_another_word_is_refused_with_the_list(choices: tuple[str, ...], message: str) -> None:
    with refused(ValueError, message):
        check_choice("mode", "up", choices)


@pytest.mark.parametrize("value", [None, 3, ["on"]], ids=repr)
def test_a_choice_is_a_word(value: object) -> None:
    with refused(TypeError, f"mode must be 'on' or 'off', not {value!r}"):
        check_choice("mode", value, ("on", "off"))


def test_a_name_is_a_string_that_is_not_empty() -> None:
    assert check_name("name", "web") == "web"
    with refused(ValueError, "name must not be empty"):
        check_name("name", "")
    with refused(TypeError, "name must be a string, not b'web'"):
        check_name("name", b"web")


def test_a_truth_value_is_one_of_two() -> None:
    assert check_bool("significant", True) is True
    assert check_bool("significant", False) is False
    with refused(TypeError, "significant must be True or False, not 'no'"):
        check_bool("significant", "no")


# Async functions


@pytest.mark.parametrize(
    "async_fn",
    [poll, Poller().run, Poller(), functools.partial(poll, 1.0), lambda: poll(1.0)],
    ids=["function", "method", "object", "partial", "returns an awaitable"],
)
def test_what_can_be_awaited_when_called_passes(async_fn: Callable[..., Awaitable[None]]) -> None:
    check_async_fn("start_soon", async_fn, (1,))


@pytest.mark.parametrize(
    ("coroutine", "args", "right", "wrong"),
    [
        (idle, (), "idle", "idle()"),
        (lambda: poll(10), (), "poll, 10, None", "poll(10, None)"),
        (lambda: poll(10, "tea"), (), "poll, 10, 'tea'", "poll(10, 'tea')"),
        (idle, (10,), "idle, 10", "idle(), 10"),
        (lambda: poll(10, object()), (), "poll, ...", "poll(...)"),
        (lambda: poll(10, "t" * 99), (), "poll, ...", "poll(...)"),
        (lambda: collect(1, 2), (), "collect, ...", "collect(...)"),
        (Poller().run, (), "run, ...", "run(...)"),
    ],
    ids=[
        "no argument",
        "a default",
        "plain values",
        "more arguments",
        "no plain value",
        "long value",
        "any number",
        "method",
    ],
)
def test_a_coroutine_is_answered_with_the_right_line(
    coroutine: Callable[[], Awaitable[None]], args: tuple[object, ...], right: str, wrong: str
) -> None:
    # Unless the coroutine is closed, Python warns of it, and a warning fails the test.
    with refused(
        TypeError,
        "start_soon takes an async function, but got a coroutine: "
        f"write start_soon({right}), not start_soon({wrong})",
    ):
        check_async_fn("start_soon", coroutine(), args)


def test_a_coroutine_that_was_closed_is_refused_too() -> None:
    coroutine = idle()
    coroutine.close()
    with pytest.raises(TypeError, match=r"write start_soon\(idle, \.\.\.\)"):
        check_async_fn("start_soon", coroutine)


@pytest.mark.parametrize("async_fn", [tick, tick()], ids=["function", "object"])
def test_an_async_generator_is_refused(async_fn: object) -> None:
    with refused(
        TypeError,
        "start_soon takes an async function, but tick is an async generator: write an async "
        "function with `async for ... in tick(...)` in it",
    ):
        check_async_fn("start_soon", async_fn)


@pytest.mark.parametrize("value", [None, 3, "poll"], ids=repr)
def test_what_cannot_be_called_is_refused(value: object) -> None:
    with refused(TypeError, f"start_soon takes an async function, but got {value!r}"):
        check_async_fn("start_soon", value)


# What is awaited


class Promise:
    def __await__(self) -> Generator[None, None, str]:
        yield
        return "kept"


def test_what_can_be_awaited_is_handed_on_as_it_is() -> None:
    for returned in (idle(), Promise()):
        assert awaitable_of("call", idle, returned) is returned
        if isinstance(returned, CoroutineType):
            returned.close()


@pytest.mark.parametrize(
    ("function", "args", "before", "told"),
    [
        (len, None, (), "len returned 3: write async def"),
        (len, ("abc",), (), "len returned 3: write async def, or have it run in a thread: "
                            "call(trio.to_thread.run_sync, len, 'abc')"),
        (len, (), (2.0,), "len returned 3: write async def, or have it run in a thread: "
                          "call(2.0, trio.to_thread.run_sync, len)"),
        (lambda: 3, (), (), "<lambda> returned 3: write async def, or have it run in a thread: "
                            "call(trio.to_thread.run_sync, ...)"),
        (functools.partial(len, "abc"), (), (), "len returned 3: write async def, or have it run "
                                                "in a thread: call(trio.to_thread.run_sync, ...)"),
    ],
    ids=["no call", "call", "something before", "lambda", "partial"],
)  # fmt: skip
def test_what_a_plain_function_returned_is_shown_with_the_right_line(
    function: Callable[..., object], args: tuple[object, ...] | None, before: Any, told: str
) -> None:
    with refused(TypeError, f"call takes an async function, but {told}"):
        awaitable_of("call", function, cast("Any", 3), args, before=before)


def test_of_a_long_answer_only_the_beginning_and_the_end_are_shown() -> None:
    with pytest.raises(TypeError) as caught:
        awaitable_of("call", bytes, cast("Any", bytes(10_000)))
    assert len(str(caught.value)) < 150


def test_a_refused_function_is_a_mistake_and_no_other_type_error_is() -> None:
    refusals: list[Callable[[], object]] = [
        lambda: check_async_fn("call", idle()),
        lambda: check_async_fn("call", tick),
        lambda: check_async_fn("call", 3),
        lambda: awaitable_of("call", len, cast("Any", 3)),
        lambda: awaitable_of("call", tick, cast("Any", tick())),
    ]
    for refuse in refusals:
        with pytest.raises(TypeError) as caught:
            refuse()
        assert is_mistake(caught.value)
    assert is_mistake(pickle.loads(pickle.dumps(mistake("call takes an async function"))))
    assert not is_mistake(TypeError("call takes an async function"))
    assert not is_mistake(OSError("no route"))


# What fits


async def fetch(url: str, *, seconds: float = 10) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "does"),
    [
        (("tcp://a",), {}, True),
        (("tcp://a",), {"seconds": 5}, True),
        ((), {}, False),
        (("tcp://a", 5), {}, False),
        (("tcp://a",), {"minutes": 1}, False),
    ],
)
def test_a_function_is_asked_whether_arguments_fit(
    args: tuple[Any, ...], kwargs: dict[str, Any], does: bool
) -> None:
    assert fits(fetch, *args, **kwargs) is does


def test_of_a_function_without_a_signature_everything_is_thought_to_fit() -> None:
    assert fits(min, 1, 2, 3)


async def be_async() -> None: ...


async def generate() -> AsyncIterator[int]:
    yield 1


class CalledAsync:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("thing", "is_plain"),
    [
        (print, True),
        (lambda: None, True),
        (CalledAsync, True),
        (CalledAsync(), False),
        (be_async, False),
        (generate, False),
        (functools.partial(be_async), False),
        (3, False),
    ],
)
def test_a_plain_function_is_one_that_nobody_has_to_await(thing: object, is_plain: bool) -> None:
    assert is_plain_function(thing) is is_plain
