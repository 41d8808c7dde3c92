"""Tests of ``python -m trio_foundation``."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import trio_foundation
from trio_foundation.__main__ import main

MODULES = {
    "shop/__init__.py": "",
    "shop/app.py": """\
        import logging
        import trio
        from trio_foundation.supervision import child, subtree

        async def serve():
            logging.getLogger("shop").info("open")

        async def crash():
            raise ConnectionError("refused")

        class Trees:
            small = child(serve)

        tree = child(serve)
        broken_tree = subtree([child(crash)], name="app")
        port = 8080

        def make(): return tree
        def make_nothing(): pass
        def make_for(name): return tree
        def fail(): raise KeyError("PORT")
        """,
    "shop/broken.py": "raise ValueError('no config')",
    "shop/needy.py": "import no_such_library",
    "shop/clumsy.py": "import shop.no_such_module",
    "shop/treeless.py": "x = 1",
}


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A package that a user may have, in the directory that the command is given in."""
    for name, source in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(source))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@contextmanager
def fresh_logging() -> Generator[logging.Logger]:
    """Have the root logger as a program finds it: without the handlers of pytest."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a command that makes no sense, and returns what is told of it."""

    def run(path: str) -> str:
        assert main(["run", path]) == 2
        told = capsys.readouterr().err
        assert told.startswith("trio-foundation run: ")
        return told.removeprefix("trio-foundation run: ").rstrip()

    return run


# Running


@pytest.mark.parametrize("path", ["shop.app:tree", "shop.app:make", "shop.app:Trees.small"])
def test_a_tree_is_run_by_its_name(path: str) -> None:
    assert main(["run", path, "--grace", "inf"]) == 0


def test_the_exit_code_is_that_of_the_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop.app:broken_tree"]) == 1
    assert "The application failed: child 'crash'" in capsys.readouterr().err


def test_an_error_of_the_users_function_is_the_users() -> None:
    with pytest.raises(KeyError, match="PORT"):
        main(["run", "shop.app:fail"])


# Commands that make no sense


def test_a_module_that_is_not_there(refusal: Callable[[str], str]) -> None:
    assert re.fullmatch(
        r"there is no module 'shpo' in .* or on the Python path; did you mean 'shop'\?",
        refusal("shpo:tree"),
    )
    assert refusal("nowhere.app:tree").endswith("Python path, and so none 'nowhere.app'")


def test_a_module_that_is_not_in_its_package(refusal: Callable[[str], str]) -> None:
    assert refusal("shop.ap:tree") == (
        "there is no module 'shop.ap' in the package 'shop'; did you mean 'shop.app'?"
    )


def test_a_name_written_as_a_module(refusal: Callable[[str], str]) -> None:
    assert refusal("shop.app.tree:tree") == (
        "there is no module 'shop.app.tree', since 'shop.app' is no package: if 'tree' is in it, "
        "write shop.app:tree"
    )


def test_a_tree_that_is_not_named(refusal: Callable[[str], str]) -> None:
    assert refusal("shop.app") == (
        "'shop.app' does not say which tree of the module: write shop.app:tree, if it is called "
        "tree there"
    )


@pytest.mark.parametrize("path", ["", ":tree", "shop..app:tree", ".app:tree"])
def test_a_module_that_is_not_named(path: str, refusal: Callable[[str], str]) -> None:
    assert refusal(path) == f"{path!r} names no module: write package.module:tree"


@pytest.mark.parametrize(
    ("path", "better"),
    [("shop/app.py:make", "shop.app:make"), ("./shop/app.py", "shop.app:tree")],
)
def test_a_file_instead_of_a_module(path: str, better: str, refusal: Callable[[str], str]) -> None:
    assert f"the path of a file, not the name of a module: write {better}," in refusal(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shop.app:tree2", "module 'shop.app' has no 'tree2'; did you mean 'tree'?"),
        ("shop.app:mak", "module 'shop.app' has no 'mak'; did you mean 'make'?"),
        ("shop.app:web", "module 'shop.app' has no 'web'; its trees are 'broken_tree', 'tree'"),
        (
            "shop.treeless:tree",
            "module 'shop.treeless' has no 'tree' and no tree: write tree = subtree([...], "
            "name=...) in it",
        ),
        ("shop.app:Trees.small2", "'shop.app:Trees' has no 'small2'; did you mean 'small'?"),
        ("shop.app:port.web", "'shop.app:port' has no 'web'"),
    ],
)
def test_a_name_that_is_not_there(path: str, message: str, refusal: Callable[[str], str]) -> None:
    assert refusal(path) == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shop.app:port", "shop.app:port is no tree, but 8080: write tree = subtree("),
        (
            "shop.app:serve",
            "shop.app:serve is an async function, not a tree: write tree = child(serve) in "
            "'shop.app', and run shop.app:tree",
        ),
        ("shop.app:make_nothing", "shop.app:make_nothing returned no tree, but None: write tree"),
        ("shop.app:make_for", "shop.app:make_for takes arguments, and a function that makes a"),
        ("shop.app:type", "module 'shop.app' has no 'type'"),
    ],
)
def test_a_name_that_is_no_tree(path: str, message: str, refusal: Callable[[str], str]) -> None:
    assert refusal(path).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "shop.app:tree", "--grace", "-1"], "'-1' is no number of seconds, 0 or more"),
        (["run", "shop.app:tree", "--grace", "soon"], "'soon' is no number of seconds, 0 or more"),
        (["run", "shop.app:tree", "--log-level", "loud"], "invalid choice: 'loud'"),
        (["run"], "the following arguments are required: package.module:tree"),
        (["rnu"], "invalid choice: 'rnu'"),
        ([], "the following arguments are required: command"),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


# Modules that are broken


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("shop.broken", "ValueError: no config"),
        ("shop.needy", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("shop.clumsy", "ModuleNotFoundError: No module named 'shop.no_such_module'"),
    ],
)
def test_an_error_inside_a_module_is_told_with_the_lines_of_the_user(
    module: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{module}:tree"]) == 1
    told = capsys.readouterr().err
    assert re.findall(r'File "(.*)", line 1, in <module>', told) == [
        str(Path.cwd() / f"{module.replace('.', '/')}.py")
    ]
    assert told.endswith(
        f"\n{error}\ntrio-foundation run: module {module!r} is there, but importing it failed\n"
    )


# Logging


def test_a_program_without_logging_logs_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        main(["run", "shop.app:tree"])
    assert re.search(r"^\d{4}-\d\d-\d\d [\d:,]+ INFO open$", capsys.readouterr().err, re.MULTILINE)


def test_what_is_logged_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        main(["run", "shop.app:tree", "--log-level", "warning"])
    assert not capsys.readouterr().err


def test_a_program_that_sets_up_logging_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging() as root:
        root.addHandler(logging.NullHandler())
        root.setLevel("WARNING")
        main(["run", "shop.app:tree"])
        assert root.level == logging.WARNING
        main(["run", "shop.app:tree", "--log-level", "debug"])
        assert root.level == logging.DEBUG
    assert not capsys.readouterr().err


# The program itself


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"trio-foundation {trio_foundation.__version__}\n"


def test_the_demo_is_given_all_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    demo = ModuleType("trio_foundation.demo")

    def run(argv: list[str]) -> int:
        given.append(argv)
        return 7

    demo.main = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, demo.__name__, demo)
    assert main(["demo", "--help", "run", "--limit", "3"]) == 7
    assert given == [["--help", "run", "--limit", "3"]]


@pytest.mark.realtime
def test_help_comes_without_waiting_for_trio() -> None:
    program = (
        "import sys\n"
        "from trio_foundation.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: assert 'trio' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@pytest.mark.realtime
def test_an_installed_command_finds_modules_where_it_is_given(tmp_path: Path) -> None:
    # As the script that an installer makes: its own directory is on the path, not this one.
    script = tmp_path / "bin" / "trio-foundation"
    script.parent.mkdir()
    script.write_text("import sys\nfrom trio_foundation.__main__ import main\nsys.exit(main())\n")
    ended = subprocess.run(
        [sys.executable, str(script), "run", "shop.app:tree"],
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
