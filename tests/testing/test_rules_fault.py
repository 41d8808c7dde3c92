"""What a fault is written as, what it raises, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest

from trio_foundation.testing._rules import Fault, FaultKind, InjectedCrash, error_of


def refusal(**kwargs: Any) -> Exception:
    """Return the error that a fault is refused with."""
    make: Any = Fault
    with pytest.raises((TypeError, ValueError)) as caught:
        make(**({"child": "a", "kind": "crash"} | kwargs))
    return caught.value


@pytest.mark.parametrize(
    ("fault", "written", "said"),
    [
        (
            Fault("a", "crash", at_checkpoint=2),
            "Fault('a', 'crash', at_checkpoint=2)",
            "crash 'a' at checkpoint 2",
        ),
        (
            Fault("a", "delay", at_message=1),
            "Fault('a', 'delay', at_message=1)",
            "delay 'a' for 1 s at message 1",
        ),
        (
            Fault("a", "delay", at_message=1, seconds=0.25),
            "Fault('a', 'delay', at_message=1, seconds=0.25)",
            "delay 'a' for 0.25 s at message 1",
        ),
        (
            Fault("a", "hang", at_checkpoint=2, seconds=3.0, error=OSError),
            "Fault('a', 'hang', at_checkpoint=2)",
            "hang 'a' at checkpoint 2",
        ),
        (
            Fault("a", "crash", at_message=2, error=UnicodeError),
            "Fault('a', 'crash', at_message=2, error=UnicodeError)",
            "crash 'a' at message 2",
        ),
    ],
)
def test_a_fault_says_no_more_than_is_needed(fault: Fault, written: str, said: str) -> None:
    assert (repr(fault), str(fault)) == (written, said)


@pytest.mark.parametrize(
    ("kwargs", "kind", "message"),
    [
        ({"child": "", "at_message": 1}, ValueError, "child must not be empty"),
        ({"child": 3, "at_message": 1}, TypeError, "child must be a string, not 3"),
        (
            {"kind": "smash", "at_message": 1},
            ValueError,
            "kind must be 'crash', 'hang', 'delay', 'cancel', 'interrupt' or 'starve', not 'smash'",
        ),
        (
            {"seconds": float("inf"), "at_message": 1},
            ValueError,
            "seconds must be 0 seconds or more and finite, not inf",
        ),
        ({"at_checkpoint": 0}, ValueError, "at_checkpoint must be 1 or more, not 0"),
        ({"at_message": 0}, ValueError, "at_message must be 1 or more, not 0"),
        ({"at_message": 1.5}, TypeError, "at_message must be a whole number, not 1.5"),
        (
            {},
            ValueError,
            "a fault happens at a checkpoint or at a message: write at_checkpoint=3 or "
            "at_message=3",
        ),
        (
            {"at_message": 1, "error": 3},
            TypeError,
            "error must be a class of errors, such as ConnectionError, not 3",
        ),
        (
            {"at_message": 1, "error": KeyboardInterrupt},
            TypeError,
            "error must be a class of errors, such as ConnectionError, not "
            "<class 'KeyboardInterrupt'>",
        ),
        (
            {"at_message": 1, "error": UnicodeDecodeError},
            TypeError,
            "a crash raises UnicodeDecodeError('...'), which fails: function takes exactly 5 "
            "arguments (1 given); write a class of errors that takes one text",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong(
    kwargs: dict[str, Any], kind: type[Exception], message: str
) -> None:
    error = refusal(**kwargs)
    assert (type(error), str(error)) == (kind, message)


def test_numbers_begin_at_one_and_a_fault_may_last_no_time() -> None:
    assert Fault("a", "hang", at_checkpoint=1, seconds=0).at_checkpoint == 1
    assert Fault("a", "hang", at_message=1).at_message == 1


def test_the_reason_why_an_error_is_not_possible_is_kept() -> None:
    error = refusal(at_message=1, error=UnicodeDecodeError)
    assert isinstance(error.__cause__, TypeError)


def test_an_error_is_tried_with_a_text() -> None:
    tried: list[object] = []

    class Picky(Exception):
        def __init__(self, text: object) -> None:
            tried.append(text)

    fault = Fault("a", "crash", at_message=1, error=Picky)
    assert tried == ["a fault"]
    error_of(fault, "app/a", 3)
    assert tried[1:] == ["a fault was injected into child 'app/a', at its checkpoint 3"]


def test_the_error_of_a_crash_is_not_tried() -> None:
    # It takes more than a text.
    assert Fault("a", "crash", at_message=1, error=InjectedCrash).error is InjectedCrash


def test_a_crash_says_where_it_was() -> None:
    crash = InjectedCrash("app/web", 3)
    assert crash.args == (crash.child, crash.checkpoint) == ("app/web", 3)
    assert str(crash) == "a fault was injected into child 'app/web', at its checkpoint 3"


@pytest.mark.parametrize(
    ("kind", "error", "raised"),
    [
        ("crash", InjectedCrash, InjectedCrash),
        ("crash", ConnectionError, ConnectionError),
        ("interrupt", InjectedCrash, KeyboardInterrupt),
        ("interrupt", OSError, KeyboardInterrupt),
    ],
)
def test_each_fault_raises_an_error_of_its_own(
    kind: FaultKind, error: type[Exception], raised: type[BaseException]
) -> None:
    fault = Fault("a", kind, at_checkpoint=3, error=error)
    one, other = (error_of(fault, "app/a", 3) for _ in range(2))
    assert type(one) is raised
    assert str(one) == "a fault was injected into child 'app/a', at its checkpoint 3"
    assert one is not other
    if isinstance(one, InjectedCrash):
        assert (one.child, one.checkpoint) == ("app/a", 3)
