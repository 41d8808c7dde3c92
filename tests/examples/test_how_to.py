"""The program that a how-to page shows for another library is a true one, where that is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
# No checker knows triotp, which needs Python 3.13; so it is not called a Python file.
ON_TRIOTP = HOW_TO / "till_on_triotp.py.txt"


def printed(program: Path) -> list[str]:
    command = [sys.executable, "-W", "error", str(program)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_program_for_triotp_is_python() -> None:
    compile(ON_TRIOTP.read_text("utf-8"), str(ON_TRIOTP), "exec")


@pytest.mark.realtime
def test_the_till_counts_the_same_on_triotp_as_on_ours(tmp_path: Path) -> None:
    pytest.importorskip("triotp")
    theirs = printed(Path(shutil.copy(ON_TRIOTP, tmp_path / "till_on_triotp.py")))
    ours = printed(HOW_TO / "till.py")
    assert [line for line in ours if line.startswith("total")] == [
        line for line in theirs if line.startswith("total")
    ]
    # What the page says: the caller of a server that crashes is not told.
    assert "TooSlowError: " in theirs
    assert "CallFailed: server 'Till' crashed while it handled 'sell'" in ours
