"""Tests of how it is told who still runs."""

from __future__ import annotations

from textwrap import dedent

import pytest

from trio_foundation.application._rules import Place, Straggler, hurry_report

MAIN = Place("shop.py", 7, "sell", "await customer()")
DEEP = Place("disk.py", 40, "flush", "await trio.sleep_forever()")
COMPILED = Place("fast.pyx", 3, "wait", "")


def straggler(
    path: str, *stacks: tuple[Place, ...], is_stopping: bool = False, incarnation: int = 1
) -> Straggler:
    return Straggler(path=path, incarnation=incarnation, is_stopping=is_stopping, stacks=stacks)


def body(*stragglers: Straggler) -> list[str]:
    """Return the report less its first and its last line."""
    return hurry_report("SIGTERM came 30 s ago", stragglers).splitlines()[1:-1]


def test_who_is_being_stopped_is_told_with_the_stacks_and_who_waits_with_a_line() -> None:
    slow = straggler("app/slow", (MAIN, DEEP), (COMPILED,), is_stopping=True, incarnation=2)
    report = hurry_report("SIGTERM came 30 s ago", [straggler("app/web", (MAIN, DEEP)), slow])
    assert report == dedent(
        """\
        SIGTERM came 30 s ago: all that still runs is cancelled now, and has no time to clean up.
        Still stopping:
            app/slow (incarnation 2) is here:
                File "shop.py", line 7, in sell
                    await customer()
                File "disk.py", line 40, in flush
                    await trio.sleep_forever()
            and here, in another of its tasks:
                File "fast.pyx", line 3, in wait
        Waiting for their turn to be stopped:
            app/web (incarnation 1), in flush, disk.py:40
        One more signal ends the process by force, whatever still runs then.
        """
    )


def test_if_nothing_is_known_to_run_nothing_is_told_of_it() -> None:
    assert body() == []


def test_a_child_of_which_no_line_is_known_is_told_by_name() -> None:
    assert body(straggler("app/slow", is_stopping=True), straggler("app/web")) == [
        "Still stopping:",
        "    app/slow (incarnation 1)",
        "Waiting for their turn to be stopped:",
        "    app/web (incarnation 1)",
    ]


def test_of_many_children_the_first_are_told_in_order() -> None:
    jobs = [straggler(f"app/{n:04}") for n in range(1_000)]
    lines = body(*reversed(jobs))
    assert lines[1:21] == [f"    app/{n:04} (incarnation 1)" for n in range(20)]
    assert lines[21:] == ["    and 980 more"]


def test_of_many_stacks_the_first_are_told() -> None:
    lines = body(*(straggler(f"app/{n}", (MAIN,), is_stopping=True) for n in range(12)))
    assert sum("is here" in line for line in lines) == 10
    assert lines[-1] == "    and 2 more"


@pytest.mark.parametrize("count", [20, 21])
def test_as_many_as_are_told_leave_none_out(count: int) -> None:
    lines = body(*(straggler(f"app/{n:02}") for n in range(count)))
    assert lines[21:] == ["    and 1 more"] * (count - 20)


def test_who_waits_is_where_its_innermost_line_is() -> None:
    waiting = straggler("app/web", (MAIN, COMPILED, DEEP), (MAIN,))
    assert body(waiting)[1] == "    app/web (incarnation 1), in flush, disk.py:40"
