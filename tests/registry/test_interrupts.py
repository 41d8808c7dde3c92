"""Tests of KeyboardInterrupt at any step of a registry.

Run as a program, ``python -m tests.registry.test_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_foundation
from trio_foundation.registry import Registry, RegistryEvent, where
from trio_foundation.supervision import current_child, open_dynamic_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack import interrupted_program as sweep

ROOT = Path(trio_foundation.__file__).parents[1]
# Where the tests are, which may be another place.
HERE = Path(__file__).parents[2]

made: list[Registry[str, int]] = []


class Oops(Exception):
    """What transactions fail with."""


async def serve(registry: Registry[str, int], name: str) -> None:
    with sweep.counted():
        registry.bind(name, 1, current_child(), tags=[name, "all"])
        registry.bind(f"{name}'", 2, current_child(), load=1)
        with registry.register(f"{name} block", 3, tags={"all"}):
            registry.update(name, load=1)
            registry.replace(name, tags=["all"])
            await trio.sleep(1)


async def wait(registry: Registry[str, int]) -> None:
    with sweep.counted():
        await registry.wait_for("last")


def change(registry: Registry[str, int]) -> None:
    with suppress(Oops), registry.transaction():
        registry.unregister("a")
        with registry.register("new", 4, load=2), registry.transaction():
            registry.update("new", tags=["all"])
        raise Oops
    with registry.transaction():
        registry.unregister("a'")


async def everything() -> None:
    registry = Registry[str, int](indexes=["tags", "load"])
    made.append(registry)
    told: list[RegistryEvent] = []
    with sweep.counted(), subscribe(told.append, RegistryEvent), registry.watch(2) as changes:
        async with open_dynamic_supervisor() as sup:
            for name in ("a", "b"):
                await sup.start(serve, registry, name)
            sup.start_soon(wait, registry)
            await wait_all_tasks_blocked()
            change(registry)
            registry.find(tags="all")
            registry.query(where("load") >= 1)
            with registry.register("last", 5):
                await changes.receive()
                await sup.stop_child("serve")
                await trio.sleep(2)


def disorder() -> list[str]:
    """Return what is wrong with the registries, as the run has ended."""
    wrong: list[str] = []
    for registry in made:
        book = registry._book
        wrong += book.check()
        left = (len(registry), len(book.owners), len(book.watchers), len(book.arrivals))
        if any(left) or book.transaction is not None:
            wrong.append(f"{[*registry]} are left: {left}, in {book.transaction}")
    return wrong


def sweep_through(first: int, stride: int) -> int:
    failures = 0
    noise: list[object] = []
    sys.unraisablehook = noise.append
    for due in itertools.count(first, stride):
        made.clear()
        try:
            wrong = sweep.attempt(everything, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            return failures
        if due % 50 == 0:
            gc.collect()
        wrong = wrong or "; ".join([*disorder(), *(str(one) for one in noise)])
        noise.clear()
        if wrong:
            failures += 1
            print(due, wrong, flush=True)  # noqa: T201  a program's answer
            if sweep.tally.hung or failures == 20:
                break
    return failures


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(3, 17), (11, 17)])
def test_an_interrupt_leaves_a_registry_in_order_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-Wignore:coroutine:RuntimeWarning",  # between a call and its await it is too early
            "-m",
            "tests.registry.test_interrupts",
            str(first),
            str(stride),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        timeout=45,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stderr == ""


if __name__ == "__main__":
    logging.disable()
    signal.signal(signal.SIGALRM, sweep.give_up)
    sys.exit(bool(sweep_through(int(sys.argv[1]), int(sys.argv[2]))))
