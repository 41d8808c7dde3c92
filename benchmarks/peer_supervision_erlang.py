"""How a restart compares with that of Erlang's supervisor: another world, told for what it is.

Its child is a process with a heap of its own, its supervisor another; the log is off on both sides.
"""

from __future__ import annotations

from ._erlang import erlang_job, otp_release
from ._runner import Finding, Plan, compare, take_turns
from .bench_supervision import crashes_ours, unwritten_log

__all__ = ["BENCHMARKS"]

BESIDE = 200.0
"""No target: Python is slower. It only shows what is out of all proportion."""


def crash_beside_erlang(plan: Plan) -> Finding:
    """How much longer does it take until a child that crashed runs again, than in Erlang?"""
    with unwritten_log():
        ours, theirs = take_turns(
            (crashes_ours, plan.size(1_000, smoke=20)),
            (erlang_job("crasher.escript", "crash"), plan.size(10_000, smoke=100)),
            rounds=plan.rounds(),
        )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="crash to running again, beside OTP's supervisor",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=otp_release(),
        samples_in="us a crash",
        readings=readings,
    )


BENCHMARKS = (crash_beside_erlang,)
