"""Tests of single lines of a journal: what stands in one, and what is none."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from trio_foundation.search import Choice, FailedBefore, SearchSpace, Trial, Uniform
from trio_foundation.search._rules._journal import (
    decode,
    encode,
    header_of,
    line_of,
    same_words,
    trial_of,
)

from ._things import LINE

HEADER = header_of(LINE, seed=7, sampler="random", iterations=9, maximize=True)

# It says no more than it has to.
PLAIN: dict[str, Any] = {
    "index": 0,
    "state": "complete",
    "value": 1.5,
    "params": {},
    "duration": 2.5,
}


def number_of_the_broken(*lines: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match=r"^\d+$") as caught:
        decode(b"".join(map(encode, lines)))
    return str(caught.value)


def test_a_header_says_which_search_it_is() -> None:
    space = SearchSpace(x=Uniform(0, 1), y=Choice(["a"]))
    header = header_of(space, seed=7, sampler="random", iterations=9, maximize=False)
    assert header == {
        "journal": 1,
        "seed": 7,
        "sampler": "random",
        "maximize": False,
        "space": {
            "x": {"kind": "Uniform", "a": 0.0, "b": 1.0, "step": None, "when": None},
            "y": {"kind": "Choice", "values": ["a"], "when": None},
        },
    }
    even = header_of(space, seed=7, sampler="latin_hypercube", iterations=9, maximize=False)
    assert even == header | {"sampler": "latin_hypercube", "iterations": 9}


def test_a_trial_comes_back_from_its_line() -> None:
    error = FailedBefore("OSError: no route")
    trial = Trial(
        3, {"x": 0.5}, 1.5, error, "failed", 2.5, {1: 0.5, 2: -math.inf}, "Traceback: here"
    )
    line = line_of(trial)
    assert line == {
        "index": 3,
        "state": "failed",
        "value": 1.5,
        "params": {"x": 0.5},
        "duration": 2.5,
        "error": "FailedBefore: OSError: no route",
        "traceback": "Traceback: here",
        "reports": [[1, 0.5], [2, "-inf"]],
    }
    again = trial_of(line, {"x": 0.5}, error)
    assert attrs.asdict(again) == attrs.asdict(trial)


def test_a_line_has_only_what_there_is_to_tell() -> None:
    assert line_of(Trial(0, {}, 1.5, duration=2.5)) == PLAIN
    trial = trial_of(PLAIN, {}, None)
    assert (trial.traceback, trial.reports, trial.duration) == ("", {}, 2.5)
    assert trial_of({**PLAIN, "value": None}, {}, None).value is None


def test_what_json_does_not_know_is_not_written() -> None:
    assert encode({"a": None}) == b'{"a": null}\n'
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": math.nan})


def test_a_line_counts_once_it_has_ended() -> None:
    whole = encode(HEADER) + encode(PLAIN)
    pages = decode(whole + b'{"index": 1, "sta')
    assert (pages.header, pages.lines, pages.size) == (HEADER, {0: PLAIN}, len(whole))
    nothing = decode(b'{"journal": 1, "se')
    assert (nothing.header, nothing.lines, nothing.size) == (None, {}, 0)
    assert decode(b"") == nothing


def test_of_two_lines_of_a_trial_the_later_one_counts() -> None:
    later = {**PLAIN, "value": 9.5}
    assert decode(encode(HEADER) + encode(PLAIN) + encode(later)).lines == {0: later}


@pytest.mark.parametrize("data", [b"\n", b"x", b'{"index": 0}\n', b'{"journaL'])
def test_what_does_not_begin_like_a_journal_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^1$"):
        decode(data)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1.0}, {"seed": True}, {"space": []}, {"seed": 1.0, "space": []}],
)
def test_a_header_of_the_wrong_kind_is_none(change: dict[str, Any]) -> None:
    assert number_of_the_broken({**HEADER, **change}) == "1"


@pytest.mark.parametrize("missing", ["seed", "sampler", "maximize", "space"])
def test_a_header_without_one_of_its_keys_is_none(missing: str) -> None:
    header = {key: value for key, value in HEADER.items() if key != missing}
    assert number_of_the_broken(header) == "1"


@pytest.mark.parametrize(
    "change",
    [
        {"index": -1},
        {"index": 0.0},
        {"state": "cancelled"},
        {"state": "COMPLETE"},
        {"value": "much"},
        {"duration": None},
        {"reports": [[1]]},
        {"reports": 3},
        {"reports": [["a", 1]]},
    ],
)
def test_a_line_of_the_wrong_kind_is_none(change: dict[str, Any]) -> None:
    assert number_of_the_broken(HEADER, PLAIN, {**PLAIN, **change}) == "3"


@pytest.mark.parametrize("missing", [*PLAIN])
def test_a_line_without_one_of_its_keys_is_none(missing: str) -> None:
    line = {key: value for key, value in PLAIN.items() if key != missing}
    assert number_of_the_broken(HEADER, line) == "2"


@pytest.mark.parametrize("state", ["complete", "failed", "pruned"])
def test_a_trial_may_have_ended_in_three_ways(state: str) -> None:
    assert decode(encode(HEADER) + encode({**PLAIN, "state": state})).lines[0]["state"] == state


def test_the_order_of_keys_is_no_difference_and_the_kind_of_a_number_is() -> None:
    assert same_words({"a": 1, "b": [2]}, {"b": [2], "a": 1})
    assert not same_words({"a": 1}, {"a": 1.0})
    assert not same_words({"a": 1}, {"a": True})
