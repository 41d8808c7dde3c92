"""The benchmarks are what their README says of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import benchmarks
from benchmarks._peers import ENVIRONMENTS, distribution, rooms_beside

HERE = Path(benchmarks.__file__).parent


def few_rounds(function: ast.FunctionDef) -> Iterator[int]:
    """Yield the numbers of rounds below 30 that a function asks for."""
    for node in ast.walk(function):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "plan.rounds":
            asked = node.args
        if isinstance(node, ast.keyword) and node.arg == "rounds":
            asked = [node.value]
        for one in asked:
            if isinstance(one, ast.Constant) and isinstance(one.value, int) and one.value < 30:
                yield one.value


def test_fewer_than_30_rounds_have_a_reason_in_the_docstring() -> None:
    found = [
        (file.name, node.name, ast.get_docstring(node) or "")
        for file in sorted(HERE.glob("*.py"))
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and [*few_rounds(node)]
    ]
    assert len(found) > 5
    assert [one[:2] for one in found if "round" not in one[2]] == []


def test_every_peer_is_in_one_environment_with_an_exact_version() -> None:
    files = {file.stem.split("_")[2] for file in HERE.glob("peer_*_*.py")}
    peers = [peer for one in ENVIRONMENTS.values() for peer in one.peers]
    assert sorted(peers) == sorted(files)
    for environment in ENVIRONMENTS.values():
        for peer, requirement in environment.peers.items():
            assert rooms_beside(peer)
            pinned = requirement.startswith(f"{distribution(requirement)}==")
            assert pinned or environment.program, requirement
