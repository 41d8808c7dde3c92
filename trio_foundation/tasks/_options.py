"""How a map is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, TypeAlias, TypedDict

from .._base import check_choice, check_count, check_seconds, is_plain_function
from ._attempts import Caller
from ._limit import Limit
from ._where import RunIn

__all__ = [
    "MapOptions",
    "OnError",
    "Progress",
    "buffer_of",
    "check_options",
    "limit_of",
]

OnError: TypeAlias = Literal["collect", "raise"]
"""Whether an item's error is its result, or ends the map."""

Progress: TypeAlias = Callable[[int, int | None], object]
"""Told how many items are done, and of how many; None if unknown."""


class MapOptions(TypedDict, total=False):
    """The keyword arguments that all maps share; described at `parallel_map`.

    Example:
        >>> options: MapOptions = {"limit": 10, "timeout": 5.0}
    """

    limit: float | Limit | None
    """How many items are worked on at once; by default the number of cores."""

    timeout: float | None
    """How long an item may take, in seconds; by default as long as it likes."""

    ordered: bool
    """Whether results come in the order of the items, the default, or of their ends."""

    retry: Caller | None
    """What calls the function, such as a `Retry`."""

    on_progress: Progress | None
    """Told how many are done, and of how many, or None."""


def limit_of(limit: float | Limit | None) -> Limit:
    """Return how many run at once."""
    if isinstance(limit, Limit):
        return limit
    return Limit(_cores() if limit is None else limit)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def buffer_of(buffer: float | None, limit: Limit) -> float:
    """Return how many results may wait."""
    if buffer is None:
        return limit.value
    return check_count("buffer", buffer, allow_inf=True)


def check_options(
    timeout: float | None,
    on_error: OnError,
    run_in: RunIn,
    retry: Caller | None,
    on_progress: Progress | None,
) -> None:
    """Refuse options that make no sense."""
    if timeout is not None:
        check_seconds("timeout", timeout, above_zero=True)
    check_choice("on_error", on_error, ("collect", "raise"))
    check_choice("run_in", run_in, ("task", "thread", "process"))
    if retry is not None and (
        isinstance(retry, type) or not callable(getattr(retry, "call", None))
    ):
        raise TypeError(
            f"retry must be a Retry, or whatever has an async method call, not {retry!r}"
        )
    if isinstance(on_progress, AbstractContextManager):
        raise TypeError(
            "on_progress is a function: write `with rich_progress(...) as progress:` and then "
            "on_progress=progress"
        )
    if on_progress is not None and not is_plain_function(on_progress):
        raise TypeError(f"on_progress must be a plain function or None, not {on_progress!r}")
