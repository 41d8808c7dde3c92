"""How a program in Erlang takes its turn: it measures itself, and tells the seconds."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import trio

from ._runner import Job

__all__ = ["erlang_job", "otp_release"]

HERE = Path(__file__).resolve().parent / "erlang"


def erlang_job(program: str, what: str) -> Job:
    """Return the job that has a program in ``erlang/`` do something so many times.

    Each sample is a process of its own, which first does all of it to warm up. Starting it is
    not timed.
    """

    async def run(count: int) -> float:
        command = ["escript", str(HERE / program), what, str(count)]
        done = await trio.run_process(command, capture_stdout=True)
        return float(done.stdout.split()[0])

    return run


@cache
def otp_release() -> str:
    """Return what stands beside ours: ``Erlang/OTP 25``."""
    asked = "io:format(erlang:system_info(otp_release)), halt()."
    command = ["erl", "-noshell", "-eval", asked]
    return f"Erlang/OTP {subprocess.check_output(command, text=True).strip()}"
