"""A fault as data: to be printed by a failure, pasted into a test, and shrunk by Hypothesis."""

from __future__ import annotations

from typing import Literal, TypeAlias, final, get_args

import attrs

from ..._base import FoundationError, check_choice, check_count, check_name, check_seconds

__all__ = ["Fault", "FaultKind", "InjectedCrash", "error_of", "is_meant"]

FaultKind: TypeAlias = Literal["crash", "hang", "delay", "cancel", "interrupt", "starve"]
"""What a fault does to a child.

``crash``: what the child waits for raises an error. ``hang``: what it waits for happens, and it
does not go on until cancelled. ``delay``: it goes on some seconds later. ``cancel``: all of it is
cancelled, as by a scope around its function. ``interrupt``: what it waits for raises
`KeyboardInterrupt`. ``starve``: for some seconds no task runs, as in a busy loop.

Example:
    >>> kind: FaultKind = "crash"
"""

_LASTING = ("delay", "starve")


@final
class InjectedCrash(FoundationError):
    """What a crash raises by default.

    Example:
        >>> print(InjectedCrash("app/web", 3))
        a fault was injected into child 'app/web', at its checkpoint 3
    """

    child: str
    """The path of the child."""

    checkpoint: int
    """Which of its checkpoints."""

    def __init__(self, child: str, checkpoint: int) -> None:
        super().__init__(child, checkpoint)
        self.child = child
        self.checkpoint = checkpoint

    def __str__(self) -> str:
        return (
            f"a fault was injected into child {self.child!r}, at its checkpoint {self.checkpoint}"
        )


@final
@attrs.frozen(repr=False)
class Fault:
    """One fault: to whom, what, and when. Its ``repr`` is the line that makes it again.

    `Faults` says how checkpoints and messages are counted.

    Raises:
        TypeError: *error* is no class of errors, or cannot be called with a text.
        ValueError: An option that makes no sense, or not exactly one of *at_checkpoint* and
            *at_message*.

    Example:
        >>> Fault("worker", "delay", at_checkpoint=3, seconds=10)
        Fault('worker', 'delay', at_checkpoint=3, seconds=10)
        >>> print(Fault("app/bank", "crash", at_message=2, error=ConnectionError))
        crash 'app/bank' at message 2
    """

    child: str
    """The child's name, its path, or the end of its path: ``web/worker``."""

    kind: FaultKind
    """What happens to it."""

    at_checkpoint: int | None = attrs.field(default=None, kw_only=True)
    """At which of its checkpoints."""

    at_message: int | None = attrs.field(default=None, kw_only=True)
    """Or at which of its messages, if it is a server."""

    seconds: float = attrs.field(default=1.0, kw_only=True)
    """How many seconds a ``delay`` or a ``starve`` lasts."""

    error: type[Exception] = attrs.field(default=InjectedCrash, kw_only=True)
    """The class of what a ``crash`` raises, called with a text."""

    def __attrs_post_init__(self) -> None:
        check_name("child", self.child)
        check_choice("kind", self.kind, get_args(FaultKind))
        check_seconds("seconds", self.seconds, finite=True)
        _check_error(self.error)
        if (self.at_checkpoint is None) == (self.at_message is None):
            raise ValueError(
                "a fault happens at a checkpoint or at a message: write at_checkpoint=3 or "
                "at_message=3"
            )
        if self.at_checkpoint is not None:
            check_count("at_checkpoint", self.at_checkpoint, least=1)
        if self.at_message is not None:
            check_count("at_message", self.at_message, least=1)

    def __repr__(self) -> str:
        parts = [repr(self.child), repr(self.kind)]
        if self.at_checkpoint is not None:
            parts.append(f"at_checkpoint={self.at_checkpoint}")
        if self.at_message is not None:
            parts.append(f"at_message={self.at_message}")
        if self.kind in _LASTING and self.seconds != 1.0:
            parts.append(f"seconds={self.seconds!r}")
        if self.kind == "crash" and self.error is not InjectedCrash:
            parts.append(f"error={self.error.__qualname__}")
        return f"Fault({', '.join(parts)})"

    def __str__(self) -> str:
        what = f" for {self.seconds:g} s" if self.kind in _LASTING else ""
        when = (
            f"message {self.at_message}"
            if self.at_checkpoint is None
            else f"checkpoint {self.at_checkpoint}"
        )
        return f"{self.kind} {self.child!r}{what} at {when}"


def is_meant(name: str, path: str) -> bool:
    """Return whether *name* names the child at *path*."""
    return path == name or path.endswith(f"/{name}")


def error_of(fault: Fault, path: str, checkpoint: int) -> BaseException:
    """Return a new error, as *fault* raises it."""
    if fault.kind == "crash" and fault.error is InjectedCrash:
        return InjectedCrash(path, checkpoint)
    text = str(InjectedCrash(path, checkpoint))
    if fault.kind == "interrupt":
        return KeyboardInterrupt(text)
    return fault.error(text)


def _check_error(error: object) -> None:
    if error is InjectedCrash:
        return
    if isinstance(error, type) and issubclass(error, Exception):
        try:
            error("a fault")
        except Exception as failure:
            raise TypeError(
                f"a crash raises {error.__qualname__}('...'), which fails: {failure}; write a "
                "class of errors that takes one text"
            ) from failure
        return
    raise TypeError(f"error must be a class of errors, such as ConnectionError, not {error!r}")
