"""The programs in docs/examples and in the README run, and what the README promises is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text("utf-8")
PROGRAMS = sorted(ROOT.glob("docs/examples/*.py"))
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(program: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would, but with warnings as errors."""
    command = [sys.executable, "-W", "error", str(program)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=program.parent
    )


@pytest.mark.realtime
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_runs(program: Path) -> None:
    if "from sklearn" in program.read_text("utf-8"):
        pytest.importorskip("sklearn")
    ended = run(program)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_is_short_and_complete(program: Path) -> None:
    source = program.read_text("utf-8")
    assert len(source.splitlines()) < 60
    assert "def main(" in source


def test_every_example_is_listed_on_their_page() -> None:
    page = ROOT.joinpath("docs", "examples.rst").read_text("utf-8")
    assert not [program.name for program in PROGRAMS if f"``{program.name}``" not in page]


@pytest.mark.realtime
@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_program_in_the_readme_runs(block: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block, "utf-8")
    ended = run(program)
    assert ended.returncode == 0, ended.stderr


def test_ci_runs_the_test_command_of_the_readme_and_nothing_else() -> None:
    script = ROOT.joinpath(".ci", "run").read_text("utf-8").splitlines()
    commands = [line for line in script if not re.match(r"#|set |cd |$", line)]
    assert len(commands) == 1
    assert f"\n    {commands[0].removeprefix('exec ')}\n" in README
