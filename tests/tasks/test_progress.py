"""Tests of what tells how far a map has come."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map, rich_progress

from ._things import Failure, Source, Work, double, fail

each_way = pytest.mark.parametrize("on_error", ["collect", "raise"])


class Told:
    """What a map has told of its progress."""

    def __init__(self, *, error_at: int = 0, error: BaseException | None = None) -> None:
        self.all: list[tuple[int, int | None]] = []
        self._error_at = error_at
        self._error = error or Failure("of progress")

    def tell(self, done: int, total: int | None) -> None:
        self.all.append((done, total))
        if done == self._error_at:
            raise self._error


@each_way
async def test_it_is_told_after_each_item(on_error: Any) -> None:
    told = Told()
    async with open_task_supervisor():
        await parallel_map(double, [1, 2, 3], on_progress=told.tell, on_error=on_error)
    assert told.all == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_of_an_input_without_a_length_the_total_is_not_known(kind: str) -> None:
    told, items = Told(), getattr(Source("ab"), kind)()
    async with open_task_supervisor():
        await parallel_map(double, items, on_progress=told.tell)
    assert told.all == [(1, None), (2, None)]


async def test_an_item_that_fails_is_done_too() -> None:
    told = Told()
    async with open_task_supervisor():
        await parallel_map(fail, "ab", on_progress=told.tell)
    assert told.all == [(1, 2), (2, 2)]


async def test_it_is_told_what_is_done_and_not_what_was_received(
    autojump_clock: MockClock,
) -> None:
    told = Told()
    async with open_task_supervisor():
        async with open_map(Work(1.0).do, "abcd", limit=1, buffer=1, on_progress=told.tell) as out:
            await trio.sleep(5.0)
            assert told.all == [(1, 4), (2, 4)]
            await out.receive()
            await trio.sleep(5.0)
            assert told.all[-1] == (3, 4)


@each_way
@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_one_that_raises_ends_the_map_with_its_error_bare(
    kind: str, on_error: Any, autojump_clock: MockClock
) -> None:
    error = Failure()
    told, work = Told(error_at=2, error=error), Work({"a": 1.0, "b": 2.0, "c": 9.0, "d": 9.0})
    items: Any = getattr(Source("abcd"), kind)()
    async with open_task_supervisor() as tasks:
        with pytest.raises(Failure) as caught:
            await parallel_map(work.do, items, limit=3, on_progress=told.tell, on_error=on_error)
        assert caught.value is error
        assert (tasks.running, trio.current_time()) == (0, 2.0)
    assert (set(work.cancelled), work.ended) == ({"c", "d"}, ["a", "b"])


async def test_so_does_one_of_a_map_that_hands_out_results(autojump_clock: MockClock) -> None:
    told, work = Told(error_at=2), Work({"a": 1.0, "b": 2.0, "c": 9.0})
    async with open_task_supervisor():
        async with open_map(work.do, "abc", limit=3, on_progress=told.tell) as results:
            received = [(await results.receive()).item, (await results.receive()).item]
            with pytest.raises(Failure):
                await results.receive()
            with pytest.raises(trio.EndOfChannel):
                await results.receive()
    assert (received, work.cancelled) == (["a", "b"], ["c"])


async def test_one_that_raises_at_the_last_item_is_not_lost() -> None:
    async with open_task_supervisor():
        with pytest.raises(Failure):
            await parallel_map(double, "ab", on_progress=Told(error_at=2).tell)


async def test_an_exit_of_one_that_is_told_goes_up() -> None:
    told = Told(error_at=1, error=SystemExit(3))
    async with open_task_supervisor():
        with pytest.raises(SystemExit):
            await parallel_map(double, "ab", on_progress=told.tell)


async def test_one_that_leaves_the_map_leaves_it(autojump_clock: MockClock) -> None:
    work, scope = Work({"a": 1.0, "b": 9.0}), trio.CancelScope()

    def leave(*_: object) -> None:
        scope.cancel()

    async with open_task_supervisor():
        with scope:
            await parallel_map(work.do, "ab", limit=2, on_progress=leave)
    assert scope.cancelled_caught
    assert work.cancelled == ["b"]


async def test_an_async_one_is_refused() -> None:
    async def tell(done: int, total: int | None) -> None: ...

    wrong: Any
    async with open_task_supervisor():
        for wrong in (tell, 3):
            with pytest.raises(TypeError, match="on_progress must be a plain function or None, "):
                await parallel_map(double, "ab", on_progress=wrong)


# The bar


async def test_a_bar_shows_how_far_it_is() -> None:
    pytest.importorskip("rich")
    file = io.StringIO()
    async with open_task_supervisor():
        with rich_progress("doubling", file=file) as progress:
            await parallel_map(double, range(4), on_progress=progress)
    assert "doubling" in file.getvalue()
    assert "4/4" in file.getvalue()


async def test_it_shows_what_is_done_if_the_total_is_not_known() -> None:
    pytest.importorskip("rich")
    file = io.StringIO()
    async with open_task_supervisor():
        with rich_progress(file=file) as progress:
            await parallel_map(double, iter(range(4)), on_progress=progress)
    assert "working" in file.getvalue()
    assert "4/?" in file.getvalue()


async def test_it_is_drawn_beside_what_the_program_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("rich")
    async with open_task_supervisor():
        with rich_progress("doubling") as progress:
            await parallel_map(double, range(4), on_progress=progress)
    out, err = capsys.readouterr()
    assert (out.strip(), "doubling" in err) == ("", True)


def test_a_bar_needs_a_description() -> None:
    with pytest.raises(ValueError, match="description must not be empty"):
        rich_progress("")
    wrong: Any = 3
    with pytest.raises(TypeError, match="description must be a string, not 3"):
        rich_progress(wrong)


def test_without_rich_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rich", "rich.progress", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'trio-foundation\[cli\]'"):
        rich_progress("doubling")
