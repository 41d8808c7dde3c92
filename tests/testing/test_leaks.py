"""Tests of finding leaks: that it finds them, and nothing else."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.testing import assert_no_leak


class Thing:
    """It is counted."""


async def test_what_is_kept_is_a_leak() -> None:
    kept: list[Thing] = []

    async def keep() -> None:
        await trio.lowlevel.checkpoint()
        kept.append(Thing())

    with pytest.raises(AssertionError) as caught:
        await assert_no_leak(keep, rounds=1_000)
    first, *lines = str(caught.value).splitlines()
    assert "keep leaks: 1000 rounds took" in first
    assert f"    +1000 {__name__}.Thing" in lines
    line = keep.__code__.co_firstlineno + 2
    assert any(f"bytes by {__file__}:{line}" in one for one in lines)
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize("kept", [b"", "a", 1.5, 10**20])
async def test_a_leak_of_what_the_collector_does_not_see_is_found(kept: Any) -> None:
    leak: list[Any] = []
    with pytest.raises(AssertionError, match="leaks"):
        await assert_no_leak(lambda: leak.append(kept * 2 + kept), rounds=2_000)


async def test_a_slow_leak_is_found() -> None:
    leak: list[bytes] = []

    def leak_sometimes() -> None:
        count[0] += 1
        if count[0] % 100 == 0:
            leak.append(bytes(300))

    count = [0]
    with pytest.raises(AssertionError, match="rounds took 3"):
        await assert_no_leak(leak_sometimes)


async def test_garbage_is_no_leak() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    await assert_no_leak(Cycle, rounds=1_000)


async def test_what_fills_up_once_is_no_leak() -> None:
    shelf: dict[int, bytes] = {}
    count = [0]

    def put() -> None:
        count[0] += 1
        shelf[count[0] % 150] = bytes(100)

    await assert_no_leak(put, rounds=100)


async def test_timeouts_that_trio_has_not_forgotten_are_no_leak(autojump_clock: MockClock) -> None:
    async def nap() -> None:
        with trio.move_on_after(60):
            await trio.lowlevel.checkpoint()

    await assert_no_leak(nap, rounds=700)  # Trio forgets a thousand at a time


async def test_it_is_called_with_its_arguments_after_a_tenth_to_warm_up() -> None:
    calls: list[tuple[int, str]] = []

    def note(number: int, word: str) -> None:
        calls.append((number, word))

    await assert_no_leak(note, 1, "a", rounds=15)
    assert calls == [(1, "a")] * 17


async def test_an_error_of_the_function_goes_on() -> None:
    with pytest.raises(ZeroDivisionError):
        await assert_no_leak(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


async def test_who_traces_already_goes_on_tracing() -> None:
    tracemalloc.start()
    try:
        await assert_no_leak(trio.lowlevel.checkpoint, rounds=10)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("options", "error"),
    [({"rounds": 0}, ValueError), ({"rounds": 1.5}, TypeError), ({"growth": 0.9}, ValueError)],
    ids=str,
)
async def test_nonsense_is_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        await assert_no_leak(Thing, **options)
