"""Tests of the samplers: how trials are spread over the space."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.search import Choice, SearchSpace, Uniform
from trio_foundation.search._sobol import sobol_units

from ._things import LINE, points, search, value_of_x

SQUARE = SearchSpace(x=Uniform(0, 1), y=Uniform(0, 1))


def need_scipy() -> None:
    pytest.importorskip("scipy.stats.qmc", reason="needs trio-foundation[search]")


async def test_a_latin_hypercube_has_one_trial_in_each_part_of_each_dimension() -> None:
    result = await search(SQUARE, value_of_x, sampler="latin_hypercube", iterations=50)
    for name in ("x", "y"):
        assert sorted(int(trial.params[name] * 50) for trial in result.trials) == list(range(50))


async def test_a_latin_hypercube_has_an_end() -> None:
    with pytest.raises(ValueError, match=r"^the latin hypercube is laid out for a number of tri"):
        await search(SQUARE, value_of_x, sampler="latin_hypercube", iterations=math.inf)


async def test_sobols_sequence_is_more_even_than_chance() -> None:
    need_scipy()
    result = await search(SQUARE, value_of_x, sampler="sobol", iterations=64)
    cells = {(int(one.params["x"] * 8), int(one.params["y"] * 8)) for one in result.trials}
    assert len(cells) == 64


async def test_sobols_sequence_depends_on_the_seed_alone(autojump_clock: MockClock) -> None:
    need_scipy()

    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(params["x"])
        return float(params["x"])

    one = await search(SQUARE, evaluate, sampler="sobol", iterations=300, parallelism=1)
    many = await search(SQUARE, evaluate, sampler="sobol", iterations=300, parallelism=7)
    other = await search(SQUARE, evaluate, sampler="sobol", iterations=300, seed=-2)
    assert points(one) == points(many)
    assert points(one) != points(other)


async def test_sobols_sequence_can_be_gone_on_with(tmp_path: Path) -> None:
    need_scipy()
    options: dict[str, Any] = {"sampler": "sobol", "journal": tmp_path / "a.jsonl"}
    await search(SQUARE, value_of_x, iterations=150, **options)
    options["resume_from"] = options["journal"]
    longer = await search(SQUARE, value_of_x, iterations=300, **options)
    assert points(longer) == points(
        await search(SQUARE, value_of_x, iterations=300, sampler="sobol")
    )


async def test_sobols_sequence_and_few_choices() -> None:
    need_scipy()
    space = SearchSpace(x=Choice([1, 2, 3]))
    result = await search(space, value_of_x, iterations=math.inf, sampler="sobol")
    assert sorted(trial.params["x"] for trial in result.trials) == [1, 2, 3]


def test_sobols_sequence_has_an_end() -> None:
    need_scipy()
    refusal = r"^Sobol's sequence has no more than 1073741824 points: write sampler='random'$"
    with pytest.raises(ValueError, match=refusal):
        sobol_units(1, 1)(2**30)


async def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats.qmc", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'trio-foundation\[search\]'$"):
        await search(LINE, value_of_x, sampler="sobol")


def test_nothing_is_imported_that_need_not_be_there() -> None:
    import subprocess  # noqa: PLC0415

    optional = {"scipy", "optuna", "matplotlib", "trio_parallel", "numpy"}
    code = f"import trio_foundation.search, sys; print({optional} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


def distance(params: dict[str, Any]) -> float:
    """What is evaluated in other processes."""
    import os  # noqa: PLC0415

    if params["x"] > 8:
        raise ValueError("too much")
    return float(params["x"] + 100 * (os.getpid() != params["pid"]))


@pytest.mark.realtime
async def test_plain_functions_run_in_processes() -> None:
    import os  # noqa: PLC0415

    pytest.importorskip("trio_parallel", reason="needs trio-foundation[process]")
    space = SearchSpace(x=Uniform(0, 10), pid=Choice([os.getpid()]))
    result = await search(space, distance, iterations=20, run_in="process", parallelism=2)
    assert len(result.trials) == 20
    for trial in result.trials:
        if trial.params["x"] > 8:
            assert str(trial.error) == "too much"
        else:
            assert trial.value == trial.params["x"] + 100
