"""The programs in docs/examples and in the README run, and what the README promises is true."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text("utf-8")
PROGRAMS = sorted(ROOT.glob("docs/examples/*.py"))
# Each program, and what it prints: the next lines that are indented.
BLOCKS = re.findall(
    r"^```python\n(.*?)^```\n(?:.*?\n)??\n((?:    [^\n]*\n)+)", README, re.MULTILINE | re.DOTALL
)


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
@pytest.mark.parametrize(("program", "output"), BLOCKS, ids=range(len(BLOCKS)))
def test_a_program_in_the_readme_prints_what_the_readme_says(
    program: str, output: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(program, "utf-8")
    ended = subprocess.run(
        [sys.executable, "-u", "-W", "error", "program.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stdout
    wanted, got = (re.sub(r"\d+\.\d+ s", "N s", text) for text in (dedent(output), ended.stdout))
    assert doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS), got


@pytest.mark.realtime
def test_the_tree_in_the_readme_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    tree = re.search(r"^    from .* import subtree\n(\n|    .*\n)+", README, re.MULTILINE)
    assert tree is not None
    children = BLOCKS[0][0].partition("async def main")[0]
    (tmp_path / "shop.py").write_text(children + dedent(tree[0]), "utf-8")
    command = [sys.executable, "-u", "-m", "trio_foundation", "run", "shop:tree"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    ) as program:
        assert program.stdout is not None
        said = ""
        for line in program.stdout:
            said += line
            if line == "poll got two\n":
                program.terminate()
    assert "child 'poll' (incarnation 1) crashed" in said
    assert "SIGTERM: stopping in order" in said
    assert program.returncode == 0, said


def test_ci_runs_the_test_command_of_the_readme_and_nothing_else() -> None:
    script = ROOT.joinpath(".ci", "run").read_text("utf-8").splitlines()
    commands = [line for line in script if not re.match(r"#|set |cd |$", line)]
    assert len(commands) == 1
    assert f"\n    {commands[0].removeprefix('exec ')}\n" in README
