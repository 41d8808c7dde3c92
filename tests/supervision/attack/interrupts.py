"""What the rooms' tests of KeyboardInterrupt at any step share.

Each has a program of its own, which is interrupted at one step of the library after another. It
runs in a process of its own, as a module: ``python -m tests.room.test_interrupts FIRST STRIDE``.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio_foundation

from . import interrupted_program

__all__ = ["run_module", "sweep"]

# Where the package is, and where the tests are, which may be another place.
ROOT = Path(trio_foundation.__file__).parents[1]
HERE = Path(__file__).parents[3]


def sweep(
    program: Callable[[], Awaitable[None]],
    *,
    begin: Callable[[], None],
    disorder: Callable[[], list[str]],
) -> None:
    """Interrupt a program at the steps of the command line, and exit with 1 if that breaks it.

    Args:
        program: What is run.
        begin: Forgets what the run before has left.
        disorder: Returns what is wrong when a run has ended as it should.
    """
    logging.disable()
    signal.signal(signal.SIGALRM, interrupted_program.give_up)
    first, stride = int(sys.argv[1]), int(sys.argv[2])
    sys.exit(bool(_failures(program, first, stride, begin, disorder)))


def run_module(module: str, *arguments: object) -> None:
    """Run such a module, and see that it found nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-Wignore:coroutine:RuntimeWarning",  # between a call and its await it is too early
            "-m",
            module,
            *map(str, arguments),
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
    assert "steps:" in done.stdout


def _failures(
    program: Callable[[], Awaitable[None]],
    first: int,
    stride: int,
    begin: Callable[[], None],
    disorder: Callable[[], list[str]],
) -> int:
    failures = 0
    noise: list[object] = []
    sys.unraisablehook = noise.append
    for due in itertools.count(first, stride):
        begin()
        try:
            wrong = interrupted_program.attempt(program, due)
        except StopIteration:
            print("steps:", due)  # noqa: T201  a program's answer
            break
        if due % 50 == 0:
            gc.collect()
        wrong = wrong or "; ".join([*disorder(), *(str(one) for one in noise)])
        noise.clear()
        if wrong:
            failures += 1
            print(due, wrong, flush=True)  # noqa: T201  a program's answer
            if interrupted_program.tally.hung or failures == 20:
                break  # before the test runs out of patience, and tells nothing
    return failures
