"""Tests of what is said where the extra for processes is not installed."""

from __future__ import annotations

import sys

import pytest

from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map


async def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio_parallel", None)
    message = r"run_in='process' needs trio-parallel: pip install 'trio-foundation\[process\]'"
    async with open_task_supervisor():
        with pytest.raises(ModuleNotFoundError, match=message):
            await parallel_map(abs, [1], run_in="process")
        with pytest.raises(ModuleNotFoundError, match=message):
            open_map(abs, [1], run_in="process")
