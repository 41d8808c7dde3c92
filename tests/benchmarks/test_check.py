"""The check fails when a promise is missed, and only then."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from benchmarks import _book, _charts, _peers
from benchmarks.__main__ import main
from benchmarks._check import ROOM, verdicts

from .records import finding, record, written


def word(
    figure: float,
    bound: str = "at most",
    target: float = 2.0,
    unit: str = "x bare",
    **others: object,
) -> str:
    (verdict,) = verdicts([record(room__job=finding(figure, bound, target, unit, **others))])
    return verdict.word


@pytest.mark.parametrize(
    ("figure", "bound", "target", "expected"),
    [
        (2.0, "at most", 2.0, "kept"),
        (2.01, "at most", 2.0, "nearly kept"),
        (2.29, "at most", 2.0, "nearly kept"),
        (2.31, "at most", 2.0, "missed"),
        (5.0, "at least", 5.0, "kept"),
        (4.3, "at least", 5.0, "nearly kept"),
        (4.2, "at least", 5.0, "missed"),
    ],
)
def test_a_ratio_may_be_missed_by_15_percent(
    figure: float, bound: str, target: float, expected: str
) -> None:
    assert word(figure, bound, target) == expected


def test_a_ratio_is_judged_round_by_round() -> None:
    assert word(9.0, readings={"median of ratios": 1.5, "ratio of medians": 9.0}) == "kept"
    assert word(1.0, readings={"median of ratios": 9.0, "ratio of medians": 1.0}) == "missed"


def test_memory_is_judged_by_the_figure_whatever_the_ratios_are() -> None:
    assert word(5.0, "at most", 4.0, "KB above bare", readings={"median of ratios": 1}) == "missed"
    assert word(64.0, "at most", 64, "bytes") == "kept"


def test_a_promise_of_nothing_is_missed_by_anything() -> None:
    assert word(0, "at most", 0, "") == "kept"
    assert word(1, "at most", 0, "") == "missed"


@pytest.mark.parametrize("unit", ["us above no guard", "us a trial", "a second"])
def test_a_time_is_told_and_fails_nothing(unit: str) -> None:
    assert word(100.0, "at most", 2.0, unit) == "only told"
    assert word(1.0, "at most", 2.0, unit) == "kept"


@given(figure=st.floats(0.01, 1e6), target=st.floats(0.01, 1e6))
def test_the_room_is_the_same_part_of_what_was_promised_either_way(
    figure: float, target: float
) -> None:
    (most,) = verdicts([record(room__job=finding(figure, "at most", target))])
    (least,) = verdicts([record(room__job=finding(figure, "at least", target))])
    assert most.missed_by == -least.missed_by == (figure - target) / target
    assert (most.word == "missed") == ((figure - target) / target > ROOM)


def test_the_check_of_a_file_fails_and_says_what_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, room__good=finding(1.0), room__bad=finding(3.0))
    with pytest.raises(SystemExit) as ended:
        main(["--check", "--from", file])
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "1 promises are kept." in told
    assert "room.bad (room-3.11.json): 3; promised is at most 2 x bare; missed by 50.0%" in told
    assert "room.good" not in told


def test_the_check_of_a_file_passes_when_all_is_kept(tmp_path: Path) -> None:
    file = written(tmp_path, room__good=finding(1.0), room__time=finding(9.0, unit="us a job"))
    with pytest.raises(SystemExit) as ended:
        main(["--check", "--from", file])
    assert ended.value.code == 0


def test_a_smoke_run_is_not_checked(tmp_path: Path) -> None:
    file = written(tmp_path, smoke=True, room__good=finding(1.0))
    with pytest.raises(SystemExit, match="its numbers mean nothing"):
        main(["--check", "--from", file])


@pytest.mark.parametrize("asked", [["--check", "--smoke"], ["--from", "file.json"]])
def test_what_makes_no_sense_is_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 2
    assert "check" in capsys.readouterr().err


def test_the_examples_in_docstrings_are_true() -> None:
    for module in (_book, _charts, _peers):
        assert doctest.testmod(module).failed == 0
