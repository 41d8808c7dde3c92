"""What the pages of the documentation have their readers do works, and shows what they show."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.pages import command_line, commands, directives, programs_shown, run_page

# It looks for processes where Linux has them.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux and bash")

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = DOCS / "tutorial"
PAGES = sorted(page for page in DOCS.rglob("*.rst") if "_build" not in page.parts)
# Python on a page is a program that runs, or a doctest; and what is typed shows what comes of it.
INCLUDE, TYPE = "include a program, or write a doctest", "write a console block"
REFUSED = {
    **dict.fromkeys(["python", "python3", "py", "pycon", ""], INCLUDE),
    **dict.fromkeys(["bash", "sh", "shell", "zsh", "shell-session"], TYPE),
}
CODE = {"code-block", "code", "sourcecode"}


def name(page: Path) -> str:
    return str(page.relative_to(DOCS).with_suffix(""))


@pytest.mark.realtime
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_what_a_page_has_its_reader_type_shows_what_the_page_shows(
    page: Path, tmp_path: Path, desk: Path
) -> None:
    found = list(run_page(page, desk if page.parent == TUTORIAL else tmp_path))
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the chapters of the tutorial are typed one after the other, as their reader does."""
    return tmp_path_factory.mktemp("desk")


def test_no_page_has_code_that_does_not_run() -> None:
    found = [said for page in PAGES for said in code_that_does_not_run(page)]
    assert not found, "\n".join(found)


def test_every_program_on_a_page_is_run() -> None:
    found = [said for page in PAGES for said in programs_that_nothing_runs(page)]
    assert not found, "\n".join(found)


def code_that_does_not_run(page: Path) -> Iterator[str]:
    for one in directives(page):
        language = one.argument.lower()
        if one.name in CODE and language in REFUSED:
            said = f"'.. {one.name}:: {one.argument}' does not run"
            yield f"{page}:{one.line}: {said}; {REFUSED[language]}"


def programs_that_nothing_runs(page: Path) -> Iterator[str]:
    for one, program in programs_shown(page):
        if program.suffix == ".py" and not is_run(program):
            yield f"{page}:{one.line}: nothing runs {program.name}; run it on the page or in a test"


def is_run(program: Path) -> bool:
    """Return whether a program is run: all examples are, or a page beside it does, or another one that is run.

    What is shown of the package and the tests is no program of the docs.
    """
    if program.parent.name == "examples" or "docs" not in program.parts:
        return True
    pages = program.parent.glob("*.rst")
    typed = "\n".join(command.text for page in pages for command in commands(page))
    if re.search(rf"\b{program.stem}\b", typed):
        return True
    uses = re.compile(rf"(^\s*(from|import) |[\"']){program.stem}\b", re.MULTILINE)
    others = (one for one in program.parent.glob("*.py") if one != program)
    return any(uses.search(one.read_text("utf-8")) and is_run(one) for one in others)


# The runner itself


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "docs" / "page.rst"
    page.parent.mkdir()
    return page


def block(*lines: str) -> str:
    return "\n".join([".. code-block:: console", "", *(f"    {line}" for line in lines), "", "."])


def found_on(page: Path, *lines: str, time_limit: float = 40.0) -> list[str]:
    page.write_text(block(*lines), "utf-8")
    return list(run_page(page, page.parents[1], time_limit))


@pytest.mark.realtime
def test_a_page_that_tells_the_truth_is_accepted(page: Path) -> None:
    page.with_name("hello.py").write_text("print('hello,', 'world')", "utf-8")
    lines = [
        "# A comment.",
        "$ python hello.py  # another one",
        "hello, world",
        "$ cd /; x=3",
        "",
        "# It is one session.",
        "$ echo $PWD \\",
        ">     $x",
        "/ 3",
        "$ cat <<END",
        "> it's",
        ">",
        "> here",
        "> END",
        "it's",
        "...",
        "$ python -c 'import sys; print(1); print(2, file=sys.stderr); print(3)'",
        "1",
        "2",
        "3",
        "$ false",
        "$ echo $?",
        "1",
    ]
    assert found_on(page, *lines) == []


@pytest.mark.realtime
def test_a_page_may_start_jobs_and_end_them(page: Path) -> None:
    lines = [
        "$ sleep 60 &",
        "[1] 4242",
        "$ python -c 'import time; print(1); time.sleep(60)' > log &",
        "$ until grep -qs 1 log; do :; done",
        "$ kill -INT %2; wait %2",
        "Traceback (most recent call last):",
        "...",
        "KeyboardInterrupt",
        "$ echo $?",
        "130",
        "$ kill -KILL %1; wait",
        "[1]+  Killed      sleep 60",
    ]
    assert found_on(page, *lines) == []


@pytest.mark.realtime
def test_other_output_is_told_with_page_and_line_and_difference(page: Path) -> None:
    (found,) = found_on(page, "$ echo one", "one", "$ seq 3", "1", "2", "4")
    assert found.startswith(f"{page}:5: other output:\n    $ seq 3\n")
    assert "    -4\n    +3\n" in found


@pytest.mark.realtime
def test_a_command_that_fails_unasked_is_told(page: Path) -> None:
    (found,) = found_on(page, "$ (exit 3)", "$ true")
    assert found.startswith(f"{page}:3: it fails with status 3;")


@pytest.mark.realtime
def test_a_warning_is_a_failure(page: Path) -> None:
    (found,) = found_on(page, "$ python -c 'import warnings; warnings.warn(\"!\")'", "...")
    assert "UserWarning: !" in found


@pytest.mark.realtime
def test_a_syntax_error_ends_only_its_command(page: Path) -> None:
    found = found_on(page, "$ echo 'one", "...", "$ echo two", "three")
    assert "it fails with status 2" in found[0]
    assert "other output" in found[1]


@pytest.mark.realtime
def test_a_command_that_hangs_is_told_and_ended(page: Path) -> None:
    hang = f"$ {shlex.quote(sys.executable)} -c 'import time; print(\"waits\"); time.sleep(70)'"
    before = time.monotonic()
    (found,) = found_on(page, "$ echo one", "one", hang, "$ echo two", "two", time_limit=1.0)
    assert time.monotonic() - before < 10
    assert found.startswith(f"{page}:5: it does not end (all commands of a page have 1.0 seconds)")
    assert "waits" in found
    assert_nothing_runs("time.sleep(70)")


@pytest.mark.realtime
def test_a_process_left_running_is_told_and_ended(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.examples.pages.GRACE", 0.2)
    (found,) = found_on(page, "$ (sleep 71 & disown)", "$ echo one", "one")
    assert found.endswith("sleep 71")
    assert_nothing_runs("sleep 71")


def assert_nothing_runs(words: str) -> None:
    pids = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]
    assert not [line for line in map(command_line, pids) if line.endswith(words)]


def test_a_console_block_without_a_command_is_refused(page: Path) -> None:
    page.write_text(block("pip install trio"), "utf-8")
    with pytest.raises(ValueError, match=r"write '\$ command'"):
        commands(page)


@pytest.mark.parametrize("directive", ["code-block:: python", "code:: sh", "code::"])
def test_code_that_does_not_run_is_told(page: Path, directive: str) -> None:
    page.write_text(f".. {directive}\n\n   print(1)\n\n.. code-block:: toml\n\n   x = 1\n", "utf-8")
    (found,) = code_that_does_not_run(page)
    assert found.startswith(f"{page}:1: '.. {directive}")


def test_a_program_that_nothing_runs_is_told(page: Path) -> None:
    for program, source in {"run": "import used", "used": "", "forgotten": ""}.items():
        page.with_name(f"{program}.py").write_text(source, "utf-8")
    shown = [f".. literalinclude:: {program}.py" for program in ("run", "used", "forgotten")]
    page.write_text("\n\n".join([*shown, block("$ python run.py")]), "utf-8")
    assert list(programs_that_nothing_runs(page)) == [
        f"{page}:5: nothing runs forgotten.py; run it on the page or in a test"
    ]
