"""Measure what the rooms cost: ``python -m benchmarks [room …]``; see README.md."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import final

import attrs

from . import _page
from ._check import told, verdicts
from ._machine import Machine
from ._peers import ENVIRONMENTS, is_here, version
from ._record import Record, from_plain, read
from ._runner import Benchmark, Finding, Plan

HERE = Path(__file__).resolve().parent
ROOMS = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


@final
@attrs.frozen
class Question:
    """A benchmark, and whose it is."""

    room: str
    ask: Benchmark
    peer: str | None = None

    @property
    def name(self) -> str:
        """How one asks for it."""
        return f"{self.room}.{self.ask.__name__}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    asked = understood(arguments)
    if asked.page:
        _page.write()
        return
    records = [read(file) for file in asked.of] if asked.of else [measured(asked)]
    if asked.check:
        found = verdicts(records)
        print("", *told(found), sep="\n")
        sys.exit(any(verdict.word == "missed" for verdict in found))


def measured(asked: argparse.Namespace) -> Record:
    """Run what is asked for, and tell it."""
    plan = Plan(smoke=asked.smoke, asked_rounds=asked.rounds)
    questions = list(chosen(asked))
    machine = Machine.here()
    print(machine)
    findings: dict[str, Finding] = {}
    for question in questions:
        begun = time.perf_counter()
        finding = findings[question.name] = question.ask(plan)
        print("", *described(finding, time.perf_counter() - begun), sep="\n", flush=True)
    if plan.smoke:
        print("\nIt all runs. This was a smoke run: its numbers mean nothing.")
    else:
        print("", *table(findings.values()), sep="\n")
    peers = {question.name: question.peer for question in questions}
    plain = json.dumps(document(plan, machine, findings, peers), indent=1)
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(plain + "\n", "utf-8")
    return from_plain("this run", json.loads(plain))


def understood(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for, if it makes sense."""
    asking = parser()
    asked = asking.parse_args(arguments)
    if asked.of and not asked.check:
        asking.error("--from goes with --check")
    if asked.check and asked.smoke:
        asking.error("a smoke run cannot be checked: its numbers mean nothing")
    return asked


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "rooms",
        nargs="*",
        metavar="room",
        help=f"{', '.join(ROOMS)}, or one benchmark of it as room.benchmark; all by default",
    )
    add("--peers", action="store_true", help="also compare with other libraries, if installed")
    add(
        "--environment",
        choices=ENVIRONMENTS,
        help="compare only, and only with the peers of this environment of peers.toml",
    )
    add("--smoke", action="store_true", help="only see that it runs, in small")
    add("--json", type=Path, metavar="FILE", help="write all samples to a file")
    add("--rounds", type=_rounds, metavar="N", help="take turns so many times")
    add("--check", action="store_true", help="fail if a promise is missed by more than 15 %%")
    add(
        "--from",
        dest="of",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="check what was measured before, and measure nothing",
    )
    add(
        "--page",
        action="store_true",
        help="write docs/explanation/performance.rst and its charts anew, from results/",
    )
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if rounds < 1:
        raise argparse.ArgumentTypeError("there has to be 1 round at least")
    return rounds


def chosen(asked: argparse.Namespace) -> Iterator[Question]:
    """Yield the questions that are asked."""
    for name in asked.rooms or ROOMS:
        room, _, only = name.partition(".")
        if room not in ROOMS:
            raise SystemExit(f"there is no room {room!r} here; there is {', '.join(ROOMS)}")
        questions = questions_of(room, peers=asked.peers, environment=asked.environment)
        found = [one for one in questions if only in {"", one.ask.__name__}]
        if only and not found:
            names_there = ", ".join(one.ask.__name__ for one in questions)
            raise SystemExit(f"{room} has no benchmark {only!r}; it has {names_there}")
        yield from found


def questions_of(room: str, *, peers: bool, environment: str | None) -> list[Question]:
    """Return what is asked of a room: its own questions, those beside peers, or both."""
    if environment is not None:
        return list(against_peers(room, tuple(ENVIRONMENTS[environment].peers)))
    own = [Question(room, benchmark) for benchmark in benchmarks_in(f"bench_{room}")]
    return own + list(against_peers(room) if peers else ())


def benchmarks_in(module: str) -> tuple[Benchmark, ...]:
    """Return the benchmarks of a module."""
    found: tuple[Benchmark, ...] = importlib.import_module(f"{__package__}.{module}").BENCHMARKS
    return found


@cache
def against_peers(room: str, only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
    """Return the questions of a room beside those peers that are installed, or some of them."""
    found: list[Question] = []
    for path in sorted(HERE.glob(f"peer_{room}_*.py")):
        peer = path.stem.rpartition("_")[2]
        if (only is None or peer in only) and is_here(peer):
            found += [Question(room, benchmark, peer) for benchmark in benchmarks_in(path.stem)]
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


def document(
    plan: Plan,
    machine: Machine,
    findings: Mapping[str, Finding],
    peers: Mapping[str, str | None],
) -> dict[str, object]:
    """Return all that was found as plain data."""
    versions = {peer: version(peer, findings[name].beside) for name, peer in peers.items() if peer}
    return {
        "machine": attrs.asdict(machine) | {"peers": versions},
        "smoke": plan.smoke,
        "findings": {
            name: finding.as_json() | {"peer": peers[name]} for name, finding in findings.items()
        },
    }


if __name__ == "__main__":
    main()
