"""Tests of servers with states: of their tables, and of what they do."""

from __future__ import annotations

import logging
import math
import pickle
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial, wraps
from typing import Any, ClassVar, TypeVar, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import (
    CallError,
    CallFailed,
    CallFinished,
    CallStarted,
    CurrentMessage,
    MailboxFull,
    MessageDropped,
    Ref,
    Server,
    ServerGone,
    State,
    StateServer,
    WrongState,
    serve,
)
from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    RestartLimitReached,
    Supervisor,
    current_child,
    open_supervisor,
)
from trio_foundation.telemetry import Event, subscribe

ServerT = TypeVar("ServerT", bound=Server)


class Crash(Exception):
    """What handlers crash with."""


class Refusal(CallError):
    """What handlers refuse with."""


@asynccontextmanager
async def running(
    factory: Callable[[], ServerT], **options: Any
) -> AsyncGenerator[tuple[Ref[ServerT], Supervisor], None]:
    """Run a server named ``it``, and let it crash as often as it likes."""
    chosen: dict[str, Any] = {"capacity": 10, "name": "it", **options}
    spec, ref = serve(factory, **chosen)
    async with open_supervisor([spec], max_restarts=1_000) as sup:
        await sup.children["it"].wait_ready()
        yield ref, sup
    assert_conserved(ref)


def assert_conserved(ref: Ref[Any]) -> None:
    figures = ref.statistics()
    assert figures.sent == figures.received + figures.dropped + figures.used


class Calling:
    """Calls in tasks of their own, and what came of them; answers of one moment in any order."""

    def __init__(self, nursery: trio.Nursery, ref: Ref[Any]) -> None:
        self.came: Counter[Any] = Counter()
        self._nursery = nursery
        self._ref = ref

    async def call(self, method: Callable[..., Awaitable[Any]], *args: Any) -> trio.CancelScope:
        """Let a task call, wait until nothing moves, and return how to make the caller leave."""
        scope = trio.CancelScope()
        self._nursery.start_soon(self._call, scope, method, args)
        await wait_all_tasks_blocked()
        return scope

    async def _call(
        self, scope: trio.CancelScope, method: Callable[..., Awaitable[Any]], args: Any
    ) -> None:
        with scope:
            try:
                self.came[await self._ref.call(method, *args)] += 1
            except (CallError, CallFailed, MailboxFull, ServerGone) as error:
                self.came[type(error)] += 1


# The check of the table


async def press(self: Any) -> None: ...


async def lift(self: Any) -> None: ...


def untyped(function: Any) -> Any:
    """Return a function as somebody without a type checker sees it."""
    return function


@untyped
def sit(self: Any) -> None: ...


async def foreign(self: Any) -> None: ...


def make(states: Any, **names: Any) -> type[StateServer]:
    """Make a class of a lamp; it has the methods that are given, and *press*."""
    return type("Lamp", (StateServer,), {"press": press, "states": states, **names})


SENSELESS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "an unknown target": (
        {"off": State({press: "on"})},
        {},
        "in state 'off', 'press' leads to 'on', which is none of its states, 'off'",
    ),
    "an unknown target among others": (
        {"off": State({press: ("off", "on")})},
        {},
        "in state 'off', 'press' leads to 'on', which is none of its states, 'off'",
    ),
    "no target": (
        {"off": State({press: ()})},
        {},
        "in state 'off', 'press' leads nowhere: name a state, itself to stay",
    ),
    "an unknown initial state": (
        {"off": State({press: "off"})},
        {"initial": "on"},
        "its initial state 'on' is none of its states, 'off'",
    ),
    "a message that is handled and postponed": (
        {"off": State({press: "off"}, postpone=[press])},
        {},
        "in state 'off', 'press' is both handled and postponed",
    ),
    "a message that is handled and everywhere": (
        {"off": State({press: "off"})},
        {"everywhere": [press]},
        "in state 'off', 'press' is handled, and everywhere too",
    ),
    "a message that is postponed and everywhere": (
        {"off": State({press: "off"}, postpone=[lift])},
        {"everywhere": [lift], "lift": lift},
        "in state 'off', 'lift' is both handled and postponed",
    ),
    "a state that is not reached": (
        {"off": State({press: "off"}), "on": State({press: "off"})},
        {},
        "nothing leads to the state 'on'",
    ),
    "a first state that is not reached, since another one is initial": (
        {"off": State({press: "on"}), "on": State({press: "on"})},
        {"initial": "on"},
        "nothing leads to the state 'off'",
    ),
    "a message in no row": (
        {"off": State({press: "off"})},
        {"lift": lift},
        "'lift' is handled in no state: add it to one, or to `everywhere`; if it is no message, "
        "let its name begin with _",
    ),
    "a time-out that is not handled there": (
        {"off": State({press: "on"}, timeout=(1, lift)), "on": State({lift: "off"})},
        {"lift": lift},
        "in state 'off', the time-out is 'lift', which is not handled there",
    ),
    "two faults": (
        {"off": State({press: "on"}, timeout=(1, lift))},
        {"lift": lift},
        "in state 'off', 'press' leads to 'on', which is none of its states, 'off'; in state "
        "'off', the time-out is 'lift', which is not handled there; 'lift' is handled in no "
        "state: add it to one, or to `everywhere`; if it is no message, let its name begin with _",
    ),
}


@pytest.mark.parametrize(("states", "names", "told"), SENSELESS.values(), ids=SENSELESS)
def test_a_table_without_sense_is_refused_when_the_class_is_made(
    states: Any, names: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError) as refused:
        make(states, **names)
    assert str(refused.value) == f"the table of Lamp makes no sense: {told}"


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "an empty table": ({}, {}, 'Lamp.states must be a table, {"name": State(...), ...}, not {}'),
    "no table": ([], {}, 'Lamp.states must be a table, {"name": State(...), ...}, not []'),
    "a row that is no State": (
        {"off": {press: "off"}},
        {},
        f"Lamp: state 'off' must be a State(...), not {{{press!r}: 'off'}}",
    ),
    "a method that is handled and not async": (
        {"off": State({sit: "off"})},
        {"sit": sit},
        "Lamp: state 'off' names sit, which is not async: write `async def sit`",
    ),
    "a method that is postponed and not async": (
        {"off": State({press: "off"}, postpone=[sit])},
        {"sit": sit},
        "Lamp: state 'off' names sit, which is not async: write `async def sit`",
    ),
    "an enter that is not async": (
        {"off": State({press: "off"}, enter=sit)},
        {"sit": sit},
        "Lamp: state 'off' names sit, which is not async: write `async def sit`",
    ),
    "an exit that is not async": (
        {"off": State({press: "off"}, exit=sit)},
        {"sit": sit},
        "Lamp: state 'off' names sit, which is not async: write `async def sit`",
    ),
    "a time-out that is not async": (
        {"off": State({press: "off"}, timeout=(1, sit))},
        {"sit": sit},
        "Lamp: state 'off' names sit, which is not async: write `async def sit`",
    ),
    "a method everywhere that is not async": (
        {"off": State({press: "off"})},
        {"sit": sit, "everywhere": [sit]},
        "Lamp: `everywhere` names sit, which is not async: write `async def sit`",
    ),
    "a function from elsewhere": (
        {"off": State({press: "off", foreign: "off"})},
        {},
        f"Lamp: state 'off' names {foreign!r}, which is none of its methods",
    ),
    "a name instead of a method": (
        {"off": State({cast("Any", "press"): "off"})},
        {},
        "Lamp: state 'off' names 'press', which is none of its methods",
    ),
    "a function from elsewhere, everywhere": (
        {"off": State({press: "off"})},
        {"everywhere": [sit]},
        f"Lamp: `everywhere` names {sit!r}, which is none of its methods",
    ),
}


@pytest.mark.parametrize(("states", "names", "told"), WRONG.values(), ids=WRONG)
def test_what_is_no_table_is_refused_when_the_class_is_made(
    states: Any, names: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError) as refused:
        make(states, **names)
    assert str(refused.value) == told


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
def test_a_time_out_must_be_some_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match="time-out") as refused:
        make({"off": State({press: "off"}, timeout=(seconds, press))})
    assert str(refused.value) == (
        f"the time-out of state 'off' must be more than 0 seconds and finite, not {seconds}"
    )


@pytest.mark.parametrize("seconds", [None, "1", True])
def test_a_time_out_must_be_a_number(seconds: Any) -> None:
    with pytest.raises(TypeError) as refused:
        make({"off": State({press: "off"}, timeout=(seconds, press))})
    assert str(refused.value) == (
        f"the time-out of state 'off' must be a number of seconds, not {seconds!r}"
    )


@pytest.mark.parametrize("timeout", [5.0, press, (press,)], ids=["seconds", "method", "in a tuple"])
def test_a_time_out_that_is_half_is_refused_with_the_name_of_its_state(timeout: Any) -> None:
    with pytest.raises(TypeError, match="'off'"):
        make({"off": State({press: "off"}, timeout=timeout)})


@pytest.mark.parametrize("action", ["enter", "exit"])
def test_an_action_that_takes_arguments_is_refused(action: str) -> None:
    async def _note(self: Any, what: str) -> None: ...

    actions: dict[str, Any] = {action: _note}
    with pytest.raises(TypeError, match=r"names _note, .* wants some: give them defaults$"):
        make({"off": State({press: "off"}, **actions)}, _note=_note)


def test_a_method_that_the_class_itself_overrides_with_a_plain_one_is_refused() -> None:
    lamp = make({"off": State({press: "off"})})
    with pytest.raises(TypeError, match="press"):
        type("Broken", (lamp,), {"press": sit})


def test_a_decorated_method_is_a_message() -> None:
    @wraps(press)
    def decorated(self: Any) -> Awaitable[None]:
        return press(self)

    make({"off": State({decorated: "off"})}, press=decorated)


def test_what_is_private_or_not_async_needs_no_row() -> None:
    make({"off": State({press: "off"})}, _lift=lift, sit=sit, number=5)


def test_what_every_server_has_needs_no_row() -> None:
    async def setup(self: Any) -> None: ...

    async def teardown(self: Any, exit: Exit) -> None: ...

    make({"off": State({press: "off"})}, setup=setup, teardown=teardown)


def test_a_class_without_a_table_may_be_a_base() -> None:
    class Base(StateServer):
        async def press(self) -> None: ...

        async def lift(self) -> None: ...

    class Lamp(Base):
        states = {"off": State({Base.press: "off", Base.lift: "off"})}  # noqa: RUF012

    class Bright(Lamp):
        async def press(self) -> None: ...

    assert Bright.states is Lamp.states


def test_a_table_is_checked_again_for_a_subclass() -> None:
    lamp = make({"off": State({press: "off"})})
    with pytest.raises(TypeError) as refused:
        type("Bright", (lamp,), {"lift": lift})
    assert str(refused.value) == (
        "the table of Bright makes no sense: 'lift' is handled in no state: add it to one, or to "
        "`everywhere`; if it is no message, let its name begin with _"
    )


def test_a_subclass_may_extend_the_table() -> None:
    lamp = make({"off": State({press: "off"})})
    states = {**lamp.states, "off": State({press: "on"}), "on": State({lift: "off"})}
    type("Bright", (lamp,), {"lift": lift, "states": states})


async def test_a_server_without_a_table_does_not_start() -> None:
    class Lamp(StateServer):
        """Has no states."""

    spec, _ = serve(Lamp, capacity=1)
    with pytest.raises(ChildStartFailed) as failed:
        async with open_supervisor([spec]):
            pass  # pragma: no cover
    assert isinstance(failed.value.__cause__, TypeError)
    assert str(failed.value.__cause__) == (
        "Lamp has no states: write states = {'ready': State({...})} in it"
    )


def test_a_row_is_a_frozen_value() -> None:
    assert State({press: "off"}) == State({press: "off"})
    with pytest.raises(AttributeError):
        State({press: "off"}).on = {}  # type: ignore[misc]


# A gate to try all the rest on


class Gate(StateServer):
    """Keeps a diary of what it does; each message says what to do besides."""

    def __init__(self, diary: list[str] | None = None) -> None:
        self.diary = [] if diary is None else diary

    async def _do(self, what: str, then: BaseException | float | str | None) -> str:
        self.diary.append(what)
        if isinstance(then, str):
            self.become(then)
        elif isinstance(then, BaseException):
            raise then
        elif then is not None:
            await trio.sleep(then)
        return f"{what} in {self.state}"

    async def push(self, then: Any = None) -> str:
        return await self._do("push", then)

    async def close(self, then: Any = None) -> str:
        return await self._do("close", then)

    async def lock(self, then: Any = None) -> str:
        return await self._do("lock", then)

    async def turn(self, then: Any = None) -> str:
        return await self._do("turn", then)

    async def visit(self, who: Any = "") -> str:
        self.diary.append(f"visit {who}")
        return f"{who} in {self.state}"

    async def oil(self, then: Any = None) -> str:
        return await self._do("oil", then)

    async def look(self) -> str:
        return self.state

    async def _come(self) -> None:
        self.diary.append(f"enter {self.state}")

    async def _go(self) -> None:
        self.diary.append(f"exit {self.state}")

    everywhere: ClassVar[Any] = (look, oil)
    states = {  # noqa: RUF012
        "closed": State(
            {push: "open", lock: "locked", turn: ("open", "closed", "locked")},
            postpone=[visit],
            enter=_come,
            exit=_go,
        ),
        "open": State({close: "closed", visit: "open", push: "open"}, enter=_come, exit=_go),
        "locked": State(
            {turn: ("open", "closed"), close: "closed"},
            postpone=[visit],
            timeout=(10.0, close),
            enter=_come,
            exit=_go,
        ),
    }


@pytest.fixture
def diary() -> list[str]:
    """What gates do."""
    return []


@pytest.fixture
def gate(diary: list[str]) -> Callable[[], Gate]:
    """What makes a gate, with this diary."""
    return partial(Gate, diary)


MakeGate = Callable[[], Gate]

# From state to state


async def test_a_server_begins_in_the_first_state(gate: MakeGate, diary: list[str]) -> None:
    async with running(gate) as (ref, _):
        assert diary == ["enter closed"]
        assert await ref.call(Gate.look) == "closed"


async def test_a_server_begins_in_the_initial_state(diary: list[str]) -> None:
    class Other(Gate):
        initial = "locked"

    async with running(partial(Other, diary)) as (ref, _):
        assert diary == ["enter locked"]
        assert await ref.call(Gate.look) == "locked"


async def test_the_first_state_is_entered_after_setup_and_before_any_message(
    diary: list[str],
) -> None:
    class Other(Gate):
        async def setup(self) -> None:
            self.diary.append("setup")

    spec, ref = serve(partial(Other, diary), capacity=1)
    ref.cast(Gate.push)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
    assert diary == ["setup", "enter closed", "push", "exit closed", "enter open"]


async def test_a_call_moves_the_server_when_its_method_has_returned(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        assert await ref.call(Gate.push) == "push in closed"
        assert await ref.call(Gate.look) == "open"


async def test_a_cast_moves_the_server(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        ref.cast(Gate.lock)
        ref.cast(Gate.close)
        ref.cast(Gate.push)
        assert await ref.call(Gate.look) == "open"


async def test_a_timer_moves_the_server(autojump_clock: MockClock, diary: list[str]) -> None:
    class Other(Gate):
        async def setup(self) -> None:
            self.after(5, self.push)

    async with running(partial(Other, diary)) as (ref, _):
        await trio.sleep(4.9)
        assert await ref.call(Gate.look) == "closed"
        await trio.sleep(0.2)
        assert await ref.call(Gate.look) == "open"


async def test_the_old_state_is_left_and_the_new_one_entered_before_the_caller_is_answered(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    class Slow(Gate):
        async def _come(self) -> None:
            await trio.sleep(1)
            await super()._come()

        async def _go(self) -> None:
            await trio.sleep(1)
            await super()._go()

    async with running(partial(Slow, diary)) as (ref, _):
        diary.clear()
        begun = trio.current_time()
        await ref.call(Gate.push)
        diary.append("answered")
        assert trio.current_time() - begun == 2
    assert diary == ["push", "exit closed", "enter open", "answered"]


async def test_to_stay_is_neither_to_leave_nor_to_enter(gate: MakeGate, diary: list[str]) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.push)
        diary.clear()
        await ref.call(Gate.push)
        await ref.call(Gate.oil)
        assert diary == ["push", "oil"]


async def test_the_end_of_an_incarnation_is_no_way_out_of_a_state(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate) as (ref, _):
        with pytest.raises(CallFailed):
            await ref.call(Gate.oil, Crash())
    assert "exit closed" not in diary


async def test_a_new_incarnation_begins_in_the_initial_state(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.push)
        diary.clear()
        ref.cast(Gate.close, Crash())
        assert await ref.call(Gate.look) == "closed"
        assert diary == ["close", "enter closed"]


async def test_a_server_with_states_has_the_state_that_it_is_in_at_any_moment(
    diary: list[str],
) -> None:
    class Other(Gate):
        async def teardown(self, exit: Exit) -> None:
            self.diary.append(f"teardown in {self.state}")

    async with running(partial(Other, diary)) as (ref, _):
        assert await ref.call(Gate.push) == "push in closed"
    assert diary == ["enter closed", "push", "exit closed", "enter open", "teardown in open"]


async def test_a_server_that_does_not_run_is_in_no_state(gate: MakeGate) -> None:
    with pytest.raises(RuntimeError) as refused:
        _ = gate().state
    assert str(refused.value) == (
        "Gate.state works in a server that runs: use it in setup or in a handler, and let a "
        "supervisor run what serve() returns"
    )


@pytest.mark.parametrize("verb", ["state", "become"])
async def test_in_setup_a_server_is_in_no_state_yet_and_is_not_told_to_write_a_table(
    verb: str,
) -> None:
    told: list[str] = []

    class Other(Gate):
        async def setup(self) -> None:
            try:
                _ = self.become("open") if verb == "become" else self.state
            except RuntimeError as error:
                told.append(str(error))

    async with running(Other):
        assert len(told) == 1
        assert "has no states" not in told[0]


# Refusals


async def test_a_refusal_moves_nothing(
    gate: MakeGate, diary: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gate) as (ref, _):
        with pytest.raises(Refusal):
            await ref.call(Gate.push, Refusal())
        ref.cast(Gate.lock, Refusal())
        assert await ref.call(Gate.look) == "closed"
    assert diary == ["enter closed", "push", "lock"]


async def test_a_refusal_leaves_the_time_out_of_the_state_as_it_is(
    gate: MakeGate, autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        await trio.sleep(9)
        with pytest.raises(Refusal):
            await ref.call(Gate.close, Refusal())
        assert await ref.call(Gate.look) == "locked"
        await trio.sleep(1.5)
        assert await ref.call(Gate.look) == "closed"


async def test_what_a_row_does_not_name_is_refused(gate: MakeGate, diary: list[str]) -> None:
    async with running(gate) as (ref, _):
        with pytest.raises(WrongState) as refused:
            await ref.call(Gate.close)
        assert await ref.call(Gate.look) == "closed"
    assert diary == ["enter closed"]
    error = refused.value
    assert (error.server, error.method, error.state) == ("it", "close", "closed")


async def test_a_wrong_state_tells_which_messages_are_handled_there(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        with pytest.raises(WrongState) as refused:
            await ref.call(Gate.close)
    assert refused.value.handled == ("push", "lock", "turn", "look", "oil")
    assert str(refused.value) == (
        "server 'it' is in state 'closed' and handles 'push', 'lock', 'turn', 'look', 'oil' "
        "there, not 'close'"
    )


def test_a_wrong_state_where_nothing_is_handled_says_so() -> None:
    assert str(WrongState("lamp", "press", "burnt", ())) == (
        "server 'lamp' is in state 'burnt' and handles nothing there, not 'press'"
    )


def test_a_wrong_state_pickles() -> None:
    error = WrongState("lamp", "press", "burnt", ("lift",))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.handled) == (str(error), ("lift",))


@pytest.mark.parametrize("kind", ["cast", "timer"])
async def test_what_nobody_waits_for_is_refused_in_the_log(
    kind: str,
    diary: list[str],
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    class Other(Gate):
        async def setup(self) -> None:
            if kind == "timer":
                self.after(1, self.close)

    async with running(partial(Other, diary)) as (ref, _):
        if kind == "cast":
            ref.cast(Gate.close)
        await trio.sleep(2)
        assert await ref.call(Gate.look) == "closed"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("trio_foundation.messaging", logging.WARNING)
    assert record.getMessage() == (
        f"server 'it' refused the {kind} of 'close': "
        "WrongState('it', 'close', 'closed', ('push', 'lock', 'turn', 'look', 'oil'))"
    )


async def test_a_wrong_state_is_told_as_a_refusal(gate: MakeGate) -> None:
    told: list[Event] = []
    async with running(gate) as (ref, _):
        with subscribe(told.append, CallStarted, CallFinished), pytest.raises(WrongState):
            await ref.call(Gate.close)
    begun, ended = told
    assert isinstance(begun, CallStarted)
    assert isinstance(ended, CallFinished)
    assert (ended.method, ended.kind, ended.outcome) == ("close", "call", "refused")


async def test_private_methods_run_in_any_state_by_a_timer(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Other(Gate):
        async def setup(self) -> None:
            self.every(1, self._tick)

        async def _tick(self) -> None:
            self.diary.append(f"tick {self.state}")

    async with running(partial(Other, diary)) as (ref, _):
        await trio.sleep(1.5)
        await ref.call(Gate.push)
        await trio.sleep(1)
    told = "enter closed, tick closed, push, exit closed, enter open, tick open"
    assert ", ".join(diary) == told


async def test_a_private_method_that_a_row_names_runs_in_no_other_state(
    diary: list[str], autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Lamp(StateServer):
        async def setup(self) -> None:
            self.every(1, self._dim)

        async def press(self) -> None: ...

        async def _dim(self) -> None:
            diary.append(f"dim {self.state}")

        states = {  # noqa: RUF012
            "off": State({press: "on"}),
            "on": State({_dim: "off"}),
        }

    async with running(Lamp) as (ref, _):
        await trio.sleep(1.5)
        await ref.call(Lamp.press)
        await trio.sleep(2)
    assert diary == ["dim on"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "server 'it' refused the timer of '_dim'"
    ] * 2


# Crashes on the way


@pytest.mark.parametrize("error", [Crash, Refusal, TypeError, AttributeError])
@pytest.mark.parametrize("action", ["exit", "enter"])
async def test_what_raises_between_two_states_crashes_the_server(
    action: str, error: type[Exception], diary: list[str]
) -> None:
    raised = error("between two states")

    class Faulty(Gate):
        async def _go(self) -> None:
            if action == "exit":
                raise raised

        async def _come(self) -> None:
            if action == "enter" and self.state == "open":
                raise raised

    async with running(partial(Faulty, diary)) as (ref, sup):
        with pytest.raises(CallFailed) as failed:
            await ref.call(Gate.push)
        assert failed.value.__cause__ is raised
        assert await ref.call(Gate.look) == "closed"
        assert sup.children["it"].incarnation == 2


async def test_a_first_state_that_cannot_be_entered_is_a_failed_start() -> None:
    raised = Crash()

    class Faulty(Gate):
        async def _come(self) -> None:
            raise raised

    spec, _ = serve(Faulty, capacity=1)
    with pytest.raises(ChildStartFailed) as failed:
        async with open_supervisor([spec]):
            pass  # pragma: no cover
    assert failed.value.__cause__ is raised


async def test_a_crash_on_the_way_leaves_what_was_set_aside_to_the_next_incarnation(
    diary: list[str],
) -> None:
    class Faulty(Gate):
        faults = [Crash()]  # noqa: RUF012

        async def _come(self) -> None:
            await super()._come()
            if self.state == "open" and self.faults:
                raise self.faults.pop()

    async with running(partial(Faulty, diary)) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        await calling.call(Gate.visit, "Ada")
        await calling.call(Gate.push)
        assert calling.came == Counter([CallFailed])
        await calling.call(Gate.push)
        assert calling.came == Counter([CallFailed, "push in closed", "Ada in open"])


# To choose a state


@pytest.mark.parametrize("target", ["open", "closed", "locked"])
async def test_a_method_with_several_states_chooses_one(gate: MakeGate, target: str) -> None:
    async with running(gate) as (ref, _):
        assert await ref.call(Gate.turn, target) == "turn in closed"
        assert await ref.call(Gate.look) == target


async def test_a_method_that_does_not_choose_stays_if_it_may(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.turn)
        assert await ref.call(Gate.look) == "closed"
    assert diary == ["enter closed", "turn"]


async def test_a_method_that_has_to_choose_and_does_not_crashes_the_server(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        with pytest.raises(CallFailed) as failed:
            await ref.call(Gate.turn)
        assert str(failed.value.__cause__) == (
            "in state 'locked', 'turn' has to choose where it leads to, 'open' or 'closed': call "
            "self.become('open'), for example"
        )
        assert isinstance(failed.value.__cause__, RuntimeError)
        assert await ref.call(Gate.look) == "closed"


@pytest.mark.parametrize("wrong", ["locked", "nowhere", ""])
async def test_to_choose_a_state_that_is_not_in_the_row_crashes_the_server(
    gate: MakeGate, wrong: str
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        with pytest.raises(CallFailed) as failed:
            await ref.call(Gate.turn, wrong)
    assert isinstance(failed.value.__cause__, ValueError)
    assert str(failed.value.__cause__) == (
        f"in state 'locked', 'turn' leads to 'open' or 'closed', not to {wrong!r}"
    )


async def test_a_wrong_choice_may_be_caught_and_the_last_right_one_counts() -> None:
    class Lamp(StateServer):
        async def press(self) -> None:
            self.become("off")
            self.become("on")
            with pytest.raises(ValueError, match="not to 'broken'"):
                self.become("broken")

        async def smash(self) -> None: ...

        states = {  # noqa: RUF012
            "off": State({press: ("off", "on"), smash: "broken"}),
            "on": State({smash: "broken"}),
            "broken": State({}),
        }

    async with running(Lamp) as (ref, sup):
        await ref.call(Lamp.press)
        assert sup.snapshot().children[0].status == "in state 'on'"


async def test_a_method_that_leads_to_one_state_may_say_so(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.push, "open")
        assert await ref.call(Gate.look) == "open"


async def test_what_is_handled_everywhere_leads_nowhere(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.oil, "closed")
        with pytest.raises(CallFailed) as failed:
            await ref.call(Gate.oil, "open")
    assert str(failed.value.__cause__) == (
        "in state 'closed', 'oil' leads to 'closed', not to 'open'"
    )


async def test_a_choice_of_a_refused_message_is_forgotten() -> None:
    class Lamp(Gate):
        async def turn(self, then: Any = None) -> str:
            if then is not None:
                self.become(then)
                raise Refusal
            return "stayed"

        states = Gate.states | {"closed": State({turn: ("closed", "open"), Gate.lock: "locked"})}

    async with running(Lamp) as (ref, _):
        with pytest.raises(Refusal):
            await ref.call(Lamp.turn, "open")
        assert await ref.call(Lamp.turn) == "stayed"
        assert await ref.call(Lamp.look) == "closed"


ONLY_IN_A_MESSAGE = "become works in the method of a message only, and takes effect when it returns"


async def test_there_is_nothing_to_choose_between_two_states(diary: list[str]) -> None:
    class Other(Gate):
        async def _go(self) -> None:
            with pytest.raises(RuntimeError, match=f"^{ONLY_IN_A_MESSAGE}$"):
                self.become("open")
            self.diary.append("tried in exit")

        async def _come(self) -> None:
            with pytest.raises(RuntimeError, match=f"^{ONLY_IN_A_MESSAGE}$"):
                self.become("open")
            self.diary.append("tried in enter")

    async with running(partial(Other, diary)) as (ref, _):
        await ref.call(Gate.push)
    assert diary == ["tried in enter", "push", "tried in exit", "tried in enter"]


async def test_there_is_nothing_to_choose_while_no_message_is_in_hand(diary: list[str]) -> None:
    gates: list[Gate] = []

    class Other(Gate):
        async def setup(self) -> None:
            gates.append(self)

        async def teardown(self, exit: Exit) -> None:
            with pytest.raises(RuntimeError, match=f"^{ONLY_IN_A_MESSAGE}$"):
                self.become("open")
            self.diary.append("tried in teardown")

    async with running(partial(Other, diary)) as (ref, _):
        with pytest.raises(RuntimeError, match=f"^{ONLY_IN_A_MESSAGE}$"):
            gates[0].become("open")
        assert await ref.call(Gate.look) == "closed"
    assert diary == ["enter closed", "tried in teardown"]


async def test_a_server_that_does_not_run_chooses_nothing(gate: MakeGate) -> None:
    with pytest.raises(RuntimeError, match=r"^Gate\.become works in a server that runs"):
        gate().become("open")


# Time-outs of states


async def test_a_state_lasts_no_longer_than_its_time_out(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        diary.clear()
        await trio.sleep(9.999)
        assert diary == []
        await trio.sleep(0.002)
        assert diary == ["close", "exit locked", "enter closed"]


async def test_other_messages_leave_the_time_out_as_it_is(
    gate: MakeGate, autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        for _ in range(9):
            await trio.sleep(1)
            assert await ref.call(Gate.oil) == "oil in locked"
        await trio.sleep(1.5)
        assert await ref.call(Gate.look) == "closed"


async def test_to_leave_a_state_calls_its_time_out_off(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        await trio.sleep(5)
        await ref.call(Gate.turn, "open")
        diary.clear()
        await trio.sleep(100)
        assert (diary, await ref.call(Gate.look)) == ([], "open")


async def test_a_state_that_is_entered_again_has_all_its_time_again(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        await trio.sleep(9)
        await ref.call(Gate.close)
        await ref.call(Gate.lock)
        await trio.sleep(9)
        assert await ref.call(Gate.look) == "locked"
        await trio.sleep(1.5)
        assert await ref.call(Gate.look) == "closed"


async def test_to_stay_does_not_begin_the_time_out_anew(autojump_clock: MockClock) -> None:
    class Lamp(StateServer):
        async def press(self) -> None: ...

        async def dim(self) -> None: ...

        states = {  # noqa: RUF012
            "on": State({press: "on", dim: "off"}, timeout=(10, dim)),
            "off": State({press: "on"}),
        }

    async with running(Lamp) as (ref, sup):
        for _ in range(3):
            await trio.sleep(3)
            await ref.call(Lamp.press)
        await trio.sleep(1.5)
        assert sup.snapshot().children[0].status == "in state 'off'"


async def test_a_time_out_that_stays_comes_once(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Lamp(StateServer):
        async def flicker(self) -> None:
            diary.append(f"flicker at {trio.current_time():g}")

        states = {"on": State({flicker: "on"}, timeout=(10, flicker))}  # noqa: RUF012

    async with running(Lamp):
        await trio.sleep(100)
    assert diary == ["flicker at 10"]


async def test_a_time_out_counts_from_the_way_in(autojump_clock: MockClock) -> None:
    class Slow(Gate):
        async def _come(self) -> None:
            if self.state == "locked":
                await trio.sleep(4)

    async with running(Slow) as (ref, _):
        await ref.call(Gate.lock)
        await trio.sleep(5.5)
        assert await ref.call(Gate.look) == "locked"
        await trio.sleep(1)
        assert await ref.call(Gate.look) == "closed"


async def test_a_time_out_during_the_way_in_comes_after_it(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Slow(Gate):
        async def _come(self) -> None:
            if self.state == "locked":
                await trio.sleep(15)
            await super()._come()

    async with running(partial(Slow, diary)) as (ref, _):
        await ref.call(Gate.lock)
        assert await ref.call(Gate.look) == "closed"
    told = "lock, exit closed, enter locked, close, exit locked, enter closed"
    assert ", ".join(diary[1:]) == told


async def test_a_message_that_came_before_the_time_out_is_handled_before_it(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        ref.cast(Gate.oil, 20.0)  # while it is handled the time is over
        await trio.sleep(9)
        ref.cast(Gate.turn, "open")
        await trio.sleep(2)
        ref.cast(Gate.oil)
        diary.clear()
        await trio.sleep(20)
    assert diary == ["turn", "exit locked", "enter open", "oil"]


async def test_a_message_that_came_after_the_time_out_is_handled_after_it(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        ref.cast(Gate.oil, 20.0)
        await trio.sleep(11)
        ref.cast(Gate.oil)
        diary.clear()
        await trio.sleep(20)
    assert diary == ["close", "exit locked", "enter closed", "oil"]


async def test_a_message_of_the_same_instant_goes_before_the_time_out(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        ref.cast(Gate.oil, 20.0)
        await trio.sleep(10)
        ref.cast(Gate.turn, "open")
        diary.clear()
        await trio.sleep(100)
    assert diary == ["turn", "exit locked", "enter open"]


async def test_a_time_out_does_not_outlive_its_incarnation(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, _):
        await ref.call(Gate.lock)
        await trio.sleep(5)
        ref.cast(Gate.oil, Crash())
        await trio.sleep(1)
        diary.clear()
        await trio.sleep(100)
        assert diary == []


async def test_a_full_mailbox_does_not_keep_a_time_out_away(
    gate: MakeGate, diary: list[str], autojump_clock: MockClock
) -> None:
    async with running(gate, capacity=1) as (ref, _), trio.open_nursery() as nursery:
        await ref.call(Gate.lock)
        calling = Calling(nursery, ref)
        for _ in range(5):
            nursery.start_soon(calling.call, Gate.oil, 4.0)
        await trio.sleep(11)
        nursery.start_soon(calling.call, Gate.oil)
    # Three were there before the time was over; the others were, too, but had no turn yet.
    assert diary[4:9] == ["oil"] * 5
    assert diary[9:] == ["close", "exit locked", "enter closed", "oil"]


# Messages that are set aside


async def test_what_is_postponed_is_handled_when_the_state_has_changed(gate: MakeGate) -> None:
    async with running(gate) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        await calling.call(Gate.visit, "Ada")
        await calling.call(Gate.oil)
        assert calling.came == Counter(["oil in closed"])
        await calling.call(Gate.push)
        assert calling.came == Counter(["oil in closed", "push in closed", "Ada in open"])


async def test_what_is_postponed_is_handled_oldest_first_and_before_newer_messages(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate) as (ref, _):
        for who in ("Ada", "Joe"):
            ref.cast(Gate.visit, who)
        ref.cast(Gate.push)
        ref.cast(Gate.visit, "Robert")
        ref.cast(Gate.oil)
        await ref.call(Gate.look)
    assert diary[4:] == ["visit Ada", "visit Joe", "visit Robert", "oil"]


async def test_what_is_postponed_still_waits_through_states_that_postpone_it_too(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate) as (ref, _):
        ref.cast(Gate.visit, "Ada")
        ref.cast(Gate.lock)
        ref.cast(Gate.visit, "Joe")
        ref.cast(Gate.close)
        ref.cast(Gate.visit, "Robert")
        ref.cast(Gate.push)
        await ref.call(Gate.look)
    assert [line for line in diary if line.startswith("visit")] == [
        "visit Ada",
        "visit Joe",
        "visit Robert",
    ]


async def test_to_stay_is_no_reason_to_try_again(gate: MakeGate, diary: list[str]) -> None:
    class Lamp(StateServer):
        async def stay(self) -> None:
            diary.append("stay")

        async def go(self) -> None:
            diary.append("go")

        async def wait(self) -> None:
            diary.append("wait")

        states = {  # noqa: RUF012
            "here": State({stay: "here", go: "there"}, postpone=[wait]),
            "there": State({wait: "there"}),
        }

    async with running(Lamp) as (ref, _):
        ref.cast(Lamp.wait)
        ref.cast(Lamp.stay)
        await wait_all_tasks_blocked()
        assert diary == ["stay"]
        await ref.call(Lamp.go)
        await wait_all_tasks_blocked()
        assert diary == ["stay", "go", "wait"]


async def test_what_was_postponed_may_be_refused_in_the_next_state(diary: list[str]) -> None:
    class Lamp(StateServer):
        async def break_(self) -> None: ...

        async def press(self) -> None:
            raise AssertionError

        async def mend(self) -> None: ...

        states = {  # noqa: RUF012
            "off": State({break_: "broken"}, postpone=[press]),
            "broken": State({mend: "lit"}),
            "lit": State({press: "lit"}),
        }

    async with running(Lamp) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        await calling.call(Lamp.press)
        await calling.call(Lamp.break_)
        assert calling.came == Counter([None, WrongState])


async def test_what_is_tried_again_may_change_the_state_for_those_after_it(
    diary: list[str],
) -> None:
    class Turnstile(StateServer):
        async def pay(self) -> None:
            diary.append("pay")

        async def pass_(self, who: str) -> None:
            diary.append(f"pass {who}")

        states = {  # noqa: RUF012
            "locked": State({pay: "unlocked"}, postpone=[pass_]),
            "unlocked": State({pass_: "locked"}, postpone=[pay]),
        }

    async with running(Turnstile, capacity=20) as (ref, _):
        for who in "abc":
            ref.cast(Turnstile.pass_, who)
        await wait_all_tasks_blocked()
        assert diary == []
        for _ in range(4):
            ref.cast(Turnstile.pay)
        await wait_all_tasks_blocked()
        ref.cast(Turnstile.pass_, "d")
        await wait_all_tasks_blocked()
    assert diary == ["pay", "pass a", "pay", "pass b", "pay", "pass c", "pay", "pass d"]


async def test_what_is_set_aside_again_stays_before_what_was_not_tried_yet(
    diary: list[str],
) -> None:
    class Doors(StateServer):
        async def go(self) -> None: ...

        async def visit(self, who: str) -> None:
            diary.append(who)

        async def pass_(self) -> None:
            diary.append("pass")

        states = {  # noqa: RUF012
            "first": State({go: "second"}, postpone=[visit, pass_]),
            "second": State({pass_: "third"}, postpone=[visit]),
            "third": State({visit: "third"}),
        }

    async with running(Doors) as (ref, _):
        ref.cast(Doors.visit, "Ada")
        ref.cast(Doors.pass_)
        ref.cast(Doors.visit, "Joe")
        ref.cast(Doors.go)
        ref.cast(Doors.visit, "Robert")
        await wait_all_tasks_blocked()
    assert diary == ["pass", "Ada", "Joe", "Robert"]


async def test_a_caller_that_left_is_passed_over_when_its_turn_has_come(
    gate: MakeGate, diary: list[str]
) -> None:
    told: list[Event] = []
    async with running(gate) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        leaving = await calling.call(Gate.visit, "Ada")
        await calling.call(Gate.visit, "Joe")
        leaving.cancel()
        await wait_all_tasks_blocked()
        assert ref.statistics().dropped == 0
        with subscribe(told.append, MessageDropped):
            await calling.call(Gate.push)
        assert calling.came == Counter(["push in closed", "Joe in open"])
        assert ref.statistics().dropped == 1
    assert "visit Ada" not in diary
    assert told == [MessageDropped(mailbox="it", message="visit", why="abandoned")]


async def test_a_caller_that_left_before_its_turn_is_not_set_aside(
    gate: MakeGate, autojump_clock: MockClock
) -> None:
    async with running(gate, capacity=1) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        ref.cast(Gate.oil, 5.0)
        await wait_all_tasks_blocked()
        leaving = await calling.call(Gate.visit, "Ada")
        leaving.cancel()
        await trio.sleep(6)
        assert ref.statistics().dropped == 1
        await calling.call(Gate.visit, "Joe")
        await calling.call(Gate.push)
        assert calling.came == Counter(["push in closed", "Joe in open"])


async def test_a_caller_that_left_takes_the_place_of_nobody_who_waits(gate: MakeGate) -> None:
    async with running(gate, capacity=2) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        for who in ("Ada", "Joe", "Robert"):
            (await calling.call(Gate.visit, who)).cancel()
            await wait_all_tasks_blocked()
        await calling.call(Gate.visit, "Mike")
        await calling.call(Gate.push)
        assert calling.came == Counter(["push in closed", "Mike in open"])


async def test_no_more_messages_are_set_aside_than_the_mailbox_takes(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate, capacity=2) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        for who in ("Ada", "Joe", "Robert"):
            await calling.call(Gate.visit, who)
        assert calling.came == Counter([MailboxFull])
        figures = ref.statistics()
        assert (figures.sent, figures.received, figures.dropped, figures.used) == (3, 0, 1, 2)
        await calling.call(Gate.push)
        assert calling.came == Counter(
            [MailboxFull, "push in closed", "Ada in open", "Joe in open"]
        )


async def test_a_cast_that_is_one_too_many_is_told(gate: MakeGate) -> None:
    told: list[Event] = []
    async with running(gate, capacity=1) as (ref, _):
        with subscribe(told.append, MessageDropped):
            for who in ("Ada", "Joe"):
                ref.cast(Gate.visit, who)
                await wait_all_tasks_blocked()
        assert ref.statistics().dropped == 1
    assert told[0] == MessageDropped(mailbox="it", message="visit", why="overflow")


async def test_there_is_room_again_for_what_is_postponed_after_it_was_handled(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate, capacity=1) as (ref, _):
        for who in ("Ada", "Joe"):
            ref.cast(Gate.visit, who)
            await ref.call(Gate.push)
            await ref.call(Gate.close)
        assert ref.statistics().dropped == 0
    assert [line for line in diary if line.startswith("visit")] == ["visit Ada", "visit Joe"]


async def test_what_is_postponed_survives_a_crash(gate: MakeGate, diary: list[str]) -> None:
    async with running(gate) as (ref, sup), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        await calling.call(Gate.visit, "Ada")
        await calling.call(Gate.oil, Crash())
        await calling.call(Gate.visit, "Joe")
        assert sup.children["it"].incarnation == 2
        await calling.call(Gate.push)
        assert calling.came == Counter([CallFailed, "push in closed", "Ada in open", "Joe in open"])


async def test_what_is_postponed_is_tried_in_the_initial_state_of_the_next_incarnation(
    diary: list[str],
) -> None:
    class Other(Gate):
        initial = "open"

    async with running(partial(Other, diary)) as (ref, _):
        await ref.call(Gate.close)
        ref.cast(Gate.visit, "Ada")
        ref.cast(Gate.oil, Crash())
        ref.cast(Gate.visit, "Joe")
        await wait_all_tasks_blocked()
    assert [line for line in diary if line.startswith("visit")] == ["visit Ada", "visit Joe"]


async def test_a_crash_while_messages_are_tried_again_keeps_the_rest_in_order(
    gate: MakeGate, diary: list[str]
) -> None:
    class Faulty(Gate):
        async def visit(self, who: Any = "") -> str:
            if who == "Joe":
                raise Crash
            return await super().visit(who)

    async with running(partial(Faulty, diary)) as (ref, _), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        for who in ("Ada", "Joe", "Robert", "Mike"):
            await calling.call(Gate.visit, who)
        await calling.call(Gate.push)
        assert calling.came == Counter(["push in closed", "Ada in open", CallFailed])
        await calling.call(Gate.visit, "Virding")
        await calling.call(Gate.push)
    assert [line for line in diary if line.startswith("visit")] == [
        "visit Ada",
        "visit Robert",
        "visit Mike",
        "visit Virding",
    ]


async def test_what_is_postponed_when_the_server_goes_is_refused(gate: MakeGate) -> None:
    told: list[Event] = []
    async with running(gate) as (ref, sup), trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        await calling.call(Gate.visit, "Ada")
        ref.cast(Gate.visit, "Joe")
        await wait_all_tasks_blocked()
        assert ref.statistics().dropped == 0
        with subscribe(told.append, MessageDropped):
            await sup.stop_child("it")
            await wait_all_tasks_blocked()
        assert calling.came == Counter([ServerGone])
        figures = ref.statistics()
        assert (figures.sent, figures.received, figures.dropped, figures.used) == (2, 0, 2, 0)
        assert told == [MessageDropped(mailbox="it", message="visit", why="closed")] * 2
        await sup.restart_child("it")
        await calling.call(Gate.push)
        assert calling.came == Counter([ServerGone, "push in closed"])


async def test_what_is_postponed_when_the_supervisor_gives_up_is_refused(gate: MakeGate) -> None:
    spec, ref = serve(gate, capacity=10)
    async with trio.open_nursery() as nursery:
        calling = Calling(nursery, ref)
        with pytest.raises(RestartLimitReached):
            async with open_supervisor([spec], max_restarts=0):
                await calling.call(Gate.visit, "Ada")
                ref.cast(Gate.oil, Crash())
                await trio.sleep_forever()
    assert calling.came == Counter([ServerGone])
    assert_conserved(ref)


async def test_what_is_postponed_when_a_drained_server_stops_is_refused(gate: MakeGate) -> None:
    async with trio.open_nursery() as nursery:
        async with running(gate, drain=True) as (ref, _):
            calling = Calling(nursery, ref)
            await calling.call(Gate.visit, "Ada")
            await calling.call(Gate.oil)
        await wait_all_tasks_blocked()
        assert calling.came == Counter(["oil in closed", ServerGone])


async def test_a_server_that_drains_still_handles_what_waits_for_another_state(
    gate: MakeGate, diary: list[str]
) -> None:
    async with running(gate, drain=True) as (ref, _):
        ref.cast(Gate.visit, "Ada")
        await wait_all_tasks_blocked()
        ref.cast(Gate.push)
        ref.cast(Gate.visit, "Joe")
    assert diary[3:] == ["enter open", "visit Ada", "visit Joe"]


# Figures, and what is shown


async def test_what_is_set_aside_waits_still(gate: MakeGate) -> None:
    async with running(gate) as (ref, _):
        ref.cast(Gate.visit, "Ada")
        await wait_all_tasks_blocked()
        figures = ref.statistics()
        assert (figures.sent, figures.received, figures.dropped, figures.used) == (1, 0, 0, 1)


async def test_how_long_a_message_was_set_aside_is_part_of_how_long_it_waited(
    gate: MakeGate, autojump_clock: MockClock
) -> None:
    told: list[CallStarted] = []

    def listen(event: Event) -> None:
        if isinstance(event, CallStarted):
            told.append(event)

    with subscribe(listen, CallStarted):
        async with running(gate) as (ref, _):
            ref.cast(Gate.visit, "Ada")
            await trio.sleep(3)
            await ref.call(Gate.push)
            await wait_all_tasks_blocked()
    assert [(event.method, event.queued_for) for event in told] == [("push", 0), ("visit", 3)]


async def test_the_snapshot_shows_the_state(gate: MakeGate) -> None:
    async with running(gate) as (ref, sup):
        assert sup.snapshot().children[0].status == "in state 'closed'"
        await ref.call(Gate.push)
        assert sup.snapshot().children[0].status == "in state 'open'"
        assert "it  running, incarnation 1: in state 'open'" in str(sup.snapshot())


async def test_the_snapshot_shows_the_state_beside_the_message_in_hand(
    gate: MakeGate, autojump_clock: MockClock
) -> None:
    async with running(gate) as (ref, sup):
        ref.cast(Gate.oil, 5.0)
        ref.cast(Gate.push)
        await trio.sleep(2)
        status = sup.snapshot().children[0].status
        assert isinstance(status, CurrentMessage)
        assert str(status) == "in state 'closed'; oil for 2 s, 1 more wait"


async def test_the_snapshot_shows_what_the_server_itself_shows_instead() -> None:
    class Other(Gate):
        async def setup(self) -> None:
            current_child().status = "of iron"

    async with running(Other) as (_, sup):
        assert sup.snapshot().children[0].status == "of iron"


async def test_the_snapshot_shows_no_state_of_a_server_that_does_not_run(gate: MakeGate) -> None:
    async with running(gate) as (ref, sup):
        await ref.call(Gate.push)
        await sup.stop_child("it")
        assert sup.snapshot().children[0].status is None


async def test_the_snapshot_shows_no_state_of_an_incarnation_before(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Slow(Gate):
        async def setup(self) -> None:
            await trio.sleep(5)

    async with running(partial(Slow, diary)) as (ref, sup):
        await ref.call(Gate.push)
        ref.cast(Gate.oil, Crash())
        await trio.sleep(1)
        assert str(sup.snapshot().children[0].status) == "setup for 1 s"


async def test_a_hundred_messages_are_set_aside_and_handled_without_keeping_others_waiting(
    diary: list[str],
) -> None:
    steps = 0

    async def count() -> None:
        nonlocal steps
        while True:
            await trio.lowlevel.checkpoint()
            steps += 1

    async with trio.open_nursery() as nursery:
        async with running(partial(Gate, diary), capacity=100) as (ref, _):
            for who in range(100):
                ref.cast(Gate.visit, who)
            await wait_all_tasks_blocked()
            nursery.start_soon(count)
            await ref.call(Gate.push)
            before = steps
            await ref.call(Gate.look)
            assert steps - before >= 2
        nursery.cancel_scope.cancel()
    assert len([line for line in diary if line.startswith("visit")]) == 100


# What a second reader found


class Line(StateServer):
    """Puts requests off for as long as it is not connected."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary

    async def request(self, number: int) -> None:
        self.diary.append(f"request {number}")

    async def connect(self) -> None:
        self.diary.append("connect")

    async def hang_up(self) -> None:
        self.diary.append("hang up")

    async def poll(self) -> None:
        self.diary.append("poll")

    states: ClassVar = {
        "down": State({connect: "up", hang_up: "down"}, postpone=(request, poll)),
        "up": State({request: "up", hang_up: "down", poll: "up"}),
    }


class Steps(trio.abc.Instrument):
    """Counts how often a task gets its turn."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += self.name in task.name


async def test_while_many_messages_are_set_aside_other_tasks_get_their_turn(
    diary: list[str],
) -> None:
    async with running(partial(Line, diary), capacity=1_000) as (ref, _):
        await wait_all_tasks_blocked()
        steps = Steps("/it")
        trio.lowlevel.add_instrument(steps)
        for number in range(1_000):
            ref.cast(Line.request, number)
        await wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(steps)
        assert steps.count >= 1_000 // 32
        assert ref.statistics().used == 1_000
        await ref.call(Line.connect)
        await ref.call(Line.hang_up)
    assert diary[:3] == ["connect", "request 0", "request 1"]


async def test_a_server_that_drains_waits_for_what_a_time_out_may_let_through(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Dialler(Line):
        states: ClassVar = {
            "down": State(
                {Line.connect: "up", Line.hang_up: "down"},
                postpone=[Line.request, Line.poll],
                timeout=(5.0, Line.connect),
            ),
            "up": State({Line.request: "up", Line.hang_up: "down", Line.poll: "up"}),
        }

    async with running(partial(Dialler, diary), drain=True, grace=60) as (ref, _):
        ref.cast(Line.request, 1)
        await wait_all_tasks_blocked()
    assert diary == ["connect", "request 1"]
    assert trio.current_time() == 5


async def test_a_timer_that_is_called_off_while_it_is_set_aside_does_not_run(
    diary: list[str], autojump_clock: MockClock
) -> None:
    servers: list[Line] = []

    class Polling(Line):
        async def setup(self) -> None:
            servers.append(self)

    async with running(partial(Polling, diary)) as (ref, _):
        timers = [servers[0].after(1, servers[0].poll) for _ in range(2)]
        await trio.sleep(2)
        timers[0].cancel()
        await ref.call(Line.connect)
        await wait_all_tasks_blocked()
    assert diary == ["connect", "poll"]


async def look_in(self: Any) -> None: ...


@pytest.mark.parametrize("everywhere", [list, tuple, set], ids=["list", "tuple", "set"])
def test_everywhere_may_be_any_collection(everywhere: Any) -> None:
    lamp = make({"off": State({press: "off"})}, look_in=look_in, everywhere=everywhere([look_in]))
    assert issubclass(lamp, StateServer)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"off": State({press: None})}, "leads to None, which is no name of a state"),  # type: ignore[dict-item]
        ({"off": State({press: ("off", 1)})}, r"leads to \('off', 1\), which is no name"),  # type: ignore[dict-item]
        ({"off": State({press: "off"}, postpone=press)}, "takes a list of methods, not <function"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_state_and_no_list_is_refused(table: dict[str, State], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        make(table)


async def test_a_server_that_drains_does_not_wait_for_a_timer_that_is_set_aside(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Polling(Line):
        async def setup(self) -> None:
            self.every(1, self.poll)

    async with running(partial(Polling, diary), drain=True, grace=60):
        await trio.sleep(1.5)
    assert diary == []
    assert trio.current_time() == 1.5


async def test_a_server_that_drains_does_not_wait_for_a_caller_that_has_left(
    diary: list[str], autojump_clock: MockClock
) -> None:
    class Dialling(Line):
        async def setup(self) -> None:
            self.after(50, self.connect)

    async with running(partial(Dialling, diary), drain=True, grace=60) as (ref, _):
        with trio.move_on_after(1):
            await ref.call(Line.request, 1)
    assert diary == []
    assert trio.current_time() == 1
    assert ref.statistics().dropped == 1
