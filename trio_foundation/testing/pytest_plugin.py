"""Fixtures for tests of trees: `foundation_events` and `foundation_faults`.

To turn it on, write ``pytest_plugins = ["trio_foundation.testing.pytest_plugin"]`` in
``conftest.py``, or run ``pytest -p trio_foundation.testing.pytest_plugin``. The fixtures are for
async tests, as pytest-trio runs them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest
import trio

from ..telemetry import Event
from ._capture import CapturedEvents, capture_events, listed
from ._faults import Faults

__all__ = [
    "foundation_events",
    "foundation_faults",
    "pytest_addoption",
    "pytest_runtest_makereport",
]

_EVENTS = pytest.StashKey[CapturedEvents[Event]]()
_FAULTS = pytest.StashKey[Faults]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--foundation-seed``."""
    parser.getgroup("trio_foundation").addoption(
        "--foundation-seed",
        type=int,
        default=0,
        metavar="SEED",
        help="what the dice of the fixture foundation_faults are seeded with",
    )


@pytest.fixture
async def foundation_events(
    request: pytest.FixtureRequest,
) -> AsyncGenerator[CapturedEvents[Event]]:
    """All events while the test runs; the report of a failure shows them.

    Yields:
        A `CapturedEvents`.
    """
    await trio.lowlevel.checkpoint()
    with capture_events() as events:
        request.node.stash[_EVENTS] = events
        yield events


@pytest.fixture
async def foundation_faults(request: pytest.FixtureRequest) -> AsyncGenerator[Faults]:
    """Faults that are active while the test runs; the report of a failure shows them.

    Yields:
        A `Faults` with nothing planned, seeded by ``--foundation-seed``.
    """
    await trio.lowlevel.checkpoint()
    seed = int(request.config.getoption("--foundation-seed") or 0)
    with Faults(seed).active() as faults:
        request.node.stash[_FAULTS] = faults
        yield faults


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its fixtures know."""
    report = yield
    if report.when == "call" and report.failed:
        if (events := item.stash.get(_EVENTS, None)) is not None:
            report.sections.append(("foundation events", listed(events)))
        if (faults := item.stash.get(_FAULTS, None)) is not None:
            report.sections.append(("foundation faults", _told(faults)))
    return report


def _told(faults: Faults) -> str:
    lines = [f"--foundation-seed={faults.seed}; had happened:", *map(repr, faults.fired)]
    pending = [f"pending: {fault!r}" for fault in faults.pending]
    return "\n    ".join([*lines, *pending])
