"""How a child ended.

An exit outlives its task, so it keeps the traceback as text: a frame would keep every local
variable of the child alive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from traceback import TracebackException
from typing import Any, TypeAlias, cast, final

import attrs
import trio

from ._rules._words import ExitReason

__all__ = ["Exit", "describe", "fatal_leaf", "forget_frames", "leaves", "without_cancelled"]

# Of a bare isinstance check a type checker does not know what is in the group.
_Group: TypeAlias = BaseExceptionGroup[BaseException]

_CAUSE = BaseException.__dict__["__cause__"]
_CONTEXT = BaseException.__dict__["__context__"]

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep

# The demo is a program like any other.
_DEMO = os.path.join(_PACKAGE, "demo") + os.sep

# The innermost frames say what went wrong. A RecursionError has a thousand of the others.
_FRAMES_KEPT = 50

_TEXT_KEPT = 20_000


@final
# Without slots a frozen class is made faster, and one is made each time a child ends.
@attrs.frozen(kw_only=True, slots=False)
class Exit:
    """The end of one incarnation of a child.

    Example:
        >>> exit = Exit(child="poll", incarnation=2, reason="crashed",
        ...             error=OSError("no route"), started_at=3.0, ended_at=7.5)
        >>> print(exit)
        child 'poll' (incarnation 2) crashed after 4.5 s: OSError: no route
        >>> print(exit.traceback, end="")
        OSError: no route
    """

    child: str
    """The child's name."""

    incarnation: int
    """Which start of the child; the first is 1."""

    reason: ExitReason
    """``returned``; ``shutdown`` (it raised `ShutdownChild`, or is a supervisor that gave up);
    ``crashed``; ``stopped`` (by its supervisor); ``unresponsive`` (it sent no beats)."""

    error: BaseException | None = attrs.field(eq=id)
    """What it raised, if anything. When the child is started again, this error, its causes and its
    leaves lose their tracebacks; `traceback` keeps the text."""

    started_at: float
    """When it started, in seconds by `trio.current_time`."""

    ended_at: float
    """When it had ended, in seconds by `trio.current_time`."""

    _report: TracebackException | str | None = attrs.field(
        default=None, repr=False, eq=False, alias="report"
    )

    def __attrs_post_init__(self) -> None:
        if self.error is not None and self._report is None:
            object.__setattr__(self, "_report", _report(self.error))

    @property
    def traceback(self) -> str:
        """The error's traceback as text; empty without an error."""
        if not isinstance(self._report, TracebackException):
            return self._report or ""
        text = "".join(self._report.format())
        if len(text) <= _TEXT_KEPT:
            return text
        half = _TEXT_KEPT // 2
        return (
            f"{text[:half]}\n[... {len(text) - _TEXT_KEPT} characters left out ...]\n{text[-half:]}"
        )

    @property
    def ran_for(self) -> float:
        """How long the incarnation lived, in seconds."""
        return self.ended_at - self.started_at

    def __str__(self) -> str:
        why = "" if self.error is None else f": {describe(self.error)}"
        if self.reason == "unresponsive":
            told = "was unresponsive and ended"
        elif self.reason == "shutdown":
            told = "shut down"
        else:
            told = {"returned": "returned", "crashed": "crashed", "stopped": "was stopped"}[
                self.reason
            ]
        return (
            f"child {self.child!r} (incarnation {self.incarnation}) {told} "
            f"after {round(self.ran_for, 3):g} s{why}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        fields = attrs.asdict(self, recurse=False, filter=lambda field, _: field.name != "_report")
        return _rebuild, (fields, self.traceback)


def _report(error: BaseException) -> TracebackException | str:
    try:
        report = TracebackException(
            type(error),
            error,
            error.__traceback__,
            limit=-_FRAMES_KEPT,
            lookup_lines=False,
            compact=True,
        )
        _leave_out_ours(report)
    except Exception:  # noqa: BLE001  an error may be broken in any way that users can think of
        return f"{describe(error)}\n"
    return report


def _leave_out_ours(report: TracebackException) -> None:
    """Take the frames of this library out of a report."""
    queue: list[TracebackException | None] = [report]
    while queue:
        one = queue.pop()
        if one is not None:
            theirs = [frame for frame in one.stack if not _is_ours(frame.filename)]
            if theirs:  # else the error is ours
                one.stack[:] = theirs
            queue += [one.__cause__, one.__context__, *(one.exceptions or ())]


def _is_ours(filename: str) -> bool:
    return filename.startswith(_PACKAGE) and not filename.startswith(_DEMO)


def _rebuild(fields: dict[str, Any], traceback: str) -> Exit:
    return Exit(**fields, report=traceback)


def describe(error: BaseException) -> str:
    """Return an error in one line; of a group, with the first error within."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001  a broken __str__ must not hide the error
        text = f"<its __str__ raised {type(broken).__name__}>"
    name = type(error).__qualname__
    told = f"{name}: {text}" if text else name
    if isinstance(error, BaseExceptionGroup):  # its own text seldom says what happened
        first = next(leaves(cast(_Group, error)))
        told = f"{told}, first {describe(first)}"
    return told


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group, at any depth; or the error itself."""
    queue = [error]
    while queue:  # rather than a recursion, which a deep group would overflow
        one = queue.pop()
        if isinstance(one, BaseExceptionGroup):
            queue += reversed(cast(_Group, one).exceptions)
        else:
            yield one


def forget_frames(error: BaseException | None) -> None:
    """Clear the tracebacks of an error, its causes, contexts and leaves."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        # Not as attributes of the error itself: its class may forbid to set or to read them,
        # as a frozen dataclass does.
        BaseException.with_traceback(one, None)
        queue += [_CAUSE.__get__(one), _CONTEXT.__get__(one)]
        if isinstance(one, BaseExceptionGroup):
            queue += cast(_Group, one).exceptions


def fatal_leaf(error: BaseException) -> BaseException | None:
    """Return the first error, in a group or not, that nobody restarts after."""
    for leaf in leaves(error):
        # TrioInternalError is an Exception, and the run is beyond repair all the same.
        if not isinstance(leaf, Exception) or isinstance(leaf, trio.TrioInternalError):
            return leaf
    return None


def without_cancelled(error: BaseException | None) -> BaseException | None:
    """Return the error less every `trio.Cancelled` in it; None if nothing is left."""
    if isinstance(error, trio.Cancelled):
        return None
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast(_Group, error)
    if not any(isinstance(leaf, trio.Cancelled) for leaf in leaves(group)):
        return group  # the very same object
    return group.split(trio.Cancelled)[1]
