"""A map, as the user wants it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Sized
from typing import Any, final

from .._base import check_async_fn, check_bool, name_of
from ._attempts import Attempt, Caller, attempt_of
from ._limit import Limit
from ._options import OnError, Progress, check_options, limit_of
from ._where import Place, RunIn, Way, place_of

__all__ = ["Plan"]


@final
class Plan:
    """A map, checked: what `parallel_map` takes, and *caller*, its name as users write it."""

    def __init__(  # noqa: PLR0913  it is made in one place
        self,
        caller: str,
        function: Callable[[Any], Any],
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        limit: float | Limit | None = None,
        timeout: float | None = None,
        ordered: bool = True,
        on_error: OnError = "collect",
        run_in: RunIn = "task",
        retry: Caller | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        check_options(timeout, on_error, run_in, retry, on_progress)
        check_bool("ordered", ordered)
        _check_function(caller, function, run_in)
        _check_items(caller, items)
        self.name = name_of(function)
        self.items: Iterable[Any] | AsyncIterable[Any] = items
        self.limit = limit_of(limit)
        self.ordered = ordered
        self.collects = on_error == "collect"
        self.on_progress = on_progress
        self._place = place_of(run_in, function)
        self._timeout = timeout
        self._is_deaf = run_in == "thread"
        self._retry = retry

    @property
    def place(self) -> Place:
        """Where the function can be called; entered once."""
        return self._place

    @property
    def total(self) -> int | None:
        """How many items there are, if known."""
        return len(self.items) if isinstance(self.items, Sized) else None

    def forget_items(self) -> None:
        """Forget the items; this closes a generator that nobody else has."""
        self.items = ()

    def attempt_with(self, way: Way) -> Attempt:
        """Return what is called with an item, by what *place* gave."""
        return attempt_of(
            way,
            name=self.name,
            timeout=self._timeout,
            retry=self._retry,
            is_deaf=self._is_deaf,
        )


def _check_items(caller: str, items: object) -> None:
    if isinstance(items, (Iterable, AsyncIterable)):
        return
    if inspect.iscoroutine(items):
        items.close()  # or Python would warn that it was never awaited
    is_generator = inspect.isgeneratorfunction(items) or inspect.isasyncgenfunction(items)
    advice = f": write {name_of(items)}()" if is_generator else ""
    raise TypeError(f"{caller} takes items that can be iterated over, not {items!r}{advice}")


def _check_function(caller: str, function: object, run_in: RunIn) -> None:
    if run_in == "task":
        check_async_fn(caller, function)
    elif not callable(function):
        raise TypeError(f"{caller} takes a function, not {function!r}")
    elif inspect.iscoroutinefunction(function):
        raise TypeError(
            f"run_in={run_in!r} is for plain functions, and {name_of(function)} is an async one: "
            "leave run_in out"
        )
