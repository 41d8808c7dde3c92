"""Paths of attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._base import check_name
from ._frozen import FrozenDict, Value

__all__ = ["check_path", "read"]


def check_path(name: str, path: object) -> tuple[str, ...]:
    """Return the names in a path; *name* is for the message.

    Raises:
        ValueError: *path* is none.

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
    """Return what is at the end of a path, or None.

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
