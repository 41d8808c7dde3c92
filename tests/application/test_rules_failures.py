"""Tests of how a failure is told."""

from __future__ import annotations

import math
from textwrap import dedent

import pytest

from trio_foundation.application._rules import Crashed, GaveUp, NotStarted, failure_report

TRACEBACK = """\
Traceback (most recent call last):
  File "shop.py", line 12, in poll
    raise ConnectionError("refused")
ConnectionError: refused
"""

POLL = ("poll", "crashed")


def gave_up(
    *failed: tuple[str, str], supervisor: str = "application/web", within: float = 5.0
) -> GaveUp:
    """Return the level of a supervisor whose children failed so, one by one."""
    return GaveUp(
        supervisor=supervisor,
        child=failed[-1][0],
        max_restarts=len(failed) - 1,
        within=within,
        failed=tuple(name for name, _ in failed),
        exits=tuple(f"{name} {how} ({n})" for n, (name, how) in enumerate(failed)),
        is_return=failed[-1][1] == "returned",
    )


def first_line(level: GaveUp) -> str:
    return failure_report([level], "").splitlines()[0]


def test_the_report_begins_with_the_culprit_and_ends_with_what_came_of_it() -> None:
    culprit = gave_up(POLL, POLL)
    above = gave_up(("web", "shut down"), ("web", "shut down"), supervisor="application", within=60)
    assert failure_report([culprit, above], TRACEBACK) == dedent(
        """\
        The application failed: child 'poll' of supervisor 'application/web' was restarted once \
within 5 seconds and failed again:
            poll crashed (0)
            poll crashed (1)

        Its last traceback:
            Traceback (most recent call last):
              File "shop.py", line 12, in poll
                raise ConnectionError("refused")
            ConnectionError: refused

        Therefore:
        - child 'web' of supervisor 'application' was restarted once within 60 seconds and failed \
again
        """
    )


def test_restarts_of_others_that_spent_the_limit_are_told() -> None:
    feed = ("feed", "crashed")
    assert first_line(gave_up(feed, POLL, feed, POLL)) == (
        "The application failed: child 'poll' of supervisor 'application/web' failed, after 3 "
        "restarts within 5 seconds in that supervisor ('feed' 2 times, 'poll' once):"
    )
    assert "after 1 restart within" in first_line(gave_up(feed, POLL))


@pytest.mark.parametrize(
    ("within", "told"),
    [(0.5, " within 0.5 seconds"), (1.0, " within 1 second"), (math.inf, "")],
    ids=["less than a second", "a second", "for ever"],
)
def test_the_window_is_told_in_words(within: float, told: str) -> None:
    assert f"restarted once{told} and failed" in first_line(gave_up(POLL, POLL, within=within))


def test_a_supervisor_without_restarts_is_told_so() -> None:
    assert first_line(gave_up(POLL)).endswith("failed, and no restart is allowed there:")
    assert "Its traceback:" in failure_report([gave_up(POLL)], TRACEBACK)


def test_a_child_that_only_returned_gets_advice() -> None:
    returned = ("poll", "returned")
    report = failure_report([gave_up(returned, returned, returned)], "")
    assert "was restarted 2 times within 5 seconds and returned again:" in report
    assert report.endswith(
        "\n\nA permanent child is restarted when it returns, too. One that may come to an end is "
        "written child(..., restart='transient').\n"
    )
    assert "traceback" not in report


@pytest.mark.parametrize(("count", "told"), [(6, "1 failure"), (7, "2 failures")])
def test_one_failure_that_is_left_out_is_told_as_one(count: int, told: str) -> None:
    lines = failure_report([gave_up(*[POLL] * count)], "").splitlines()
    assert lines[1] == f"    ({told} before these)"


def test_of_a_long_history_the_last_failures_are_told() -> None:
    lines = failure_report([gave_up(*[POLL] * 9)], "").splitlines()
    assert lines[1:] == [
        "    (4 failures before these)",
        *(f"    poll crashed ({n})" for n in range(4, 9)),
    ]


@pytest.mark.parametrize(("count", "first"), [(5, "poll crashed (0)"), (6, "(1 failure")])
def test_as_many_failures_as_are_told_leave_none_out(count: int, first: str) -> None:
    lines = failure_report([gave_up(*[POLL] * count)], "").splitlines()
    assert lines[1].startswith(f"    {first}")


def test_what_failed_because_of_it_is_told_one_by_one() -> None:
    levels = [NotStarted(supervisor=path, child="x") for path in ("a/b/c", "a/b", "a")]
    assert failure_report(levels, "").splitlines()[-3:] == [
        "Therefore:",
        "- child 'x' of supervisor 'a/b' failed to start",
        "- child 'x' of supervisor 'a' failed to start",
    ]


def test_a_failure_is_told_in_one_line_of_the_history() -> None:
    level = gave_up(("poll", "said:\nnothing"), POLL)
    assert "nothing" not in failure_report([level], "")


def test_a_child_that_did_not_start_is_told_first() -> None:
    culprit = NotStarted(supervisor="application/web", child="db")
    above = NotStarted(supervisor="application", child="web")
    assert failure_report([culprit, above], "OSError: no route\n") == dedent(
        """\
        The application failed: child 'db' of supervisor 'application/web' failed to start

        Its traceback:
            OSError: no route

        Therefore:
        - child 'web' of supervisor 'application' failed to start
        """
    )


@pytest.mark.parametrize("traceback", ["", TRACEBACK], ids=["none", "with traceback"])
def test_who_runs_a_bare_child_is_told_how_it_would_be_restarted(traceback: str) -> None:
    report = failure_report([Crashed(exit="child 'main' crashed")], traceback)
    assert report.startswith("The application failed: child 'main' crashed\n")
    assert ("ConnectionError: refused" in report) is bool(traceback)
    assert report.endswith(
        "\n\nNothing restarts the top of an application. To have this child restarted, put it "
        "into a supervisor: subtree([child(...)], name=...).\n"
    )
