"""The demo counts right, whatever crashes, and tells what it did."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import demo
from trio_foundation.demo import _view, main
from trio_foundation.demo._serial import count_serially
from trio_foundation.demo._tree import run_tree, too_many
from trio_foundation.demo._work import Work
from trio_foundation.supervision import ChildExited, Supervisor
from trio_foundation.telemetry import subscribe

NAMES = [Path(f"part{number:02}.py") for number in range(40)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Forty files, with ``shared`` in each, and the name of the file twice."""
    for name in NAMES:
        (tmp_path / name).write_text(f"def {name.stem}(): return shared or {name.stem}\n")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the demo, and returns its exit code and what it wrote."""

    def run(*argv: object) -> tuple[int, str]:
        code = main([str(one) for one in argv])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


Run = Callable[..., tuple[int, str]]


async def be_silent(work: Work, tree: Supervisor) -> None:
    await trio.sleep_forever()


def count(place: Path, *, workers: int = 3, crash_rate: float = 0.5, seed: int = 0) -> Work:
    """Count in virtual time, where a pause after a crash takes none."""
    work = Work(place, NAMES, workers, crash_rate, seed)
    trio.run(run_tree, work, be_silent, clock=MockClock(autojump_threshold=0))
    return work


# What it finds


@pytest.mark.parametrize("crash_rate", [0, 0.3])
def test_both_counts_are_equal(run: Run, place: Path, crash_rate: float) -> None:
    code, told = run(place, "--crash-rate", crash_rate)
    assert code == 0
    assert "files        40 counted, 0 skipped" in told
    assert "identifiers  120 counted, 41 different" in told
    assert "top ten             40 shared\n                     2 part00" in told
    assert "comparison   EQUAL" in told


def test_without_crashes_nothing_is_restarted(run: Run, place: Path) -> None:
    assert "restarts     none\n" in run(place, "--crash-rate", 0)[1]


def test_restarts_are_told_by_child(run: Run, place: Path) -> None:
    _, told = run(place, "--crash-rate", 0.5, "--workers", 1)
    assert "worker-1\n" in told.partition("restarts ")[2]


def test_crashes_of_workers_and_collector_lose_nothing_and_double_nothing(place: Path) -> None:
    crashes = Counter[str]()

    async def listen(work: Work, tree: Supervisor) -> None:
        with subscribe(lambda event: crashes.update([str(event.exit.error)[:7]]), ChildExited):
            await trio.sleep_forever()

    work = Work(place, NAMES, 3, 0.8, seed=5)
    trio.run(run_tree, work, listen, clock=MockClock(autojump_threshold=0))
    assert crashes["dropped"] > 100
    assert crashes["lost th"] > 0
    assert crashes["counted"] > 0
    assert work.identifiers == {"shared": 40} | {name.stem: 2 for name in NAMES}
    assert work.counted == work.acknowledged == set(NAMES)


def test_a_seed_means_the_same_crashes_however_many_workers_there_are(place: Path) -> None:
    one, other = count(place, workers=1, seed=7), count(place, workers=5, seed=7)
    assert one.rolls == other.rolls
    assert one.restarts.total() == other.restarts.total() > 0


def test_another_seed_means_other_crashes(place: Path) -> None:
    assert count(place, seed=7).rolls != count(place, seed=8).rolls


# What is no Python, or no directory of it


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x = (", "'(' was never closed"),
        (b"x\n\nonce upon a time", "invalid syntax"),
        (b"price = 5 $", "invalid syntax"),
        (b"\xff\xfe\x00", "invalid or missing encoding declaration"),
        (b"# coding: klingon", "unknown encoding: klingon"),
        (b"# coding: hex", "'hex' is not a text encoding"),
    ],
    ids=["unclosed", "prose", "no token", "binary", "no such codec", "no codec for text"],
)
def test_a_file_that_is_not_python_is_skipped(
    run: Run, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "good.py").write_text("x = x")
    code, told = run(tmp_path, "--crash-rate", 0.3)
    assert code == 0
    assert "files        1 counted, 1 skipped" in told
    assert f"skipped      bad.py: {reason}" in told
    assert "identifiers  2 counted, 1 different" in told


def test_a_file_that_cannot_be_opened_is_skipped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    code, told = run(tmp_path)
    assert code == 0
    assert "skipped      gone.py: No such file or directory" in told


def test_a_name_that_cannot_be_written_is_shown_all_the_same(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad\udcff.py").write_text("(")
    code, told = run(tmp_path)
    assert code == 0
    assert "skipped      bad?.py: '(' was never closed" in told


def test_a_single_file_is_counted(run: Run, place: Path) -> None:
    assert "identifiers  3 counted, 2 different" in run(place / "part00.py")[1]


def test_a_limit_takes_the_first_files(run: Run, place: Path) -> None:
    code, told = run(place, "--limit", 2)
    assert code == 0
    assert "files        2 counted, 0 skipped" in told
    assert "part02" not in told


def test_installed_packages_are_left_out(run: Run, place: Path) -> None:
    (place / "site-packages").mkdir()
    (place / "site-packages" / "other.py").write_text("x = x")
    assert "files        40 counted, 0 skipped" in run(place)[1]


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["{place}/nowhere"], "there is no file or directory {place}/nowhere"),
        (["{place}"], "there are no .py files under {place}"),
        (["--workers", "0"], "--workers and --limit must be 1 or more"),
        (["--limit", "0"], "--workers and --limit must be 1 or more"),
        (["--workers", "many"], "argument --workers: invalid int value: 'many'"),
        (["--crash-rate", "1"], "--crash-rate must be at least 0 and less than 1, not 1.0"),
        (["--crash-rate", "nan"], "--crash-rate must be at least 0 and less than 1, not nan"),
        (["--crash-rate=-0.1"], "--crash-rate must be at least 0 and less than 1, not -0.1"),
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


def doctor(monkeypatch: pytest.MonkeyPatch, names: Counter[str], skipped: set[Path]) -> None:
    def count_otherwise(files: Iterable[Path]) -> tuple[Counter[str], set[Path]]:
        true_names, true_skipped = count_serially(files)
        return true_names + names, true_skipped | skipped

    monkeypatch.setattr(demo, "count_serially", count_otherwise)


def test_a_count_that_is_off_by_one_is_found(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor(monkeypatch, Counter(["shared"]), set())
    code, told = run(place)
    assert code == 1
    assert "comparison   DIFFERENT: a plain loop finds 121 identifiers" in told


def test_a_file_that_only_one_of_the_two_skips_is_found(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor(monkeypatch, Counter(), {place / "part00.py"})
    assert run(place)[0] == 1


def test_the_plain_loop_knows_nothing_of_the_library() -> None:
    source = Path(demo.__file__).with_name("_serial.py").read_text("utf-8")
    assert "from ." not in source
    assert "trio" not in source


# How it ends otherwise


@pytest.mark.realtime
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_it_in_order_with_what_there_is(place: Path) -> None:
    program = "import sys; from trio_foundation.demo import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, str(place), "--crash-rate", "0.99"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "crashes healed" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        told = process.stdout.read()
    assert process.returncode == 130
    assert "comparison   none, since you interrupted it" in told


def test_a_tree_that_gives_up_says_so_and_its_crash_is_logged(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def feed(work: Work) -> None:
        raise OSError("no paper")

    monkeypatch.setattr(Work, "feed", feed)
    code, told = run(place, "--crash-rate", 0)
    assert code == 1
    assert "comparison   none, since the tree gave up: " in told
    assert "OSError: no paper" in caplog.text


def test_crashes_of_its_own_making_stay_out_of_the_log(
    run: Run, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(place, "--crash-rate", 0.5)
    assert not caplog.records


@pytest.mark.parametrize("crash_rate", [0.0, 0.01, 0.3, 0.9])
def test_the_limit_is_above_what_chance_does_but_not_out_of_sight(crash_rate: float) -> None:
    expected = 1_000 * crash_rate / (1 - crash_rate)
    assert expected + 3 <= too_many(1_000, crash_rate) <= 2 * expected + 30


# What is shown


def test_the_first_lines_say_what_is_done(run: Run, place: Path) -> None:
    _, told = run(place, "--crash-rate", 0.25)
    assert told.startswith(
        f"Counting the identifiers under {place}\n(files: 40; workers: 4; crash rate: 0.25)\n"
    )


def test_on_a_terminal_the_tree_is_drawn(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(_view, "can_draw", lambda: True)
    code, told = run(place, "--crash-rate", 0.3, "--workers", 2)
    assert code == 0
    assert "40/40" in told
    assert re.search(r"^ +worker-2 +(running|backing off)", told, re.MULTILINE)
    assert "Crash: " in told
    assert "EQUAL" in told
