"""Tests of how an incarnation begins and ends: setup, teardown, and shutdown."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import CallFailed, Ref, Server, ServerGone, serve
from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    IgnoreChild,
    Liveness,
    current_child,
    open_supervisor,
)

from ._servers import Asked, Crash, Diarist, Worker, assert_conserved, attempt


class Fussy(Diarist):
    """Fails, waits or both, where it is told to."""

    def __init__(
        self,
        log: list[str],
        *,
        setup: BaseException | float = 0.0,
        teardown: BaseException | float = 0.0,
    ) -> None:
        Diarist.__init__(self, log)
        self.in_setup = setup
        self.in_teardown = teardown

    async def setup(self) -> None:
        await Diarist.setup(self)
        await perform(self.in_setup)
        self.log.append("ready")

    async def teardown(self, exit: Exit) -> None:
        await Diarist.teardown(self, exit)
        await perform(self.in_teardown)
        self.log.append("over")


async def perform(what: BaseException | float) -> None:
    if isinstance(what, BaseException):
        raise what
    if what:
        await trio.sleep(what)


# Setup


async def test_a_server_is_ready_when_its_setup_has_returned(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, _ = serve(partial(Fussy, log, setup=3.0), capacity=1)
    async with open_supervisor([spec]) as sup:
        assert trio.current_time() == 3.0
        assert sup.children["Fussy"].state == "running"
        assert log == ["setup", "ready"]


async def test_the_value_of_the_child_is_the_reference() -> None:
    spec, ref = serve(Worker, capacity=1)
    async with open_supervisor() as sup:
        child = await sup.start_child(spec)
        value: object = child.value
        assert value == ref
        assert isinstance(value, Ref)


async def test_a_servers_own_reference_is_the_reference() -> None:
    class Selfish(Server):
        async def look(self) -> object:
            return self.ref

    spec, ref = serve(Selfish, capacity=1)
    async with open_supervisor([spec]):
        own = await ref.call(Selfish.look)
        assert own == ref
        assert hash(own) == hash(ref)


async def test_a_setup_that_fails_is_a_failed_start() -> None:
    log: list[str] = []
    error = Crash("in setup")
    spec, ref = serve(partial(Fussy, log, setup=error), capacity=1)
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert caught.value.__cause__ is error
    assert log == ["setup", "teardown crashed", "over"]
    assert isinstance(await attempt(ref, Worker.echo, 1), ServerGone)


async def test_the_error_of_setup_is_not_masked_by_that_of_teardown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A well-known peer raises the second one.
    error = Crash("in setup")
    spec, _ = serve(
        partial(Fussy, list[str](), setup=error, teardown=ValueError("later")), capacity=1
    )
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert caught.value.__cause__ is error
    assert error.__notes__ == ["and then teardown raised ValueError: later"]
    assert "teardown of server 'Fussy' raised" in caplog.text


async def test_a_setup_that_is_not_ready_in_time_is_cancelled_and_torn_down(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, _ = serve(partial(Fussy, log, setup=100.0), capacity=1, ready_within=2)
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert log == ["setup", "teardown crashed", "over"]
    assert trio.current_time() == 2.0


async def test_a_start_that_is_cancelled_tears_the_server_down(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, ref = serve(partial(Fussy, log, setup=100.0, teardown=1.0), capacity=1)
    async with open_supervisor() as sup:
        with trio.move_on_after(2):
            await sup.start_child(spec)
        assert trio.current_time() == 3.0
        assert log == ["setup", "teardown stopped", "over"]
        assert isinstance(await attempt(ref, Worker.echo, 1), ServerGone)


async def test_an_ignored_server_is_torn_down() -> None:
    log: list[str] = []
    spec, _ = serve(partial(Fussy, log, setup=IgnoreChild()), capacity=1)
    async with open_supervisor([spec]) as sup:
        assert sup.children["Fussy"].state == "ignored"
    assert log == ["setup", "teardown shutdown", "over"]


async def test_a_server_that_could_not_be_made_is_not_torn_down() -> None:
    class Unmade(Worker):
        def __init__(self) -> None:
            raise Crash("in __init__")

        async def teardown(self, exit: Exit) -> None:
            pytest.fail("there is nothing to tear down")

    spec, _ = serve(Unmade, capacity=1)
    with pytest.raises(ChildStartFailed):
        async with open_supervisor([spec]):
            pytest.fail("it must not start")


# Teardown on every end


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("block ends", "stopped"),
        ("stop_child", "stopped"),
        ("cancelled", "stopped"),
        ("crash", "crashed"),
        ("shutdown", "shutdown"),
        ("unresponsive", "unresponsive"),
    ],
)
@pytest.mark.parametrize("drain", [False, True], ids=["", "drain"])
async def test_teardown_is_run_on_every_end_and_told_which(
    how: str, reason: str, drain: bool, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    spec, ref = serve(
        partial(Fussy, log, teardown=1.0),
        capacity=1,
        drain=drain,
        restart="transient" if how == "shutdown" else "temporary",
        liveness=Liveness(every=1, misses=2),
    )
    exits: list[Exit] = []
    with trio.CancelScope() as scope:
        async with open_supervisor([spec]) as sup:
            child = sup.children["Fussy"]
            child.on_exit(exits.append)
            if how == "stop_child":
                await sup.stop_child("Fussy")
            elif how == "cancelled":
                scope.cancel()
            elif how == "crash":
                await attempt(ref, Worker.crash)
                await child.wait_exit()
            elif how == "shutdown":
                await ref.call(Worker.finish)
                await child.wait_exit()
            elif how == "unresponsive":
                await attempt(ref, Worker.nap, 100)
                await child.wait_exit()
    assert log == ["setup", "ready", f"teardown {reason}", "over"]
    assert [exit.reason for exit in exits] == [reason]


async def test_teardown_is_given_the_error_of_a_crash() -> None:
    exits: list[Exit] = []

    class Curious(Worker):
        async def teardown(self, exit: Exit) -> None:
            exits.append(exit)

    spec, ref = serve(Curious, capacity=1, restart="temporary")
    error = Crash()
    async with open_supervisor([spec]):
        await attempt(ref, Worker.crash, error)
    assert [(exit.child, exit.incarnation, exit.error) for exit in exits] == [("Curious", 1, error)]


async def test_teardown_runs_in_the_incarnation_and_before_the_next_one() -> None:
    log: list[str] = []

    class Numbered(Worker):
        async def setup(self) -> None:
            log.append(f"setup {current_child().incarnation}")

        async def teardown(self, exit: Exit) -> None:
            await trio.lowlevel.checkpoint()
            log.append(f"teardown {current_child().incarnation}")

    spec, ref = serve(Numbered, capacity=1)
    async with open_supervisor([spec]):
        await attempt(ref, Worker.crash)
        await ref.call(Worker.echo, 1)
    assert log == ["setup 1", "teardown 1", "setup 2", "teardown 2"]


async def test_the_caller_need_not_wait_for_the_teardown(autojump_clock: MockClock) -> None:
    spec, ref = serve(partial(Fussy, list[str](), teardown=3.0), capacity=1)
    async with open_supervisor([spec]):
        assert isinstance(await attempt(ref, Worker.crash), CallFailed)
        assert trio.current_time() == 0.0
        assert await ref.call(Worker.incarnation) == 2
        assert trio.current_time() == 3.0


async def test_teardown_has_its_grace_and_no_more(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, _ = serve(partial(Fussy, log, teardown=100.0), capacity=1, grace=4)
    async with open_supervisor([spec]) as sup:
        exit = await sup.stop_child("Fussy")
        assert trio.current_time() == 4.0
    assert exit is not None
    assert (exit.reason, exit.error) == ("stopped", None)
    assert log == ["setup", "ready", "teardown stopped"]


async def test_teardown_that_hangs_after_a_crash_has_its_grace_too(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, ref = serve(partial(Fussy, log, teardown=100.0), capacity=1, grace=4)
    error = Crash()
    async with open_supervisor([spec], max_restarts=1) as sup:
        await attempt(ref, Worker.crash, error)
        assert await ref.call(Worker.incarnation) == 2
        assert trio.current_time() == 4.0
        last = sup.children["Fussy"].last_exit
        assert last is not None
        assert (last.reason, last.error) == ("crashed", error)


async def test_the_error_of_a_crash_is_not_masked_by_that_of_teardown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = Crash("first")
    spec, ref = serve(
        partial(Fussy, list[str](), teardown=ValueError("second")), capacity=1, restart="temporary"
    )
    async with open_supervisor([spec]) as sup:
        child = sup.children["Fussy"]
        failure = await attempt(ref, Worker.crash, error)
        exit = await child.wait_exit()
    assert failure.__cause__ is error
    assert exit.error is error
    assert error.__notes__ == ["and then teardown raised ValueError: second"]
    assert "ValueError: second" in caplog.text


async def test_a_teardown_that_raises_after_a_stop_is_told_and_stops_nothing() -> None:
    error = ValueError("in teardown")
    spec, _ = serve(partial(Fussy, list[str](), teardown=error), capacity=1)
    async with open_supervisor([spec]) as sup:
        exit = await sup.stop_child("Fussy")
    assert exit is not None
    assert (exit.reason, exit.error) == ("stopped", error)


async def test_a_teardown_that_raises_after_a_shutdown_makes_it_a_crash() -> None:
    error = ValueError("in teardown")
    spec, ref = serve(partial(Fussy, list[str](), teardown=error), capacity=1, restart="transient")
    async with open_supervisor([spec]) as sup:
        assert await ref.call(Worker.finish) == "bye"
        assert await ref.call(Worker.incarnation) == 2
        exit = sup.children["Fussy"].last_exit
        assert exit is not None
        assert (exit.reason, exit.error) == ("crashed", error)


# Shutdown


async def test_a_shutdown_ends_the_server_after_the_message_in_hand() -> None:
    log: list[str] = []
    spec, ref = serve(partial(Diarist, log), capacity=5, restart="transient")
    async with open_supervisor([spec]) as sup, trio.open_nursery() as nursery:
        ref.cast(Worker.finish, "enough")
        waiting = Asked(nursery, ref, Worker.echo, 1)
        exit = await sup.children["Diarist"].wait_exit()
        await wait_all_tasks_blocked()
        assert exit.reason == "shutdown"
        assert "enough" in str(exit.error)
        assert waiting.kind == "ServerGone"
        assert_conserved(ref)
    assert log == ["setup", "teardown shutdown"]


async def test_what_waits_at_the_shutdown_of_a_permanent_server_is_left_to_the_next() -> None:
    spec, ref = serve(Worker, capacity=5)
    async with open_supervisor([spec]):
        ref.cast(Worker.finish)
        assert await ref.call(Worker.incarnation) == 2


@pytest.mark.parametrize("drain", [False, True], ids=["", "drain"])
async def test_a_shutdown_in_setup_lets_no_message_in(drain: bool) -> None:
    class Early(Diarist):
        async def setup(self) -> None:
            self.shutdown("nothing to do")

    log: list[str] = []
    spec, ref = serve(partial(Early, log), capacity=5, restart="transient", drain=drain)
    ref.cast(Worker.note, "too late")
    async with open_supervisor([spec]) as sup:
        exit = await sup.children["Early"].wait_exit()
        assert exit.reason == "shutdown"
        await wait_all_tasks_blocked()
        assert ref.statistics().dropped == 1
    assert log == ["teardown shutdown"]


async def test_a_server_that_is_idle_can_be_shut_down_from_a_task_of_its_own() -> None:
    class Watched(Server):
        async def watch(self, nursery: trio.Nursery, event: trio.Event) -> None:
            nursery.start_soon(self.end_with, event)

        async def end_with(self, event: trio.Event) -> None:
            await event.wait()
            self.shutdown("the event came")

    spec, ref = serve(Watched, capacity=1, restart="transient")
    async with trio.open_nursery() as nursery, open_supervisor([spec]) as sup:
        event = trio.Event()
        await ref.call(Watched.watch, nursery, event)
        await wait_all_tasks_blocked()
        event.set()
        assert (await sup.children["Watched"].wait_exit()).reason == "shutdown"


async def test_a_crash_after_a_shutdown_is_a_crash() -> None:
    class Torn(Server):
        async def end(self) -> None:
            self.shutdown()
            raise Crash

        async def echo(self) -> int:
            return current_child().incarnation

    spec, ref = serve(Torn, capacity=1, restart="transient")
    async with open_supervisor([spec]):
        assert isinstance(await attempt(ref, Torn.end), CallFailed)
        assert await ref.call(Torn.echo) == 2


async def test_a_shutdown_asked_for_twice_keeps_its_first_reason() -> None:
    class Twice(Server):
        async def end(self) -> None:
            self.shutdown("first")
            self.shutdown("second")

    spec, ref = serve(Twice, capacity=1, restart="transient")
    async with open_supervisor([spec]) as sup:
        await ref.call(Twice.end)
        assert "first" in str((await sup.children["Twice"].wait_exit()).error)


async def test_a_shutdown_in_teardown_changes_nothing() -> None:
    class Late(Worker):
        async def teardown(self, exit: Exit) -> None:
            self.shutdown("too late")

    spec, ref = serve(Late, capacity=1)
    async with open_supervisor([spec]) as sup:
        failure = await attempt(ref, Worker.crash)
        assert isinstance(failure, CallFailed)
        assert await ref.call(Worker.incarnation) == 2
        exit = await sup.stop_child("Late")
        assert exit is not None
        assert (exit.reason, exit.error) == ("stopped", None)
