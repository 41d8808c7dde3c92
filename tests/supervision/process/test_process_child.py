"""Tests of how a process is written down, and of the words in its errors and events."""

from __future__ import annotations

import inspect
import logging
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from trio_foundation import Backoff, FoundationError, supervision
from trio_foundation.supervision import (
    ProcessEvent,
    ProcessExited,
    ProcessFailed,
    ProcessKilled,
    ProcessNotStarted,
    ProcessOutput,
    ProcessOverdue,
    ProcessStarted,
    process_child,
)

EVENTS: list[type[ProcessEvent]] = [ProcessStarted, ProcessOutput, ProcessOverdue, ProcessExited]

COMMAND = ("gunzip", "my log.gz")


def is_ready(line: str) -> bool:
    return line == "ready"


async def is_async(line: str) -> bool:
    return line == "ready"


# What is written down


def test_a_process_is_a_spec_like_any_other() -> None:
    backoff = Backoff(initial=0.1)
    spec = process_child(
        ["/usr/bin/gunzip", Path("log.gz")],
        restart="transient",
        grace=2.0,
        significant=True,
        ready_within=3.0,
        backoff=backoff,
    )
    assert (spec.name, spec.is_named, spec.kind) == ("gunzip", False, "worker")
    assert (spec.restart, spec.significant, spec.ready_within) == ("transient", True, 3.0)
    assert spec.backoff == backoff
    assert spec.takes_task_status
    assert process_child(["gunzip"], name="unpack").is_named


def test_the_grace_of_the_spec_leaves_a_second_to_collect_what_was_killed() -> None:
    assert process_child(["true"]).grace == 6.0
    assert process_child(["true"], grace=0).grace == 1.0
    assert process_child(["true"], grace=math.inf).grace == math.inf


def test_the_same_is_equal_and_can_be_sent_to_another_process() -> None:
    def spec() -> supervision.ChildSpec:
        return process_child(["true"], env={"A": "b"}, cwd=Path("work"), ready_when=is_ready)

    assert pickle.loads(pickle.dumps(spec())) == spec() == spec()
    assert spec() != process_child(["true"], env={"A": "c"}, cwd="work", ready_when=is_ready)


def test_it_is_shown_without_what_may_be_a_password() -> None:
    spec = process_child(["psql", "shop"], env={"PGPASSWORD": "tiger"})
    assert "psql" in repr(spec)
    assert "tiger" not in repr(spec)


@pytest.mark.parametrize(
    ("command", "name"),
    [(["gunzip"], "gunzip"), (["./bin/serve.py"], "serve.py"), (["bin/"], "bin/")],
    ids=["a name", "a path", "no program at all"],
)
def test_it_is_called_after_its_program(command: list[str], name: str) -> None:
    assert process_child(command).name == name


def test_a_later_change_of_what_was_given_changes_nothing() -> None:
    command, env = ["true"], {"A": "b"}
    spec = process_child(command, env=env)
    command.append("x")
    env["A"] = "c"
    assert spec == process_child(["true"], env={"A": "b"})


# What is refused


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("gunzip -k 'my log.gz'", "['gunzip', '-k', 'my log.gz']"),
        (b"gunzip log.gz", "['gunzip', 'log.gz']"),
        (Path("serve"), "['serve']"),
        ("ls *.gz | wc -l", "['sh', '-c', 'ls *.gz | wc -l']"),
        ("echo $HOME", "['sh', '-c', 'echo $HOME']"),
        ("it's", "['sh', '-c', \"it's\"]"),
        ("", "['gunzip', 'log.gz']"),
    ],
    ids=["words", "bytes", "path", "pipe", "variable", "quote", "nothing"],
)
def test_a_string_is_refused_with_the_list_that_it_should_be(command: Any, instead: str) -> None:
    with pytest.raises(TypeError, match="no shell is asked") as refused:
        process_child(command)
    assert f"write process_child({instead}), not process_child({command!r})" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "instead"),
    [(("gunzip", "-k"), ["gunzip", "-k"]), ((Path("serve"), "on"), ["serve", "on"])],
    ids=["strings", "a path"],
)
def test_a_program_and_its_arguments_one_by_one_are_answered_with_the_list(
    words: Any, instead: list[str]
) -> None:
    with pytest.raises(TypeError) as refused:
        process_child(*words)
    assert str(refused.value) == (
        "process_child takes the program and its arguments as one list: write "
        f"process_child({instead!r})"
    )


def test_what_else_comes_by_position_is_refused_by_python() -> None:
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        cast("Any", process_child)(["gunzip"], "name")


def test_what_readers_see_takes_one_argument_by_position() -> None:
    first, *others = inspect.signature(process_child).parameters.values()
    assert first.name == "command"
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        ([], ValueError, r"must begin with a program, as in .*, not be \[\]"),
        (["", "x"], ValueError, r"must begin with a program, as in .*, not be \['', 'x'\]"),
        ({"true"}, TypeError, "must be a list of the program and its arguments, not {'true'}"),
        (7, TypeError, "must be a list of the program and its arguments, not 7"),
        (
            ["serve", 8080],
            TypeError,
            r"command\[1\] must be a string or a path, not 8080: write '8",
        ),
        (["serve", None], TypeError, r"command\[1\] must be a string or a path, not None"),
        (["cat", b"x"], TypeError, r"command\[1\] must be a string, .*: write os.fsdecode\(b'x'\)"),
        (["echo", "a\0b"], ValueError, r"command\[1\] must not hold a NUL character"),
        (["echo", "\ud800"], ValueError, r"command\[1\] holds a character that no program can"),
    ],
    ids=["empty", "no program", "set", "number", "port", "None", "bytes", "NUL", "surrogate"],
)
def test_a_command_that_cannot_be_run_is_refused(
    command: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        process_child(command)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"env": ["A=b"]}, TypeError, "env must be a mapping of names to values"),
        ({"env": {"": "b"}}, ValueError, "the name of a variable in env must not be empty"),
        ({"env": {1: "b"}}, TypeError, "the name of a variable in env must be a string, not 1"),
        ({"env": {"A=": "b"}}, ValueError, "must not hold '=', as 'A=' does"),
        ({"env": {"A\0": "b"}}, ValueError, "must not hold a NUL character"),
        ({"env": {"PORT": 8080}}, TypeError, r"env\['PORT'\] must be a string, .* of type int"),
        ({"env": {"A": "\0"}}, ValueError, r"env\['A'\] holds a character that no variable can"),
        ({"env": {"A": "\ud800"}}, ValueError, r"env\['A'\] holds a character"),
        ({"cwd": 3}, TypeError, "cwd must be a string or a path, not 3"),
        ({"cwd": "a\0"}, ValueError, "cwd must not hold a NUL character"),
        ({"ready_when": ""}, ValueError, "must be what is in one line, as 'listening', not ''"),
        ({"ready_when": "a\nb"}, ValueError, "must be what is in one line"),
        ({"ready_when": 3}, TypeError, "a string or a plain function of a line, not 3"),
        ({"ready_when": is_async}, TypeError, "a string or a plain function of a line"),
        ({"grace": -1}, ValueError, "grace must be 0 seconds or more, not -1"),
        ({"grace": math.nan}, ValueError, "grace must be"),
        ({"ready_within": 0}, ValueError, "ready_within must be more than 0 seconds"),
        ({"restart": "sometimes"}, ValueError, "restart must be"),
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"significant": True}, ValueError, "is significant, but a permanent"),
        ({"backoff": 3}, TypeError, "backoff must be"),
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        process_child(["true"], **options)


def test_what_may_be_a_password_is_in_no_error() -> None:
    for value in ("tiger\0", "tiger\ud800", ["tiger"]):
        with pytest.raises((TypeError, ValueError)) as refused:
            process_child(["true"], env={"PGPASSWORD": cast(str, value)})
        assert "tiger" not in str(refused.value)


# Errors

SENTENCES: dict[FoundationError, str] = {
    ProcessNotStarted(COMMAND, None, "No such file or directory"): (
        "\"gunzip 'my log.gz'\" could not be started: No such file or directory"
    ),
    ProcessFailed(COMMAND, 7, 1, ("gunzip: my log.gz: unknown suffix", "")): (
        "\"gunzip 'my log.gz'\" (pid 7) ended with exit code 1; the last line of its stderr is "
        "'gunzip: my log.gz: unknown suffix'"
    ),
    ProcessFailed(("serve",), 7, -15, ("bye",), was_ready=False): (
        "'serve' (pid 7) was ended by SIGTERM before it was ready: no line of it met ready_when; "
        "the last line of its stderr is 'bye'"
    ),
    ProcessFailed(("x" * 300,), 7, -70, ()): (
        f"'{'x' * 200}...' (pid 7) was ended by signal 70; it wrote nothing to stderr: subscribe "
        "to ProcessOutput to see its stdout"
    ),
    ProcessKilled(COMMAND, 7, 5.001, 5.0): (
        "\"gunzip 'my log.gz'\" (pid 7) did not end within 5 s of SIGTERM and was killed: raise "
        "grace=, or see what it does at its end"
    ),
    ProcessKilled(("serve",), 7, 0.25, 5.0): (
        "'serve' (pid 7) was killed 0.25 s after SIGTERM, though its grace is 5 s: a "
        "supervisor above had no time left"
    ),
    ProcessKilled(("serve",), 7, 0.25, math.inf): (
        "'serve' (pid 7) was killed 0.25 s after SIGTERM, though its grace is endless: a "
        "supervisor above had no time left"
    ),
}


@pytest.mark.parametrize(("error", "sentence"), SENTENCES.items(), ids=lambda one: str(one)[:40])
def test_an_error_says_what_happened(error: FoundationError, sentence: str) -> None:
    assert str(error) == sentence


@pytest.mark.parametrize("error", SENTENCES, ids=lambda one: type(one).__name__)
def test_an_error_can_be_sent_to_another_process_and_is_equal_there(error: Exception) -> None:
    sent: Exception = pickle.loads(pickle.dumps(error))
    assert sent == error
    assert hash(sent) == hash(error)
    assert vars(sent) == vars(error)
    assert str(sent) == str(error)
    assert sent != ValueError(*error.args)
    assert all(error != other for other in SENTENCES if other is not error)


def test_the_last_lines_of_stderr_are_in_a_note_unless_the_sentence_has_them_all() -> None:
    assert ProcessFailed(COMMAND, 7, 1, ("one", "two")).__notes__ == [
        "The last lines of its stderr:\n  one\n  two"
    ]
    assert not hasattr(ProcessFailed(COMMAND, 7, 1, ("one",)), "__notes__")


def test_a_signal_has_a_name() -> None:
    assert ProcessFailed(COMMAND, 7, -11, ()).signal == "SIGSEGV"
    assert ProcessFailed(COMMAND, 7, 11, ()).signal is None


# Events


def event(event_type: Callable[..., ProcessEvent], **fields: object) -> ProcessEvent:
    return event_type(supervisor="app", child="db", incarnation=1, pid=7, **fields)


@pytest.mark.parametrize("event_type", EVENTS, ids=lambda one: one.__name__)
def test_an_event_is_a_frozen_value_with_a_name(event_type: type[ProcessEvent]) -> None:
    assert event_type.name.startswith("foundation.supervision.process_")
    assert event_type.__module__ == "trio_foundation.supervision"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event_type.__new__(event_type).pid = 8  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_no_two_events_have_the_same_name() -> None:
    assert len({one.name for one in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize(
    ("returncode", "was_told", "level", "end"),
    [
        (0, False, logging.INFO, "exit code 0"),
        (1, False, logging.WARNING, "exit code 1"),
        (-15, True, logging.INFO, "SIGTERM"),
    ],
    ids=["well", "by itself", "when told"],
)
def test_an_end_is_logged_as_bad_as_it_is(
    returncode: int, was_told: bool, level: int, end: str
) -> None:
    exited = event(ProcessExited, returncode=returncode, was_told=was_told, after=1.0)
    assert isinstance(exited, ProcessExited)
    assert (exited.severity, exited.end) == (level, end)
    assert event(ProcessOverdue, after=1.0).severity == logging.WARNING


def test_events_of_processes_are_a_family_of_their_own() -> None:
    # Who listens for restarts did not ask for a thousand lines a second.
    assert not issubclass(ProcessEvent, supervision.SupervisionEvent)
    names: Sequence[str] = [field.name for field in attrs.fields(ProcessEvent)]
    assert names == ["supervisor", "child", "incarnation", "pid"]
