"""Tests of arguments that make no sense: each message shows the value, and what to write."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import trio

from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map
from trio_foundation.telemetry import subscribe

from ._things import Work, double, errors_of, values_of

map_anyhow: Any = parallel_map
open_anyhow: Any = open_map


def name_of(value: object) -> str:
    return str(value) if str(value).startswith("{") else ""


wrong_options = pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"limit": 0}, ValueError, "limit must be 1 or more, not 0"),
        ({"limit": -1}, ValueError, "limit must be 1 or more, not -1"),
        ({"limit": math.nan}, TypeError, "limit must be a whole number or math.inf, not nan"),
        ({"limit": 1.5}, TypeError, "limit must be a whole number or math.inf, not 1.5"),
        ({"limit": True}, TypeError, "limit must be a whole number or math.inf, not True"),
        ({"limit": "3"}, TypeError, "limit must be a whole number or math.inf, not '3'"),
        ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds, not 0"),
        ({"timeout": -1.0}, ValueError, "timeout must be more than 0 seconds, not -1.0"),
        ({"timeout": math.nan}, ValueError, "timeout must be more than 0 seconds, not nan"),
        ({"timeout": "5"}, TypeError, "timeout must be a number of seconds, not '5'"),
        ({"ordered": 1}, TypeError, "ordered must be True or False, not 1"),
        ({"on_error": "ignore"}, ValueError, "on_error must be 'collect' or 'raise', not 'ignore'"),
        ({"on_error": None}, TypeError, "on_error must be 'collect' or 'raise', not None"),
        ({"run_in": "greenlet"}, ValueError, "run_in must be 'task', 'thread' or 'process', not "),
        ({"retry": 3}, TypeError, "whatever has an async method call, not 3"),
        ({"on_progress": 3}, TypeError, "on_progress must be a plain function or None, not 3"),
        ({"tasks": 3}, TypeError, "a TaskSupervisor, not 3"),
    ],
    ids=name_of,
)


@wrong_options
async def test_options_of_a_map(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    async with open_task_supervisor():
        with pytest.raises(error, match=re.escape(message)):
            await map_anyhow(double, [1], **options)
        with pytest.raises(error, match=re.escape(message)):
            open_anyhow(double, [1], **options)


@pytest.mark.parametrize(
    ("buffer", "error", "message"),
    [
        (-1, ValueError, "buffer must be 0 or more, not -1"),
        (1.5, TypeError, "buffer must be a whole number or math.inf, not 1.5"),
        (math.nan, TypeError, "buffer must be a whole number or math.inf, not nan"),
        (True, TypeError, "buffer must be a whole number or math.inf, not True"),
    ],
)
async def test_the_buffer(buffer: Any, error: type[Exception], message: str) -> None:
    async with open_task_supervisor():
        with pytest.raises(error, match=re.escape(message)):
            open_map(double, [1], buffer=buffer)


# The function


async def numbers(item: int) -> Any:
    yield item


def make_coroutine() -> Any:
    return double(4)


wrong_functions = pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_coroutine, "got a coroutine: write {}(double, 4), not {}(double(4))"),
        (lambda: numbers, "{} takes an async function, but numbers is an async generator"),
        (lambda: 3, "{} takes an async function, but got 3"),
        (lambda: None, "{} takes an async function, but got None"),
    ],
    ids=["coroutine", "async generator", "number", "None"],
)


@wrong_functions
async def test_what_is_no_async_function(make: Callable[[], Any], message: str) -> None:
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=re.escape(message.replace("{}", "parallel_map"))):
            await map_anyhow(make(), [1])
        with pytest.raises(TypeError, match=re.escape(message.replace("{}", "open_map"))):
            open_anyhow(make(), [1])


def plain(item: int) -> int:
    return item


async def of_two(item: int, other: int) -> int:
    return item + other


async def of_none() -> None: ...


async def of_a_keyword(item: int, *, other: int) -> int:
    return item + other


each_way = pytest.mark.parametrize("on_error", ["collect", "raise"])
each_timeout = pytest.mark.parametrize("timeout", [None, 5.0], ids=["", "in time"])


@each_way
@each_timeout
@pytest.mark.parametrize("listens", [False, True], ids=["", "heard"])
async def test_a_plain_function_ends_the_map_and_says_where_it_may_run(
    on_error: str, timeout: float | None, listens: bool
) -> None:
    async with open_task_supervisor():
        with subscribe(lambda _: None) if listens else trio.CancelScope():
            with pytest.raises(TypeError, match="have it run in a thread: write run_in='thread'"):
                await map_anyhow(plain, [1, 2], on_error=on_error, timeout=timeout)


@each_way
@each_timeout
@pytest.mark.parametrize("function", [of_two, of_none, of_a_keyword])
@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_so_does_one_that_takes_no_single_item(
    function: Any, on_error: str, timeout: float | None, kind: str
) -> None:
    async def items() -> Any:
        yield 1

    message = f"{function.__name__} must be an async function that takes an item: .*argument"
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=message):
            source: Any = [1, 2] if kind == "plain" else items()
            await map_anyhow(function, source, on_error=on_error, timeout=timeout)
        async with open_anyhow(function, [1, 2], on_error=on_error, timeout=timeout) as results:
            with pytest.raises(TypeError, match=message):
                await results.receive()


async def test_one_that_takes_more_is_bound_beforehand() -> None:
    async with open_task_supervisor():
        results = await parallel_map(functools.partial(of_two, other=1), [1, 2])
        assert values_of(results) == [2, 3]


async def test_an_object_that_is_called_will_do() -> None:
    class Adder:
        async def __call__(self, item: int) -> int:
            await trio.lowlevel.checkpoint()
            return item + 1

    async with open_task_supervisor():
        assert values_of(await parallel_map(Adder(), [1, 2])) == [2, 3]


async def test_so_will_a_function_that_returns_something_to_await() -> None:
    async with open_task_supervisor():
        assert values_of(await parallel_map(lambda item: double(item), [1])) == [2]  # noqa: PLW0108


# A type error of the function itself is its own


async def test_a_type_error_within_the_function_is_the_items_error() -> None:
    async def add_one(item: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return item + 1

    async with open_task_supervisor():
        results = await parallel_map(add_one, [1, "a", 3])
    assert errors_of(results) == {"a": TypeError}


async def test_so_is_one_of_a_map_within() -> None:
    async def row(item: Any) -> Any:
        return values_of(await parallel_map(double, item))

    async with open_task_supervisor():
        results = await parallel_map(row, [[1], 3, [2]])
    assert errors_of(results) == {3: TypeError}


async def test_and_one_of_a_map_within_whose_function_is_plain() -> None:
    async def row(item: Any) -> Any:
        return values_of(await map_anyhow(plain if item == 1 else double, [item]))

    async with open_task_supervisor():
        results = await parallel_map(row, [0, 1, 2])
    assert errors_of(results) == {1: TypeError}


async def test_and_one_that_is_taken_from_a_result() -> None:
    async def unwrap(item: Any) -> Any:
        return item.unwrap()

    async def add_one(item: Any) -> Any:
        return item + 1

    async with open_task_supervisor():
        before = await parallel_map(add_one, [1, "a"])
        after = await parallel_map(unwrap, before)
    assert errors_of(after) == {before[1]: TypeError}


async def test_and_one_of_a_progress_of_a_map_within() -> None:
    def tell(*_: object) -> None:
        raise TypeError("of progress")

    async def row(item: Any) -> Any:
        return await parallel_map(double, [item], on_progress=tell)

    async with open_task_supervisor():
        assert errors_of(await parallel_map(row, [1])) == {1: TypeError}


# The items


@pytest.mark.parametrize("items", [3, None, double], ids=["number", "None", "function"])
async def test_what_cannot_be_iterated_over(items: Any) -> None:
    work = Work()
    for_map = f"parallel_map takes items that can be iterated over, not {items!r}"
    for_open = f"open_map takes items that can be iterated over, not {items!r}"
    async with open_task_supervisor() as tasks:
        with pytest.raises(TypeError, match=re.escape(for_map)):
            await parallel_map(work.do, items)
        with pytest.raises(TypeError, match=re.escape(for_open)):
            open_map(work.do, items)
        with pytest.raises(TypeError, match=re.escape(for_map)):
            await tasks.parallel_map(work.do, items)


# Where it runs


@pytest.mark.parametrize("run_in", ["thread", "process"])
async def test_an_async_function_runs_in_a_task(run_in: str) -> None:
    if run_in == "process":
        pytest.importorskip("trio_parallel")
    message = f"run_in={run_in!r} is for plain functions, and double is an async one: leave run_in"
    async with open_task_supervisor():
        for function in (double, functools.partial(double)):
            with pytest.raises(TypeError, match=re.escape(message)):
                await map_anyhow(function, [1], run_in=run_in)
        with pytest.raises(TypeError, match="parallel_map takes a function, not 3"):
            await map_anyhow(3, [1], run_in=run_in)
