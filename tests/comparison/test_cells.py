"""Each cell of the table against what is seen; the table against the README and the page."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.comparison._needed import REQUIRED
from tests.comparison._table import PEERS, ROWS, page, readme

ROOT = Path(__file__).resolve().parents[2]

REAL = {"pykka", "mode", "otp"}
"""Whose time is not ours to jump."""


def cells() -> Iterator[object]:
    """Yield those that a trial can prove."""
    for peer in PEERS:
        marks = [pytest.mark.realtime] if peer in REAL else []
        for row in ROWS:
            if row.cells[peer].by != "documented":
                yield pytest.param(peer, row.name, marks=marks, id=f"{peer}-{row.name}")


def world_of(peer: str) -> ModuleType:
    """Return the trials of a peer; leave the test out if it is not installed."""
    return importlib.import_module(f"tests.comparison._{peer}")


@pytest.mark.parametrize(("peer", "name"), list(cells()))
def test_a_cell_says_what_was_seen(peer: str, name: str) -> None:
    world = world_of(peer)
    (row,) = (row for row in ROWS if row.name == name)
    assert world.run(getattr(world, name)) == row.cells[peer].answer


@pytest.mark.parametrize("peer", ["ours", "otp"])
def test_what_is_only_documented_has_no_trial(peer: str) -> None:
    world = world_of(peer)
    documented = [row.name for row in ROWS if row.cells[peer].by == "documented"]
    assert not [name for name in documented if hasattr(world, name)]


def test_a_partly_says_which_part() -> None:
    cells = {(row.name, peer): cell for row in ROWS for peer, cell in row.cells.items()}
    assert not [which for which, cell in cells.items() if cell.answer == "partly" and not cell.note]


@pytest.mark.parametrize(
    ("file", "begin", "end", "made"),
    [
        pytest.param(
            "README.md", "<!-- comparison -->", "<!-- /comparison -->", readme, id="readme"
        ),
        pytest.param(
            "docs/explanation/comparison.rst", ".. comparison", ".. /comparison", page, id="page"
        ),
    ],
)
def test_the_table_that_one_reads_is_the_one_that_is_tested(
    file: str, begin: str, end: str, made: Callable[[], str]
) -> None:
    there = ROOT / file
    if not there.exists() and not REQUIRED:
        pytest.skip(f"{file} is not here")
    _, found, rest = there.read_text("utf-8").partition(begin + "\n")
    assert found, f"{file} has no line {begin}"
    assert rest.partition("\n" + end)[0].strip() == made().strip()
