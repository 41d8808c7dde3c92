"""Tests of the second best answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from trio_foundation.resilience import Fallback, fallback


async def ask(item: str) -> str:
    return f"price of {item}"


async def fail(item: str) -> str:
    raise ConnectionError(item)


async def remember(item: str) -> str:
    return f"yesterday's price of {item}"


async def test_what_succeeds_needs_no_fallback() -> None:
    assert await fallback(ask, "apples", otherwise=remember) == "price of apples"


async def test_what_fails_is_answered_by_another_function_with_the_same_arguments() -> None:
    assert await fallback(fail, "apples", otherwise=remember) == "yesterday's price of apples"


@pytest.mark.parametrize("value", ["unknown", None, 0, OSError("as a value")], ids=repr)
async def test_what_fails_is_answered_by_a_value(value: object) -> None:
    with assert_checkpoints():
        assert await fallback(fail, "apples", otherwise=value) is value


async def test_only_the_errors_that_are_meant_are_answered() -> None:
    assert await fallback(fail, "apples", otherwise=None, on=OSError) is None
    assert await fallback(fail, "apples", otherwise=None, on=lambda e: "apples" in str(e)) is None
    with pytest.raises(ConnectionError):
        await fallback(fail, "apples", otherwise=None, on=(KeyError, ValueError))


async def test_a_group_is_answered_if_each_error_in_it_is_meant() -> None:
    async def fail_twice(second: Exception) -> None:
        raise ExceptionGroup("both", [OSError(), second])

    assert await fallback(fail_twice, ConnectionError(), otherwise="x", on=OSError) == "x"
    with pytest.RaisesGroup(OSError, KeyError):
        await fallback(fail_twice, KeyError(), otherwise="x", on=OSError)


async def test_an_error_of_the_fallback_tells_of_the_first() -> None:
    async def fail_too(item: str) -> str:
        await trio.lowlevel.checkpoint()
        raise KeyError(item)

    with pytest.raises(KeyError) as caught:
        await fallback(fail, "apples", otherwise=fail_too)
    assert isinstance(caught.value.__context__, ConnectionError)


async def test_a_cancellation_is_not_answered(autojump_clock: MockClock) -> None:
    called = False

    async def call(_: float) -> None:
        nonlocal called
        called = True

    with trio.move_on_after(1.0) as scope:
        await fallback(trio.sleep, 60.0, otherwise=call)
    assert scope.cancelled_caught
    assert not called


async def test_a_cancellation_in_a_group_is_not_answered(autojump_clock: MockClock) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            nursery.start_soon(trio.sleep_forever)

    with pytest.RaisesGroup(OSError, allow_unwrapped=True), trio.move_on_after(1.0) as scope:
        await fallback(work, otherwise=None)
    assert scope.cancelled_caught


async def test_the_fallback_can_be_cancelled(autojump_clock: MockClock) -> None:
    async def fail_at_once(seconds: float) -> None:
        raise OSError

    for otherwise in (trio.sleep, "a value"):
        with trio.CancelScope() as scope:
            scope.cancel()
            await fallback(fail_at_once, 60.0, otherwise=otherwise)
        assert scope.cancelled_caught


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), trio.TrioInternalError()])
async def test_what_is_no_mere_error_is_not_answered(error: BaseException) -> None:
    async def interrupt() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await fallback(interrupt, otherwise=None)
    assert caught.value is error


async def test_it_can_be_written_down_once() -> None:
    second_best = Fallback(remember, on=OSError)
    for _ in range(2):
        assert await second_best.call(fail, "apples") == "yesterday's price of apples"
    assert repr(Fallback("unknown")) == "Fallback('unknown')"


async def test_a_plain_function_is_refused_when_it_answers() -> None:
    def answer(item: str) -> str:
        return item

    told = "but answer returned 'apples' at once: make it `async def`"
    with pytest.raises(TypeError, match=re.escape(told)):
        await fallback(fail, "apples", otherwise=answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"otherwise": 1, "on": BaseException}, "on takes subclasses of Exception, not BaseExcep"),
        ({"otherwise": 1, "on": 3}, "on must be a subclass of Exception"),
    ],
)
async def test_nonsense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        await fallback(ask, "apples", **arguments)
    with pytest.raises(TypeError, match=re.escape(message)):
        Fallback(**arguments)


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    async def stream(item: str) -> AsyncIterator[str]:
        yield item

    with pytest.raises(TypeError, match="otherwise takes an async function, but stream is an"):
        Fallback(stream)
    with pytest.raises(TypeError, match="but got a coroutine: write otherwise=remember, and it"):
        Fallback(remember("apples"))
