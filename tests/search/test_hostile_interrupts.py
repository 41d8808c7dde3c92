"""Tests of KeyboardInterrupt at any step of searches.

Run as a program, ``python -m tests.search.test_hostile_interrupts FIRST STRIDE JOURNAL``, this
sends itself SIGINT before the n-th instruction that is run in the library, for n = FIRST,
FIRST + STRIDE and so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from trio_foundation.search import (
    Choice,
    IntUniform,
    MedianPruner,
    SearchEvent,
    SearchSpace,
    TooManyFailures,
    Uniform,
    random_search,
    report,
)
from trio_foundation.tasks import TaskSupervisor, open_task_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep

SPACE = SearchSpace(
    x=Uniform(0, 10), kind=Choice(["a", "b"]), n=IntUniform(1, 3, when={"kind": "b"})
)

supervisors: list[TaskSupervisor] = []


async def evaluate(params: dict[str, Any]) -> float:
    with counted():
        await report(1, params["x"])
        try:
            await trio.sleep(params["x"] % 3)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)
        if params["x"] > 8:
            raise ValueError
        return float(params["x"])


def ignore(*_: object) -> None:
    pass


async def everything(path: Path) -> None:
    options: dict[str, Any] = {"seed": 1, "parallelism": 2, "journal": path}
    with counted():
        async with open_task_supervisor() as tasks:
            supervisors.append(tasks)
            await random_search(
                SPACE, evaluate, iterations=6, trial_timeout=2.5, on_trial=ignore,
                pruner=MedianPruner(warmup_trials=1), **options,
            )  # fmt: skip
            with subscribe(ignore, SearchEvent):
                await random_search(SPACE, evaluate, iterations=8, resume_from=path, **options)
            with trio.move_on_after(1.05):
                await random_search(SearchSpace(x=IntUniform(0, 3)), evaluate, seed=1)
            with suppress(TooManyFailures):
                await random_search(SPACE, evaluate, iterations=9, seed=1, max_failures=0)


def unlawful(path: Path) -> list[str]:
    """Return what is not as it should be once the run has ended."""
    found = [f"{one!r} runs {one.running}" for one in supervisors if one.running or one.is_open]
    try:
        for line in path.read_bytes().splitlines() if path.exists() else ():
            json.loads(line)
    except ValueError:
        found.append("the journal is broken")
    return found


def sweep_with(path: Path) -> None:
    def begin() -> None:
        path.unlink(missing_ok=True)
        supervisors.clear()

    sweep(lambda: everything(path), begin=begin, disorder=lambda: unlawful(path))


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(1, 61), (31, 61)])
def test_an_interrupt_ends_a_search_at_whatever_step_it_comes(
    first: int, stride: int, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    run_module("tests.search.test_hostile_interrupts", first, stride, journal)


if __name__ == "__main__":
    sweep_with(Path(sys.argv[3]))
