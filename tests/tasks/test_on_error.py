"""Tests of errors of items: handed out like results, or raised as a nursery does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import Ok, open_map, open_task_supervisor, parallel_map

from ._things import Failure, Source, Work, errors_of, fail, leaves_of, loose_groups

each_kind_of_group = pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])


def raised(main: Callable[[], Awaitable[Any]], *, strict: bool = True) -> BaseException:
    """Return what a program raises."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011  the test looks at it
        trio.run(main, clock=MockClock(autojump_threshold=0), strict_exception_groups=strict)
    return caught.value


async def test_each_error_is_a_result_and_the_rest_goes_on(autojump_clock: MockClock) -> None:
    work = Work(fails="bd")
    async with open_task_supervisor():
        results = await parallel_map(work.do, "abcde", limit=2)
    assert errors_of(results) == {"b": Failure, "d": Failure}
    assert sorted(work.ended) == list("abcde")


async def test_a_group_is_the_error_of_one_item() -> None:
    async def two(_: int) -> None:
        raise ExceptionGroup("two", [Failure(), Failure()])

    async with open_task_supervisor():
        assert errors_of(await parallel_map(two, [1])) == {1: ExceptionGroup}


@loose_groups
@each_kind_of_group
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_the_first_error_cancels_the_rest_and_is_raised_in_a_group(kind: str, strict: bool) -> None:
    work = Work({"a": 9.0, "b": 1.0, "c": 9.0}, fails="b")
    items: Any = "abc" if kind == "plain" else Source("abc").slow()

    async def main() -> None:
        async with open_task_supervisor() as tasks:
            try:
                await parallel_map(work.do, items, limit=2, on_error="raise")
            finally:
                assert (tasks.running, trio.current_time()) == (0, 1.0)

    error = raised(main, strict=strict)
    assert type(error) is ExceptionGroup  # also where a nursery would raise one error bare
    assert [type(leaf) for leaf in leaves_of(error)] == [Failure]
    assert (work.started, work.cancelled) == (["a", "b"], ["a"])


@loose_groups
@each_kind_of_group
def test_so_it_is_when_results_are_handed_out(strict: bool) -> None:
    work = Work({"a": 1.0, "b": 2.0, "c": 9.0}, fails="b")
    received: list[str] = []
    ended_at: list[float] = []

    async def main() -> None:
        async with open_task_supervisor():
            try:
                async with open_map(work.do, "abc", limit=3, on_error="raise") as results:
                    while True:
                        received.append(await results.receive())
            finally:
                ended_at.append(trio.current_time())

    error = raised(main, strict=strict)
    assert type(error) is ExceptionGroup  # also where a nursery would raise one error bare
    assert [type(leaf) for leaf in leaves_of(error)] == [Failure]
    assert (received, work.cancelled, ended_at) == (["a"], ["c"], [2.0])


def test_errors_at_once_are_all_raised() -> None:
    work = Work(fails="ab")

    async def main() -> None:
        async with open_task_supervisor():
            await parallel_map(work.do, "abc", limit=3, on_error="raise")

    assert {type(leaf) for leaf in leaves_of(raised(main))} == {Failure}


def test_an_error_and_one_of_the_body_are_raised_together() -> None:
    async def main() -> None:
        async with open_task_supervisor():
            async with open_map(fail, "a", on_error="raise"):
                try:
                    await trio.sleep_forever()
                finally:
                    raise LookupError

    assert sorted(type(leaf).__name__ for leaf in leaves_of(raised(main))) == [
        "Failure",
        "LookupError",
    ]


def test_an_error_cancels_the_body_even_if_it_does_not_receive() -> None:
    async def main() -> None:
        async with open_task_supervisor():
            async with open_map(fail, "a", on_error="raise"):
                await trio.sleep_forever()

    assert [type(leaf) for leaf in leaves_of(raised(main))] == [Failure]


async def test_an_error_of_the_body_comes_out_bare(autojump_clock: MockClock) -> None:
    work, error = Work(9.0), Failure()
    async with open_task_supervisor():
        with pytest.raises(Failure) as caught:
            async with open_map(work.do, "ab", limit=2):
                await trio.sleep(1.0)
                raise error
        assert caught.value is error
        assert sorted(work.cancelled) == ["a", "b"]


@loose_groups
@each_kind_of_group
@pytest.mark.parametrize("kind", ["parallel_map", "open_map"])
def test_an_exit_ends_it_all_and_comes_out_bare(kind: str, strict: bool) -> None:
    work = Work(9.0)

    async def leave(item: str) -> None:
        if item == "a":
            await work.do(item)
        raise SystemExit(3)

    async def main() -> None:
        async with open_task_supervisor():
            if kind == "parallel_map":
                await parallel_map(leave, "ab", limit=2)
            async with open_map(leave, "ab", limit=2) as results:
                await results.receive()

    assert isinstance(raised(main, strict=strict), SystemExit)
    assert work.cancelled == ["a"]


@each_kind_of_group
@loose_groups
@pytest.mark.parametrize("on_error", ["collect", "raise"])
def test_a_cancellation_from_outside_is_one_and_no_error(strict: bool, on_error: Any) -> None:
    scopes: list[trio.CancelScope] = []

    async def main() -> None:
        work = Work(9.0)
        async with open_task_supervisor():
            with trio.move_on_after(1.0) as scope:
                scopes.append(scope)
                try:
                    await parallel_map(work.do, "abc", limit=3, on_error=on_error)
                except trio.Cancelled:
                    scopes.append(scope)
                    raise

    trio.run(main, clock=MockClock(autojump_threshold=0), strict_exception_groups=strict)
    assert [scope.cancelled_caught for scope in scopes] == [True, True]


async def test_an_error_that_meets_a_cancellation_is_not_lost(autojump_clock: MockClock) -> None:
    async def clumsy(_: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async with open_task_supervisor():
        with pytest.raises((Failure, ExceptionGroup)), trio.move_on_after(1.0):
            await parallel_map(clumsy, "a", on_error="raise")


async def test_values_may_be_results(autojump_clock: MockClock) -> None:
    async def wrap(item: int) -> Ok[int, int]:
        return Ok(item, item)

    async with open_task_supervisor():
        assert await parallel_map(wrap, [1], on_error="raise") == [Ok(1, 1)]
