"""What bootstrap.py decides before it runs anything."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "bootstrap.py"


@pytest.fixture(scope="module")
def bootstrap() -> dict[str, Any]:
    """The names in the script, which is not run."""
    return runpy.run_path(str(SCRIPT))


def test_an_older_python_can_read_it_to_say_which_one_is_needed() -> None:
    source = SCRIPT.read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1: ...", feature_version=(3, 6))


def test_settings_for_pip_hold_for_uv(bootstrap: dict[str, Any]) -> None:
    env = {
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_EXTRA_INDEX_URL": "https://more/simple",
        "PIP_FIND_LINKS": "/wheels /more",
    }
    said = bootstrap["with_settings_for_uv"](env)
    assert said["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert said["UV_INDEX"] == "https://more/simple"
    assert said["UV_FIND_LINKS"] == "/wheels,/more"
    assert said["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_settings_for_uv_come_first(bootstrap: dict[str, Any]) -> None:
    env = {"PIP_INDEX_URL": "https://pip/simple", "UV_DEFAULT_INDEX": "https://uv/simple"}
    assert bootstrap["with_settings_for_uv"](env) == env


def test_every_python_of_pyenv_comes_before_its_shims(
    bootstrap: dict[str, Any], tmp_path: Path
) -> None:
    for version in ("2.7.18", "3.11.7", "3.13.0"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    env = {"PYENV_ROOT": str(tmp_path), "PATH": "/shims"}
    path = bootstrap["with_every_python"](env, sys.executable)["PATH"].split(":")
    assert [Path(each).parent.name for each in path[1:-1]] == ["3.11.7", "3.13.0"]
    assert path[0] == str(Path(sys.executable).parent)
    assert path[-1] == "/shims"


@pytest.mark.parametrize("change", ["place", "requirements"])
def test_an_environment_is_made_again_when_what_it_was_made_for_changes(
    bootstrap: dict[str, Any], change: str
) -> None:
    made_for = bootstrap["fingerprint"]
    before = made_for(Path("here"), ["nox"])
    assert made_for(Path("here"), ["nox"]) == before
    after = {"place": (Path("there"), ["nox"]), "requirements": (Path("here"), ["nox", "uv"])}
    assert made_for(*after[change]) != before
