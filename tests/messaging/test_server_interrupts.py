"""Tests of KeyboardInterrupt and SystemExit, in a handler and at any step of the library.

Run as a program, ``python -m tests.messaging.test_server_interrupts FIRST STRIDE``, this sends
itself SIGINT before the n-th instruction that is run in the library, for n = FIRST,
FIRST + STRIDE and so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_foundation
from trio_foundation.messaging import (
    CallError,
    CallFailed,
    CallFinished,
    CallStarted,
    MessageDropped,
    MessagingEvent,
    Ref,
    Server,
    ServerGone,
    serve,
)
from trio_foundation.supervision import Exit, open_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack import interrupted_program as sweep
from ._servers import Worker, assert_conserved, attempt, worker

ROOT = Path(trio_foundation.__file__).parents[1]
# Where the tests are, which may be another place.
HERE = Path(__file__).parents[2]


# Raised in a handler


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("verb", ["call", "cast"])
def test_an_interrupt_in_a_handler_leaves_bare_and_nobody_waits_for_ever(
    kind: type[BaseException], verb: str
) -> None:
    fatal = kind("in a handler")
    answers: list[Any] = []

    async def ask(ref: Ref[Worker]) -> None:
        answers.append(await attempt(ref, Worker.echo, "queued"))

    async def main() -> None:
        spec, ref = worker()
        async with open_supervisor() as outer, open_supervisor([spec]):
            if verb == "cast":
                ref.cast(Worker.crash, fatal)
            outer.start_soon(ask, ref, restart="temporary", grace=0)
            if verb == "call":
                answers.append(await attempt(ref, Worker.crash, fatal))
            await trio.sleep_forever()

    with pytest.raises(kind) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert caught.value is fatal
    for answer in answers:
        assert isinstance(answer, (CallFailed, ServerGone)) or answer == "queued"
        if isinstance(answer, CallFailed):
            assert answer.__cause__ is fatal


@pytest.mark.parametrize("where", ["setup", "teardown", "factory"])
def test_an_interrupt_elsewhere_in_a_server_leaves_bare_too(where: str) -> None:
    fatal = KeyboardInterrupt(where)

    class Torn(Worker):
        def __init__(self) -> None:
            if where == "factory":
                raise fatal

        async def setup(self) -> None:
            if where == "setup":
                raise fatal

        async def teardown(self, exit: Exit) -> None:
            if where == "teardown":
                raise fatal

    async def main() -> None:
        spec, _ = serve(Torn, capacity=1)
        async with open_supervisor([spec]):
            pass

    with pytest.raises(KeyboardInterrupt) as caught:
        trio.run(main)
    assert caught.value is fatal


@pytest.mark.parametrize("kind", [CallStarted, CallFinished, MessageDropped])
def test_an_interrupt_in_who_listens_leaves_bare_and_nobody_waits_for_ever(
    kind: type[MessagingEvent],
) -> None:
    fatal = KeyboardInterrupt("in telemetry")

    def interrupt(event: MessagingEvent) -> None:
        raise fatal

    async def main() -> None:
        spec, ref = worker(capacity=1, overflow="drop_oldest")
        async with open_supervisor([spec]):
            await wait_all_tasks_blocked()
            with subscribe(interrupt, kind):
                ref.cast(Worker.echo, 1)
                ref.cast(Worker.echo, 2)
                await attempt(ref, Worker.echo, 3)
                await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert caught.value is fatal


def test_a_server_that_was_interrupted_is_not_started_again() -> None:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker())
        return made[-1]

    async def main() -> None:
        spec, ref = serve(make, capacity=1)
        async with open_supervisor([spec]):
            await attempt(ref, Worker.crash, KeyboardInterrupt())
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert len(made) == 1


# By a signal


class Patient(Server):
    """Does a bit of everything."""

    async def setup(self) -> None:
        await trio.lowlevel.checkpoint()

    async def teardown(self, exit: Exit) -> None:
        await trio.lowlevel.checkpoint()

    async def echo(self, value: int) -> int:
        with sweep.counted():
            return value

    async def nap(self) -> None:
        with sweep.counted():
            await trio.sleep(0.5)

    async def refuse(self) -> None:
        raise CallError("no")

    async def crash(self) -> None:
        raise ValueError("crash")

    async def interrupt(self) -> None:
        with sweep.counted():
            signal.raise_signal(signal.SIGINT)


async def ask_again_and_again(ref: Ref[Patient]) -> None:
    with sweep.counted(), suppress(ServerGone):
        while True:
            with suppress(CallFailed):
                await ref.call(Patient.nap)


async def everything() -> None:
    spec, ref = serve(Patient, capacity=2, drain=True)
    dropping_spec, dropping = serve(Patient, capacity=1, overflow="drop_oldest", name="dropping")
    told: list[MessagingEvent] = []
    with sweep.counted():
        ref.cast(Patient.echo, 0)
        with subscribe(told.append, MessagingEvent):
            async with open_supervisor([spec, dropping_spec], max_restarts=100) as sup:
                for _ in range(3):
                    sup.start_soon(ask_again_and_again, ref, restart="temporary")
                await ref.call(Patient.echo, 1)
                with trio.move_on_after(0.7):
                    await ref.call(Patient.echo, 2)
                await attempt(ref, Patient.refuse)
                await attempt(ref, Patient.crash)
                for number in range(4):
                    dropping.cast(Patient.echo, number)
                    await dropping.cast_wait(Patient.echo, number)
                await sup.stop_child("dropping")
                await sup.restart_child("dropping")
                dropping.cast(Patient.crash)
                await dropping.call(Patient.echo, 3)
                sup.snapshot()
    assert_conserved(ref)
    assert_conserved(dropping)


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(5, 61), (35, 61)])
def test_an_interrupt_ends_a_program_of_servers_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    done = run_this("sweep", str(first), str(stride))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.realtime
def test_a_signal_in_a_handler_is_raised_there() -> None:
    done = run_this("signal")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout == "caller: CallFailed from KeyboardInterrupt\nbare\n"


def run_this(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tests.messaging.test_server_interrupts", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        timeout=45,
    )


async def be_interrupted() -> None:
    spec, ref = serve(Patient, capacity=2)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
        answer = await attempt(ref, Patient.interrupt)
        print(f"caller: {type(answer).__name__} from {type(answer.__cause__).__name__}")  # noqa: T201
        await trio.sleep_forever()


def sweep_through(first: int, stride: int) -> int:
    failures = 0
    for due in itertools.count(first, stride):
        try:
            wrong = sweep.attempt(everything, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            return failures
        if wrong is not None:
            failures += 1
            print(wrong, flush=True)  # noqa: T201  a program's answer
            if sweep.tally.hung or failures == 20:
                break
    return failures


if __name__ == "__main__":
    logging.disable()
    if sys.argv[1] == "signal":
        try:
            trio.run(be_interrupted)
        except KeyboardInterrupt:
            print("bare")  # noqa: T201  a program's answer
        sys.exit(0)
    signal.signal(signal.SIGALRM, sweep.give_up)
    sys.exit(bool(sweep_through(int(sys.argv[2]), int(sys.argv[3]))))
