"""Tests of how a program stops: real processes, real signals."""

from __future__ import annotations

import signal
import sys
from signal import SIGINT, SIGTERM

import pytest

from ._programs import run_tree

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="it sends signals as Unix does"),
]


@pytest.mark.parametrize("first", [SIGINT, SIGTERM], ids=lambda number: number.name)
def test_a_signal_stops_the_tree_newest_first(first: signal.Signals) -> None:
    with run_tree("nested") as program:
        program.expect("a runs", "b runs", "c runs", "d runs")
        program.send(first)
        assert program.end() == 0, str(program)
    assert program.output[4:] == ["d stopped", "c stopped", "b stopped", "a stopped"]


def test_a_tree_is_stopped_under_load() -> None:
    with run_tree("busy", "--log-level", "error") as program:
        program.expect("a runs", "b runs", *(f"worker-{n} works" for n in range(5)))
        program.send(SIGTERM)
        assert program.end() == 0, str(program)
    assert program.output[-2:] == ["b stopped", "a stopped"]


def test_a_tree_is_stopped_while_it_starts() -> None:
    with run_tree("starting") as program:
        program.expect("a runs", "slow starts")
        program.send(SIGTERM)
        assert program.end() == 0, str(program)
    assert program.output[2:] == ["slow stopped", "a stopped"]


def test_a_tree_is_stopped_while_a_child_restarts() -> None:
    with run_tree("restarting") as program:
        program.expect("a runs", "slow starts")
        program.send(SIGTERM)
        assert program.end() == 0, str(program)
    assert program.output[2:] == ["slow stopped", "a stopped"]


def test_a_tree_is_stopped_while_a_child_backs_off() -> None:
    with run_tree("backing_off") as program:
        program.expect("a runs", "'fail' (incarnation 1) crashed")
        program.send(SIGTERM)
        assert program.end() == 0, str(program)
    assert program.output.count("fail crashes") == 1


def test_a_child_without_a_supervisor_is_stopped() -> None:
    with run_tree("bare") as program:
        program.expect("serve runs")
        program.send(SIGTERM)
        assert program.end() == 0, str(program)
    assert program.output[1:] == ["serve stopped"]


def test_a_dynamic_supervisor_is_stopped() -> None:
    with run_tree("dynamic") as program:
        program.expect("'jobs' is ready")
        program.send(SIGINT)
        assert program.end() == 0, str(program)


def test_a_second_signal_cuts_cleaning_up_short_and_tells_who_still_ran() -> None:
    with run_tree("stubborn") as program:
        program.expect("a runs", "slow runs")
        program.send(SIGTERM)
        program.expect("slow cleans up")
        program.send(SIGINT)
        assert program.end() == 128 + SIGINT, str(program)
    assert {"slow was cut short", "a stopped"} < set(program.output)
    head, _, rest = program.report.partition("SIGINT came as a second signal: all")
    assert "SIGTERM: stopping in order" in head
    assert "application/app/slow (incarnation 1) is here:" in rest
    assert "await trio.sleep_forever()" in rest
    assert ", in flush_buffers" in rest
    assert (
        "Waiting for their turn to be stopped:\n    application/app/a (incarnation 1), in" in rest
    )


def test_a_start_is_cut_short_too() -> None:
    with run_tree("stubborn_start") as program:
        program.expect("a runs", "slow runs")
        program.send(SIGTERM)
        program.expect("slow cleans up")
        program.send(SIGTERM)
        assert program.end() == 128 + SIGTERM, str(program)
    assert "application/app/slow (incarnation 1) is here:" in program.report


def test_a_failure_whose_stop_is_cut_short_is_told_all_the_same() -> None:
    with run_tree("failing_slowly") as program:
        program.expect("slow cleans up")
        program.send(SIGTERM)
        program.expect("SIGTERM: stopping in order")
        program.send(SIGTERM)
        assert program.end() == 128 + SIGTERM, str(program)
    assert "child 'fail' of supervisor 'application/app' was restarted once" in program.report


@pytest.mark.parametrize(
    ("tree", "report"),
    [
        ("failing_when_told", "child 'fail' of supervisor 'application/app' was restarted once"),
        ("not_starting_when_told", "child 'not_start' of supervisor 'application/app' failed to"),
    ],
)
def test_a_signal_after_a_failure_does_not_hide_it(tree: str, report: str) -> None:
    with run_tree(tree) as program:
        assert program.end() == 1, str(program)
    assert "SIGTERM: stopping in order" in program.report
    assert f"The application failed: {report}" in program.report


def test_two_signals_at_once_are_a_first_and_a_second() -> None:
    with run_tree("stubborn") as program:
        program.expect("a runs", "slow runs")
        # Python hands out the lower number first when both have come.
        program.send(SIGINT, SIGTERM)
        assert program.end() == 128 + SIGTERM, str(program)


def test_time_that_runs_out_does_what_a_second_signal_does() -> None:
    with run_tree("stubborn", "--grace", "0.1") as program:
        program.expect("a runs", "slow runs")
        program.send(SIGTERM)
        assert program.end() == 128 + SIGTERM, str(program)
    assert "SIGTERM came 0.1 s ago: all that still runs is cancelled now" in program.report
    assert "application/app/slow (incarnation 1) is here:" in program.report


def test_what_cannot_be_cancelled_is_ended_by_force_with_the_third_signal() -> None:
    with run_tree("immortal") as program:
        program.expect("a runs", "slow runs")
        program.send(SIGTERM)
        program.expect("stopping in order")
        program.send(SIGTERM)
        program.expect("One more signal ends the process by force", "a stopped")
        program.send(SIGTERM)
        assert program.end() == -SIGTERM, str(program)
    assert "SIGTERM came once more: the process ends by force." in program.report


def test_a_child_that_keeps_all_others_from_running_is_ended_by_force() -> None:
    with run_tree("blocking") as program:
        program.expect("block runs")
        program.send_until_it_ends(SIGINT)
        assert program.end() == -SIGINT, str(program)
    assert "It kept all other tasks from running, here:" in program.report
    assert "time.sleep(0.01)" in program.report


def test_a_signal_in_the_last_moment_does_no_harm() -> None:
    with run_tree("last_moment") as program:
        assert program.end() == 0, str(program)
