"""Tests of what supervision offers to the rooms above it: where a child stands, and how it ends.

`Child.on_state`, `Child.leaving` and `Child.exit_by`, and a `Resident` of a spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    Child,
    ChildExists,
    ChildSpec,
    ChildStartFailed,
    Exit,
    IgnoreChild,
    Liveness,
    Restart,
    RestartLimitReached,
    ShutdownChild,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
)

from ..supervision._puppets import Crash, Puppet, rest

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)


@attrs.define(eq=False)
class Lodger:
    """A resident that notes all that it is told, and may refuse to move in."""

    lines: list[str] = attrs.field(factory=list[str])
    refuses: bool = False
    child: Child[Any] | None = None

    def move_in(self, child: Child[Any]) -> None:
        if self.refuses:
            raise ValueError("occupied")
        self.lines.append(f"in {child.name} {child.state} {child.incarnation}")
        self.child = child
        child.on_state(self.lines.append)

    def status(self, child: Child[Any], shown: object) -> object:
        return f"lodger of {child.name} and {shown}"

    def behind(self, spec: ChildSpec) -> ChildSpec:
        return attrs.evolve(spec, resident=self)


# on_state


async def test_each_change_of_state_is_told(autojump_clock: MockClock) -> None:
    puppet = Puppet(takes=1.0, cleanup=1.0)
    lodger = Lodger()
    async with open_supervisor([lodger.behind(puppet.spec(backoff=TEN_SECONDS))]) as sup:
        assert lodger.lines == ["in a starting 0", "running"]
        lodger.lines.clear()
        puppet.crash()
        await trio.sleep(20)
        assert lodger.lines == ["backing_off", "starting", "running"]
        lodger.lines.clear()
        await sup.stop_child("a")
        assert lodger.lines == ["stopping", "stopped"]
        lodger.lines.clear()
        await sup.restart_child("a")
        assert lodger.lines == ["starting", "running"]
        lodger.lines.clear()
    assert lodger.lines == ["stopping", "stopped"]


async def test_the_state_is_what_is_told_already_when_it_is_told() -> None:
    seen: list[tuple[str, str]] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        worker = sup.children["a"]
        worker.on_state(lambda state: seen.append((state, worker.state)))
        await sup.stop_child("a")
    assert seen == [("stopping", "stopping"), ("stopped", "stopped")]


async def test_an_ignored_child_says_so() -> None:
    lodger = Lodger()
    puppet = Puppet(refusals=[IgnoreChild()])
    async with open_supervisor([lodger.behind(puppet.spec())]):
        assert lodger.lines == ["in a starting 0", "ignored"]
    assert lodger.lines[-1] == "ignored"


async def test_states_are_told_in_order_of_registration_and_not_after_removal() -> None:
    calls: list[str] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        worker = sup.children["a"]
        remove = worker.on_state(lambda state: calls.append(f"one {state}"))
        worker.on_state(lambda state: calls.append(f"two {state}"))
        await sup.stop_child("a")
        remove()
        remove()
        await sup.restart_child("a")
    assert calls[:4] == ["one stopping", "two stopping", "one stopped", "two stopped"]
    assert calls[4:6] == ["two starting", "two running"]


async def test_a_callback_on_the_state_that_raises_is_logged_and_hurts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def explode(state: str) -> None:
        raise ValueError(f"at {state}")

    calls: list[str] = []
    async with open_supervisor([Puppet().spec()]) as sup:
        sup.children["a"].on_state(explode)
        sup.children["a"].on_state(calls.append)
        await sup.stop_child("a")
    assert calls == ["stopping", "stopped"]
    assert "ValueError: at stopping" in caplog.text


async def test_an_interrupt_in_a_callback_on_the_state_ends_all() -> None:
    fatal = KeyboardInterrupt("in a callback")

    def interrupt(state: str) -> None:
        if state == "stopping":
            raise fatal

    with pytest.raises(KeyboardInterrupt) as caught:
        async with open_supervisor([Puppet().spec()]) as sup:
            sup.children["a"].on_state(interrupt)
            await sup.stop_child("a")
    assert caught.value is fatal


async def sleepy(state: str) -> None:
    del state


@pytest.mark.parametrize("wrong", [sleepy, None, "stopped"], ids=repr)
async def test_a_callback_on_the_state_is_a_plain_function(wrong: Any) -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        with pytest.raises(TypeError, match="on_state"):
            sup.children["a"].on_state(wrong)


async def test_a_child_of_a_dynamic_supervisor_tells_its_states_too() -> None:
    lodger = Lodger()
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(lodger.behind(child(rest, name="a", restart="temporary")))
        await sup.stop_child("a")
        assert lodger.lines == ["in a starting 0", "running", "stopping", "stopped"]


# leaving


@attrs.define(eq=False)
class Watcher:
    """Notes at each stop whether the child is leaving."""

    seen: list[bool] = attrs.field(factory=list[bool])

    def watch(self, worker: Child[Any]) -> None:
        def look(state: str) -> None:
            if state == "stopping":
                self.seen.append(worker.leaving)

        worker.on_state(look)


@pytest.mark.parametrize("how", ["stop_child", "shutdown", "block ends", "cancelled"])
async def test_a_child_that_is_stopped_is_leaving(how: str) -> None:
    watcher = Watcher()
    with trio.CancelScope() as scope:
        async with open_supervisor([Puppet().spec()]) as sup:
            watcher.watch(sup.children["a"])
            assert not sup.children["a"].leaving
            if how == "stop_child":
                await sup.stop_child("a")
            elif how == "shutdown":
                sup.shutdown()
            elif how == "cancelled":
                scope.cancel()
    assert watcher.seen == [True]


@pytest.mark.parametrize(
    ("restart", "leaves"), [("permanent", False), ("transient", False), ("temporary", True)]
)
async def test_a_child_stopped_for_a_restart_of_its_group_is_not_unless_it_is_temporary(
    restart: Restart, leaves: bool
) -> None:
    elder, younger = Puppet("a"), Puppet("b")
    watcher = Watcher()
    async with open_supervisor(
        [elder.spec(), younger.spec(restart=restart)], strategy="one_for_all"
    ) as sup:
        watcher.watch(sup.children["b"])
        elder.crash()
        await wait_all_tasks_blocked()
        assert watcher.seen == [leaves]


async def test_a_child_that_is_stopped_for_its_group_and_then_for_good_is_leaving(
    autojump_clock: MockClock,
) -> None:
    async def listen() -> None:
        await stop_requested().wait()
        await trio.sleep_forever()

    elder = Puppet("a")
    async with open_supervisor(
        [elder.spec(), child(listen, name="b", grace=5)], strategy="one_for_all"
    ) as sup:
        await wait_all_tasks_blocked()
        elder.crash()
        await wait_all_tasks_blocked()
        assert (sup.children["b"].state, sup.children["b"].leaving) == ("stopping", False)
        sup.shutdown()
        await wait_all_tasks_blocked()
        assert sup.children["b"].leaving


@pytest.mark.parametrize(("restart", "leaves"), [("permanent", False), ("temporary", True)])
async def test_an_unresponsive_child_is_leaving_if_it_is_not_restarted(
    restart: Restart, leaves: bool, autojump_clock: MockClock
) -> None:
    watcher = Watcher()
    puppet = Puppet()
    spec = puppet.spec(restart=restart, liveness=Liveness(every=1, misses=1))
    async with open_supervisor([spec]) as sup:
        watcher.watch(sup.children["a"])
        await trio.sleep(1.5)
    assert watcher.seen[0] is leaves


async def test_a_child_that_ends_by_itself_is_not_leaving() -> None:
    seen: list[bool] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="temporary")]) as sup:
        worker = sup.children["a"]
        worker.on_exit(lambda _: seen.append(worker.leaving))
        puppet.crash()
        await wait_all_tasks_blocked()
    assert seen == [False]


# exit_by


@pytest.mark.parametrize(
    ("error", "reason", "keeps_error"),
    [
        (None, "returned", False),
        (Crash(), "crashed", True),
        (ShutdownChild(), "shutdown", True),
        (ExceptionGroup("two", [ShutdownChild(), ShutdownChild()]), "shutdown", True),
        (ExceptionGroup("two", [ShutdownChild(), Crash()]), "crashed", True),
        (KeyboardInterrupt(), "crashed", True),
        (IgnoreChild(), "crashed", True),
    ],
    ids=repr,
)
async def test_the_exit_that_an_error_would_make(
    error: BaseException | None, reason: str, keeps_error: bool
) -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        exit = sup.children["a"].exit_by(error)
    assert (exit.child, exit.incarnation, exit.reason) == ("a", 1, reason)
    assert exit.error is (error if keeps_error else None)
    assert sup.children["a"].last_exit is not exit


async def test_to_be_ignored_counts_only_before_it_is_ready() -> None:
    exits: list[Exit] = []

    async def look(*, task_status: trio.TaskStatus[None]) -> None:
        exits.append(current_child().exit_by(IgnoreChild()))
        task_status.started()
        exits.append(current_child().exit_by(IgnoreChild()))

    async with open_supervisor() as sup:
        await sup.start(look, restart="temporary")
    assert [exit.reason for exit in exits] == ["shutdown", "crashed"]


async def test_the_exit_of_a_child_that_is_being_stopped(autojump_clock: MockClock) -> None:
    exits: list[Exit] = []

    async def look() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            exits.extend(
                current_child().exit_by(error)
                for error in (cancelled, None, ShutdownChild(), Crash("at last"))
            )
            raise

    async with open_supervisor([child(look)]) as sup:
        await trio.sleep(3)
        told = await sup.stop_child("look")
    assert told is not None
    assert [exit.reason for exit in exits] == ["stopped"] * 4
    assert [repr(exit.error) for exit in exits] == ["None", "None", "None", "Crash('at last')"]
    assert [(exit.started_at, exit.ended_at) for exit in exits] == [(0.0, 3.0)] * 4


async def test_a_child_that_does_not_run_has_no_exit_to_come() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        worker = sup.children["a"]
        await sup.stop_child("a")
        with pytest.raises(
            RuntimeError, match=r"^child 'a' is not running, so it cannot end: exit_by"
        ):
            worker.exit_by(None)


async def test_to_ask_for_an_exit_changes_nothing() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], max_restarts=0) as sup:
        sup.children["a"].exit_by(Crash())
        sup.children["a"].exit_by(KeyboardInterrupt())
        await wait_all_tasks_blocked()
        assert (sup.children["a"].state, sup.children["a"].last_exit) == ("running", None)


# Residents


@pytest.mark.parametrize("how", ["opened", "started", "dynamic"])
async def test_a_resident_moves_in_before_its_child_is_started(how: str) -> None:
    lodger = Lodger()
    spec = lodger.behind(Puppet().spec())
    if how == "dynamic":
        async with open_dynamic_supervisor() as dynamic:
            assert await dynamic.start_child(spec) is lodger.child
    else:
        async with open_supervisor([spec] if how == "opened" else []) as sup:
            if how == "started":
                await sup.start_child(spec)
            assert sup.children["a"] is lodger.child
    assert lodger.lines[:2] == ["in a starting 0", "running"]


async def test_a_resident_moves_in_at_once_and_waits_for_elder_children() -> None:
    lodger = Lodger()
    seen: list[list[str]] = []

    async def look(*, task_status: trio.TaskStatus[None]) -> None:
        seen.append(list(lodger.lines))
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor([child(look), lodger.behind(Puppet().spec())]):
        assert seen == [["in a starting 0"]]


async def test_a_resident_stays_over_restarts_and_moves_in_once() -> None:
    lodger = Lodger()
    puppet = Puppet()
    async with open_supervisor([lodger.behind(puppet.spec())]) as sup:
        for _ in range(3):
            puppet.crash()
            await wait_all_tasks_blocked()
        await sup.stop_child("a")
        await sup.restart_child("a")
    assert [line for line in lodger.lines if line.startswith("in ")] == ["in a starting 0"]


async def test_a_resident_whose_elder_sibling_fails_to_start_is_told_that_it_is_over() -> None:
    lodger = Lodger()
    with pytest.raises(ChildStartFailed):
        async with open_supervisor(
            [Puppet("b", refusals=[Crash()]).spec(), lodger.behind(Puppet().spec())]
        ):
            pytest.fail("it must not start")
    assert lodger.lines == ["in a starting 0", "stopped"]


async def test_a_resident_is_told_that_its_supervisor_gave_up() -> None:
    lodger = Lodger()
    puppet = Puppet()
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([lodger.behind(puppet.spec())], max_restarts=0):
            puppet.crash()
            await trio.sleep_forever()
    assert lodger.lines[-1] == "stopped"


async def test_a_resident_that_refuses_to_move_in_keeps_the_supervisor_shut() -> None:
    first, second, never = Lodger(), Lodger(refuses=True), Lodger()
    specs = [
        lodger.behind(Puppet(name).spec())
        for name, lodger in zip("abc", [first, second, never], strict=True)
    ]
    opened = open_supervisor(specs)
    with pytest.raises(ValueError, match=r"^occupied$"):
        async with opened:
            pytest.fail("it must not start")
    assert first.lines == ["in a starting 0", "stopped"]
    assert never.lines == []


def start_in(sup: Any, spec: ChildSpec) -> Any:
    return sup.start_child(spec)


@pytest.mark.parametrize("opened", [open_supervisor, open_dynamic_supervisor])
async def test_a_resident_that_refuses_to_move_in_keeps_its_child_out(
    opened: Callable[[], Any],
) -> None:
    lodger = Lodger(refuses=True)
    puppet = Puppet()
    async with opened() as sup:
        with pytest.raises(ValueError, match=r"^occupied$"):
            await start_in(sup, lodger.behind(puppet.spec()))
        assert dict(sup.children) == {}
        assert puppet.diary.lines == []
        lodger.refuses = False
        await start_in(sup, lodger.behind(puppet.spec()))
        assert list(sup.children) == ["a"]


async def test_a_resident_is_not_asked_in_if_the_name_is_taken() -> None:
    lodger = Lodger()
    async with open_supervisor([Puppet().spec()]) as sup:
        with pytest.raises(ChildExists):
            await sup.start_child(lodger.behind(Puppet().spec()))
    assert lodger.lines == []


async def test_a_resident_speaks_for_its_child_in_a_snapshot() -> None:
    async with open_supervisor([Lodger().behind(Puppet().spec()), Puppet("b").spec()]) as sup:
        sup.children["a"].status = "own"
        sup.children["b"].status = "own"
        assert [one.status for one in sup.snapshot().children] == [
            "lodger of a and own",
            "own",
        ]


def test_a_resident_makes_no_difference_to_what_a_spec_says() -> None:
    plain = child(rest)
    inhabited = Lodger().behind(plain)
    assert inhabited == plain
    assert repr(inhabited) == repr(plain)
    assert plain.resident is None
