"""Tests of what importing the package means."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import trio_foundation

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_importing_the_package_imports_neither_trio_nor_a_room() -> None:
    program = (
        "import sys, trio_foundation\n"
        "rooms = [name for name in sys.modules if name.startswith('trio_foundation.')]\n"
        "assert all(room.startswith('trio_foundation._base') for room in rooms), rooms\n"
        "assert 'trio' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@pytest.mark.skipif(not PYPROJECT.exists(), reason="runs without the source tree")
def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    assert trio_foundation.__version__ == project["version"]
