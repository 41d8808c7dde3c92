"""Tests of how an end is judged, and of what is kept of it."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_foundation.supervision import (
    Exit,
    ExitReason,
    IgnoreChild,
    RestartLimitReached,
    ShutdownChild,
    open_supervisor,
)
from trio_foundation.supervision._exit import describe, forget_frames, leaves
from trio_foundation.supervision._verdict import Judgement, judge

from ._puppets import Crash

CRASH = Crash("crashed")
SHUTDOWN = ShutdownChild("done")
GAVE_UP = RestartLimitReached("app/web", "poll", 3, 5.0, ())

# Errors nested in groups to any depth, ordinary ones only.
ERRORS = st.recursive(
    st.builds(Crash, st.integers()),
    lambda inner: st.builds(ExceptionGroup, st.just("several"), st.lists(inner, min_size=1)),
    max_leaves=10,
)


class Local:
    """Something that a child holds in a local variable."""


def fallen(error: BaseException) -> BaseException:
    """Raise an error, and return it with its traceback."""
    with pytest.raises(type(error)):
        raise error
    return error


async def cancelled() -> BaseException:
    """Return a Cancelled that somebody carried out of its scope."""
    caught: BaseException | None = None
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            caught = error
            raise
    assert caught is not None
    return caught


def make_exit(error: BaseException | None = CRASH, reason: ExitReason = "crashed") -> Exit:
    return Exit(
        child="poll", incarnation=2, reason=reason, error=error, started_at=3.0, ended_at=7.5
    )


# How an end is judged


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (None, Judgement("returned")),
        (SHUTDOWN, Judgement("shutdown", SHUTDOWN)),
        (CRASH, Judgement("crashed", CRASH)),
        (GAVE_UP, Judgement("crashed", GAVE_UP)),
    ],
    ids=["returned", "raised ShutdownChild", "raised", "raised a supervisor's failure"],
)
def test_of_itself_a_child_returns_shuts_down_or_crashes(
    raised: BaseException | None, expected: Judgement
) -> None:
    assert judge(raised, None, is_supervisor=False) == expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (None, Judgement("stopped")),
        (SHUTDOWN, Judgement("stopped")),
        (CRASH, Judgement("stopped", CRASH)),
    ],
    ids=["returned", "raised ShutdownChild", "raised"],
)
def test_while_it_is_being_stopped_every_end_is_a_stop(
    raised: BaseException | None, expected: Judgement
) -> None:
    assert judge(raised, "stopped", is_supervisor=False) == expected


@pytest.mark.parametrize("raised", [None, SHUTDOWN, CRASH], ids=["none", "shutdown", "crash"])
def test_a_child_without_beats_was_unresponsive_whatever_it_raises(
    raised: BaseException | None,
) -> None:
    assert judge(raised, "unresponsive", is_supervisor=False) == Judgement("unresponsive", raised)


def test_a_supervisor_that_gave_up_has_shut_down() -> None:
    assert judge(GAVE_UP, None, is_supervisor=True) == Judgement("shutdown", GAVE_UP)
    assert judge(CRASH, None, is_supervisor=True) == Judgement("crashed", CRASH)


@pytest.mark.parametrize(
    "fatal",
    [
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        BaseException("bare"),
        trio.TrioInternalError("beyond repair"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("ending", [None, "stopped", "unresponsive"], ids=str)
def test_what_is_no_ordinary_error_goes_on_up(
    fatal: BaseException, ending: ExitReason | None
) -> None:
    # Rules R13 and R14: a TrioInternalError is an Exception, and a group hides its leaves.
    reason = ending or "crashed"
    assert judge(fatal, ending, is_supervisor=False) == Judgement(reason, fatal, fatal=fatal)
    group = BaseExceptionGroup("two", [CRASH, BaseExceptionGroup("one", [fatal])])
    assert judge(group, ending, is_supervisor=False) == Judgement(reason, group, fatal=fatal)


def test_a_group_is_a_shutdown_only_if_every_error_in_it_is_one() -> None:
    both = ExceptionGroup("both", [SHUTDOWN, ExceptionGroup("one", [ShutdownChild()])])
    mixed = ExceptionGroup("mixed", [SHUTDOWN, CRASH])
    assert judge(both, None, is_supervisor=False) == Judgement("shutdown", both)
    assert judge(mixed, None, is_supervisor=False) == Judgement("crashed", mixed)


async def test_being_cancelled_is_neither_a_crash_nor_an_error() -> None:
    # Rules R3 and R5.
    alone = await cancelled()
    group = BaseExceptionGroup("several", [alone, BaseExceptionGroup("more", [alone])])
    for raised in (alone, group):
        assert judge(raised, None, is_supervisor=False) == Judgement("returned")
        assert judge(raised, "stopped", is_supervisor=False) == Judgement("stopped")


async def test_of_a_mixed_group_the_error_is_kept_and_the_cancelled_dropped() -> None:
    # Rule R4.
    mixed = BaseExceptionGroup("mixed", [await cancelled(), CRASH])
    verdict = judge(mixed, None, is_supervisor=False)
    assert (verdict.reason, type(verdict.error)) == ("crashed", ExceptionGroup)
    assert verdict.error is not None
    assert list(leaves(verdict.error)) == [CRASH]


# What is kept


def test_an_exit_is_a_sentence() -> None:
    assert str(make_exit()) == "child 'poll' (incarnation 2) crashed after 4.5 s: Crash: crashed"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("returned", "returned"),
        ("shutdown", "shut down"),
        ("stopped", "was stopped"),
        ("unresponsive", "was unresponsive and ended"),
    ],
)
def test_each_reason_has_its_verb(reason: ExitReason, told: str) -> None:
    exit = make_exit(None, reason)
    assert str(exit) == f"child 'poll' (incarnation 2) {told} after 4.5 s"


def test_an_exit_without_an_error_has_no_traceback() -> None:
    assert make_exit(None, "returned").traceback == ""


def test_the_traceback_is_that_of_python() -> None:
    text = make_exit(fallen(Crash("oops"))).traceback
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in fallen" in text
    assert text.endswith("Crash: oops\n")


def test_the_traceback_tells_causes_contexts_and_groups() -> None:
    error = ExceptionGroup("two", [Crash("leaf"), Crash("other leaf")])
    error.__cause__ = Crash("cause")
    error.__context__ = Crash("context")
    text = make_exit(fallen(error)).traceback
    assert all(word in text for word in ("leaf", "other leaf", "cause"))


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    text = make_exit(Crash("x" * 50_000)).traceback
    assert len(text) < 21_000
    assert "characters left out" in text
    assert text.endswith("xxx\n")


def test_of_a_deep_recursion_the_innermost_frames_are_kept() -> None:
    def fall(depth: int) -> None:
        if depth == 0:
            raise Crash("at the bottom")
        fall(depth - 1)

    with pytest.raises(Crash) as caught:
        fall(500)
    text = make_exit(caught.value).traceback
    assert 'raise Crash("at the bottom")' in text
    assert text.count("in fall") <= 50


def test_an_exit_keeps_no_frames() -> None:
    # Rule R21.
    def fall() -> tuple[Exit, weakref.ref[Local]]:
        local = Local()
        exit = make_exit(fallen(Crash("oops")))
        return exit, weakref.ref(local)

    exit, gone = fall()
    forget_frames(exit.error)
    gc.collect()
    assert gone() is None
    assert "Crash: oops" in exit.traceback


def test_an_exit_survives_pickling_with_its_traceback() -> None:
    exit = make_exit(fallen(Crash("oops")))
    again = pickle.loads(pickle.dumps(exit))
    assert (str(again), again.traceback) == (str(exit), exit.traceback)
    assert "in fallen" in pickle.loads(pickle.dumps(again)).traceback


def test_exits_are_equal_if_they_tell_the_same() -> None:
    assert make_exit() == make_exit()
    assert make_exit() != make_exit(Crash("crashed"))


def test_the_text_of_an_error_that_cannot_be_told_is_replaced() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise Crash("no words")

    assert describe(Mute()).endswith("Mute: <its __str__ raised Crash>")
    assert describe(Crash()) == "Crash"
    assert "Mute" in make_exit(Mute()).traceback


def test_of_a_group_the_first_error_within_is_told_too() -> None:
    within = ExceptionGroup("two", [ValueError("no number"), OSError("gone")])
    told = describe(ExceptionGroup("all", [within, KeyError("x")]))
    assert told == "ExceptionGroup: all (2 sub-exceptions), first ValueError: no number"


def test_an_error_whose_traceback_cannot_be_made_is_told_in_one_line() -> None:
    class Broken(Exception):
        def __getattribute__(self, name: str) -> Any:
            if name == "__suppress_context__":
                raise Crash("no context")
            return super().__getattribute__(name)

    assert make_exit(Broken("oops")).traceback.endswith("Broken: oops\n")


# What a supervisor keeps


async def test_the_locals_of_a_crashed_child_are_gone_once_it_was_started_again() -> None:
    # Rule R21.
    refs: list[weakref.ref[Local]] = []

    async def work() -> None:
        local = Local()
        refs.append(weakref.ref(local))
        if len(refs) > 1:
            await trio.sleep_forever()
        try:
            raise BaseExceptionGroup("two", [fallen(Crash("leaf")), Crash("other leaf")])
        finally:
            del local

    async with open_supervisor() as sup:
        worker = sup.start_soon(work)
        await wait_all_tasks_blocked()
        gc.collect()
        assert [ref() is None for ref in refs] == [True, False]
        assert worker.last_exit is not None
        assert "other leaf" in worker.last_exit.traceback


@pytest.mark.parametrize("link", ["cause", "context", "leaf"])
async def test_frames_of_what_led_to_the_error_are_gone_too(link: str) -> None:
    gone: list[weakref.ref[Local]] = []

    def fail(local: Local) -> BaseException:
        return fallen(Crash(f"of {id(local)}"))

    async def work() -> None:
        if gone:
            await trio.sleep_forever()
        local = Local()
        gone.append(weakref.ref(local))
        raise wrapped(link, fail(local))

    async with open_supervisor() as sup:
        sup.start_soon(work)
        await wait_all_tasks_blocked()
        gc.collect()
        assert gone[0]() is None


def wrapped(link: str, inner: BaseException) -> BaseException:
    if link == "leaf":
        return BaseExceptionGroup("one", [inner])
    error = Crash("outer")
    if link == "cause":
        error.__cause__ = inner
    else:
        error.__context__ = inner
    return error


async def test_the_frames_of_this_library_are_left_out_of_the_traceback() -> None:
    async def work() -> None:
        raise Crash("oops")

    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert "in work" in exit.traceback
    assert "_incarnation.py" not in exit.traceback


async def test_the_crash_that_ends_a_supervisor_keeps_its_frames() -> None:
    async def work() -> None:
        raise Crash("oops")

    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(max_restarts=0) as sup:
            sup.start_soon(work)
            await trio.sleep_forever()
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is not None


# Forgetting frames and finding leaves


def chained(build: Callable[[BaseException, BaseException], None]) -> list[BaseException]:
    outer, inner = fallen(Crash("outer")), fallen(Crash("inner"))
    build(outer, inner)
    return [outer, inner]


def test_frames_are_forgotten_along_every_link_and_circles_end() -> None:
    def circle(outer: BaseException, inner: BaseException) -> None:
        outer.__cause__, inner.__context__ = inner, outer

    errors = chained(circle)
    forget_frames(errors[0])
    assert [error.__traceback__ for error in errors] == [None, None]


def test_no_error_has_no_frames_to_forget() -> None:
    forget_frames(None)


@given(ERRORS)
def test_the_leaves_of_an_error_are_all_that_is_no_group(error: Exception) -> None:
    def count(one: object) -> int:
        inner: Any = getattr(one, "exceptions", None)
        return 1 if inner is None else sum(map(count, inner))

    found = list(leaves(error))
    assert len(found) == count(error)
    assert not any(isinstance(leaf, BaseExceptionGroup) for leaf in found)


@given(ERRORS)
def test_no_error_keeps_its_traceback(error: Exception) -> None:
    for leaf in leaves(error):
        fallen(leaf)
    forget_frames(fallen(error))
    assert error.__traceback__ is None
    assert all(leaf.__traceback__ is None for leaf in leaves(error))


def test_an_ignore_that_is_judged_is_a_crash() -> None:
    late = IgnoreChild("too late")
    assert judge(late, None, is_supervisor=False) == Judgement("crashed", late)
