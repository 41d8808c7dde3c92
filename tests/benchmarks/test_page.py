"""The page on performance says what was measured, and hides no loss."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from benchmarks._book import Book, losses
from benchmarks._charts import Bar, Bars, can_draw, draw, files_of, origin
from benchmarks._page import FOLDER, PAGE, compose, page
from benchmarks._record import FindingPlain

from .records import finding, record

EVERYTHING = {"*": "That is so."}


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not here; `nox -s bench` looks at it")
def test_the_page_is_what_the_results_make_it() -> None:
    assert PAGE.read_text("utf-8") == page().text, "write it anew: python -m benchmarks --page"


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not here; `nox -s bench` looks at it")
def test_the_charts_are_drawn_from_the_results() -> None:
    named = {file for chart in page().charts for file in files_of(chart).values()}
    assert {file.name for file in FOLDER.glob("performance-*")} == named
    for chart in page().charts:
        for file in files_of(chart).values():
            assert origin(chart) in (FOLDER / file).read_text("utf-8"), file


def test_the_results_that_are_kept_make_a_page() -> None:
    assert "Where we lose, and why" in page().text


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(finding(3.0), id="a promise of a ratio"),
        pytest.param(finding(3.0, unit="us a job"), id="a promise of a time"),
        pytest.param(finding(0.9, "at least", 0.5, "x as fast", peer="pykka"), id="to a peer"),
        pytest.param(finding(1.1, target=20.0, unit="x theirs", peer="pykka"), id="by little"),
        pytest.param(finding(50.0, target=200.0, unit="x theirs", peer="erlang"), id="to Erlang"),
        pytest.param(
            finding(
                1.0,
                readings={"growth": 1.3, "growth, bare": 1.3},
                points={
                    "ours": {
                        size: {"median": 1.0, "quartiles": (1.0, 1.0), "rounds": 7}
                        for size in ("1000", "100000")
                    }
                },
            ),
            id="to size",
        ),
    ],
)
def test_there_is_no_page_while_a_loss_is_not_explained(lost: FindingPlain) -> None:
    records = [record(room__job=lost)]
    with pytest.raises(SystemExit, match=r"reasons.toml does not say why.*\n  room\.job: "):
        compose(records, {})
    assert "That is so." in compose(records, EVERYTHING).text


def test_what_is_as_good_as_promised_needs_no_reason() -> None:
    kept = record(
        room__bare=finding(1.9),
        room__peer=finding(1.0, "at least", 1.0, "x as fast", peer="pykka"),
    )
    compose([kept], {})


def test_a_loss_on_another_python_is_a_loss_too() -> None:
    records = [record(room__job=finding(1.0)), record(python="3.13.0", room__job=finding(3.0))]
    with pytest.raises(SystemExit, match=r"room\.job"):
        compose(records, {})
    assert "on Python 3.13: 3.00 x bare" in compose(records, EVERYTHING).text


def test_erlang_has_a_part_of_its_own() -> None:
    told = record(
        room__a=finding(3.0, target=20.0, unit="x theirs", peer="pykka", beside="pykka 4"),
        room__b=finding(70.0, target=200.0, unit="x theirs", peer="erlang", beside="OTP 25"),
    )
    text = compose([told], EVERYTHING).text
    libraries, _, erlang = text.partition("Another world: Erlang\n")
    assert "pykka 4" in libraries
    assert "OTP 25" not in libraries
    assert "OTP 25" in erlang


def test_the_last_file_is_right_when_two_say_the_same() -> None:
    text = compose([record(room__job=finding(1.5)), record(room__job=finding(1.25))], {}).text
    assert "1.25 x bare" in text
    assert "1.50 x bare" not in text


def test_no_text_of_a_finding_is_taken_for_markup() -> None:
    text = compose([record(room__job=finding(1.0, what="run_ *args* |x| `y`"))], {}).text
    assert r"run\_ \*args\* \|x\| y" in text


def test_numbers_of_a_smoke_run_are_refused() -> None:
    smoke = attrs.evolve(record(room__job=finding(1.0)), smoke=True)
    with pytest.raises(SystemExit, match="its numbers mean nothing"):
        compose([smoke], {})


def test_a_loss_names_all_that_is_wrong() -> None:
    one = finding(30.0, target=20.0, unit="x theirs", peer="pykka")
    (loss,) = losses(Book.of([record(room__job=one)]).rows)
    assert loss.what == "30.0 x theirs, promised at most 20; 30.0 times as long"


def test_the_same_findings_give_the_same_chart(tmp_path: Path) -> None:
    if not can_draw():
        pytest.skip("needs trio-foundation[plot]")
    chart = Bars("some", "a chart", (Bar("a < b & c", 1.5, 2.0), Bar("d", 0.2, 0.1)))
    drawn: list[list[bytes]] = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        draw(chart, folder)
        drawn.append([file.read_bytes() for file in sorted(folder.iterdir())])
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]  # dark and light
    assert origin(chart).encode() in drawn[0][0]
