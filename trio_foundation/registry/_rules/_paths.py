"""Where an entry has a value in its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._base import check_name
from ._frozen import FrozenDict, Value

__all__ = ["check_path", "read"]


def check_path(name: str, path: object) -> tuple[str, ...]:
    """Refuse what is no path.

    Args:
        name: The argument's name, for the message.
        path: Names joined by dots.

    Returns:
        The names.

    Raises:
        TypeError: If *path* is no string.
        ValueError: If it is empty, or nothing is between two dots.

    Example:
        >>> check_path("path", "resources.memory")
        ('resources', 'memory')
    """
    steps = tuple(check_name(name, path).split("."))
    if not all(steps):
        raise ValueError(
            f"{name} must be names joined by single dots, such as 'resources.memory', not {path!r}"
        )
    return steps


def read(attributes: Mapping[str, Any], steps: tuple[str, ...]) -> Value:
    """Return what is at the end of a path; None if nothing is.

    Example:
        >>> read(FrozenDict({"resources": FrozenDict({"memory": 0.5})}), ("resources", "memory"))
        0.5
    """
    value: Value = attributes
    for step in steps:
        if type(value) is not FrozenDict:
            return None
        value = value.get(step)
    return value
