"""How servers compare with a gen_server of Erlang: another world, told for what it is.

A compiled language on a machine made for processes: its server runs beside its caller, on a core of its
own if there is one, and may be on another computer. Its mailbox has no cap.
"""

from __future__ import annotations

from functools import partial

from ._erlang import erlang_job, otp_release
from ._runner import Finding, Plan, compare, take_turns
from .bench_messaging import BURST, casts_ours, counter_ours, one_caller

__all__ = ["BENCHMARKS"]

BESIDE = 200.0
"""No target: Python is slower. It only shows what is out of all proportion."""


def call_beside_erlang(plan: Plan) -> Finding:
    """How much longer does a call take than ``gen_server:call``?"""
    count = plan.size(3_000, smoke=50)
    ours, theirs = take_turns(
        (partial(one_caller, counter_ours), count),
        (erlang_job("counter.escript", "call"), plan.size(100_000, smoke=1_000)),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="call, beside gen_server:call",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=otp_release(),
        samples_in="us a call",
        readings=readings,
    )


def cast_beside_erlang(plan: Plan) -> Finding:
    """How much longer does a cast take than ``gen_server:cast``, all of them handled?"""
    ours, theirs = take_turns(
        (casts_ours, plan.size(10_000, smoke=4 * BURST)),
        (erlang_job("counter.escript", "cast"), plan.size(200_000, smoke=1_000)),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="cast, beside gen_server:cast",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=otp_release(),
        samples_in="us a cast",
        readings=readings,
    )


BENCHMARKS = (call_beside_erlang, cast_beside_erlang)
