"""The demo counts right, whatever goes wrong, and tells what it did."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import demo
from trio_foundation.agents import BufferDrained
from trio_foundation.demo import _store, _view, main
from trio_foundation.demo._counting import Found
from trio_foundation.demo._run import Demo, too_many
from trio_foundation.demo._sending import make_batches, send_all
from trio_foundation.demo._serial import count_serially
from trio_foundation.demo._store import Store
from trio_foundation.demo._system import Settings, System, open_system
from trio_foundation.demo._tuning import LARGEST, find_batch_size
from trio_foundation.resilience import StateChanged
from trio_foundation.search import TrialFinished
from trio_foundation.supervision import ChildExited
from trio_foundation.telemetry import subscribe

PYTHON = [Path(f"part{number:02}.py") for number in range(40)]
TEXT = [Path(f"text{number:02}.txt") for number in range(10)]
FILES = PYTHON + TEXT


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Forty files of Python with three identifiers, and ten of text with two words."""
    for name in PYTHON:
        (tmp_path / name).write_text(f"def {name.stem}(): return shared or {name.stem}\n")
    for name in TEXT:
        (tmp_path / name).write_text(f"shared {name.stem}\n")
    return tmp_path


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Runs the demo in virtual time, and returns its exit code and what it wrote."""
    really_run = trio.run

    def run_virtually(*work: Any) -> None:
        really_run(*work, clock=MockClock(autojump_threshold=0))

    def run(*argv: object) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setattr(trio, "run", run_virtually)
            code = main([str(one) for one in argv])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


Run = Callable[..., tuple[int, str]]
QUICKLY = ("--batch-size", 5, "--outage", 0)


async def be_silent(demo: Demo) -> None:
    await trio.sleep_forever()


def count(
    place: Path,
    report: Callable[[Demo], Awaitable[None]] = be_silent,
    *,
    workers: int = 3,
    crash_rate: float = 0.5,
    seed: int = 0,
    outage: float = 2.0,
) -> System:
    """Count in virtual time, where neither a pause nor an outage takes any."""
    demo = Demo(place, FILES, workers, crash_rate, seed, outage, batch_size=3)
    trio.run(demo.run, report, clock=MockClock(autojump_threshold=0))
    assert demo.system is not None
    return demo.system


def assert_all_is_counted_once(system: System) -> None:
    totals = system.totals()
    assert totals.files == len(FILES)
    assert totals.identifiers == {"shared": 40} | {name.stem: 2 for name in PYTHON}
    assert totals.words == {"shared": 10} | {name.stem: 1 for name in TEXT}


# What it finds


def test_both_counts_are_equal(run: Run, place: Path) -> None:
    code, told = run(place, "--crash-rate", 0.3, "--outage", 0.1)
    assert code == 0
    assert "files        50 counted, 0 skipped" in told
    assert "identifiers  120 counted, 41 different" in told
    assert "words        20 counted, 11 different" in told
    assert "top ten             40 shared\n                     2 part00" in told
    assert re.search(r"batch size   [1-8] files", told)
    assert "comparison   EQUAL" in told


def test_where_nothing_goes_wrong_every_message_is_handled_at_once(run: Run, place: Path) -> None:
    code, told = run(place, *QUICKLY, "--crash-rate", 0)
    assert code == 0
    assert "10 sent =\n                    10 handled\n                     0 dead" in told
    assert "restarts     none\n" in told
    assert "buffered     none\n" in told
    assert "0 of 50 files were counted already" in told


def test_all_messages_are_accounted_for(run: Run, place: Path) -> None:
    _, told = run(place, "--batch-size", 2, "--crash-rate", 0.3, "--outage", 0.3)
    table = re.search(r"messages +(\d+) sent =\n((?: +\d+ .+\n)+?)again ", told)
    assert table is not None
    assert int(table[1]) == sum(int(line.split()[0]) for line in table[2].splitlines())
    assert "again " in told


def test_crashes_and_an_outage_lose_nothing_and_double_nothing(place: Path) -> None:
    crashes = Counter[str]()

    async def listen(demo: Demo) -> None:
        with subscribe(lambda event: crashes.update([str(event.exit.error)[:8]]), ChildExited):
            await trio.sleep_forever()

    system = count(place, listen, crash_rate=0.8, seed=5)
    assert crashes["dropped "] > 100
    assert crashes["stored p"] > 0
    assert crashes["stored t"] > 0
    assert crashes["the stor"] > 0
    assert sum(store.came_again for store in system.stores.values()) > 0
    assert system.cache.statistics().hits > 0
    assert_all_is_counted_once(system)


def test_while_a_store_is_down_messages_wait_and_no_other_agent_is_concerned(place: Path) -> None:
    changes: list[tuple[str, str]] = []
    drained: list[BufferDrained] = []

    async def listen(demo: Demo) -> None:
        with (
            subscribe(lambda event: changes.append((event.breaker, event.new)), StateChanged),
            subscribe(drained.append, BufferDrained),
        ):
            await trio.sleep_forever()

    system = count(place, listen, crash_rate=0, outage=60.0)
    assert {name for name, _ in changes} == set(system.restarts) == {"python-1"}
    assert changes[0] == ("python-1", "open")
    assert changes[-1] == ("python-1", "closed")
    assert drained[0].delivered == system.figures.receivers["python-1"].peak > 0
    assert system.figures.dead_lettered == 0
    assert system.figures.messages == system.figures.delivered + system.figures.failed
    assert_all_is_counted_once(system)


def test_a_buffer_that_is_too_small_is_seen_in_the_figures(place: Path) -> None:
    async def overflow() -> System:
        settings = Settings(root=place, workers=1, max_restarts=1000, buffer_capacity=2)
        async with open_system(settings) as system, trio.open_nursery() as nursery:
            with system.stores["python-1"].outage():
                nursery.start_soon(send_all, system, make_batches(FILES, 5))
                await trio.sleep(60)
        return system

    system = trio.run(overflow, clock=MockClock(autojump_threshold=0))
    figures = system.figures
    assert figures.dead_lettered == 6
    assert figures.messages == figures.delivered + figures.failed + figures.dead_lettered
    assert system.totals().files == len(FILES) - 6 * 5


def test_a_seed_means_the_same_crashes_however_many_workers_there_are(place: Path) -> None:
    one, other = count(place, workers=1, seed=7), count(place, workers=5, seed=7, outage=0)
    assert one.dice.rolls == other.dice.rolls
    assert count(place, seed=8).dice.rolls != one.dice.rolls


# The size of a batch


def test_the_batch_size_is_the_best_that_was_tried(place: Path) -> None:
    settings = Settings(root=place, workers=2, crash_rate=0.9, max_restarts=0)
    trials: list[TrialFinished] = []

    async def find() -> int:
        with subscribe(trials.append, TrialFinished):
            return await find_batch_size(settings, FILES)

    size = trio.run(find, clock=MockClock(autojump_threshold=0))
    assert len(trials) > 3
    assert 1 < size <= LARGEST  # each batch takes time to store, and nothing else does


def test_whoever_cannot_try_in_time_takes_a_middling_size(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "WRITING", 60)
    settings = Settings(root=place, workers=2, max_restarts=0)
    size = trio.run(find_batch_size, settings, FILES, clock=MockClock(autojump_threshold=0))
    assert size == LARGEST // 2


# What is not counted


def test_a_file_that_is_not_python_is_skipped(run: Run, tmp_path: Path) -> None:
    reasons = {
        b"x = (": "'(' was never closed",
        b"x\n\nonce upon a time": "invalid syntax",
        b"price = 5 $": "invalid syntax",
        b"\xff\xfe\x00": "invalid or missing encoding declaration",
        b"# coding: klingon": "unknown encoding: klingon",
        b"# coding: hex": "'hex' is not a text encoding",
    }
    for number, content in enumerate(reasons):
        (tmp_path / f"bad{number}.py").write_bytes(content)
    (tmp_path / "good.py").write_text("x = x")
    (tmp_path / "good.txt").write_bytes(b"once \xff a time")
    code, told = run(tmp_path, *QUICKLY, "--crash-rate", 0.3)
    assert code == 0
    assert "files        2 counted, 6 skipped" in told
    for number, reason in enumerate(reasons.values()):
        assert f" bad{number}.py: {reason}" in told
    assert "identifiers  2 counted, 1 different" in told
    assert "words        4 counted, 4 different" in told


def test_a_file_that_cannot_be_opened_is_skipped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    code, told = run(tmp_path, *QUICKLY)
    assert code == 0
    assert "skipped      gone.py: No such file or directory" in told
    assert " gone.txt: No such file or directory" in told


def test_a_name_that_cannot_be_written_is_shown_all_the_same(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad\udcff.py").write_text("(")
    code, told = run(tmp_path, *QUICKLY)
    assert code == 0
    assert "skipped      bad?.py: '(' was never closed" in told


def test_a_single_file_is_counted(run: Run, place: Path) -> None:
    assert "identifiers  3 counted, 2 different" in run(place / "part00.py", *QUICKLY)[1]


def test_a_limit_takes_the_first_files(run: Run, place: Path) -> None:
    code, told = run(place, *QUICKLY, "--limit", 2)
    assert code == 0
    assert "files        2 counted, 0 skipped" in told
    assert "part02" not in told


def test_installed_packages_are_left_out(run: Run, place: Path) -> None:
    (place / "site-packages").mkdir()
    (place / "site-packages" / "other.py").write_text("x = x")
    assert "files        50 counted, 0 skipped" in run(place, *QUICKLY)[1]


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["{place}/nowhere"], "there is no file or directory {place}/nowhere"),
        (["{place}"], "there are no files to count under {place}: their names end in .py, .cfg, "),
        (["--workers", "0"], "--workers must be 1 or more, not 0"),
        (["--limit", "0"], "--limit must be 1 or more, not 0"),
        (["--batch-size", "0"], "--batch-size must be 1 or more, not 0"),
        (["--workers", "many"], "argument --workers: invalid int value: 'many'"),
        (["--crash-rate", "1"], "--crash-rate must be at least 0 and less than 1, not 1.0"),
        (["--crash-rate", "nan"], "--crash-rate must be at least 0 and less than 1, not nan"),
        (["--crash-rate=-0.1"], "--crash-rate must be at least 0 and less than 1, not -0.1"),
        (["--outage=-1"], "--outage must be a number of seconds, at least 0, not -1.0"),
        (["--outage", "inf"], "--outage must be a number of seconds, at least 0, not inf"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_nonsense_is_refused(run: Run, tmp_path: Path, argv: list[str], complaint: str) -> None:
    code, told = run(*(one.format(place=tmp_path) for one in argv))
    assert code == 2
    assert complaint.format(place=tmp_path) in told


def test_help_is_no_error(run: Run) -> None:
    code, told = run("--help")
    assert code == 0
    assert "--crash-rate P" in told


# That the comparison compares


Counts = tuple[Counter[str], Counter[str], set[Path]]
ONE, NONE = Counter(["shared"]), Counter[str]()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            (ONE, NONE, set[Path]()),
            "121 identifiers and 20 words, and skips 0 files",
        ),
        (
            (NONE, ONE, set[Path]()),
            "120 identifiers and 21 words, and skips 0 files",
        ),
        ((NONE, NONE, {Path("part00.py")}), "120 identifiers and 20 words, and skips 1"),
    ],
    ids=["an identifier", "a word", "a file"],
)
def test_a_count_that_is_off_by_one_is_found(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, more: Counts, told: str
) -> None:
    def count_otherwise(files: Iterable[Path]) -> Counts:
        identifiers, words, skipped = count_serially(files)
        return identifiers + more[0], words + more[1], skipped | more[2]

    monkeypatch.setattr(demo, "count_serially", count_otherwise)
    code, all_told = run(place, *QUICKLY)
    assert code == 1
    assert f"comparison   DIFFERENT: a plain loop finds {told}" in all_told


def test_a_store_that_does_not_know_what_comes_again_is_found(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def save(store: Store, key: str, found: Sequence[Found]) -> None:
        await trio.lowlevel.checkpoint()
        store.batches[f"{key}, for the {len(store.batches)}. time"] = found

    monkeypatch.setattr(Store, "save", save)
    code, told = run(place, *QUICKLY, "--crash-rate", 0.3)
    assert code == 1
    assert "comparison   DIFFERENT: a plain loop finds 120 identifiers" in told


def test_the_plain_loop_knows_nothing_of_the_library() -> None:
    source = Path(demo.__file__).with_name("_serial.py").read_text("utf-8")
    assert "from ." not in source
    assert "trio" not in source


# How it ends otherwise


@pytest.mark.realtime
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize(
    "waits_for", ["Trying which", "crashes healed"], ids=["while it tries sizes", "while it counts"]
)
def test_ctrl_c_ends_it_in_order_with_what_there_is(place: Path, waits_for: str) -> None:
    program = "import sys; from trio_foundation.demo import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, str(place), "--crash-rate", "0.99"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while waits_for not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        told, complaints = process.stdout.read(), process.stderr.read()
    assert complaints == ""
    assert process.returncode == 130
    assert "comparison   none, since you interrupted it" in told
    assert (" sent =" in told) == (waits_for == "crashes healed")


def test_a_tree_that_gives_up_says_so_and_its_crash_is_logged(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def save(store: Store, key: str, found: Sequence[Found]) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError("no paper")

    monkeypatch.setattr(Store, "save", save)
    code, told = run(place, *QUICKLY, "--crash-rate", 0)
    assert code == 1
    assert "comparison   none, since the tree gave up: " in told
    assert "OSError: no paper" in caplog.text


def test_crashes_of_its_own_making_stay_out_of_the_log(
    run: Run, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(place, "--batch-size", 2, "--outage", 0.2, "--crash-rate", 0.5)
    assert not caplog.records


@pytest.mark.parametrize("crash_rate", [0.0, 0.01, 0.3, 0.9])
def test_the_limit_is_above_what_chance_does_but_not_out_of_sight(crash_rate: float) -> None:
    expected = 1_000 * crash_rate / (1 - crash_rate)
    assert expected + 3 <= too_many(1_000, crash_rate) <= 2 * expected + 30


# What is shown


def test_the_first_lines_say_what_is_done(run: Run, place: Path) -> None:
    _, told = run(place, *QUICKLY, "--crash-rate", 0.25)
    assert told.startswith(
        f"Counting identifiers and words in the files under {place}\n"
        "(files: 50; workers: 4; crash rate: 0.25)\n"
    )


def test_on_a_terminal_tree_and_circuits_are_drawn(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(_view, "can_draw", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    code, told = run(place, *QUICKLY, "--crash-rate", 0.3, "--workers", 2)
    assert code == 0
    assert "50/50" in told
    assert re.search(r"^ +python-2 +(running|backing off) .*(closed|open)", told, re.MULTILINE)
    assert "Crash: " in told
    assert "EQUAL" in told
