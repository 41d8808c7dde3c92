"""The rooms are entered by their doors, and by nothing else.

Which room may import which is in pyproject.toml, under import-linter.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import grimp
import pytest

import trio_foundation

from .demands import exported

SOURCE = Path(trio_foundation.__file__).parent

# Trio has no public way to choose the order in which tasks run.
THE_EXCEPTION = SOURCE / "testing" / "_schedule.py"


def room_of(module: str) -> str:
    """Return the room that a module is in: ``a.b`` for ``a.b.c.d``."""
    return ".".join(module.split(".")[:2])


def imports_past_a_door(package: str) -> Iterator[str]:
    """Yield the imports from one room of the inside of another, or of the package itself."""
    graph = grimp.build_graph(package, cache_dir=None)
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if room_of(imported) == room_of(importer):
                continue
            if imported == package:
                yield f"{importer} imports {package} itself: import from the room that defines it"
            elif imported != room_of(imported):
                yield f"{importer} imports {imported}: import from its door, {room_of(imported)}"


def private_names_of_trio(path: Path) -> Iterator[str]:
    """Yield the uses of Trio's private names in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        for name in names:
            if re.match(r"trio\.(.*\.)?_", name):
                yield f"{path.name} uses {name}, which is not public"


def imports_that_users_could_not_write(source: str) -> Iterator[str]:
    """Yield the imports from behind a door in a program."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if re.match(r"trio_foundation\.(.*\.)?_(?!_)", name):
                yield name


def test_a_room_is_entered_by_its_door() -> None:
    assert not list(imports_past_a_door("trio_foundation"))


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_only_public_names_of_trio_are_used(path: Path) -> None:
    assert bool(list(private_names_of_trio(path))) is (path == THE_EXCEPTION)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_module_says_what_it_offers(path: Path) -> None:
    if path.name != "__main__.py":
        names = exported(path)
        assert sorted(names, key=lambda name: (not name.isupper(), name)) == names


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for folder in ("docs/examples", "benchmarks")
        for path in (Path(__file__).parents[1] / folder).glob("**/*.py")
    ),
    ids=lambda path: path.stem,
)
def test_what_stands_for_a_user_imports_as_a_user(path: Path) -> None:
    assert not list(imports_that_users_could_not_write(path.read_text("utf-8")))


# That each of them can fail


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], str]:
    """Writes the files of a package that can be imported, and returns its name."""

    def write(files: dict[str, str]) -> str:
        for name, source in {"__init__.py": "", **files}.items():
            path = tmp_path / "fake_rooms" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))
        importlib.invalidate_caches()
        return "fake_rooms"

    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return write


@pytest.mark.parametrize(
    "line",
    ["from ..hall._wall import x", "from ..hall import _wall", "import fake_rooms.hall._wall"],
)
def test_an_import_through_a_wall_is_found(
    fake: Callable[[dict[str, str]], str], line: str
) -> None:
    package = fake(
        {
            "hall/__init__.py": "from ._wall import x",
            "hall/_wall.py": "x = 1",
            "attic/__init__.py": line,
        }
    )
    assert list(imports_past_a_door(package)) == [
        "fake_rooms.attic imports fake_rooms.hall._wall: import from its door, fake_rooms.hall"
    ]


def test_an_import_of_the_whole_house_is_found(fake: Callable[[dict[str, str]], str]) -> None:
    package = fake({"__init__.py": "x = 1", "attic/__init__.py": "from .. import x"})
    assert list(imports_past_a_door(package)) == [
        "fake_rooms.attic imports fake_rooms itself: import from the room that defines it"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "from trio._core import GLOBAL_RUN_CONTEXT",
        "import trio._util",
        "x = trio._core.current_task()",
        "x = trio.lowlevel._secret",
    ],
)
def test_a_private_name_of_trio_is_found(tmp_path: Path, line: str) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(line)
    assert list(private_names_of_trio(bad))


@pytest.mark.parametrize(
    "line",
    [
        "from trio_foundation.supervision._tree import Supervisor",
        "from trio_foundation import _base",
        "import trio_foundation._base",
    ],
)
def test_an_import_that_users_could_not_write_is_found(line: str) -> None:
    assert list(imports_that_users_could_not_write(line))


def test_imports_that_users_do_write_are_left_alone() -> None:
    lines = "from trio_foundation import __version__\nfrom trio_foundation.telemetry import emit"
    assert not list(imports_that_users_could_not_write(lines))
