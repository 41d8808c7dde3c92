"""Measure what the rooms cost: ``python -m benchmarks [room …]``; see README.md."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import attrs

from ._machine import Machine
from ._runner import Benchmark, Finding, Plan

HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    asked = parser().parse_args(arguments)
    plan = Plan(smoke=asked.smoke, asked_rounds=asked.rounds)
    benchmarks = list(chosen(asked.rooms or ROOMS, peers=asked.peers))
    machine = Machine.here()
    print(machine)
    findings: dict[str, Finding] = {}
    for room, benchmark in benchmarks:
        begun = time.perf_counter()
        finding = findings[f"{room}.{benchmark.__name__}"] = benchmark(plan)
        print("", *described(finding, time.perf_counter() - begun), sep="\n")
    if plan.smoke:
        print("\nIt all runs. This was a smoke run: its numbers mean nothing.")
    else:
        print("", *table(findings.values()), sep="\n")
    if asked.json is not None:
        write(asked.json, plan, machine, findings)


ROOMS = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rooms",
        nargs="*",
        metavar="room",
        help=f"{', '.join(ROOMS)}, or one benchmark of it as room.benchmark; all by default",
    )
    parser.add_argument(
        "--peers", action="store_true", help="also compare with other libraries, if installed"
    )
    parser.add_argument("--smoke", action="store_true", help="only see that it runs, in small")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to a file")
    parser.add_argument("--rounds", type=_rounds, metavar="N", help="take turns so many times")
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if rounds < 1:
        raise argparse.ArgumentTypeError("there has to be 1 round at least")
    return rounds


def chosen(names: Iterable[str], *, peers: bool) -> Iterator[tuple[str, Benchmark]]:
    """Yield the benchmarks of those names, each with its room."""
    for name in names:
        room, _, only = name.partition(".")
        if room not in ROOMS:
            raise SystemExit(f"there is no room {room!r} here; there is {', '.join(ROOMS)}")
        benchmarks = benchmarks_in(f"bench_{room}") + (against_peers(room) if peers else ())
        found = [one for one in benchmarks if only in {"", one.__name__}]
        if not found:
            names_there = ", ".join(one.__name__ for one in benchmarks)
            raise SystemExit(f"{room} has no benchmark {only!r}; it has {names_there}")
        yield from ((room, one) for one in found)


def benchmarks_in(module: str) -> tuple[Benchmark, ...]:
    """Return the benchmarks of a module."""
    found: tuple[Benchmark, ...] = importlib.import_module(f"{__package__}.{module}").BENCHMARKS
    return found


@cache
def against_peers(room: str) -> tuple[Benchmark, ...]:
    """Return the benchmarks of a room against those peers that are installed."""
    found: list[Benchmark] = []
    for path in sorted(HERE.glob(f"peer_{room}_*.py")):
        peer = path.stem.rpartition("_")[2]
        if importlib.util.find_spec(peer) is None:
            print(f"{peer} is not installed: pip install {peer}")
        else:
            found += benchmarks_in(path.stem)
    return tuple(found)


def described(finding: Finding, seconds: float) -> Iterator[str]:
    """Yield a finding at length, line by line."""
    rounds = len(finding.ours.values)
    yield f"{finding.what} ({rounds} rounds, {seconds:.0f} s)"
    yield f"  ours {finding.ours} {finding.samples_in}"
    yield f"  {finding.beside} {finding.bare} {finding.samples_in}"
    yield from (f"  {reading}: {value:.4g}" for reading, value in finding.readings.items())


def table(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the targets, and whether they are met, line by line."""
    rows = [("", "is", "", "target", "", "met")]
    for one in findings:
        met = "yes" if one.is_met else "NO"
        rows.append((one.what, f"{one.figure:.3g}", one.bound, f"{one.target:g}", one.unit, met))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for what, figure, bound, target, unit, met in rows:
        yield (
            f"{what:<{widths[0]}}  {figure:>{widths[1]}}  {bound:<{widths[2]}} "
            f"{target:>{widths[3]}} {unit:<{widths[4]}}  {met}"
        ).rstrip()


def write(file: Path, plan: Plan, machine: Machine, findings: Mapping[str, Finding]) -> None:
    """Write all that was found to a file."""
    document = {
        "machine": attrs.asdict(machine),
        "smoke": plan.smoke,
        "findings": {name: finding.as_json() for name, finding in findings.items()},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
