"""Tests of the picture of a search."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from trio_foundation.search import (
    Choice,
    IntUniform,
    LogUniform,
    SearchResult,
    SearchSpace,
    Trial,
    Uniform,
    plot,
)

pytest.importorskip("matplotlib", reason="needs trio-foundation[plot]")

SPACE = SearchSpace(
    rate=LogUniform(1e-4, 1),
    kind=Choice(["a", "b"]),
    n=IntUniform(1, 5, when={"kind": "b"}),
    share=Uniform(0, 1),
)


def result_of(count: int, *, maximize: bool = True, space: SearchSpace | None = SPACE) -> Any:
    import random  # noqa: PLC0415

    trials: list[Trial] = []
    for index in range(count):
        params = SPACE.sample(random.Random(index))
        state: Any = ["complete", "complete", "pruned", "failed"][index % 4]
        value = None if state == "failed" else math.log(params["rate"])
        trials.append(Trial(index, params, value, None, state))
    ended = [trial for trial in trials if trial.state == "complete"]
    best = (max if maximize else min)(ended, key=lambda one: one.value or 0.0, default=None)
    return SearchResult(best, trials, maximize=maximize, space=space)


@pytest.mark.parametrize("name", ["search.png", "search.svg"])
def test_a_picture_is_saved_as_what_its_name_says(tmp_path: Path, name: str) -> None:
    plot(result_of(40), tmp_path / name)
    start = (tmp_path / name).read_bytes()[:100]
    assert b"PNG" in start if name.endswith("png") else b"<?xml" in start


@pytest.mark.parametrize("maximize", [True, False])
def test_the_axes_say_what_they_are(maximize: bool) -> None:
    values, settings, bar = plot(result_of(40, maximize=maximize)).axes
    assert values.get_xlabel() == "trial"
    assert values.get_ylabel() == f"value ({'more' if maximize else 'less'} is better)"
    names = [label.get_text() for label in settings.get_xticklabels()]
    assert names == ["rate", "kind", "n", "share"]
    assert bar.get_ylabel() == "value"
    legend = [text.get_text() for text in values.get_legend().get_texts()]
    assert legend == ["trial", "pruned", "best so far", "no number"]


@pytest.mark.parametrize(
    "result",
    [
        SearchResult(None, []),
        SearchResult(None, [Trial(0, {"x": 1}, None, None, "failed")]),
        SearchResult(None, [Trial(0, {"x": 1}, math.nan)]),
        SearchResult(None, [Trial(0, {"x": 1}, 1.0, None, "pruned")]),
        result_of(1),
        result_of(40, space=None),
        result_of(1500),
    ],
    ids=["nothing", "a failure", "no number", "pruned", "one", "no space", "many"],
)
def test_every_search_has_a_picture(result: SearchResult, tmp_path: Path) -> None:
    plot(result, tmp_path / "search.svg")


def test_pyplot_knows_nothing_of_it() -> None:
    plot(result_of(10))
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'trio-foundation\[plot\]'$"):
        plot(result_of(10))
