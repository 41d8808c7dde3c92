"""What a page of the documentation has its reader type into a shell, and what then comes out.

The console blocks of a page are one session: what a command leaves behind, the next one finds.
`run_page` runs them in a shell as the reader would, and tells what differs from the page. To see
what the commands of a page really say, and to write it there::

    python -m tests.examples.pages docs/tutorial/*.rst
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import attrs

# In seconds, for all commands of a page; below the patience of tests/conftest.py.
TIME_LIMIT = 40.0
# In seconds, for what a page has told to end.
GRACE = 5.0

LIKE_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
DIRECTIVE = re.compile(r"^(?P<indent> *)(?:[-*] )?\.\. (?P<name>[\w-]+):: *(?P<argument>.*?) *$")
# What a shell says of its jobs, in some kinds of shell and at some moments: "[1] 4242",
# "[1]+  Terminated  sleep 5", "bash: line 5: 4242 Killed  sleep 5".
JOB_NOTICE = re.compile(
    r"\[\d+\] \d+$"
    r"|(\[\d+\][+-]? +|.*: line \d+: +\d+ )(Done|Exit|Stopped|Terminated|Killed|Interrupt|Hangup)\b"
)

# The status of a command is put down and handed on: the next command may ask for `$?`.
PROLOGUE = """\
set -m
ended() { local status=$?; printf '\\n%s %s\\n' "$MARK" "$status"; return "$status"; }
"""


@attrs.frozen
class Command:
    """A command on a page, and the output that the page shows."""

    line: int
    text: str
    shown: str


@attrs.frozen
class Directive:
    """A directive on a page, with the lines in it: their numbers, and their text dedented."""

    line: int
    name: str
    argument: str
    content: list[tuple[int, str]]


@attrs.frozen
class Ended:
    """What came of a command: all that was printed while it ran, and its exit status."""

    output: str
    status: int | None  # None: it did not end

    @property
    def has_failed(self) -> bool:
        return self.status != 0


# What a page says


def directives(page: Path) -> Iterator[Directive]:
    """Yield the directives of a page, nested ones included."""
    lines = page.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if found := DIRECTIVE.match(line):
            content = list(indented(lines, number, len(found["indent"])))
            yield Directive(number, found["name"], found["argument"], content)


def indented(lines: list[str], start: int, indent: int) -> Iterator[tuple[int, str]]:
    """Yield the lines after *start* that are indented by more than *indent*, dedented."""
    inner = None
    for number, line in enumerate(lines[start:], start + 1):
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth <= indent:
            return
        if line.strip() and inner is None:
            inner = depth
        yield number, line[inner or 0 :]


def commands(page: Path) -> list[Command]:
    """Return what the reader of a page types, in order."""
    blocks = (one for one in directives(page) if (one.name, one.argument) in CONSOLE)
    return [command for block in blocks for command in commands_in(block)]


CONSOLE = {("code-block", "console"), ("sourcecode", "console")}


def commands_in(block: Directive) -> Iterator[Command]:
    """Yield the commands of a block; a ``>`` continues one, and a ``#`` before one is a comment."""
    content = [(number, line) for number, line in block.content if not is_option(line)]
    starts = [at for at, (_, line) in enumerate(content) if line.startswith("$ ")]
    if not starts and any(line.strip() for _, line in content):
        raise ValueError(f"line {block.line}: a console block has no command; write '$ command'")
    for start, end in pairwise([*starts, len(content)]):
        number, first = content[start]
        rest = [line for _, line in content[start + 1 : end]]
        while rest and (not rest[-1].strip() or rest[-1].startswith("#")):
            rest.pop()
        typed = [first.removeprefix("$ ")]
        while rest and rest[0].startswith(">"):
            typed.append(rest.pop(0).removeprefix(">").removeprefix(" "))
        yield Command(number, "\n".join(typed), "\n".join(rest))


def is_option(line: str) -> bool:
    """Return whether a line is an option of the directive, as ``:emphasize-lines: 3``."""
    return bool(re.match(r":[\w-]+:", line))


def programs_shown(page: Path) -> Iterator[tuple[Directive, Path]]:
    """Yield the files that a page includes."""
    for one in directives(page):
        if one.name == "literalinclude":
            yield one, page.parent.joinpath(one.argument).resolve()


# What comes of it


def run(page: Path, place: Path, time_limit: float = TIME_LIMIT) -> tuple[list[Ended], list[str]]:
    """Run the commands of a page in *place*; return what came of each, and what was left running.

    The commands after one that did not end are missing.
    """
    if shutil.which("bash") is None:
        raise FileNotFoundError("the console blocks of a page need bash, and there is none")
    outside, inside = place / f"outside of {page.stem}", place / "inside"
    outside.mkdir()
    inside.mkdir(exist_ok=True)  # where the page before it was typed, if its reader goes on there
    copy_programs(page, inside)
    mark = f"-- {page.stem} {os.getpid()} --"
    script, output = outside / "script", outside / "output"
    script.write_text(PROLOGUE + "".join(map(as_evaluated, commands(page))), "utf-8")
    with output.open("a") as written:  # to append: several processes write to it
        shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", str(script)],  # noqa: S607  the one on the path
            cwd=inside,
            env=as_a_reader_has_it(outside, mark),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        shell.wait(time_limit)
        left = left_running(shell.pid, GRACE)
    except subprocess.TimeoutExpired:
        left = []  # of course there is something
    finally:
        end_session(shell.pid)
        shell.wait()
    return list(read_output(output.read_text("utf-8", "replace"), mark)), left


def copy_programs(page: Path, place: Path) -> None:
    """Copy what lies beside the page, and what it includes from elsewhere."""
    beside = (one for one in page.parent.iterdir() if one.is_file() and one.suffix not in PROSE)
    for program in (*beside, *(path for _, path in programs_shown(page))):
        if program.name != "conf.py":
            shutil.copy(program, place)


PROSE = {".rst", ".md", ".svg"}


def as_evaluated(command: Command) -> str:
    """Return the line of the script for a command; a syntax error in it ends only itself."""
    quoted = command.text.replace("'", "'\\''")
    return f"eval '{quoted}'; ended\n"


def as_a_reader_has_it(outside: Path, mark: str) -> dict[str, str]:
    """Return the environment of a reader who has installed the package, with strict warnings."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(("PY", "COV"))}
    # A link to the interpreter of a virtual environment would not find the environment.
    for name in ("python", "python3"):
        python = outside / name
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
        python.chmod(0o755)
    path = [str(outside), str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]
    return {
        **kept,
        "MARK": mark,
        "PATH": os.pathsep.join(path),
        "PYTHONWARNINGS": "error",
        "PYTHONUNBUFFERED": "1",  # what is printed keeps its place among what is logged
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }


def left_running(session: int, grace: float) -> list[str]:
    """Return the command lines of the processes in a session that do not end in *grace* seconds."""
    give_up = time.monotonic() + grace
    while (left := processes(session)) and time.monotonic() < give_up:
        time.sleep(0.02)
    return [command_line(pid) for pid in left]


def processes(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    return [
        pid
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))
        if (session_of(pid) == session and command_line(pid))
    ]


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def command_line(pid: int) -> str:
    """Return the command line of a process, or nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8").replace("\0", " ").strip()
    except OSError:
        return ""


def end_session(session: int) -> None:
    """Kill each process in a session; a job is a process group of its own."""
    while left := processes(session):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)  # what is killed does not end at once


def read_output(output: str, mark: str) -> Iterator[Ended]:
    """Yield what came of each command: between the marks in the output."""
    *ended, rest = re.split(rf"\n{re.escape(mark)} ", output)
    status: int | None
    for at, one in enumerate(ended):
        text = one if at == 0 else one.partition("\n")[2]
        following = ended[at + 1] if at + 1 < len(ended) else rest
        status = int(following.partition("\n")[0])
        yield Ended(text, status)
    yield Ended(rest.partition("\n")[2] if ended else rest, None)


# What is said of it


def run_page(page: Path, place: Path, time_limit: float = TIME_LIMIT) -> Iterator[str]:
    """Run the commands of a page; yield what differs from what the page says."""
    typed = commands(page)
    (*ended, last), left = run(page, place, time_limit)
    for at, (command, came) in enumerate(zip(typed, ended, strict=False)):
        asks = at + 1 < len(typed) and "$?" in typed[at + 1].text
        yield from (f"{page}:{command.line}: {said}" for said in differences(command, came, asks))
    if len(ended) < len(typed):
        command = typed[len(ended)]
        yield (
            f"{page}:{command.line}: it does not end (all commands of a page have {time_limit} "
            f"seconds):\n    $ {command.text}\n{last.output}"
        )
    for process in left:
        yield f"{page}: a process is left running; end it on the page, and wait for it: {process}"


def differences(command: Command, came: Ended, asks: bool) -> Iterator[str]:
    """Yield what is wrong with what came of a command."""
    checker = doctest.OutputChecker()
    shown, output = without_notices(command.shown), without_notices(came.output)
    if not checker.check_output(shown, output, LIKE_DOCTEST):
        example = doctest.Example(command.text, shown)
        diff = checker.output_difference(example, output, LIKE_DOCTEST | doctest.REPORT_UDIFF)
        yield f"other output:\n    $ {command.text}\n{diff}"
    if came.has_failed and not asks:
        yield (
            f"it fails with status {came.status}; if it is to, let '$ echo $?' follow:\n"
            f"    $ {command.text}\n{came.output}"
        )


def without_notices(output: str) -> str:
    """Return the output without what the shell says of its jobs, and with a last line end."""
    lines = output.strip("\n").splitlines()
    said = [line for line in lines if not JOB_NOTICE.match(line)]
    return "".join(f"{line}\n" for line in said)


def main(*pages: str) -> None:
    """Print what really comes of the commands of *pages*."""
    for page in map(Path, pages):
        with tempfile.TemporaryDirectory() as place:
            ended, left = run(page.resolve(), Path(place))
            sys.stdout.write(f"-- {page}\n")
            for command, came in zip(commands(page), ended, strict=False):
                typed = command.text.replace("\n", "\n> ")
                sys.stdout.write(f"$ {typed}\n{without_notices(came.output)}")
            sys.stdout.write("".join(f"-- left running: {one}\n" for one in left))


if __name__ == "__main__":
    main(*sys.argv[1:])
