"""Tests of what the next signal means, and of exit codes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from trio_foundation.application._rules import (
    Ended,
    Exited,
    Failed,
    Forced,
    Hurrying,
    Orderly,
    Running,
    Stage,
    Stopping,
    after_grace,
    after_signal,
    code_of_exit,
    exit_code,
)

SIGNALS = st.sampled_from([2, 15])

# A signal by its number, or None when the time for stopping in order is over.
HISTORIES = st.lists(SIGNALS | st.none())


def after(history: list[int | None]) -> Stage:
    stage: Stage = Running()
    for event in history:
        stage = after_grace(stage) if event is None else after_signal(stage, event)
    return stage


# What a reader should know


def test_the_first_signal_asks_the_second_insists_and_the_third_forces() -> None:
    assert after([15]) == Stopping(15)
    assert after([15, 2]) == Hurrying(2)
    assert after([15, 2, 15]) == Forced(15)
    assert after([15, 2, 15, 2]) == Forced(2)


def test_time_that_runs_out_insists_in_the_name_of_the_signal_that_asked() -> None:
    assert after([15, None]) == Hurrying(15)


def test_after_time_ran_out_one_signal_more_forces() -> None:
    assert after([15, None, 2]) == Forced(2)


@pytest.mark.parametrize(
    "stage", [Running(), Hurrying(2), Forced(2)], ids=lambda stage: type(stage).__name__
)
def test_time_runs_out_only_for_a_stop_in_order(stage: Stage) -> None:
    assert after_grace(stage) == stage


@pytest.mark.parametrize(
    ("stage", "ended", "code"),
    [
        (Running(), Orderly(), 0),
        (Running(), Failed(), 1),
        (Running(), Exited(3), 3),
        (Stopping(15), Orderly(), 0),
        (Stopping(15), Failed(), 1),
        (Stopping(15), Exited(3), 3),
        (Hurrying(15), Orderly(), 143),
        (Hurrying(2), Failed(), 130),
        (Hurrying(2), Exited(3), 130),
        (Forced(2), Orderly(), 130),
    ],
    ids=str,
)
def test_the_exit_code_tells_how_it_ended(stage: Stage, ended: Ended, code: int) -> None:
    assert exit_code(stage, ended) == code


@pytest.mark.parametrize(
    ("given", "code"),
    [(None, 0), (0, 0), (7, 7), (True, 1), ("no such file", 1), ([], 1)],
    ids=str,
)
def test_what_a_system_exit_was_given_is_read_as_python_reads_it(given: object, code: int) -> None:
    assert code_of_exit(given) == code


# The promise itself


@given(HISTORIES)
def test_each_signal_goes_one_step_further_and_time_only_the_second(
    history: list[int | None],
) -> None:
    step, signal = 0, 0
    for event in history:
        if event is not None:
            step, signal = min(step + 1, 3), event
        elif step == 1:
            step = 2
    stage = after(history)
    assert [Running, Stopping, Hurrying, Forced].index(type(stage)) == step
    if not isinstance(stage, Running):
        assert stage.signal == signal


@given(HISTORIES, st.sampled_from([Orderly(), Failed(), Exited(9)]))
def test_a_stop_that_was_cut_short_is_told_by_the_exit_code(
    history: list[int | None], ended: Ended
) -> None:
    stage = after(history)
    code = exit_code(stage, ended)
    assert (code > 128) == isinstance(stage, (Hurrying, Forced))
