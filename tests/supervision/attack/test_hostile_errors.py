"""Attacks: errors of a child that bite whoever touches them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import trio
import trio.testing

from trio_foundation.supervision import RestartLimitReached, open_supervisor


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class SilentError(Exception):
    """Has no attributes that can be set, and no words."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)

    def __str__(self) -> NoReturn:
        raise ValueError("no words")

    def __repr__(self) -> NoReturn:
        raise ValueError("no words")


class UnhashableError(Exception):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> NoReturn:
        raise ValueError("do not compare me")


class CagyError(Exception):
    """Does not tell its causes."""

    @property
    def __cause__(self) -> NoReturn:  # type: ignore[override, mutable-override]
        raise ValueError("do not ask")


class DeepError(Exception):
    def __str__(self) -> str:
        return str(self)  # RecursionError


def group_of(error: BaseException) -> BaseException:
    return BaseExceptionGroup("deeper", [error])


def deep_group() -> BaseException:
    error: BaseException = ValueError("deep")
    for _ in range(3000):
        error = group_of(error)
    return error


SINGLETON = ValueError("always the same object")

HOSTILE: dict[str, Callable[[], Exception]] = {
    "frozen": lambda: FrozenError(1),
    "silent": lambda: SilentError("x"),
    "unhashable": lambda: UnhashableError("x"),
    "cagy": lambda: CagyError("x"),
    "deep": lambda: DeepError("x"),
    "singleton": lambda: SINGLETON,
    "silent_in_group": lambda: ExceptionGroup("two", [SilentError("x"), FrozenError(1)]),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_child_is_restarted_whatever_its_error_is_like(
    autojump_clock: trio.testing.MockClock, kind: str
) -> None:
    runs = 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        if runs <= 3:
            raise HOSTILE[kind]()
        await trio.sleep_forever()

    async with open_supervisor(max_restarts=10) as sup:
        child = sup.start_soon(fail)
        await trio.testing.wait_all_tasks_blocked()
        assert runs == 4
        assert child.last_exit is not None
        assert child.last_exit.reason == "crashed"
        assert child.last_exit.traceback
        assert str(child.last_exit)
        assert str(sup.snapshot())


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_supervisor_gives_up_by_its_own_error_whatever_the_crash_is_like(
    autojump_clock: trio.testing.MockClock, kind: str
) -> None:
    async def fail() -> None:
        raise HOSTILE[kind]()

    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(max_restarts=2) as sup:
            sup.start_soon(fail)
            await trio.sleep_forever()
    assert len(caught.value.exits) == 3


@pytest.mark.parametrize("kind", HOSTILE)
async def test_whoever_waits_for_the_exit_is_told_whatever_the_error_is_like(
    autojump_clock: trio.testing.MockClock, kind: str
) -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise HOSTILE[kind]()

    with trio.fail_after(5):
        async with open_supervisor() as sup:
            exit = await sup.start_soon(fail, restart="temporary").wait_exit()
    assert exit.reason == "crashed"


class Proxy:
    """A method with a slip of the pen, in a class whose attributes come from elsewhere."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(f"the other side is gone: {name}")

    async def run(self) -> None:
        misspelled  # type: ignore[name-defined]  # noqa: B018, F821


async def test_a_slip_of_the_pen_in_a_proxy_is_a_crash_like_any_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(max_restarts=1) as sup:
            sup.start_soon(Proxy().run, name="proxy")
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, NameError)


async def test_a_logger_that_raises_does_not_bring_the_supervisor_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def refuse(record: logging.LogRecord) -> NoReturn:
        raise OSError("the disk is full")

    logger = logging.getLogger("trio_foundation.supervision")
    logger.addFilter(refuse)
    runs = 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        if runs <= 2:
            raise ValueError("x")
        await trio.sleep_forever()

    try:
        async with open_supervisor() as sup:
            sup.start_soon(fail)
            await trio.testing.wait_all_tasks_blocked()
            assert runs == 3
    finally:
        logger.removeFilter(refuse)


async def test_groups_within_groups_without_end_are_a_crash_like_any_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fail() -> None:
        raise deep_group()

    async with open_supervisor() as sup:
        exit = await sup.start_soon(fail, restart="temporary").wait_exit()
    assert exit.reason == "crashed"
