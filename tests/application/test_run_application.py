"""Tests of running a tree to its end, in this process."""

from __future__ import annotations

import math
import re
import signal
import threading
from collections.abc import Callable
from typing import Any, get_args

import outcome
import pytest
import trio

from trio_foundation.application import run_application
from trio_foundation.supervision import (
    ChildSpec,
    ChildStartFailed,
    IgnoreChild,
    Restart,
    ShutdownChild,
    child,
    cleanup_scope,
    dynamic_subtree,
    open_supervisor,
    subtree,
)

ENDINGS: list[str] = []


async def come_to_an_end() -> None:
    await trio.lowlevel.checkpoint()


async def crash() -> None:
    raise ConnectionError("refused")


async def not_start(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128  that is its point
    del task_status
    raise OSError("no route to host")


async def serve() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.lowlevel.checkpoint()  # noqa: ASYNC102  cleanup_scope is such a scope
            ENDINGS.append("served")


def raising(error: BaseException) -> ChildSpec:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    return child(fail)


@pytest.fixture(autouse=True)
def nothing_has_ended() -> None:
    ENDINGS.clear()


# A good end


@pytest.mark.parametrize("restart", get_args(Restart))
def test_the_program_ends_when_the_tree_returns_whatever_its_restart_type(restart: Restart) -> None:
    assert run_application(child(come_to_an_end, restart=restart)) == 0


def test_a_supervisor_that_shuts_itself_down_is_a_good_end() -> None:
    last = child(come_to_an_end, restart="transient", significant=True)
    tree = subtree([child(serve), last], name="app", auto_shutdown="any_significant")
    assert run_application(tree) == 0
    assert ENDINGS == ["served"]


def test_a_child_that_shuts_down_is_a_good_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_application(raising(ShutdownChild("nothing to do"))) == 0
    assert not capsys.readouterr().err


def test_a_tree_that_is_not_needed_is_a_good_end() -> None:
    async def ignore(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128  as above
        del task_status
        raise IgnoreChild("no printer is configured")

    assert run_application(child(ignore)) == 0


def test_a_tree_may_be_made_by_a_function() -> None:
    assert run_application(lambda: child(come_to_an_end)) == 0


def test_an_error_of_the_function_is_the_callers() -> None:
    def fail() -> ChildSpec:
        raise KeyError("PORT")

    with pytest.raises(KeyError, match="PORT"):
        run_application(fail)


def test_signals_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen: list[Any] = []

    async def look() -> None:
        seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))

    run_application(child(look))
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert not set(seen) & set(before)


# Failures


def test_a_failure_is_told_with_the_child_its_restarts_and_the_last_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_application(subtree([child(serve), child(crash)], name="app")) == 1
    report = capsys.readouterr().err
    assert ENDINGS == ["served"]
    assert report.startswith(
        "The application failed: child 'crash' of supervisor 'application/app' was restarted 3 "
        "times within 5 seconds and failed again:\n    child 'crash' (incarnation 1) crashed"
    )
    _, _, traceback = report.partition("Its last traceback:\n    Traceback (most recent")
    assert re.findall(r"in (\w+)\n\s+(.*)\n", traceback) == [
        ("crash", 'raise ConnectionError("refused")')
    ]


def test_of_nested_failures_the_innermost_is_told_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inner = subtree([child(crash)], name="inner", max_restarts=2, within=1.0)
    middle = subtree([child(serve), inner], name="middle", max_restarts=0)
    assert run_application(subtree([middle], name="outer", max_restarts=1, within=60.0)) == 1
    report = capsys.readouterr().err
    heads = [line for line in report.splitlines() if " of supervisor " in line]
    assert heads == [
        "The application failed: child 'crash' of supervisor 'application/outer/middle/inner' was "
        "restarted 2 times within 1 second and failed again:",
        "- child 'inner' of supervisor 'application/outer/middle' failed, and no restart is "
        "allowed there",
        "- child 'middle' of supervisor 'application/outer' was restarted once within 60 seconds "
        "and failed again",
    ]
    assert report.count("ConnectionError: refused\n\nTherefore:") == 1


def test_a_child_that_does_not_start_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    tree = subtree([child(serve), subtree([child(not_start)], name="inner")], name="app")
    assert run_application(tree) == 1
    report = capsys.readouterr().err
    assert ENDINGS == ["served"]
    assert report.startswith(
        "The application failed: child 'not_start' of supervisor 'application/app/inner' failed "
        "to start\n\nIts traceback:\n    Traceback (most recent call last):\n"
    )
    assert "trio_foundation" not in report
    assert "OSError: no route to host\n" in report


def test_a_child_that_is_never_ready_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async def sleep(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128  as above
        del task_status
        await trio.sleep_forever()

    assert run_application(child(sleep, ready_within=0.01)) == 1
    assert (
        "TooSlowError: child 'sleep' was not ready within 0.01 seconds" in capsys.readouterr().err
    )


def test_a_bare_child_that_crashes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_application(child(crash)) == 1
    report = capsys.readouterr().err
    assert report.startswith("The application failed: child 'crash' (incarnation 1) crashed")
    assert ", in crash\n" in report


def test_a_supervisor_that_a_child_opened_is_read_too(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with open_supervisor([child(crash)], name="own", max_restarts=1):
            await trio.sleep_forever()

    assert run_application(child(main)) == 1
    assert "child 'crash' of supervisor 'application/main/own' was restarted once" in (
        capsys.readouterr().err
    )


def test_a_failure_that_was_made_by_hand_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_application(raising(ChildStartFailed("my own", "db", "no route"))) == 1
    assert capsys.readouterr().err == (
        "The application failed: child 'db' of supervisor 'my own' failed to start\n"
    )


def test_a_broken_stderr_does_not_change_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert run_application(child(crash)) == 1


# Those that no supervisor restarts after


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(), 0, ""),
        (SystemExit(3), 3, ""),
        (SystemExit("no such file"), 1, "no such file\n"),
    ],
    ids=["interrupt", "exit", "exit with a number", "exit with a text"],
)
def test_the_program_ends_as_the_child_wants(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = subtree([child(serve), subtree([raising(error)], name="inner")], name="app")
    assert run_application(tree) == code
    assert ENDINGS == ["served"]
    assert capsys.readouterr().err == told


def test_what_is_beyond_repair_leaves_as_it_is() -> None:
    broken = trio.TrioInternalError("the run is broken")
    with pytest.raises(trio.TrioInternalError) as caught:
        run_application(subtree([raising(broken)], name="app"))
    assert caught.value is broken


def test_a_keyboard_interrupt_before_anything_was_ready_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trio, "run", interrupted)
    assert run_application(child(come_to_an_end)) == 130


# What is refused


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            serve,
            "run_application takes a tree, but serve is an async function: write "
            "run_application(child(serve))",
        ),
        (
            [child(serve)],
            "run_application takes one tree, but got a list of children: write "
            "run_application(subtree([...], name='app'))",
        ),
        (
            lambda: (child(serve), child(serve)),
            "run_application takes one tree, but <lambda> returned a list of children: write "
            "return subtree([...], name='app')",
        ),
        (
            3,
            "run_application takes what child() or subtree() returns, or a function that returns "
            "it, not 3",
        ),
        (
            lambda: None,
            "run_application takes a function that returns what child() or subtree() returns, but "
            "<lambda> returned None",
        ),
    ],
    ids=[
        "async function",
        "list",
        "function that returns several",
        "number",
        "function that returns nothing",
    ],
)
def test_what_is_no_tree_is_refused(tree: ChildSpec, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        run_application(tree)


def test_a_coroutine_is_refused_and_closed() -> None:
    coroutine: Any = serve()
    message = "write run_application(child(serve)), not run_application(serve(...))"
    with pytest.raises(TypeError, match=re.escape(message)):
        run_application(coroutine)


@pytest.mark.parametrize("grace", [-1.0, math.nan])
def test_a_grace_that_makes_no_sense_is_refused(grace: float) -> None:
    with pytest.raises(ValueError, match=f"^grace must be 0 seconds or more, not {grace}$"):
        run_application(dynamic_subtree(name="jobs"), grace=grace)


async def test_within_a_trio_run_it_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"call it outside of trio\.run, or open the tree with"):
        run_application(child(serve))


def test_off_the_main_thread_it_is_refused() -> None:
    results: list[outcome.Outcome[int]] = []

    def run() -> None:
        results.append(outcome.capture(run_application, child(serve)))

    thread = threading.Thread(target=run, name="worker")
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match=r"main thread only: call it there, not in thread 'work"):
        results[0].unwrap()


def test_nothing_is_made_when_it_is_refused() -> None:
    made: list[Callable[[], ChildSpec]] = []
    with pytest.raises(ValueError, match="grace"):
        run_application(lambda: made.append(serve), grace=-1)  # type: ignore[arg-type,return-value]
    assert not made
