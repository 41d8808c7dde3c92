"""Tests of what the errors of messaging say, and that they can be sent to other processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import trio

from trio_foundation import FoundationError
from trio_foundation.messaging import (
    CallError,
    CallFailed,
    MailboxClosed,
    MailboxFull,
    SelfCall,
    ServerGone,
)

SENTENCES: dict[FoundationError, str] = {
    MailboxFull("orders", 100): "mailbox 'orders' is full: 100 messages wait in it",
    MailboxFull("orders", 1): "mailbox 'orders' is full: 1 message waits in it",
    MailboxClosed("orders"): "mailbox 'orders' is closed",
    CallError("no more apples"): "no more apples",
    CallFailed("counter", "increment", "crashed"): (
        "server 'counter' crashed while it handled 'increment'"
    ),
    CallFailed("counter", "increment", "was stopped", "Traceback"): (
        "server 'counter' was stopped while it handled 'increment'"
    ),
    ServerGone("counter"): (
        "server 'counter' is gone: it does not run, and is not going to be started"
    ),
    SelfCall("counter", "increment"): (
        "server 'counter' calls itself, and would wait for itself for ever: in a handler write "
        "`await self.increment(...)`, or cast it"
    ),
}

EVERY_ERROR = pytest.mark.parametrize("error", SENTENCES, ids=lambda error: type(error).__name__)


def sent_on(error: FoundationError) -> FoundationError:
    again: FoundationError = pickle.loads(pickle.dumps(error))
    return again


@EVERY_ERROR
def test_an_error_is_a_sentence(error: FoundationError) -> None:
    assert str(error) == SENTENCES[error]


@EVERY_ERROR
@pytest.mark.parametrize(
    "again", [sent_on, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deep"]
)
def test_an_error_survives_pickling_and_copying_with_its_fields(
    error: FoundationError, again: Callable[[FoundationError], FoundationError]
) -> None:
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), vars(other), other.args) == (str(error), vars(error), error.args)


@EVERY_ERROR
def test_every_error_lives_at_the_door_and_has_one_root(error: FoundationError) -> None:
    assert type(error).__module__ == "trio_foundation.messaging"
    assert isinstance(error, FoundationError)


def test_an_error_keeps_its_facts_as_fields() -> None:
    full = MailboxFull("orders", 100)
    assert (full.mailbox, full.capacity) == ("orders", 100)
    assert MailboxClosed("orders").mailbox == "orders"
    failed = CallFailed("counter", "increment", "crashed", "Traceback")
    assert (failed.server, failed.method, failed.how) == ("counter", "increment", "crashed")
    assert failed.traceback == "Traceback"
    assert ServerGone("counter").server == "counter"
    own = SelfCall("counter", "increment")
    assert (own.server, own.method) == ("counter", "increment")


def test_of_a_call_that_did_not_raise_there_is_no_traceback() -> None:
    assert not CallFailed("counter", "increment", "was stopped").traceback


def test_what_is_added_to_an_error_is_pickled_with_it() -> None:
    error = MailboxFull("orders", 100)
    error.add_note("a note")
    assert sent_on(error).__notes__ == ["a note"]


def test_errors_are_errors_of_their_trio_or_python_kind_too() -> None:
    assert issubclass(MailboxFull, trio.WouldBlock)
    assert issubclass(MailboxClosed, trio.BrokenResourceError)
    assert issubclass(MailboxClosed, trio.ClosedResourceError)
    assert issubclass(SelfCall, RuntimeError)


def test_a_refusal_is_not_a_failure_of_the_call() -> None:
    assert not issubclass(CallFailed, CallError)


class OutOfStock(CallError):
    """What somebody's server may answer."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no more {what}")
        self.what = what


def test_a_refusal_of_ones_own_says_what_it_was_given() -> None:
    assert str(OutOfStock("apples")) == "no more apples"
    assert str(CallError()) == ""
