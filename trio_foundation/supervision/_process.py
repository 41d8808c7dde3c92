"""Children that are processes of the operating system, written down as data, and checked there."""

from __future__ import annotations

import functools
import math
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, cast

from .._base import Backoff, check_name, check_seconds, is_plain_function
from ._process_run import COLLECTING, ProcessPlan, run_process
from ._rules._words import Restart
from ._spec import ChildSpec

__all__ = ["process_child"]

P = ParamSpec("P")

# What only a shell understands.
_SHELL = frozenset("|&;<>$`*?")


def _takes_one_list(make: Callable[P, ChildSpec]) -> Callable[P, ChildSpec]:
    """Say what to write, where Python would only count the arguments."""

    @functools.wraps(make)
    def check(*args: P.args, **kwargs: P.kwargs) -> ChildSpec:
        if len(args) > 1 and all(isinstance(arg, (str, os.PathLike)) for arg in args):
            words = [os.fsdecode(cast(str, arg)) for arg in args]
            raise TypeError(
                "process_child takes the program and its arguments as one list: write "
                f"process_child({words!r})"
            )
        return make(*args, **kwargs)

    return check


@_takes_one_list
def process_child(  # noqa: PLR0913  a child has that many sides, and all but one are named
    command: Sequence[str | os.PathLike[str]],
    *,
    name: str | None = None,
    restart: Restart = "permanent",
    grace: float = 5.0,
    significant: bool = False,
    ready_within: float = math.inf,
    ready_when: str | Callable[[str], bool] | None = None,
    backoff: Backoff | None = None,
    env: Mapping[str, str | None] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> ChildSpec:
    """Write down a process of the operating system for a supervisor to keep running.

    Exit code 0 is a normal end of the child (``returned``); any other, and a signal, is a crash
    with `ProcessFailed`. What cannot be started is `ProcessNotStarted`. `Child.value` is the pid.

    A stop is SIGTERM; after *grace* seconds the whole process group is killed, and the error of the
    `Exit` is `ProcessKilled`. Its reason is ``stopped``, however the process ends. What is left of
    the group at any end is killed too. A daemon leaves its group and outlives it: run programs in
    the foreground.

    The process has a session of its own, out of reach of Ctrl-C at a terminal. Its stdin is empty.
    Each line that it writes is told as `ProcessOutput`, and it never waits for a listener. Windows
    has no SIGTERM: there it is killed at once, and alone.

    Args:
        command: The program and its arguments. No shell is asked, unless it is the program:
            ``["sh", "-c", "..."]``. A program without a slash is looked for in the ``PATH`` that it
            gets. Everybody on the machine can read a command: put secrets into *env*.
        name: Its name; by default the program's, made unique as for `child`.
        restart: As for `child`.
        grace: How long, in seconds, it may take to end after SIGTERM; `math.inf` never kills it, 0
            kills it at once. The *grace* of the `ChildSpec` is a second more, to collect what was
            killed.
        significant: As for `child`.
        ready_within: As for `child`, in seconds; then it is stopped.
        ready_when: A text in the line, of stdout or stderr, that says it is ready; or a plain
            function that returns whether a line does. What that raises is the crash of the child.
            By default the process is ready once it runs.
        backoff: As for `child`.
        env: Variables to add to the environment of this program; None takes one out.
        cwd: The directory to run it in; by default that of this program. A relative path of a
            program starts there.

    Returns:
        The child, as data.

    Raises:
        TypeError: *command* is a string, or an argument is of another type.
        ValueError: *command* is empty or holds a NUL character, or an option makes no sense.

    Emits:
        ProcessStarted: When it runs.
        ProcessOutput: For each line that it writes.
        ProcessOverdue: When it has to be killed.
        ProcessExited: When it has ended, and all that it wrote was told.

    Example:
        >>> import sys, trio
        >>> async def main():
        ...     with subscribe(lambda event: print(event.stream, event.line), ProcessOutput):
        ...         hello = [sys.executable, "-c", "print('hello')"]
        ...         async with open_supervisor() as sup:
        ...             spec = process_child(hello, name="hello", restart="temporary")
        ...             worker = await sup.start_child(spec)
        ...             print((await worker.wait_exit()).reason)
        >>> from trio_foundation.telemetry import subscribe
        >>> trio.run(main)
        stdout hello
        returned
        >>> process_child("gunzip -k log.gz")
        Traceback (most recent call last):
        ...
        TypeError: process_child takes a list, since no shell is asked: write \
process_child(['gunzip', '-k', 'log.gz']), not process_child('gunzip -k log.gz')
    """
    plan = ProcessPlan(
        command=_check_command(command),
        cwd=None if cwd is None else _check_text("cwd", cwd),
        env=_check_env(env),
        ready_when=_check_ready_when(ready_when),
    )
    default_name = os.path.basename(plan.command[0]) or plan.command[0]
    return ChildSpec(
        async_fn=run_process,
        args=(plan,),
        name=default_name if name is None else name,
        default_name=default_name if name is None else None,
        restart=restart,
        grace=check_seconds("grace", grace) + COLLECTING,
        significant=significant,
        ready_within=ready_within,
        backoff=backoff,
    )


def _check_command(command: object) -> tuple[str, ...]:
    given = command  # a checker does not know what a path is made of
    if isinstance(given, (str, bytes, os.PathLike)):
        raise TypeError(
            f"process_child takes a list, since no shell is asked: write process_child("
            f"{_as_list(command)!r}), not process_child({command!r})"
        )
    if not isinstance(command, Sequence):
        raise TypeError(f"command must be a list of the program and its arguments, not {command!r}")
    listed = cast(Sequence[object], command)
    parts = tuple(_check_text(f"command[{at}]", part) for at, part in enumerate(listed))
    if not parts or not parts[0]:
        raise ValueError(
            f"command must begin with a program, as in process_child(['gunzip', 'log.gz']), "
            f"not be {listed!r}"
        )
    return parts


def _as_list(command: object) -> list[str]:
    """Return what somebody who gave a string or a path probably meant."""
    text = os.fsdecode(cast(str, command))
    if not isinstance(command, (str, bytes)):
        return [text]
    try:
        words = shlex.split(text) or ["gunzip", "log.gz"]
    except ValueError:  # a quote without its match
        words = []
    return ["sh", "-c", text] if not words or _SHELL & set(text) else words


def _check_text(name: str, value: object) -> str:
    """Return *value* as text that the operating system can be given."""
    text = given = value
    if isinstance(given, os.PathLike):
        text = cast("os.PathLike[str]", value).__fspath__()
    if isinstance(text, bytes):
        raise TypeError(f"{name} must be a string, not {text!r}: write os.fsdecode({text!r})")
    if not isinstance(text, str):
        raise TypeError(
            f"{name} must be a string or a path, not {value!r}: write {str(value)!r} if that is "
            "what the program is to read"
        )
    if "\0" in text:
        raise ValueError(f"{name} must not hold a NUL character, but is {text!r}")
    if not _is_encodable(text):
        raise ValueError(f"{name} holds a character that no program can be given: {text!r}")
    return text


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # a lone surrogate, or the locale has no such character
        return False
    return True


def _check_env(env: object) -> tuple[tuple[str, str | None], ...]:
    if env is None:
        return ()
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of names to values, not {env!r}")
    checked: list[tuple[str, str | None]] = []
    for name, value in cast(Mapping[object, object], env).items():
        variable = check_name("the name of a variable in env", name)
        if "=" in _check_text("the name of a variable in env", variable):
            raise ValueError(f"the name of a variable in env must not hold '=', as {name!r} does")
        checked.append((variable, None if value is None else _check_value(variable, value)))
    return tuple(checked)


def _check_value(variable: str, value: object) -> str:
    """Return the value of a variable; it may be a password, so no error shows it."""
    if not isinstance(value, str):
        raise TypeError(
            f"env[{variable!r}] must be a string, or None to take it out, not of type "
            f"{type(value).__name__}"
        )
    if "\0" in value or not _is_encodable(value):
        raise ValueError(f"env[{variable!r}] holds a character that no variable can")
    return value


def _check_ready_when(ready_when: object) -> str | Callable[[str], bool] | None:
    if ready_when is None:
        return None
    if isinstance(ready_when, str):
        if not ready_when or "\n" in ready_when:
            raise ValueError(
                f"ready_when must be what is in one line, as 'listening', not {ready_when!r}"
            )
        return ready_when
    if is_plain_function(ready_when):
        return cast(Callable[[str], bool], ready_when)
    raise TypeError(
        f"ready_when must be a string or a plain function of a line, not {ready_when!r}"
    )
