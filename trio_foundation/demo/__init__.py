"""A supervised program at work: its workers crash, and its result is right.

It counts the identifiers in Python's own standard library, or wherever it is told to, while
the children of its tree crash at random. Then it counts once more with a plain loop, and
compares. ``_work.py`` is what the children do; ``_tree.py``, who keeps them running.
"""

from __future__ import annotations

import argparse
import logging
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import trio

from ..supervision import Exit, SupervisorFailed
from ._serial import count_serially
from ._tree import run_tree
from ._view import follow, report, say, summarize
from ._work import Crash, Work

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the demo: ``python -m trio_foundation demo``.

    Args:
        argv: What stands behind the word ``demo``; ``--help`` tells what may stand there.

    Returns:
        The exit code: 0 if both counts are equal, 1 if they are not, 2 if the arguments make
        no sense, 130 after Ctrl-C.

    Example:
        >>> main(["/no/such/directory"])
        2
    """
    try:
        work = _parse(argv)
    except SystemExit as ended:  # argparse has said what is wrong, or the help
        return int(ended.code or 0)
    say(f"Counting the identifiers under {work.root}")
    say(f"(files: {len(work.files):,}; workers: {work.workers}; crash rate: {work.crash_rate:g})")
    code, verdict = 130, "none, since you interrupted it"
    log = logging.getLogger("trio_foundation.supervision")
    log.addFilter(_is_news)
    try:
        trio.run(run_tree, work, report)
        plainly = count_serially(follow([work.root / path for path in work.files]))
        if plainly == (work.identifiers, {work.root / path for path in work.skipped}):
            code, verdict = 0, "EQUAL: a plain loop finds the same, unsupervised and uncrashed"
        else:
            code, verdict = 1, f"DIFFERENT: a plain loop finds {plainly[0].total():,} identifiers"
    except KeyboardInterrupt:
        say("")
    except SupervisorFailed as failure:
        code, verdict = 1, f"none, since the tree gave up: {failure}"
    finally:
        log.removeFilter(_is_news)
    summarize(work, verdict)
    return code


def _is_news(record: logging.LogRecord) -> bool:
    """Keep out of the log what is no news: the crashes of the demo's own making."""
    exit = getattr(record, "exit", None)
    return not (isinstance(exit, Exit) and isinstance(exit.error, Crash))


def _parse(argv: Sequence[str]) -> Work:
    """Return the work that the arguments ask for."""
    about = "Count identifiers under supervision, with crashes, and compare with a plain loop."
    parser = argparse.ArgumentParser("python -m trio_foundation demo", description=about)
    library, add = sysconfig.get_path("stdlib"), parser.add_argument
    add("path", nargs="?", type=Path, default=library, help="a .py file or directory (stdlib)")
    add("--workers", type=int, default=4, metavar="N", help="how many there are (4)")
    add("--crash-rate", type=float, default=0.03, metavar="P", help="of a worker, per file (0.03)")
    add("--seed", type=int, default=2, metavar="N", help="another one means other crashes (2)")
    add("--limit", type=int, default=10**9, metavar="N", help="count the first N files only")
    options = parser.parse_args(argv)
    if min(options.workers, options.limit) < 1:
        parser.error("--workers and --limit must be 1 or more")
    if not 0 <= options.crash_rate < 1:
        parser.error(f"--crash-rate must be at least 0 and less than 1, not {options.crash_rate}")
    if not options.path.exists():
        parser.error(f"there is no file or directory {options.path}")
    root, found = options.path, options.path.rglob("*.py")
    if root.is_file():
        root, found = root.parent, [root]
    found = [path.relative_to(root) for path in found if path.is_file() or path.is_symlink()]
    files = sorted(path for path in found if "site-packages" not in path.parts)
    if not files:
        parser.error(f"there are no .py files under {root}")
    return Work(root, files[: options.limit], options.workers, options.crash_rate, options.seed)
