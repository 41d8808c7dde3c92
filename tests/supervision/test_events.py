"""Tests of what a supervisor reports, and that it costs nothing where nobody listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff, supervision
from trio_foundation.supervision import (
    ChildEvent,
    ChildExited,
    ChildIgnored,
    ChildReady,
    ChildRestarting,
    ChildStarted,
    ChildStopping,
    ChildUnstopped,
    Exit,
    IgnoreChild,
    RestartLimitReached,
    SupervisionEvent,
    SupervisorStarted,
    SupervisorStopped,
    SupervisorWouldFail,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import log_events, subscribe

from ._puppets import Crash, Puppet, puppets, rest, specs

EVENTS = [
    getattr(supervision, name)
    for name in supervision.__all__
    if isinstance(getattr(supervision, name), type)
    and issubclass(getattr(supervision, name), SupervisionEvent)
]

# Those that are emitted, rather than subscribed to.
EMITTED = [one for one in EVENTS if one not in {SupervisionEvent, ChildEvent}]


@contextmanager
def hearing() -> Generator[list[SupervisionEvent]]:
    heard: list[SupervisionEvent] = []
    with subscribe(heard.append, SupervisionEvent):
        yield heard


def told(events: list[SupervisionEvent]) -> list[str]:
    """Return each event as its class, and the child that it is about."""
    return [
        f"{type(one).__name__} {one.child if isinstance(one, ChildEvent) else one.supervisor}"
        for one in events
    ]


# Which events, in which order


async def test_the_life_of_a_supervisor_is_told() -> None:
    _, (a, b) = puppets("ab")
    with hearing() as heard:
        async with open_supervisor(specs(a, b), name="app"):
            await wait_all_tasks_blocked()
    assert told(heard) == [
        "ChildStarted a",
        "ChildReady a",
        "ChildStarted b",
        "ChildReady b",
        "SupervisorStarted app",
        "ChildStopping b",
        "ChildExited b",
        "ChildStopping a",
        "ChildExited a",
        "SupervisorStopped app",
    ]


async def test_a_restart_is_told() -> None:
    puppet = Puppet()
    with hearing() as heard:
        async with open_supervisor([puppet.spec()]):
            heard.clear()
            puppet.crash()
            await wait_all_tasks_blocked()
            assert told(heard) == [
                "ChildExited a",
                "ChildRestarting a",
                "ChildStarted a",
                "ChildReady a",
            ]


async def test_the_siblings_in_a_group_restart_are_told_of() -> None:
    _, (a, b) = puppets("ab")
    with hearing() as heard:
        async with open_supervisor(specs(a, b), strategy="one_for_all"):
            heard.clear()
            a.crash()
            await wait_all_tasks_blocked()
            assert told(heard)[:4] == [
                "ChildExited a",
                "ChildRestarting a",
                "ChildStopping b",
                "ChildExited b",
            ]


async def test_an_ignored_child_is_told_of_once() -> None:
    puppet = Puppet(refusals=[IgnoreChild("no printer")])
    with hearing() as heard:
        async with open_supervisor([puppet.spec()], name="app"):
            pass
    assert told(heard) == [
        "ChildStarted a",
        "ChildIgnored a",
        "SupervisorStarted app",
        "SupervisorStopped app",
    ]


async def test_a_dynamic_supervisor_tells_the_same() -> None:
    with hearing() as heard:
        async with open_dynamic_supervisor(name="jobs") as sup:
            await sup.start(rest)
    assert told(heard) == [
        "SupervisorStarted jobs",
        "ChildStarted rest",
        "ChildReady rest",
        "ChildStopping rest",
        "ChildExited rest",
        "SupervisorStopped jobs",
    ]


async def test_a_supervisor_that_fails_to_start_does_not_say_that_it_started() -> None:
    with hearing() as heard, pytest.raises(supervision.ChildStartFailed):
        async with open_supervisor([Puppet(refusals=[Crash("once")]).spec()], name="app"):
            pytest.fail("the body must not run")
    assert told(heard) == ["ChildStarted a", "ChildExited a", "SupervisorStopped app"]
    assert heard[-1] == SupervisorStopped(supervisor="app", reason="failed")


# What they say


async def test_a_start_says_which_and_readiness_how_long_it_took(
    autojump_clock: MockClock,
) -> None:
    with hearing() as heard:
        async with open_supervisor([Puppet(takes=2.0).spec()], name="app"):
            assert heard[0] == ChildStarted(supervisor="app", child="a", incarnation=1)
            assert heard[1] == ChildReady(supervisor="app", child="a", incarnation=1, after=2.0)
            assert heard[2] == SupervisorStarted(supervisor="app")


async def test_an_exit_comes_with_all_that_is_known() -> None:
    puppet = Puppet()
    with hearing() as heard:
        async with open_supervisor([puppet.spec(restart="temporary")], name="app") as sup:
            worker = sup.children["a"]
            puppet.crash()
            await wait_all_tasks_blocked()
    (event,) = [one for one in heard if isinstance(one, ChildExited)]
    assert (event.supervisor, event.child, event.incarnation) == ("app", "a", 1)
    assert (event.reason, event.exit) == ("crashed", worker.last_exit)


async def test_a_restart_says_which_incarnation_comes_and_when(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    backoff = Backoff(initial=2.0, jitter=0.0)
    with hearing() as heard:
        async with open_supervisor([puppet.spec(backoff=backoff)], name="app"):
            puppet.crash()
            await wait_all_tasks_blocked()
            assert heard[-1] == ChildRestarting(
                supervisor="app", child="a", incarnation=2, delay=2.0, attempt=0
            )


async def test_a_restart_that_the_end_cuts_short_is_not_told_as_one_more(
    autojump_clock: MockClock,
) -> None:
    puppet = Puppet()
    with hearing() as heard:
        async with open_supervisor([puppet.spec()]) as sup:
            puppet.takes = 60.0
            puppet.crash()
            await wait_all_tasks_blocked()
            heard.clear()
            sup.shutdown()
    assert told(heard) == ["ChildStopping a", "ChildExited a", "SupervisorStopped supervisor"]


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("stop_child", "stop_child"),
        ("shutdown", "shutdown"),
        ("ends", "finished"),
        ("fails", "failed"),
        ("group", "one_for_all"),
    ],
)
async def test_a_stop_says_why(how: str, cause: str) -> None:
    _, (a, b) = puppets("ab")
    limit = 0 if how == "fails" else 3
    with hearing() as heard:
        try:
            async with open_supervisor(
                specs(a, b), strategy="one_for_all", max_restarts=limit, name="app"
            ) as sup:
                if how == "stop_child":
                    await sup.stop_child("a")
                elif how == "shutdown":
                    sup.shutdown()
                elif how in {"fails", "group"}:
                    b.crash()
                    await wait_all_tasks_blocked()
        except RestartLimitReached:
            assert how == "fails"
    stops = [one for one in heard if isinstance(one, ChildStopping) and one.child == "a"]
    assert stops[0] == ChildStopping(supervisor="app", child="a", incarnation=1, cause=cause)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("ends", "finished"),
        ("shutdown", "shutdown"),
        ("auto_shutdown", "auto_shutdown"),
        ("fails", "failed"),
        ("interrupt", "interrupted"),
    ],
)
async def test_the_end_says_why(how: str, reason: str) -> None:
    puppet = Puppet()
    spec = puppet.spec(restart="transient", significant=True)
    with hearing() as heard:
        try:
            async with open_supervisor(
                [spec], auto_shutdown="any_significant", max_restarts=0
            ) as sup:
                if how == "shutdown":
                    sup.shutdown()
                elif how == "auto_shutdown":
                    puppet.finish()
                elif how == "fails":
                    puppet.crash()
                elif how == "interrupt":
                    puppet.crash(KeyboardInterrupt())
                await wait_all_tasks_blocked()
        except (RestartLimitReached, KeyboardInterrupt):
            assert how in {"fails", "interrupt"}
    assert heard[-1] == SupervisorStopped(supervisor="supervisor", reason=reason)


async def test_an_outer_cancellation_is_an_end_like_any_other() -> None:
    with hearing() as heard, trio.CancelScope() as scope:
        async with open_supervisor():
            scope.cancel()
            await trio.sleep_forever()
    assert heard[-1] == SupervisorStopped(supervisor="supervisor", reason="finished")


async def test_events_of_a_tree_tell_the_path() -> None:
    with hearing() as heard:
        async with open_supervisor([subtree([child(rest)], name="web")], name="app"):
            pass
    assert {one.supervisor for one in heard} == {"app", "app/web"}
    assert ChildStarted(supervisor="app/web", child="rest", incarnation=1) in heard


# What they are


@pytest.mark.parametrize("event_type", EMITTED, ids=lambda one: one.__name__)
def test_an_event_is_a_frozen_value_with_a_name(event_type: type[SupervisionEvent]) -> None:
    assert event_type.name.startswith("foundation.supervision.")
    assert event_type.__module__ == "trio_foundation.supervision"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event_type.__new__(event_type).supervisor = "app"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_no_two_events_have_the_same_name() -> None:
    names = [one.name for one in EMITTED]
    assert len(set(names)) == len(names) == 10


@pytest.mark.parametrize(
    ("reason", "error", "level"),
    [
        ("returned", None, logging.INFO),
        ("shutdown", None, logging.INFO),
        ("stopped", None, logging.INFO),
        ("stopped", Crash("x"), logging.WARNING),
        ("crashed", Crash("x"), logging.WARNING),
        ("unresponsive", None, logging.WARNING),
    ],
    ids=["returned", "shutdown", "stopped", "stopped with an error", "crashed", "unresponsive"],
)
def test_an_exit_is_logged_as_bad_as_it_is(
    reason: supervision.ExitReason, error: Exception | None, level: int
) -> None:
    exit = Exit(child="a", incarnation=1, reason=reason, error=error, started_at=0.0, ended_at=1.0)
    event = ChildExited(supervisor="app", child="a", incarnation=1, reason=reason, exit=exit)
    assert event.severity == level


def test_what_cannot_be_mended_is_logged_louder() -> None:
    assert ChildUnstopped.level == logging.ERROR
    assert SupervisorWouldFail.level == logging.WARNING
    assert ChildIgnored.level == ChildStarted.level == logging.INFO


# Watching


async def test_nothing_is_built_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, *args: object, **kwargs: object) -> None:
        built.append(type(self).__name__)

    built: list[str] = []
    for event_type in EMITTED:
        monkeypatch.setattr(event_type, "__init__", refuse)
    _, (a, b) = puppets("ab")
    b.refusals = [IgnoreChild("not needed")]
    async with open_supervisor(specs(a, b)) as sup:
        a.crash()
        await wait_all_tasks_blocked()
        await sup.stop_child("a")
    async with open_dynamic_supervisor() as jobs:
        await jobs.start(rest)
    assert built == []


async def test_only_what_is_listened_to_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, *args: object, **kwargs: object) -> None:
        pytest.fail("nobody listens to this one")

    for event_type in set(EMITTED) - {ChildStarted}:
        monkeypatch.setattr(event_type, "__init__", refuse)
    heard: list[ChildStarted] = []
    with subscribe(heard.append, ChildStarted):
        async with open_supervisor([child(rest)]):
            pass
    assert len(heard) == 1


async def test_a_listener_that_raises_hurts_nobody() -> None:
    # Rule R48: it raises during a restart.
    def fail(event: SupervisionEvent) -> None:
        raise Crash("of the listener")

    diary, (a,) = puppets("a")
    with subscribe(fail, ChildRestarting), subscribe(fail, ChildExited):
        async with open_supervisor(specs(a)):
            a.crash()
            await wait_all_tasks_blocked()
    assert diary.take() == ["+a", "-a", "+a", "-a"]


@pytest.mark.parametrize("event_type", [ChildStarted, ChildReady, ChildExited, ChildStopping])
async def test_an_interrupt_in_a_listener_stops_everything(
    event_type: type[SupervisionEvent],
) -> None:
    def interrupt(event: SupervisionEvent) -> None:
        raise KeyboardInterrupt

    diary, (a, b) = puppets("ab")
    with pytest.raises(KeyboardInterrupt):
        async with open_supervisor(specs(a)) as sup:
            with subscribe(interrupt, event_type):
                sup.start_soon(b.run, name="b")
                await wait_all_tasks_blocked()
                await sup.stop_child("b")
                await trio.sleep_forever()
    assert diary.take()[-1] == "-a"


async def test_a_listener_may_look_at_the_supervisor() -> None:
    async with open_supervisor() as sup:
        counts: list[int] = []
        with subscribe(lambda _: counts.append(sup.count_children().active), ChildExited):
            await sup.start(rest)
            await sup.stop_child("rest")
    assert counts == [0]


async def test_events_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    puppet = Puppet()
    with caplog.at_level(logging.INFO), log_events():
        async with open_supervisor([puppet.spec()], name="app"):
            puppet.crash()
            await wait_all_tasks_blocked()
    names = [record.getMessage() for record in caplog.records]
    assert any("foundation.supervision.child_restarting" in name for name in names)


# What is logged without being asked for


async def test_a_crash_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], name="app"):
        puppet.crash()
        await wait_all_tasks_blocked()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("trio_foundation.supervision", logging.WARNING)
    assert record.getMessage().startswith("app: child 'a' (incarnation 1) crashed after")
    assert record.getMessage().endswith("Crash: a")


@pytest.mark.parametrize("pull", [Puppet.finish, Puppet.shut_down], ids=["returns", "shuts down"])
async def test_an_orderly_end_is_not_warned_of(
    pull: Callable[[Puppet], None], caplog: pytest.LogCaptureFixture
) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="transient")]):
        pull(puppet)
        await wait_all_tasks_blocked()
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
