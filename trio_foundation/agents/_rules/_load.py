"""Who has the least to do."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from operator import itemgetter
from typing import Any, TypeVar, cast

__all__ = ["load_at", "with_least_load"]

T = TypeVar("T")


def load_at(attributes: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Return the number at a path, in a form that sorts: no number comes last.

    Example:
        >>> load_at({"resources": {"load": 0.5}}, "resources.load"), load_at({}, "cost")
        ((False, 0.5), (True, 0))
    """
    value: object = attributes
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return (True, 0)
        value = cast("Mapping[str, object]", value).get(step)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return (False, value) if is_number and value == value else (True, 0)  # noqa: PLR0124  NaN


def with_least_load(
    candidates: Sequence[T],
    n: int,
    load_of: Callable[[T], tuple[bool, Any]],
    waiting_of: Callable[[T], int],
) -> list[T]:
    """Return those with the least load, least first; of several alike, as they stand.

    Example:
        >>> loads, waiting = {"a": 2, "b": 1, "c": 1}, {"b": 5, "c": 0, "a": 0}
        >>> with_least_load("abc", 2, lambda one: (False, loads[one]), waiting.get)
        ['c', 'b']
    """
    if not candidates or n < 1:
        return []
    loads = [load_of(one) for one in candidates]
    limit = heapq.nsmallest(n, loads)[-1]
    near = [
        (load, waiting_of(one), one)
        for load, one in zip(loads, candidates, strict=True)
        if load <= limit
    ]
    near.sort(key=itemgetter(0, 1))
    return [one for _, _, one in near[:n]]
