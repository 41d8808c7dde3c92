"""The command line: ``python -m trio_foundation``, or ``trio-foundation``.

A command that makes no sense ends with code 2 and the right way to write it, before anything
runs; whatever a program does once it runs is its own.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import logging
import math
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # `--version` and `--help` need not wait for Trio
    from .supervision import ChildSpec

_LEVELS = ("debug", "info", "warning", "error", "critical")

_USAGE_ERROR = 2

_NAMES_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Do what a command line says.

    Args:
        argv: The words after the name of the program; by default those of this process.

    Returns:
        The exit code: 2 if the command makes no sense, else that of what was run.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["demo"]:
        # All that follows is the demo's own business, `--help` included.
        from .demo import main as run_demo  # noqa: PLC0415  not before it is needed

        return run_demo(words[1:])
    options = _parser().parse_args(words)
    try:
        return _run(options.tree, options.grace, options.log_level)
    except _BadCommand as bad:
        sys.stderr.write(f"trio-foundation run: {bad}\n")
        return _USAGE_ERROR


# Reading the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trio-foundation", description="Keep Trio programs running."
    )
    version = import_module(str(__package__)).__version__
    parser.add_argument("--version", action="version", version=f"trio-foundation {version}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    run = commands.add_parser(
        "run",
        help="run a tree until it ends or is told to stop",
        description="Run a tree until it ends, or is told to stop by SIGTERM or Ctrl-C: in order "
        "by the first, at once by a second, by force by a third.",
        epilog="Exit codes: 0 after a good end, 1 after a failure, 128 + n after a stop that was "
        "cut short by signal n, 2 if the command makes no sense.",
    )
    run.add_argument(
        "tree",
        metavar="package.module:tree",
        help="where the tree is: what child() or subtree() returned, or a function that returns it",
    )
    run.add_argument(
        "--grace",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a stop in order may take; inf for as long as it takes (default: 30)",
    )
    run.add_argument(
        "--log-level",
        choices=_LEVELS,
        help="what is logged, to stderr unless the program sets up logging itself (default: info)",
    )
    # Never parsed by it, only listed.
    commands.add_parser("demo", help="watch a supervised program work while it crashes")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds


# Running a tree


class _BadCommand(Exception):
    """The command makes no sense; the text says how it is written."""


def _run(path: str, grace: float, log_level: str | None) -> int:
    if not sys.flags.safe_path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # `python -m` has done so; an installed command has not
    module_name, attribute = _split(path)
    try:
        module = _import(module_name)
    except _BrokenModule as broken:
        sys.stderr.write(broken.report)
        return 1
    tree = _tree(path, _find(module, attribute), module)
    _set_up_logging(log_level)
    from .application import run_application  # noqa: PLC0415  not before it is needed

    return run_application(tree, grace=grace)


def _split(path: str) -> tuple[str, str]:
    module, _, attribute = path.partition(":")
    if "/" in module or os.sep in module or module.endswith(".py"):
        dotted = module.removesuffix(".py").replace(os.sep, ".").replace("/", ".").strip(".")
        raise _BadCommand(
            f"{module!r} is the path of a file, not the name of a module: write "
            f"{dotted}:{attribute or 'tree'}, in the directory that {dotted} is imported from"
        )
    if not all(module.split(".")):
        raise _BadCommand(f"{path!r} names no module: write package.module:tree")
    if not attribute:
        raise _BadCommand(
            f"{path!r} does not say which tree of the module: write {module}:tree, if it is "
            "called tree there"
        )
    return module, attribute


class _BrokenModule(Exception):
    """The module is there, and importing it failed."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is not None and f"{name}.".startswith(f"{missing.name}."):
            _refuse_missing_module(name, missing.name)
        raise _BrokenModule(_broken(name, missing)) from missing
    except Exception as error:
        raise _BrokenModule(_broken(name, error)) from error


def _refuse_missing_module(name: str, missing: str) -> NoReturn:
    parent, _, last = missing.rpartition(".")
    places = getattr(sys.modules.get(parent), "__path__", None) if parent else [os.getcwd()]
    if places is None:
        raise _BadCommand(
            f"there is no module {missing!r}, since {parent!r} is no package: if {last!r} is in "
            f"it, write {parent}:{last}"
        )
    where = f"in the package {parent!r}" if parent else f"in {os.getcwd()} or on the Python path"
    siblings = [info.name for info in iter_modules(places)]
    near = [f"{parent}.{one}".lstrip(".") for one in difflib.get_close_matches(last, siblings)]
    advice = f"; did you mean {_listed(near)}?" if near else ""
    sought = "" if name == missing else f", and so none {name!r}"
    raise _BadCommand(f"there is no module {missing!r} {where}{sought}{advice}")


def _broken(name: str, error: Exception) -> str:
    report = traceback.TracebackException.from_exception(error)
    # Our own lines and those of the import machinery say nothing about the mistake.
    ours = ("<frozen importlib", __file__, import_module.__code__.co_filename)
    lines = [frame for frame in report.stack if not frame.filename.startswith(ours)]
    report.stack = traceback.StackSummary.from_list(lines)
    text = "".join(report.format())
    return f"{text}trio-foundation run: module {name!r} is there, but importing it failed\n"


def _find(module: ModuleType, path: str) -> object:
    found: object = module
    walked = module.__name__
    for place, name in enumerate(path.split(".")):
        if not hasattr(found, name):
            _refuse_missing_name(found, name, f"{walked!r}", is_module=place == 0)
        found = getattr(found, name)
        walked = f"{walked}{'.' if place else ':'}{name}"
    return found


def _refuse_missing_name(owner: object, name: str, where: str, *, is_module: bool) -> NoReturn:
    from .supervision import ChildSpec  # noqa: PLC0415  not before it is needed

    names = [known for known in dir(owner) if not known.startswith("_")]
    trees = [known for known in names if isinstance(getattr(owner, known, None), ChildSpec)]
    near = difflib.get_close_matches(name, trees) or difflib.get_close_matches(name, names)
    advice = ""
    if near:
        advice = f"; did you mean {_listed(near)}?"
    elif trees:
        advice = f"; its trees are {_listed(trees)}"
    elif is_module:
        advice = " and no tree: write tree = subtree([...], name=...) in it"
    kind = "module " if is_module else ""
    raise _BadCommand(f"{kind}{where} has no {name!r}{advice}")


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    return ", ".join([*map(repr, names[:_NAMES_SHOWN]), *more])


def _tree(path: str, found: object, module: ModuleType) -> ChildSpec:
    from .supervision import ChildSpec  # noqa: PLC0415  not before it is needed

    if isinstance(found, ChildSpec):
        return found
    name = path.rpartition(":")[2]
    right = f"write tree = subtree([child(...)], name=...) in {module.__name__!r}, and run "
    right += f"{module.__name__}:tree"
    if inspect.iscoroutinefunction(found):
        raise _BadCommand(
            f"{path} is an async function, not a tree: write tree = child({name}) in "
            f"{module.__name__!r}, and run {module.__name__}:tree"
        )
    if not callable(found):
        raise _BadCommand(f"{path} is no tree, but {_short(found)}: {right}")
    if not _takes_nothing(found):
        raise _BadCommand(
            f"{path} takes arguments, and a function that makes a tree is called without any: "
            "give each a default"
        )
    made: object = found()
    if not isinstance(made, ChildSpec):
        raise _BadCommand(f"{path} returned no tree, but {_short(made)}: {right}")
    return made


def _takes_nothing(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # some callables written in C have no signature
        return True
    return True


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _set_up_logging(level: str | None) -> None:
    """Log to stderr, unless the program has set up logging itself."""
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(
            format="%(asctime)s %(levelname)s %(message)s", level=(level or "info").upper()
        )
    elif level is not None:
        root.setLevel(level.upper())


if __name__ == "__main__":
    sys.exit(main())
