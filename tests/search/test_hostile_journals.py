"""Tests of journals that are shared, broken, full, or no files at all."""

from __future__ import annotations

import gc
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.search import (
    Choice,
    JournalBroken,
    JournalDiffers,
    JournalInUse,
    SearchSpace,
    Uniform,
    random_search,
)
from trio_foundation.search._journal import Journal, Record, read_record
from trio_foundation.tasks import open_task_supervisor

from ._things import LINE, full_disk, points, search, value_of_x, wrong


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="trio_foundation.search")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def descriptors_of(path: Path) -> list[int]:
    """Return by which numbers this process has a file open."""
    numbers = map(int, os.listdir("/proc/self/fd"))
    return [one for one in numbers if os.path.realpath(f"/proc/self/fd/{one}") == str(path)]


async def sleep_and_return(params: dict[str, Any]) -> float:
    await trio.sleep(params["x"])
    return float(params["x"])


# Two searches at once


@pytest.mark.parametrize("goes_on", [True, False])
async def test_of_two_searches_at_once_one_has_the_journal(
    path: Path, goes_on: bool, autojump_clock: MockClock
) -> None:
    options: dict[str, Any] = {"resume_from": path} if goes_on else {}
    ended: list[int] = []

    async def run(number: int) -> None:
        try:
            result = await random_search(
                LINE, sleep_and_return, seed=1, iterations=5, journal=path, **options
            )
        except JournalInUse as error:
            assert error.path == str(path)  # noqa: PT017  one of the two
        else:
            ended.append(number)
            assert len(result.trials) == 5

    async with open_task_supervisor(), trio.open_nursery() as nursery:
        nursery.start_soon(run, 1)
        nursery.start_soon(run, 2)
    assert len(ended) == 1
    _, *lines = map(json.loads, read(path).splitlines())
    assert sorted(line["index"] for line in lines) == list(range(5))


async def test_a_journal_that_a_forked_process_has_open_can_be_gone_on_with(path: Path) -> None:
    files: list[int] = []

    async def evaluate(params: dict[str, Any]) -> float:
        files.extend(map(os.dup, descriptors_of(path)))  # as a process has it that is forked now
        return 1.0

    await search(LINE, evaluate, iterations=1, journal=path)
    try:
        again = await search(LINE, value_of_x, iterations=3, journal=path, resume_from=path)
    finally:
        os.close(*files)
    assert len(again.trials) == 3


async def test_a_journal_that_has_grown_since_it_was_read_is_not_cut_off(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search(LINE, value_of_x, iterations=3, journal=path)
    content = read(path)

    def read_a_moment_ago(*_: object, **options: bool) -> Record:
        write(path, content.splitlines(keepends=True)[0])
        record = read_record(path, must_exist=True)
        write(path, content)
        return record

    monkeypatch.setattr("trio_foundation.search._search.read_record", read_a_moment_ago)
    with pytest.raises(JournalInUse):
        await search(LINE, value_of_x, journal=path, resume_from=path)
    assert read(path) == content


# What is no journal


@pytest.mark.parametrize("option", ["journal", "resume_from"])
async def test_what_is_no_file_is_not_read(tmp_path: Path, option: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # to read it would take forever
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(FileExistsError, match="is no file, and a journal is one: write"):
            await search(LINE, value_of_x, **{option: path})
    with pytest.raises(IsADirectoryError):
        await search(LINE, value_of_x, **{option: tmp_path})


@pytest.mark.parametrize("option", ["journal", "resume_from"])
@pytest.mark.parametrize("path", [5, b"journal", True])
async def test_what_is_no_path_is_refused(option: str, path: object) -> None:
    with pytest.raises(TypeError, match=rf"^{option} must be the path of a file or None, not "):
        await search(LINE, value_of_x, **{option: wrong(path)})


async def test_a_disk_without_room_for_the_first_line_leaves_no_file_open(path: Path) -> None:
    with full_disk(20), pytest.raises(OSError, match="too large"):
        await search(LINE, value_of_x, journal=path)
    gc.collect()  # which would warn of a file that nobody has closed
    assert read(path) == b""


async def test_an_error_of_the_disk_ends_the_search_when_all_trials_are_through(
    path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def evaluate(params: dict[str, Any]) -> float:
        with trio.CancelScope(shield=True):
            await trio.sleep(params["x"])
        return 1.0

    def refuse(*_: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(Journal, "write", refuse)
    with pytest.raises(OSError, match=r"^no disk$"):
        await search(LINE, evaluate, journal=path, parallelism=3)
    assert trio.current_time() < 20


# Lines that are none


def changed(path: Path, **fields: object) -> None:
    header, first, *lines = read(path).splitlines(keepends=True)
    line = json.dumps(json.loads(first) | fields).encode() + b"\n"
    write(path, b"".join([header, line, *lines]))


@pytest.mark.parametrize(
    "fields",
    [
        {"index": "1"},
        {"index": None},
        {"index": -1},
        {"index": 1.0},
        {"index": True},
        {"state": "weird"},
        {"state": "cancelled"},
        {"state": [1]},
        {"value": "much"},
        {"value": [1]},
        {"value": 10**400},
        {"duration": None},
        {"reports": "many"},
        {"reports": [[1]]},
        {"reports": [["a", 1]]},
    ],
    ids=str,
)
async def test_a_line_of_a_trial_that_says_something_else_is_told(
    path: Path, fields: dict[str, Any]
) -> None:
    await search(LINE, value_of_x, iterations=3, journal=path)
    changed(path, **fields)
    with pytest.raises(JournalBroken, match=r"^line 2 of "):
        await search(LINE, value_of_x, resume_from=path)


@pytest.mark.parametrize("seed", ['"x"', "1.5", "null", "true"])
async def test_a_header_without_a_seed_is_told(path: Path, seed: str) -> None:
    await search(LINE, value_of_x, iterations=3, journal=path)
    write(path, read(path).replace(b'"seed": 1,', f'"seed": {seed},'.encode()))
    with pytest.raises(JournalBroken, match=r"^line 1 of "):
        await search(LINE, value_of_x, resume_from=path, seed=None)


@pytest.mark.parametrize(
    "line", [b"\n", b"[" * 100_000 + b"\n", b"\xff\n", b"\0\0\n", b"null\n"], ids=range(5)
)
async def test_rubbish_is_told(path: Path, line: bytes) -> None:
    await search(LINE, value_of_x, iterations=3, journal=path)
    write(path, read(path) + line)
    with pytest.raises(JournalBroken, match=r"^line 5 of "):
        await search(LINE, value_of_x, resume_from=path)


async def test_the_order_of_the_lines_does_not_matter_and_of_two_the_later_counts(
    path: Path,
) -> None:
    whole = await search(LINE, value_of_x, iterations=4, journal=path)
    header, *lines = read(path).splitlines(keepends=True)
    write(path, b"".join([header, *reversed(lines), lines[0]]))
    again = await search(LINE, value_of_x, iterations=4, journal=path, resume_from=path)
    assert points(again) == points(whole)


async def test_trials_whose_values_are_equal_but_of_other_types_are_another_search(
    path: Path,
) -> None:
    def space_of(*values: object) -> SearchSpace:
        return SearchSpace(x=Uniform(0, 1), kind=Choice(values))

    await search(space_of(1, True), value_of_x, iterations=3, journal=path)
    with pytest.raises(JournalDiffers, match="its space is "):
        await search(space_of(True, 1), value_of_x, resume_from=path)


async def test_without_a_journal_nobody_needs_words_for_a_value() -> None:
    endless: list[Any] = []
    endless.append(endless)
    space = SearchSpace(x=Uniform(0, 1), kind=Choice([endless]))
    assert (await search(space, value_of_x, iterations=3)).best is not None
