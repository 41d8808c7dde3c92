"""What the tests of this room share."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def collects_when_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Coroutines of a dead run are collected when a test says so.

    Trio's own nurseries and scopes complain then, whatever we do; of that nobody is told.
    """
    gc.collect()
    gc.disable()
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    yield
    gc.collect()
    gc.enable()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let an interrupt be one, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
