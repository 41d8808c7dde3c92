"""Tests of calls: what comes back, in which order, and what a failure does to whom."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import CallError, CallFailed, Server, serve
from trio_foundation.supervision import ShutdownChild, open_supervisor

from ._servers import (
    Asked,
    Crash,
    Refused,
    Worker,
    assert_conserved,
    attempt,
    cast_and_wait,
    worker,
)


class Adder(Server):
    """Adds, and counts how many handlers run at once."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0

    async def add(self, a: int, /, b: int = 10, *more: int, times: int = 1, **named: int) -> int:
        return (a + b + sum(more) + sum(named.values())) * times

    async def look(self) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        await trio.sleep(1)
        self.running -= 1
        return self.most


# Results


async def test_a_call_returns_what_the_method_returns() -> None:
    spec, ref = worker()
    value = object()
    async with open_supervisor([spec]):
        assert await ref.call(Worker.echo, value) is value


async def test_arguments_go_as_in_any_call() -> None:
    spec, ref = serve(Adder, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Adder.add, 1) == 11
        assert await ref.call(Adder.add, 1, 2, 3, times=2) == 12
        assert await ref.call(Adder.add, 1, b=2, c=4) == 7


async def test_arguments_may_have_the_names_that_the_library_uses() -> None:
    class Loud(Server):
        async def say(self, /, **words: object) -> dict[str, object]:
            return words

    spec, ref = serve(Loud, capacity=1)
    async with open_supervisor([spec]):
        said = await ref.call(Loud.say, method=1, args=2, kwargs=3, verb=4, request=5, server=6)
    assert said == {"method": 1, "args": 2, "kwargs": 3, "verb": 4, "request": 5, "server": 6}


@pytest.mark.parametrize("value", [None, False, 0, (), Crash("returned, not raised")], ids=repr)
async def test_any_value_may_be_returned(value: object) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        assert await ref.call(Worker.echo, value) is value


async def test_messages_are_handled_in_order_of_arrival_whoever_sends_them() -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=3)
    async with trio.open_nursery() as nursery:
        for line in "abc":
            Asked(nursery, ref, Worker.note, line)
            await wait_all_tasks_blocked()
        for line in "de":  # these stand in line for room
            nursery.start_soon(cast_and_wait, ref, Worker.note, line)
            await wait_all_tasks_blocked()
        async with open_supervisor([spec]):
            await ref.call(Worker.note, "f")
    assert log == list("abcdef")


async def test_messages_are_handled_one_at_a_time(autojump_clock: MockClock) -> None:
    spec, ref = serve(Adder, capacity=10)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        asked = [Asked(nursery, ref, Adder.look) for _ in range(3)]
    assert [one.answer for one in asked] == [1, 1, 1]
    assert sorted(one.at or 0.0 for one in asked) == [1.0, 2.0, 3.0]


async def test_a_cast_is_handled_and_its_result_dropped() -> None:
    log: list[str] = []
    spec, ref = worker(log)
    async with open_supervisor([spec]):
        ref.cast(Worker.note, "cast")
        await ref.cast_wait(Worker.note, line="cast and wait")
        await ref.call(Worker.echo, None)
    assert log == ["cast", "cast and wait"]


# Refusals


async def test_a_refusal_arrives_as_itself_and_the_server_lives() -> None:
    spec, ref = worker()
    refusal = Refused("not today")
    async with open_supervisor([spec], max_restarts=0):
        with pytest.raises(Refused) as caught:
            await ref.call(Worker.refuse, refusal)
        assert caught.value is refusal
        assert await ref.call(Worker.incarnation) == 1


async def test_the_base_class_of_refusals_refuses_too() -> None:
    spec, ref = worker()
    async with open_supervisor([spec], max_restarts=0):
        with pytest.raises(CallError, match=r"^no$"):
            await ref.call(Worker.refuse, CallError("no"))


async def test_a_refused_cast_is_logged_and_the_server_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec, ref = worker()
    async with open_supervisor([spec], max_restarts=0):
        ref.cast(Worker.refuse)
        assert await ref.call(Worker.incarnation) == 1
    assert "server 'w' refused the cast of 'refuse': Refused('as told')" in caplog.text


async def test_a_refusal_that_another_server_gave_refuses_in_turn() -> None:
    class Broker(Server):
        async def ask(self) -> None:
            await ref.call(Worker.refuse)

    spec, ref = worker()
    broker_spec, broker = serve(Broker, capacity=1)
    async with open_supervisor([spec, broker_spec], max_restarts=0):
        assert type(await attempt(broker, Broker.ask)) is Refused
        assert type(await attempt(broker, Broker.ask)) is Refused


# Crashes


async def test_a_crash_reaches_the_caller_from_the_very_error() -> None:
    spec, ref = worker()
    error = Crash("inside")
    async with open_supervisor([spec]) as sup:
        with pytest.raises(CallFailed) as caught:
            await ref.call(Worker.crash, error)
        failure = caught.value
        assert failure.__cause__ is error
        assert (failure.server, failure.method, failure.how) == ("w", "crash", "crashed")
        assert str(failure) == "server 'w' crashed while it handled 'crash'"
        exit = sup.children["w"].last_exit
        assert exit is not None
        assert exit.error is error


async def test_the_failure_tells_where_the_handler_raised() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        failure = await attempt(ref, Worker.crash, Crash("inside"))
        assert await ref.call(Worker.incarnation) == 2  # which clears the error's own traceback
    assert "in crash\n" in failure.traceback
    assert failure.traceback.endswith("Crash: inside\n")


async def test_a_failure_can_be_pickled() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        failure = await attempt(ref, Worker.crash)
    sent_on = pickle.loads(pickle.dumps(failure))
    assert (str(sent_on), sent_on.traceback) == (str(failure), failure.traceback)


def test_whoever_takes_a_ref_for_the_server_is_told_how_to_call_it() -> None:
    _, ref = worker()
    with pytest.raises(
        AttributeError,
        match=r"^<Ref of server 'w'> is not the server: write ref\.call\(Worker\.echo, ",
    ):
        ref.echo  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"^'Ref' object has no attribute 'sing'$"):
        ref.sing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("again", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_ref_is_not_copied_for_a_mailbox_that_nobody_empties(
    again: Callable[[object], object],
) -> None:
    _, ref = worker()
    with pytest.raises(TypeError, match=r"^<Ref of server 'w'> cannot be copied or pickled: "):
        again(ref)


async def test_a_crash_fails_the_message_in_hand_only(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        first = Asked(nursery, ref, Worker.crash)
        await wait_all_tasks_blocked()
        others = [Asked(nursery, ref, Worker.echo, number) for number in range(3)]
    assert first.kind == "CallFailed"
    assert [one.answer for one in others] == [0, 1, 2]


async def test_a_cast_that_raises_crashes_the_server() -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        ref.cast(Worker.crash)
        assert await ref.call(Worker.incarnation) == 2
        assert_conserved(ref)


async def test_a_refusal_that_leaves_a_nursery_alone_is_a_refusal() -> None:
    # Rule R17.
    spec, ref = worker()
    refusal = Refused("within")
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [refusal])])
    async with open_supervisor([spec], max_restarts=0):
        assert await attempt(ref, Worker.crash, group) is refusal


async def test_a_group_of_refusals_is_a_crash() -> None:
    spec, ref = worker()
    group = ExceptionGroup("two", [Refused(), Refused()])
    async with open_supervisor([spec]):
        failure = await attempt(ref, Worker.crash, group)
        assert isinstance(failure, CallFailed)
        assert failure.__cause__ is group


async def test_an_orderly_end_within_a_handler_fails_its_call() -> None:
    spec, ref = worker(restart="transient")
    async with open_supervisor([spec]):
        failure = await attempt(ref, Worker.crash, ShutdownChild("enough"))
    assert isinstance(failure, CallFailed)
    assert failure.how == "shut down"


def deep_group() -> BaseException:
    error: BaseException = ValueError("deep")
    for _ in range(3_000):
        error = wrapped(error)
    return error


def wrapped(error: BaseException) -> BaseException:
    return BaseExceptionGroup("deeper", [error])


class SilentError(Exception):
    """Has no words, and takes no notes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


class CagyError(Exception):
    """Does not tell its causes."""

    @property
    def __cause__(self) -> BaseException:  # type: ignore[override, mutable-override]
        raise ValueError("do not ask")


@pytest.mark.parametrize("make", [deep_group, SilentError, CagyError])
async def test_an_error_that_bites_does_not_leave_the_caller_waiting(
    make: Callable[[], BaseException], autojump_clock: MockClock
) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        with trio.fail_after(10):
            assert isinstance(await attempt(ref, Worker.crash, make()), CallFailed)
            assert await ref.call(Worker.incarnation) == 2


# Deadlines


async def test_the_deadline_of_a_caller_covers_its_time_in_the_queue(
    autojump_clock: MockClock,
) -> None:
    # Rule R39: a well-known peer takes 101 seconds.
    spec, ref = worker()
    async with open_supervisor([spec]):
        ref.cast(Worker.nap, 100)
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await ref.call(Worker.echo, 1)
        assert trio.current_time() == 1.0
        assert await ref.call(Worker.incarnation) == 1


async def test_the_deadline_of_a_caller_is_no_crash_of_the_server(
    autojump_clock: MockClock,
) -> None:
    # Rule R12.
    log: list[str] = []
    spec, ref = worker(log)
    async with open_supervisor([spec], max_restarts=0):
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await ref.call(Worker.nap, 2)
        assert await ref.call(Worker.incarnation) == 1
    assert log == ["nap"]
    assert trio.current_time() == 2.0


async def test_a_deadline_of_the_server_itself_is_its_crash(autojump_clock: MockClock) -> None:
    class Hasty(Server):
        async def work(self) -> None:
            with trio.fail_after(1):
                await trio.sleep(10)

    spec, ref = serve(Hasty, capacity=1)
    async with open_supervisor([spec]) as sup:
        failure = await attempt(ref, Hasty.work)
        assert isinstance(failure, CallFailed)
        assert isinstance(failure.__cause__, trio.TooSlowError)
        assert await sup.children["Hasty"].wait_ready()
        assert sup.children["Hasty"].incarnation == 2


async def test_a_scope_that_a_handler_cancels_is_its_own_business() -> None:
    class Canceller(Server):
        async def work(self) -> str:
            with trio.CancelScope() as scope:
                scope.cancel()
                await trio.sleep_forever()
            return "went on"

    spec, ref = serve(Canceller, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Canceller.work) == "went on"
