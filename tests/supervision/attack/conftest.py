"""A test that hangs is a test that fails: soon, and whatever is shielded."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest


class HungError(BaseException):
    """The test hangs. Raised in Trio's own loop, it ends the run at once."""


@pytest.fixture(autouse=True)
def _no_test_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    def give_up(signum: int, frame: FrameType | None) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 120 if request.node.get_closest_marker("realtime") else 20)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
