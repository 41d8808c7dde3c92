"""Tests of the plugin for pytest, each in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

import trio_foundation

ROOT = Path(trio_foundation.__file__).parents[1]
PLUGIN = "trio_foundation.testing.pytest_plugin"

pytestmark = pytest.mark.realtime

TEST = """
    import trio
    from trio_foundation.supervision import ChildExited, ChildReady, child, open_supervisor

    async def work():
        while True:
            await trio.sleep(1)

    async def test_of_a_tree(foundation_events, foundation_faults, autojump_clock):
        foundation_faults.crash("work", at_checkpoint=2)
        async with open_supervisor([child(work)]):
            exited = await foundation_events.wait_for(ChildExited)
            await foundation_events.wait_for(ChildReady, lambda ready: ready.incarnation == 2)
        assert exited.reason == REASON
        assert foundation_faults.pending == ()
        foundation_events.assert_sequence(ChildExited, ChildReady, ChildExited)
"""


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., str]:
    """Runs pytest on some files, and returns what it says."""

    def run(*arguments: str, **files: str) -> str:
        (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
        for name, source in files.items():
            (tmp_path / f"{name}.py").write_text(dedent(source))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            timeout=45,
        )
        return done.stdout + done.stderr

    return run


def test_events_and_faults_are_fixtures(run_pytest: Callable[..., str]) -> None:
    said = run_pytest(
        conftest=f'pytest_plugins = ["{PLUGIN}"]', test_tree=TEST.replace("REASON", "'crashed'")
    )
    assert "1 passed" in said, said


def test_a_test_that_fails_shows_what_was_told_and_thrown(run_pytest: Callable[..., str]) -> None:
    said = run_pytest(
        "-p", PLUGIN, "--foundation-seed=7", test_tree=TEST.replace("REASON", "'returned'")
    )
    assert "1 failed" in said, said
    assert "- foundation events -" in said
    assert "#0: " in said
    assert "ChildExited(supervisor='supervisor', child='work', incarnation=1" in said
    assert "- foundation faults -" in said
    assert "--foundation-seed=7; had happened:\n    Fault('work', 'crash', at_checkpoint=2" in said


def test_without_being_asked_for_it_is_not_there(run_pytest: Callable[..., str]) -> None:
    said = run_pytest(test_tree=TEST)
    assert "fixture 'foundation_events' not found" in said
