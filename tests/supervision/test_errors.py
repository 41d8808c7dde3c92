"""Tests of what the errors of supervision say, and that they can be sent to other processes."""

from __future__ import annotations

import pickle

import pytest

from trio_foundation import FoundationError
from trio_foundation.supervision import (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    Exit,
    IgnoreChild,
    RestartLimitReached,
    ShutdownChild,
    SupervisorClosed,
    SupervisorFailed,
    TooManyChildren,
)

EXIT = Exit(
    child="poll", incarnation=4, reason="crashed", error=OSError("x"), started_at=0.0, ended_at=1.0
)

SENTENCES: dict[FoundationError, str] = {
    ChildStartFailed("app", "db", "OSError: no route"): (
        "child 'db' of supervisor 'app' failed to start: OSError: no route"
    ),
    RestartLimitReached("app", "poll", 3, 5.0, (EXIT,)): (
        "supervisor 'app' gave up: child 'poll' failed again, and the limit of 3 restarts in "
        "5 seconds is spent"
    ),
    RestartLimitReached("app", "poll", 1, 0.5, ()): (
        "supervisor 'app' gave up: child 'poll' failed again, and the limit of 1 restart in "
        "0.5 seconds is spent"
    ),
    ChildExists("app", "web", "running"): (
        "supervisor 'app' already has a child 'web' (running): give the new one another name=, "
        "or none"
    ),
    ChildExists("app", "web", "ignored"): (
        "supervisor 'app' already has a child 'web' (ignored): restart_child('web') starts it, "
        "delete_child('web') makes room for another"
    ),
    ChildNotFound("app", "wbe", ("web", "db")): (
        "supervisor 'app' has no child 'wbe'; it has 'web', 'db'"
    ),
    ChildNotFound("app", "web", ()): "supervisor 'app' has no child 'web'; it has none",
    ChildRunning("app", "web", "backing_off"): (
        "child 'web' of supervisor 'app' is backing off: stop_child('web') first"
    ),
    TooManyChildren(
        "jobs", 100
    ): "supervisor 'jobs' is full, max_children=100: let a child end first, or allow more",
    SupervisorClosed("app"): (
        "supervisor 'app' is closed: its block has ended, is ending, or was not entered yet"
    ),
    ShutdownChild("the queue is empty"): "the queue is empty",
    IgnoreChild("no printer"): "no printer",
}

EVERY_ERROR = pytest.mark.parametrize("error", SENTENCES, ids=lambda error: type(error).__name__)


@EVERY_ERROR
def test_an_error_is_a_sentence(error: FoundationError) -> None:
    assert str(error) == SENTENCES[error]


@EVERY_ERROR
def test_an_error_survives_pickling_with_its_fields(error: FoundationError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    plain = {name: value for name, value in vars(error).items() if name != "exits"}
    assert {name: vars(again)[name] for name in plain} == plain


@EVERY_ERROR
def test_every_error_lives_at_the_door_and_has_one_root(error: FoundationError) -> None:
    assert type(error).__module__ == "trio_foundation.supervision"
    assert isinstance(error, FoundationError)


def test_the_exits_of_a_failure_are_pickled_with_it() -> None:
    again = pickle.loads(pickle.dumps(RestartLimitReached("app", "poll", 3, 5.0, (EXIT,))))
    assert [str(exit) for exit in again.exits] == [str(EXIT)]
    assert again.exits[0].traceback == EXIT.traceback


def test_what_is_added_to_a_failure_is_pickled_with_it() -> None:
    failure = RestartLimitReached("app", "poll", 3, 5.0, ())
    failure.body_error = ValueError("of the body")
    failure.add_note("a note")
    again = pickle.loads(pickle.dumps(failure))
    assert (repr(again.body_error), again.__notes__) == ("ValueError('of the body')", ["a note"])


def test_both_failures_of_a_supervisor_are_caught_as_one() -> None:
    assert issubclass(ChildStartFailed, SupervisorFailed)
    assert issubclass(RestartLimitReached, SupervisorFailed)


def test_a_wrong_name_is_an_error_of_its_python_kind_too() -> None:
    assert issubclass(ChildExists, ValueError)
    assert issubclass(ChildNotFound, LookupError)


def test_what_a_child_says_by_raising_has_a_reason() -> None:
    assert ShutdownChild(3).reason == 3
    assert IgnoreChild(None).reason is None
    assert (ShutdownChild().reason, IgnoreChild().reason) == ("shutdown", "ignored")
