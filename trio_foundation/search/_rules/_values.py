"""What counts as a number, and as the same."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, Protocol, SupportsIndex, TypeGuard, cast

__all__ = [
    "as_number",
    "distinct_values",
    "finite_number",
    "is_between",
    "is_whole",
    "same",
    "whole_number",
]


class _Floatable(Protocol):
    def __float__(self) -> float: ...


def as_number(value: object) -> float | None:
    """Return a number as a float; None for text, truth values and complex numbers.

    Raises:
        OverflowError: It is too large for a float.

    Example:
        >>> as_number(3), as_number("3"), as_number(True)
        (3.0, None, None)
    """
    if type(value) is float:
        return value
    if isinstance(value, (bool, str, bytes)) or not hasattr(type(value), "__float__"):
        return None
    if getattr(getattr(value, "dtype", None), "kind", None) in {"b", "c"}:
        return None
    return float(cast(_Floatable, value))


def finite_number(name: str, value: object) -> float:
    """Return a finite number as a float; refuse all else."""
    try:
        number = as_number(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number that a float can hold") from None
    if number is None:
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return number


def is_between(low: float, value: object, high: float) -> bool:
    """Return whether something is a number from *low* to *high*.

    Example:
        >>> is_between(0, 1, 1), is_between(0, 10**400, 1), is_between(0, "1", 1)
        (True, False, False)
    """
    try:
        number = as_number(value)
    except OverflowError:  # no float is as large
        return False
    return number is not None and low <= number <= high


def whole_number(name: str, value: object) -> int:
    """Return a whole number as an int; refuse all else, 2.0 too."""
    if not is_whole(value):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    return operator.index(value)


def is_whole(value: object) -> TypeGuard[SupportsIndex]:
    """Return whether something is whole; 2.0 and True are not."""
    return hasattr(type(value), "__index__") and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Return whether two values are one choice: 1, 1.0 and True are three.

    Example:
        >>> same("rbf", "rbf"), same(1, True)
        (True, False)
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001  arrays, for one, do not say whether they are equal
        return False


def distinct_values(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return a choice's values; refuse what is no list of different ones."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"values must be a list, not {values!r}: write Choice([{values!r}])")
    if isinstance(values, (set, frozenset)):
        raise TypeError(
            "values must have an order, or the search would be another one in each run: "
            "write Choice(sorted(...)), not a set"
        )
    try:
        found = tuple(values)
    except TypeError:
        raise TypeError(f"values must be a list, not {values!r}: write Choice([...])") from None
    if not found:
        raise ValueError("values must not be empty: write Choice(['a', 'b'])")
    twice = _found_twice(found)
    if twice is not None:
        raise ValueError(f"values must differ, but {found[twice]!r} is there twice")
    return found


def _found_twice(values: tuple[object, ...]) -> int | None:
    """Return the first index of a repeated value, if any."""
    seen: set[tuple[object, object]] = set()
    unhashable: list[object] = []
    for index, value in enumerate(values):
        try:
            key: tuple[object, object] = (type(value), value)
            is_new = key not in seen
            seen.add(key)
        except TypeError:
            is_new = not any(same(value, one) for one in unhashable)
            unhashable.append(value)
        if not is_new:
            return index
    return None
