"""The options of tests/conftest.py do what they say, in whichever way the tests run now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock

from .conftest import refuse_all_but


@pytest.fixture(scope="session")
def kind(pytestconfig: pytest.Config) -> str:
    """The kind of run that was asked for."""
    chosen = pytestconfig.getoption("--trio-run")
    assert isinstance(chosen, str)
    return chosen


async def fail() -> None:
    raise LookupError


async def kind_of_this_run() -> str:
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return "guest"
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
    except LookupError:
        return "loose_groups"
    except BaseExceptionGroup:
        return "trio"
    return "a nursery lost an error"


async def test_a_test_runs_as_asked(kind: str) -> None:
    assert await kind_of_this_run() == kind


@given(example=st.none())
async def test_a_test_under_hypothesis_runs_as_asked(kind: str, example: None) -> None:
    assert await kind_of_this_run() == kind


def test_a_run_that_a_test_starts_runs_as_asked(kind: str) -> None:
    assert trio.run(kind_of_this_run) == kind


async def test_the_clock_jumps_in_every_kind_of_run(autojump_clock: MockClock) -> None:
    await trio.sleep(3_600)
    assert trio.current_time() == 3_600


def test_an_error_leaves_every_kind_of_run() -> None:
    with pytest.raises(LookupError):
        trio.run(fail)


def test_a_package_outside_site_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError, match="was imported from"):
        refuse_all_but(tmp_path)
