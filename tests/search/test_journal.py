"""Tests of the journal, and of going on where a search was interrupted."""

from __future__ import annotations

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation.search import (
    Choice,
    FailedBefore,
    IntUniform,
    JournalBroken,
    JournalDiffers,
    SearchResult,
    SearchSpace,
    Standing,
    TooManyFailures,
    Trial,
    Uniform,
    random_search,
    report,
)
from trio_foundation.search._rules import decode, encode
from trio_foundation.search._rules._journal import described, described_error
from trio_foundation.tasks import TaskSupervisorNotRunning

from ._things import LINE, full_disk, points, search, search_for, value_of_x

SPACE = SearchSpace(
    x=Uniform(0, 10),
    kind=Choice(["a", ("b", 1), max]),
    n=IntUniform(1, 3, when={"kind": "a"}),
)


async def evaluate_all_kinds(params: dict[str, Any]) -> float:
    x = round(params["x"])
    if x == 3:
        raise ValueError("three\nlines\nof text")
    if x == 4:
        return math.nan
    await report(1, x)
    await report(2, -math.inf)
    return float(x)


def lines_of(path: Path) -> list[dict[str, Any]]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def outline(result: SearchResult) -> list[object]:
    return [
        (repr(trial.params), repr(trial.value), trial.state, repr(trial.reports), trial.index)
        for trial in result.trials
    ]


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="trio_foundation.search")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


# What a reader should know


async def test_each_trial_is_a_line_of_json(path: Path) -> None:
    result = await search(SPACE, evaluate_all_kinds, journal=path, iterations=30)
    header, *lines = lines_of(path)
    assert header["seed"] == 1
    assert header["space"]["x"] == {
        "kind": "Uniform", "a": 0.0, "b": 10.0, "step": None, "when": None,
    }  # fmt: skip
    assert sorted(line["index"] for line in lines) == list(range(30))
    assert {line["state"] for line in lines} == {"complete", "failed"}
    assert "nan" in {line["value"] for line in lines}
    failed = next(line for line in lines if line["state"] == "failed")
    assert failed["error"] == "ValueError: three\nlines\nof text"
    assert {str(line["params"]["kind"]) for line in lines} == {"a", "['b', 1]", "builtins.max"}
    assert len(result.trials) == 30


async def test_a_line_is_there_as_soon_as_its_trial_has_ended(path: Path) -> None:
    sizes: list[int] = []

    def count(trial: Trial) -> None:
        sizes.append(len(lines_of(path)))

    await search(LINE, value_of_x, iterations=5, journal=path, on_trial=count)
    assert sizes == [2, 3, 4, 5, 6]


async def test_an_interrupted_search_goes_on_and_comes_to_the_same(
    path: Path, tmp_path: Path, autojump_clock: MockClock
) -> None:
    runs: list[float] = []

    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(params["x"])
        runs.append(params["x"])
        return await evaluate_all_kinds(params)

    whole = await search(SPACE, evaluate, iterations=40)
    runs.clear()
    part = await search_for(20, SPACE, evaluate, iterations=40, journal=path)
    assert 0 < len(part.trials) < 40
    rest = await search(SPACE, evaluate, iterations=40, journal=path, resume_from=path)
    assert outline(rest) == outline(whole)
    assert len(runs) == 40
    assert rest.best is not None
    assert whole.best is not None
    assert rest.best.index == whole.best.index
    assert rest.complete
    assert sorted(line["index"] for line in lines_of(path)[1:]) == list(range(40))


async def test_a_search_that_has_ended_can_be_read_again(path: Path) -> None:
    async def refuse(params: dict[str, Any]) -> float:
        raise AssertionError("it was run before")

    first = await search(SPACE, evaluate_all_kinds, journal=path, iterations=30)
    again = await search(SPACE, refuse, resume_from=path, iterations=30)
    assert outline(again) == outline(first)
    failed = next(trial for trial in again.trials if trial.state == "failed")
    assert isinstance(failed.error, FailedBefore)
    assert str(failed.error) == "ValueError: three\nlines\nof text"
    assert "three" in failed.traceback


async def test_a_search_may_go_on_for_longer(path: Path) -> None:
    await search(LINE, value_of_x, journal=path, iterations=10)
    longer = await search(LINE, value_of_x, journal=path, resume_from=path, iterations=20)
    assert points(longer) == points(await search(LINE, value_of_x, iterations=20))


async def test_the_seed_is_that_of_the_journal(path: Path) -> None:
    first = await search(LINE, value_of_x, seed=None, journal=path, iterations=5)
    again = await search(LINE, value_of_x, seed=None, resume_from=path, iterations=10)
    assert again.seed == first.seed
    assert points(again)[:5] == points(first)


async def test_the_pruner_knows_what_was_reported_before(path: Path) -> None:
    counts: list[tuple[int, int]] = []

    def prune(standing: Standing) -> bool:
        counts.append((len(standing.others), len(standing.ended)))
        return standing.score < 5

    async def evaluate(params: dict[str, Any]) -> float:
        await report(1, params["x"])
        return 1.0

    options: dict[str, Any] = {"pruner": prune, "parallelism": 1, "journal": path}
    whole = await search(LINE, evaluate, iterations=20, pruner=prune, parallelism=1)
    expected, counts = counts, []
    await search(LINE, evaluate, iterations=10, **options)
    rest = await search(LINE, evaluate, iterations=20, resume_from=path, **options)
    assert counts == expected
    assert outline(rest) == outline(whole)


async def test_another_journal_can_be_begun_with_what_there_was(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    await search(LINE, value_of_x, journal=path, iterations=5)
    await search(LINE, value_of_x, journal=other, resume_from=path, iterations=10)
    assert len(lines_of(path)) == 6
    assert [line.get("index") for line in lines_of(other)] == [None, *range(10)]


async def test_the_first_run_may_be_written_like_the_others(path: Path) -> None:
    for _ in range(2):
        result = await search(LINE, value_of_x, journal=path, resume_from=path, iterations=5)
        assert len(result.trials) == 5
    assert len(lines_of(path)) == 6


async def test_a_journal_that_is_not_gone_on_with_must_be_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await search(LINE, value_of_x, resume_from=path)


async def test_a_journal_is_not_written_over(path: Path) -> None:
    await search(LINE, value_of_x, journal=path, iterations=5)
    before = read(path)
    with pytest.raises(FileExistsError, match=r"is there already: to go on with it, write resume"):
        await search(LINE, value_of_x, journal=path)
    assert read(path) == before


@pytest.mark.parametrize("content", [b"", b'{"journal": 1, "se'])
async def test_a_file_with_nothing_in_it_is_no_hindrance(path: Path, content: bytes) -> None:
    write(path, content)
    await search(LINE, value_of_x, journal=path, iterations=5)
    assert len(lines_of(path)) == 6


@pytest.mark.parametrize("content", [b"notes", b"notes\n", b"{}", b'{"journal": 1}\n'])
async def test_a_file_of_another_kind_is_left_alone(path: Path, content: bytes) -> None:
    write(path, content)
    with pytest.raises(FileExistsError):
        await search(LINE, value_of_x, journal=path)
    with pytest.raises(JournalBroken, match=r"^line 1 of .* is no line of a journal: mend it"):
        await search(LINE, value_of_x, journal=path, resume_from=path)
    assert read(path) == content


async def test_a_search_that_cannot_begin_leaves_no_journal(path: Path) -> None:
    with pytest.raises(TaskSupervisorNotRunning):
        await random_search(LINE, value_of_x, journal=path)
    with pytest.raises(FileNotFoundError):
        read(path)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"seed": 2}, "its seed is 1, and here it is 2"),
        ({"maximize": False}, "its maximize is True, and here it is False"),
        (
            {"sampler": "latin_hypercube"},
            "its sampler is 'random', and here it is 'latin_hypercube'",
        ),
    ],
)
async def test_the_journal_of_another_search_is_refused(
    path: Path, options: dict[str, Any], what: str
) -> None:
    await search(LINE, value_of_x, journal=path, iterations=5)
    with pytest.raises(JournalDiffers, match=re.escape(f"the journal of another search: {what}")):
        await search(LINE, value_of_x, resume_from=path, **options)


async def test_the_journal_of_another_space_is_refused(path: Path) -> None:
    await search(LINE, value_of_x, journal=path, iterations=5)
    with pytest.raises(JournalDiffers, match="its space is ") as caught:
        await search(SearchSpace(x=Uniform(0, 11)), value_of_x, resume_from=path)
    assert caught.value.what == "space"


async def test_a_latin_hypercube_goes_on_with_as_many_trials_only(path: Path) -> None:
    options = {"sampler": "latin_hypercube", "journal": path, "resume_from": path}
    await search(LINE, value_of_x, iterations=5, **options)
    await search(LINE, value_of_x, iterations=5, **options)
    with pytest.raises(JournalDiffers, match="its iterations is 5, and here it is 6"):
        await search(LINE, value_of_x, iterations=6, **options)


async def test_settings_that_are_drawn_otherwise_now_are_refused(path: Path) -> None:
    await search(LINE, value_of_x, journal=path, iterations=2)
    write(path, re.sub(rb'"x": [\d.]+', b'"x": 5.0', read(path)))
    with pytest.raises(JournalDiffers, match=r"its trial 0 is \{'x': 5\.0\}, and here it is"):
        await search(LINE, value_of_x, resume_from=path)


async def test_a_line_in_the_middle_that_is_broken_is_told(path: Path) -> None:
    await search(LINE, value_of_x, journal=path, iterations=3)
    lines = read(path).splitlines(keepends=True)
    write(path, b"".join([*lines[:2], b'{"index": 7}\n', *lines[3:]]))
    with pytest.raises(JournalBroken) as caught:
        await search(LINE, value_of_x, resume_from=path)
    assert (caught.value.path, caught.value.line) == (str(path), 3)


async def test_failures_of_before_count(path: Path) -> None:
    async def fail(params: dict[str, Any]) -> float:
        raise ValueError

    with pytest.raises(TooManyFailures):
        await search(LINE, fail, journal=path, max_failures=2, parallelism=1)
    with pytest.raises(TooManyFailures) as caught:
        await search(LINE, value_of_x, resume_from=path, max_failures=2)
    assert len(caught.value.result.trials) == 3
    assert not caught.value.result.complete
    assert (await search(LINE, value_of_x, resume_from=path, max_failures=3)).complete


async def test_a_disk_that_is_full_ends_the_search(path: Path) -> None:
    with full_disk(1_000), pytest.raises(OSError, match="too large"):
        await search(LINE, value_of_x, journal=path)
    assert 500 < len(read(path)) <= 1_000
    assert len(lines_of(path)) > 2  # each of them whole


class Odd:
    """Has no words."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, 1),
        (True, True),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ({"b", "a"}, ["a", "b"]),
        ({1, "a"}, ["a", 1]),
        ({"a": (1, None)}, {"a": [1, None]}),
        (int, "builtins.int"),
        (Odd(), "Odd"),
    ],
)
def test_a_journal_has_words_for_everything(value: object, words: object) -> None:
    assert described(value) == words
    json.dumps(described(value), allow_nan=False)


class Addressed:
    """Tells its address as some systems do."""

    def __repr__(self) -> str:
        return "<it at 0x00007FA3>"


def test_an_object_is_described_without_its_address() -> None:
    assert described(object()) == described(object()) == "<object object>"
    assert described(Addressed()) == "<it>"


def test_a_method_of_a_type_has_no_module() -> None:
    assert described(str.join) == "None.str.join"


class Broken(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("no route"), "OSError: no route"),
        (OSError(), "OSError"),
        (Broken(), "Broken: <its __str__ raised ZeroDivisionError>"),
    ],
    ids=["with text", "without", "broken"],
)
def test_an_error_is_described_by_its_type_and_text(error: Exception, words: str) -> None:
    assert described_error(error) == words


# The promise itself


def test_a_journal_may_end_at_every_byte(path: Path) -> None:
    whole = trio.run(journalled, path, 4)
    content = path.read_bytes()
    logging.disable()
    try:
        for size in range(len(content) + 1):
            path.write_bytes(content[:size])
            rest = trio.run(journalled, path, 6)
            assert outline(rest)[:4] == outline(whole)
            assert sorted(line["index"] for line in lines_of(path)[1:]) == list(range(6))
    finally:
        logging.disable(logging.NOTSET)


async def journalled(path: Path, iterations: int) -> SearchResult:
    return await search(
        SPACE, evaluate_all_kinds, journal=path, resume_from=path, iterations=iterations
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(times=st.lists(st.integers(0, 15), max_size=4), parallelism=st.integers(1, 5))
def test_however_often_it_is_interrupted_it_comes_to_the_same(
    tmp_path: Path, times: list[int], parallelism: int
) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    runs: list[float] = []

    async def evaluate(params: dict[str, Any]) -> float:
        await trio.sleep(round(params["x"]))
        runs.append(params["x"])
        return float(params["x"])

    async def run(seconds: float) -> SearchResult:
        return await search_for(
            seconds, LINE, evaluate, iterations=12, seed=3, parallelism=parallelism,
            journal=path, resume_from=path,
        )  # fmt: skip

    results = [
        trio.run(run, seconds, clock=MockClock(autojump_threshold=0))
        for seconds in [*times, math.inf]
    ]
    result = results[-1]
    assert result.complete
    assert len(runs) == len(set(runs)) == 12
    expected = trio.run(journalled_line)
    assert points(result) == points(expected)


async def journalled_line() -> SearchResult:
    return await search(LINE, value_of_x, iterations=12, seed=3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON))
def test_a_line_can_be_read_again(line: dict[str, Any]) -> None:
    line |= {"index": 7, "state": "complete", "value": 1.5, "params": {}, "duration": 0.0}
    header: dict[str, Any] = {
        "journal": 1,
        "seed": 1,
        "sampler": "random",
        "maximize": True,
        "space": {},
    }
    pages = decode(encode(header) + encode(line))
    assert pages.header == header
    assert pages.lines == {7: line}
