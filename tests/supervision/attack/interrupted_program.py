"""A program that is interrupted at one step of the library after another.

Run as ``python interrupted_program.py MAIN FIRST STRIDE``. For n = FIRST, FIRST + STRIDE and so
on it sends itself SIGINT before the n-th instruction that is run in ``trio_foundation``. The
run must end by KeyboardInterrupt, with every task gone and every child that began at its end.
"""

from __future__ import annotations

import contextlib
import dis
import itertools
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any, cast

import trio
import trio.testing

import trio_foundation
from trio_foundation import Backoff
from trio_foundation.supervision import (
    Liveness,
    child,
    cleanup_scope,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)

HOME = trio_foundation.__file__.removesuffix("__init__.py")


# For a run that takes milliseconds: so long that not even a busy machine is taken to hang.
PATIENCE = 15


class HungError(BaseException):
    pass


# Python looks for signals after these only.
LOOKS = {dis.opmap[name] for name in ("CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD")}


class Bell:
    """Sends one SIGINT, at the n-th instruction before which Python looks for signals."""

    def __init__(self, due: int) -> None:
        # Python 3.12 traces instructions only if some frame has asked for it before `settrace`;
        # without, the bell would never ring there, and no test would tell.
        sys._getframe().f_trace_opcodes = True
        self.due = due
        self.rung_at: str | None = None
        self.looked: dict[FrameType, bool] = {}

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "return":
            self.looked.pop(frame, None)
        if event == "opcode":
            code = frame.f_code
            operation = code.co_code[frame.f_lasti]
            looks = operation in LOOKS
            if operation == dis.opmap["RESUME"]:
                looks = code.co_code[frame.f_lasti + 1] < 2  # others follow an await
            if self.looked.get(frame):
                self.due -= 1
            self.looked[frame] = looks
            if self.due == 0:
                self.rung_at = f"{code.co_filename.removeprefix(HOME)}:{frame.f_lineno}"
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return self


class Tally:
    began = 0
    ended = 0
    hung = False


tally = Tally()


@contextlib.contextmanager
def counted() -> Generator[None, None, None]:
    # The bell rings within the library only, so these two lines are never torn apart.
    tally.began += 1
    try:
        yield
    finally:
        tally.ended += 1


async def last(*, task_status: trio.TaskStatus[str]) -> None:
    with counted():
        try:
            await trio.sleep(0.5)
            task_status.started("ready")
            current_child().beat()
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(0.1)


async def listen() -> None:
    with counted():
        await stop_requested().wait()


async def crash() -> None:
    with counted():
        await trio.sleep(1)
        raise ValueError("crash")


async def short() -> None:
    with counted():
        await trio.sleep(1)


async def main() -> None:
    tree = [
        child(last, name="a", liveness=Liveness(every=100)),
        subtree([child(listen), child(last)], name="sub"),
        child(crash, name="c", backoff=Backoff(jitter=0)),
    ]
    with counted():
        async with open_supervisor(tree, strategy="rest_for_one", max_restarts=100) as sup:
            sup.start_soon(short, restart="temporary")
            await trio.sleep(3)
            with trio.move_on_after(0.2):
                await sup.start(last, name="d")
            await sup.stop_child("a")
            await sup.restart_child("a")
            await sup.stop_child("a")
            sup.delete_child("a")
            sup.snapshot()
            async with open_dynamic_supervisor() as dyn:
                one = await dyn.start(last, name="one")
                with one.monitor() as exits:
                    two = dyn.start_soon(short)
                    await two.wait_exit()
                    await dyn.start(listen)
                    await dyn.stop_child("one")
                    async for _ in exits:
                        pass


async def start_one() -> None:
    with counted():
        async with open_dynamic_supervisor() as dyn:
            await dyn.start(last)
            await dyn.start(listen)


async def start_one_soon() -> None:
    with counted():
        async with open_supervisor() as sup, open_dynamic_supervisor() as dyn:
            dyn.start_soon(last)
            await sup.start_soon(listen).wait_ready()
            await trio.sleep(1)


MAINS = {"everything": main, "start": start_one, "start_soon": start_one_soon}


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for inner in group.exceptions for leaf in leaves(inner)]
    return [error]


def give_up(signum: int, frame: FrameType | None) -> None:
    tally.hung = True  # the error itself may be lost to a KeyboardInterrupt
    raise HungError


def attempt(program: Callable[[], Awaitable[None]], due: int) -> str | None:
    """Return what went wrong, if anything did; raise StopIteration after the last step."""
    tally.began = tally.ended = 0
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    bell = Bell(due)
    sys.settrace(bell)
    wrong: str | None = None
    uninterrupted = False
    try:
        trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0))
        uninterrupted = True
        wrong = "did not end by KeyboardInterrupt"
    except KeyboardInterrupt:
        pass
    except BaseException as error:  # noqa: BLE001
        kinds = ", ".join(sorted({type(leaf).__name__ for leaf in leaves(error)}))
        wrong = f"ended by {type(error).__name__} of {kinds}"
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    if uninterrupted and bell.rung_at is None:
        raise StopIteration
    if tally.hung:
        wrong = f"hung, {wrong or 'ended by KeyboardInterrupt'}"
    if wrong is None and tally.began != tally.ended:
        wrong = f"{tally.began} began, {tally.ended} ended"
    return None if wrong is None else f"{due} at {bell.rung_at}: {wrong}"


if __name__ == "__main__":
    logging.disable()
    signal.signal(signal.SIGALRM, give_up)
    program, first, stride = MAINS[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    failures = 0
    for due in itertools.count(first, stride):
        try:
            wrong = attempt(program, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            break
        if wrong is not None:
            failures += 1
            print(wrong, flush=True)  # noqa: T201  a program's answer
            if tally.hung or failures == 20:
                break  # before the test runs out of patience, and tells nothing
    sys.exit(bool(failures))
