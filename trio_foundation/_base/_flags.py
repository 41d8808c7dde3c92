"""Switches for rolling out a stricter behaviour bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import TypedDict, Unpack

import attrs

__all__ = ["FlagOverrides", "flags", "is_flag_set"]


class FlagOverrides(TypedDict, total=False):
    """The keyword arguments of `flags`: the flags there are.

    Example:
        >>> overrides: FlagOverrides = {"use_strict_supervision": False}
        >>> with flags(**overrides):
        ...     pass
    """

    use_strict_supervision: bool
    """Whether a supervisor that passes its limit of restarts fails."""

    use_supervised_tasks_only: bool
    """Whether a map without a supervisor is an error."""


DEFAULTS: Mapping[str, bool] = MappingProxyType(
    {"use_strict_supervision": True, "use_supervised_tasks_only": True}
)

current_flags: ContextVar[Mapping[str, bool]] = ContextVar(
    "trio_foundation.flags", default=DEFAULTS
)


def flags(**overrides: Unpack[FlagOverrides]) -> AbstractContextManager[None]:
    """Set rollout flags for the code in this block, and the tasks that it starts.

    A flag is read when a supervisor is opened, or a map without one is called: what is open does
    not change. Flags not named keep their value; leaving the block restores all.

    Args:
        **overrides: The flags to set, `True` or `False`; all are normally `True`. Without
            ``use_strict_supervision``, a supervisor that passes its limit of restarts warns and
            goes on instead of failing. Without ``use_supervised_tasks_only``, a map where no task
            supervisor is open warns and opens a block of its own instead of failing.

    Returns:
        The block, for ``with``.

    Raises:
        TypeError: There is no such flag, or its value is no `bool`.

    Example:
        >>> with flags(use_strict_supervision=False):
        ...     pass  # supervisors opened here are lenient
        >>> flags(use_strict_supervison=False)
        Traceback (most recent call last):
        TypeError: there is no flag 'use_strict_supervison'; \
the flags are use_strict_supervision and use_supervised_tasks_only
    """
    known = " and ".join(DEFAULTS)
    for name, value in overrides.items():
        if name not in DEFAULTS:
            raise TypeError(f"there is no flag {name!r}; the flags are {known}")
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}; the flags are {known}")
    return _Overridden({name: bool(value) for name, value in overrides.items()})


def is_flag_set(name: str) -> bool:
    """Return the value of a flag in the current context."""
    return current_flags.get()[name]


@attrs.define(eq=False)
class _Overridden:
    _overrides: Mapping[str, bool]
    _tokens: list[Token[Mapping[str, bool]]] = attrs.field(
        factory=list[Token[Mapping[str, bool]]], init=False
    )

    def __enter__(self) -> None:
        merged = MappingProxyType({**current_flags.get(), **self._overrides})
        self._tokens.append(current_flags.set(merged))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current_flags.reset(self._tokens.pop())
