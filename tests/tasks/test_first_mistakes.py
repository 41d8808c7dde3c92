"""Tests of what is said to those who use it for the first time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import (
    Failed,
    Limit,
    open_map,
    open_task_supervisor,
    parallel_map,
    rich_progress,
)

from ._things import Failure, double, leaves_of


async def test_a_map_is_not_gone_over_but_opened() -> None:
    async with open_task_supervisor():
        block: Any = open_map(double, [1])
        with pytest.raises(TypeError, match="write `async with open_map"):
            async for _ in block:
                pass


async def test_a_map_is_not_awaited_but_opened() -> None:
    async with open_task_supervisor():
        block: Any = open_map(double, [1])
        with pytest.raises(TypeError, match="write `async with open_map"):
            await block


async def test_a_bar_is_opened_before_it_is_told_anything() -> None:
    pytest.importorskip("rich")
    bar: Any = rich_progress("pages")
    async with open_task_supervisor():
        with pytest.raises(TypeError, match="write `with rich_progress"):
            await parallel_map(double, [1], on_progress=bar)


@pytest.mark.parametrize("args", [(), (1, 2), ("no",)])
async def test_a_task_whose_function_could_not_be_called_says_how_it_is_done(
    args: tuple[object, ...],
) -> None:
    def plain(text: str) -> str:
        return text

    wrong: Any = plain
    async with open_task_supervisor() as tasks:
        result = await tasks.start_soon(wrong, *args).outcome()
    assert isinstance(result, Failed)
    assert isinstance(result.error, TypeError)
    assert "plain must be an async function that takes these arguments" in str(result.error)


async def test_an_error_that_is_raised_says_of_which_item_it_is() -> None:
    async def work(item: str) -> None:
        if item == "b":
            raise Failure

    async with open_task_supervisor():
        with pytest.raises(ExceptionGroup) as caught:
            await parallel_map(work, ["a", "b"], on_error="raise", limit=1)
        (error,) = leaves_of(caught.value)
        assert error.__notes__ == ["item 1 of a map of work"]
        (result,) = await parallel_map(work, ["b"])
        assert isinstance(result, Failed)
        assert not hasattr(result.error, "__notes__")


async def test_coroutines_are_no_items_and_are_closed() -> None:
    wrong: Any = double(1)
    async with open_task_supervisor():
        with pytest.raises(TypeError, match="items that can be iterated over"):
            await parallel_map(double, wrong)


async def test_a_limit_that_changes_before_the_map_has_begun_is_heeded(
    autojump_clock: MockClock,
) -> None:
    running = most = 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1

    async with open_task_supervisor():
        for before, after in [(4, 1), (1, 4)]:
            limit, most = Limit(before), 0
            async with open_map(work, range(8), limit=limit) as results:
                limit.value = after
                assert len([result async for result in results]) == 8
            assert most == after
