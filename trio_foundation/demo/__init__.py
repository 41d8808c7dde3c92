"""The whole system at work: its agents crash, a store fails, and its result is right.

It counts the identifiers and words in the files of Python's standard library, or wherever it is
told to. Files are messages to agents that crash at random, one of which has no store for a while.
Then a plain loop counts once more, and both are compared. ``_system.py`` is the system,
``_agents.py`` what its agents do, and ``_run.py`` what is done with it.
"""

from __future__ import annotations

import argparse
import logging
import math
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import trio

from ..supervision import Exit, SupervisorFailed
from ._counting import CAPABILITIES
from ._faults import Crash
from ._run import Demo
from ._serial import count_serially
from ._view import follow, report, say, summarize

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the demo: ``python -m trio_foundation demo``.

    Args:
        argv: What stands behind the word ``demo``; ``--help`` tells what may.

    Returns:
        The exit code: 0 if both counts are equal, 1 if not, 2 for wrong arguments, 130 after
        Ctrl-C.

    Example:
        >>> main(["/no/such/directory"])
        2
    """
    try:
        demo = _parse(argv)
    except SystemExit as ended:  # argparse has said what is wrong, or the help
        return int(ended.code or 0)
    code, verdict = 130, "none, since you interrupted it"
    log = logging.getLogger("trio_foundation.supervision")
    log.addFilter(_is_news)
    try:
        _introduce(demo)
        trio.run(demo.run, report)
        code, verdict = _compare(demo)
    except KeyboardInterrupt:
        say("")
    except SupervisorFailed as failure:
        code, verdict = 1, f"none, since the tree gave up: {failure}"
    finally:
        log.removeFilter(_is_news)
    summarize(demo, verdict)
    return code


def _introduce(demo: Demo) -> None:
    say(f"Counting identifiers and words in the files under {demo.root}")
    say(f"(files: {len(demo.files):,}; workers: {demo.workers}; crash rate: {demo.crash_rate:g})")
    if demo.batch_size is None:
        say("Trying which batch size is best ...")


def _compare(demo: Demo) -> tuple[int, str]:
    """Count with a plain loop; return the exit code and the verdict."""
    assert demo.system is not None
    totals = demo.system.totals()
    plainly = count_serially(follow([demo.root / path for path in demo.files]))
    identifiers, words, skipped = plainly
    if plainly == (totals.identifiers, totals.words, {demo.root / path for path in totals.skipped}):
        return 0, "EQUAL: a plain loop finds the same, unsupervised and uncrashed"
    found = f"{identifiers.total():,} identifiers and {words.total():,} words"
    return 1, f"DIFFERENT: a plain loop finds {found}, and skips {len(skipped):,} files"


def _is_news(record: logging.LogRecord) -> bool:
    """Keep the demo's own crashes out of the log."""
    exit = getattr(record, "exit", None)
    return not (isinstance(exit, Exit) and isinstance(exit.error, Crash))


def _parse(argv: Sequence[str]) -> Demo:
    about = "Count files by agents that crash, and compare with a plain loop."
    parser = argparse.ArgumentParser("python -m trio_foundation demo", description=about)
    library, add = sysconfig.get_path("stdlib"), parser.add_argument
    add("path", nargs="?", type=Path, default=library, help="a file or directory (stdlib)")
    add("--workers", type=int, default=4, metavar="N", help="how many agents count Python (4)")
    add("--crash-rate", type=float, default=0.03, metavar="P", help="of an agent, per file (0.03)")
    add("--seed", type=int, default=2, metavar="N", help="another one means other crashes (2)")
    add("--limit", type=int, default=10**9, metavar="N", help="count the first N files only")
    add("--outage", type=float, default=2, metavar="S", help="seconds that one store is down (2)")
    add("--batch-size", type=int, metavar="N", help="files in a message (it finds out itself)")
    options = parser.parse_args(argv)
    _check(parser, options)
    root, found = options.path, options.path.rglob("*")
    if root.is_file():
        root, found = root.parent, [root]
    found = (path for path in found if path.suffix in CAPABILITIES)
    found = (path.relative_to(root) for path in found if path.is_file() or path.is_symlink())
    files = sorted(path for path in found if "site-packages" not in path.parts)[: options.limit]
    if not files:
        ends = ", ".join(CAPABILITIES)
        parser.error(f"there are no files to count under {root}: their names end in {ends}")
    return Demo(
        root,
        files,
        workers=options.workers,
        crash_rate=options.crash_rate,
        seed=options.seed,
        outage=options.outage,
        batch_size=options.batch_size,
    )


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    for option in ("workers", "limit", "batch_size"):
        number = getattr(options, option)
        if number is not None and number < 1:
            parser.error(f"--{option.replace('_', '-')} must be 1 or more, not {number}")
    if not 0 <= options.crash_rate < 1:
        parser.error(f"--crash-rate must be at least 0 and less than 1, not {options.crash_rate}")
    if not 0 <= options.outage < math.inf:
        parser.error(f"--outage must be a number of seconds, at least 0, not {options.outage}")
    if not options.path.exists():
        parser.error(f"there is no file or directory {options.path}")
