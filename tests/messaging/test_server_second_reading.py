"""Tests of what a second hostile reader found in servers."""

from __future__ import annotations

import functools
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import (
    CallFailed,
    CallFinished,
    Server,
    ServerGone,
    _users_code,
    open_mailbox,
    serve,
)
from trio_foundation.supervision import (
    Child,
    Exit,
    child,
    open_dynamic_supervisor,
    open_supervisor,
)
from trio_foundation.telemetry import subscribe

from ._servers import Asked, Worker, attempt, worker


class Forwarder(Server):
    """Casts to itself when it has thought about it."""

    def __init__(self, log: list[int]) -> None:
        self.log = log

    async def forward(self, number: int) -> None:
        await trio.sleep(1)
        self.ref.cast(Forwarder.note, number)

    async def note(self, number: int) -> None:
        self.log.append(number)


async def test_a_stop_that_was_to_be_a_restart_may_turn_out_to_be_for_good(
    autojump_clock: MockClock,
) -> None:
    async def crash() -> None:
        await trio.sleep(0.5)
        raise RuntimeError

    log: list[int] = []
    made = functools.partial(Forwarder, log)
    spec, ref = serve(made, capacity=9, drain=True, grace=10, name="s")
    async with open_supervisor([child(crash), spec], strategy="one_for_all") as sup:
        ref.cast(Forwarder.forward, 1)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.6)
            assert not sup.children["s"].leaving
            sup.shutdown()
            assert sup.children["s"].leaving
            with pytest.raises(ServerGone):
                ref.cast(Forwarder.note, 2)
    assert log == [1]
    assert ref.statistics().dropped == 0


def with_session(method: Callable[..., Any]) -> Callable[..., Any]:
    """Give a method a session, as many decorators do."""

    @functools.wraps(method)
    async def wrapper(self: Any, *args: object) -> object:
        return await method(self, "session", *args)

    return wrapper


class Ledger(Server):
    @with_session
    async def broken(self, session: str, key: str) -> None:
        raise TypeError("a bug")

    @with_session
    async def fine(self, session: str, key: str) -> str:
        return f"{session} {key}"


async def test_a_bug_behind_a_decorator_that_gives_arguments_is_no_misfit() -> None:
    spec, ref = serve(Ledger, capacity=3)
    async with open_supervisor([spec]) as sup:
        failure = await attempt(ref, Ledger.broken, "k")
        assert isinstance(failure, CallFailed)
        assert str(failure.__cause__) == "a bug"
        assert await ref.call(Ledger.fine, "k") == "session k"
        misfit = await attempt(ref, Ledger.fine)
        assert isinstance(misfit, TypeError)
        assert sup.children["Ledger"].incarnation == 2


async def test_a_message_that_a_subclass_overrides_with_a_plain_method_is_refused() -> None:
    class Lazy(Worker):
        def echo(self, value: object) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            raise AssertionError("it ran")

    spec, ref = serve(Lazy, capacity=3)
    async with open_supervisor([spec]):
        with pytest.raises(TypeError, match="Lazy overrides echo with"):
            await ref.call(Worker.echo, 1)


async def test_a_time_out_as_an_argument_is_answered_with_the_right_line() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        refused = await attempt(ref, Worker.echo, 1, timeout=5)
    assert isinstance(refused, TypeError)
    assert "write `with trio.fail_after(seconds):` around it" in str(refused)


def test_setup_and_teardown_have_to_be_async() -> None:
    for name in ("setup", "teardown"):
        with pytest.raises(TypeError, match=f"^Plain.{name} has to be async"):
            type("Plain", (Server,), {name: print})


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_teardown_runs_also_when_a_listener_ends_the_program(end: type[BaseException]) -> None:
    ends: list[str] = []
    told: list[str] = []

    class Careful(Worker):
        async def teardown(self, exit: Exit) -> None:
            ends.append(exit.reason)

    def listen(event: CallFinished) -> None:
        told.append(event.outcome)
        raise end

    async def main() -> None:
        spec, ref = serve(Careful, capacity=1)
        async with open_supervisor([spec]):
            with subscribe(listen, CallFinished):
                assert await ref.call(Worker.echo, 1) == 1
                await trio.sleep_forever()

    with pytest.raises(end):
        trio.run(main)
    assert ends == ["crashed"]
    assert told == ["returned"]


@pytest.mark.parametrize("drain", [True, False])
async def test_in_teardown_a_server_casts_to_nobody(drain: bool) -> None:
    refused: list[object] = []

    class Late(Server):
        async def note(self) -> None: ...

        async def teardown(self, exit: Exit) -> None:
            try:
                self.ref.cast(Late.note)
            except ServerGone as gone:
                refused.append(gone)

    spec, ref = serve(Late, capacity=1, drain=drain)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
    assert len(refused) == 1
    assert ref.statistics().sent == 0


async def test_a_resident_that_raises_does_not_hide_the_tree(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Moody:
        def move_in(self, child: Child[Any]) -> None: ...

        def status(self, child: Child[Any], shown: object) -> object:
            raise ValueError("not today")

    spec = attrs.evolve(child(trio.sleep_forever), resident=Moody())
    async with open_supervisor([spec]) as sup:
        assert sup.snapshot().children[0].status is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_serve_returns_is_no_spec_and_the_error_says_where_it_is() -> None:
    served: Any = worker()
    with pytest.raises(TypeError, match=r"write \[served\.spec\]"):
        open_supervisor(served)
    with pytest.raises(TypeError, match=r"write its \.spec"):
        open_supervisor([served])


def test_serve_says_which_options_it_has() -> None:
    untyped: Any = serve
    with pytest.raises(TypeError, match="serve has no option 'timeout'; its options are capacity"):
        untyped(Worker, capacity=1, timeout=3)


def test_on_undelivered_has_to_take_the_message_and_the_reason() -> None:
    untyped: Any = open_mailbox
    with pytest.raises(TypeError, match="does not take two arguments"):
        untyped(1, on_undelivered=lambda message: None)  # pyright: ignore[reportUnknownLambdaType]


async def test_who_waits_while_a_stop_becomes_one_for_good_is_answered(
    autojump_clock: MockClock,
) -> None:
    async def crash() -> None:
        await trio.sleep(0.5)
        raise RuntimeError

    spec, ref = worker(drain=True, grace=10)
    asked: list[Asked] = []
    async with trio.open_nursery() as nursery:
        async with open_supervisor([child(crash), spec], strategy="one_for_all") as sup:
            asked.append(Asked(nursery, ref, Worker.nap, 1))
            with trio.CancelScope(shield=True):
                await trio.sleep(0.6)
                asked.append(Asked(nursery, ref, Worker.nap, 1))
                await wait_all_tasks_blocked()
                sup.shutdown()
    assert [(one.answer, one.at) for one in asked] == [(1, 1.0), (1, 2.0)]


def test_teardown_runs_also_when_a_listener_interrupts_a_crash() -> None:
    ends: list[str] = []

    class Careful(Worker):
        async def teardown(self, exit: Exit) -> None:
            ends.append(exit.reason)

    def listen(event: CallFinished) -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        spec, ref = serve(Careful, capacity=1)
        async with open_supervisor([spec]):
            with subscribe(listen, CallFinished):
                assert isinstance(await attempt(ref, Worker.crash), CallFailed)
                await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert ends == ["crashed"]


def test_an_interrupt_just_before_teardown_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[str] = []
    begun = _users_code._run_begun  # pyright: ignore[reportPrivateUsage]

    async def interrupted_first(work: Any) -> None:
        runs.append("begin")
        if len(runs) == 1:
            raise KeyboardInterrupt
        await begun(work)

    class Careful(Worker):
        async def teardown(self, exit: Exit) -> None:
            runs.append("teardown")

    async def main() -> None:
        async with open_supervisor([serve(Careful, capacity=1).spec]):
            await wait_all_tasks_blocked()

    monkeypatch.setattr(_users_code, "_run_begun", interrupted_first)
    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert runs == ["begin", "begin", "teardown"]


async def test_a_stop_during_setup_cancels_it_at_once_also_of_a_server_that_drains(
    autojump_clock: MockClock,
) -> None:
    class Slow(Server):
        async def setup(self) -> None:
            await trio.sleep(1_000)

    spec, _ = serve(Slow, capacity=1, drain=True, grace=50)
    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises(Exception, match="Slow"):
                await sup.start_child(spec)

        nursery.start_soon(start)
        await trio.sleep(1)
        await sup.stop_child("Slow")
        assert trio.current_time() == 1


async def test_a_task_that_has_called_is_not_kept_by_those_that_its_call_has_started() -> None:
    class Spawner(Server):
        async def spawn(self, left: int) -> None:
            nursery.start_soon(be_caller, left)

    async def be_caller(left: int) -> None:
        tasks.append(weakref.ref(trio.lowlevel.current_task()))
        if left:
            await ref.call(Spawner.spawn, left - 1)

    tasks: list[weakref.ref[trio.lowlevel.Task]] = []
    spec, ref = serve(Spawner, capacity=1)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        nursery.start_soon(be_caller, 100)
        while len(tasks) < 101:
            await wait_all_tasks_blocked()
        gc.collect()
        assert sum(task() is not None for task in tasks) < 5
