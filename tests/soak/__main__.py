"""Put the demo under load: ``python -m tests.soak --hours 4``.

The exit code is 0 if it held, 1 if it did not, which is said, and 2 if the arguments make no
sense.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ._plan import Terms
from ._plot import can_draw, draw
from ._run import Outcome, run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Put the demo under load, and return the exit code."""
    options = _parse(arguments)
    make = Terms.virtual if options.virtual else Terms.real
    terms = make(3600 * options.hours + 60 * options.minutes, options.seed)
    begun, busy = time.perf_counter(), time.process_time()
    outcome = run(terms, virtual=options.virtual)
    took, used = time.perf_counter() - begun, time.process_time() - busy
    kind = "virtual" if options.virtual else "real"
    sys.stdout.write(f"{terms.seconds:,.0f} s of {kind} time, seed {terms.seed}: ")
    sys.stdout.write(f"{took:.1f} s, of which the processor was busy for {used:.1f} s\n")
    _report(outcome)
    if options.json is not None:
        options.json.write_text(json.dumps(outcome.as_json()) + "\n")
    if options.plot is not None:
        draw(outcome, options.plot)
    return 1 if outcome.failures else 0


def _report(outcome: Outcome) -> None:
    told = outcome.as_json()
    for what in ("batches", "faults"):
        line = ", ".join(f"{many:,} {name}" for name, many in told[what].items())
        sys.stdout.write(f"{what}: {line}\n")
    for growth in told["growth"]:
        sys.stdout.write(f"{growth['name']:9}{growth['early']:14,.0f} ->{growth['late']:14,.0f}\n")
    for name, seconds in told["seconds_p99"].items():
        sys.stdout.write(f"{name}(): {1000 * seconds:.2f} ms (p99)\n")
    for failure in outcome.failures:
        sys.stdout.write(f"FAILED: {failure}\n")
    if not outcome.failures:
        sys.stdout.write("It held.\n")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.soak", description="Put the demo under load, with faults, and judge it."
    )
    add = parser.add_argument
    add("--hours", type=float, default=0.0, metavar="N", help="how long")
    add("--minutes", type=float, default=0.0, metavar="N", help="and some minutes more")
    add("--virtual", action="store_true", help="in virtual time, as fast as the machine can")
    add("--seed", type=int, default=1, metavar="N", help="another one is another plan (1)")
    add("--json", type=Path, metavar="FILE", help="write all that was measured")
    add("--plot", type=Path, metavar="FILE", help="draw it; that takes matplotlib")
    options = parser.parse_args(arguments)
    if not 1 <= options.hours * 60 + options.minutes < float("inf"):
        parser.error("it takes a minute at least: write --hours 4, or --minutes 1")
    if options.plot is not None and not can_draw():  # which is better known now than in 4 hours
        parser.error("--plot takes matplotlib: pip install matplotlib")
    return options


if __name__ == "__main__":
    sys.exit(main())
