"""Attacks: Ctrl-C at one step of the library after another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trio_foundation

HERE = Path(__file__).parent


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("main", "first", "stride"),
    [("everything", 7, 34), ("everything", 24, 34), ("start", 1, 1), ("start_soon", 1, 1)],
)
def test_an_interrupt_ends_every_program_at_whatever_step_it_comes(
    main: str, first: int, stride: int
) -> None:
    arguments = [main, str(first), str(stride)]
    done = subprocess.run(
        [sys.executable, "-P", str(HERE / "interrupted_program.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(trio_foundation.__file__).parents[1],
        env={"PYTHONPATH": str(Path(trio_foundation.__file__).parents[1])},
        timeout=55,  # less than faulthandler's, which would end all tests
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
