"""Replay recordings of the real OTP: ``python -m tests.conformance KIND FILE``.

Prints each scenario that differs and where, and a line of numbers at the end. The exit
code is 0 if all agree but for the deviations that are listed, 1 if any differs, and 2 if
the file cannot be read or no scenario of it is asked for.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from . import registry, supervisors, tasks
from ._recordings import Json, Unreadable, read_recording
from ._verdict import Verdict

__all__ = ["main"]


@attrs.frozen
class Kind:
    """A kind of recording, and what replays it."""

    help: str
    check: Callable[[Mapping[str, Json]], Verdict]


KINDS = {
    "registry": Kind("registries, recorded from Elixir", registry.check),
    "supervisors": Kind("supervisors, recorded from OTP and Elixir", supervisors.check),
    "tasks": Kind("streams of tasks, recorded from Elixir", tasks.check),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a file and return the exit code."""
    # The crashes are part of the scenarios, and nobody wants to see their tracebacks.
    logging.getLogger("trio_foundation").addHandler(logging.NullHandler())
    options = _parser().parse_args(arguments)
    try:
        scenarios = read_recording(options.file)
    except Unreadable as error:
        sys.stderr.write(f"cannot read {error}\n")
        return 2
    chosen = [each for each in scenarios if fnmatchcase(each["name"], options.only)]
    if not chosen:
        sys.stderr.write(f"no scenario in {options.file} is called {options.only}\n")
        return 2
    words: Counter[str] = Counter()
    for scenario in chosen:
        verdict = KINDS[options.kind].check(scenario)
        words[verdict.word] += 1
        for line in _report(verdict, verbose=options.verbose):
            sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{_summary(len(chosen), words)}\n")
    return 1 if words["differs"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Replay scenarios recorded from the real OTP and say where we differ.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, kind in KINDS.items():
        command = kinds.add_parser(name, help=kind.help)
        command.add_argument("file", type=Path, help="a recording, plain or compressed")
        command.add_argument(
            "--only", default="*", metavar="PATTERN", help="scenarios of this name, e.g. 'api/*'"
        )
        command.add_argument(
            "-v", "--verbose", action="store_true", help="name the scenarios that agree, too"
        )
    return parser


def _report(verdict: Verdict, *, verbose: bool) -> Iterator[str]:
    if verdict.word == "agrees" and not verbose:
        return
    yield f"{verdict.word:8} {verdict.scenario}"
    for reason in verdict.deviations:
        yield f"  deviation: {reason}"
    for difference in verdict.differences:
        for line in difference.lines():
            yield f"  {line}"


def _summary(total: int, words: Counter[str]) -> str:
    parts = [f"{words['agrees']} agree", f"{words['differs']} differ"]
    if words["deviates"]:
        parts.append(f"{words['deviates']} agree but for a listed deviation")
    if words["skipped"]:
        parts.append(f"{words['skipped']} skipped by a listed deviation")
    return f"{total} scenarios: {', '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
