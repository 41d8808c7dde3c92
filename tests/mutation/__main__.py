"""Change the rules and see which changes no test notices: ``python -m tests.mutation``.

Works in the current directory, which holds copies of `trio_foundation`, `tests` and
``pyproject.toml``, and leaves what mutmut made in ``mutants``. The exit code is 0 if each
survivor is explained in ``survivors.toml`` and each that is explained survived, and 1 if not.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ._verdict import Survivor, change_in, explained_in, judge, read_results, summary

__all__ = ["main"]

SAID = Path(__file__).with_name("survivors.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mutmut, compare, and return the exit code."""
    options = _parser().parse_args(arguments)
    if not options.judge_only:
        # Results of an earlier run stand for mutmut, though a test may have changed since.
        shutil.rmtree("mutants", ignore_errors=True)
        patterns = [f"trio_foundation.{room}.*" for room in options.rooms]
        _mutmut("run", "--max-children", str(options.processes), *patterns, output=None)
    results = read_results(_mutmut("results", "--all", "true"))
    rooms = options.rooms or sorted({mutant.room for mutant in results})
    tried = [mutant for mutant in results if mutant.room in rooms]
    found = [
        Survivor(mutant.room, mutant.where, change_in(_mutmut("show", mutant.name)))
        for mutant in tried
        if mutant.lives
    ]
    wrong = list(judge(found, explained_in(SAID.read_text("utf-8")), rooms))
    _print([*wrong, *summary(tried)])
    return 1 if wrong or not tried else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="only the rules of these rooms")
    parser.add_argument("--processes", type=int, default=1, help="how many run side by side")
    parser.add_argument(
        "--judge-only", action="store_true", help="look again at what the last run left"
    )
    return parser


def _mutmut(*arguments: str, output: int | None = subprocess.PIPE) -> str:
    program = Path(sys.executable).with_name("mutmut")
    done = subprocess.run([program, *arguments], check=True, stdout=output, text=True)
    return done.stdout or ""


def _print(lines: Sequence[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
