"""Which points are the same, and how many there are."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias, final

import attrs

from ._dimensions import Dimension, index_of
from ._space import SearchSpace

__all__ = ["Drawer", "Drawn", "Draws", "Key", "Units", "point_count"]

Key: TypeAlias = tuple[int, ...]
"""The numbers of a discrete point's values; -1 for none."""

Units: TypeAlias = Callable[[int], Sequence[float]]
"""Where in the unit cube a trial is, by its number."""

_MOST_CASES = 100_000
"""The points of a space with more cases are not counted."""

_TURN = 64
"""Draws in vain before others get their turn."""


@final
@attrs.frozen
class Drawn:
    """A trial to be run."""

    index: int
    params: dict[str, Any]


@final
class Drawer:
    """Draws points, and tells discrete ones apart.

    Example:
        >>> from ._dimensions import Choice, Uniform
        >>> Drawer(SearchSpace(x=Choice(["a", "b"]))).draw([0.5])
        ({'x': 'b'}, (1,))
        >>> Drawer(SearchSpace(x=Uniform(0, 1))).draw([0.5])
        ({'x': 0.5}, None)
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        dimensions = list(space.dimensions.items())
        self._counts = [(name, one.count) for name, one in dimensions]
        endless = [one.when is None for _, one in dimensions if one.count == math.inf]
        self._never_twice = any(endless)
        self._always_discrete = not endless

    def draw(self, units: Sequence[float]) -> tuple[dict[str, Any], Key | None]:
        """Return a point, and its key, None if a setting is continuous."""
        point = self._space.at(units)
        if self._never_twice:
            return point, None
        if not self._always_discrete and any(
            count == math.inf and name in point for name, count in self._counts
        ):
            return point, None
        return point, tuple(
            index_of(unit, int(count)) if name in point else -1
            for (name, count), unit in zip(self._counts, units, strict=True)
        )


@final
class Draws(Iterator[Drawn | None]):
    """The trials to run, in order; now and then None, for others to get their turn.

    Example:
        >>> from ._dimensions import Choice
        >>> space = SearchSpace(x=Choice(["a", "b"]))
        >>> draws = Draws(space, lambda index: [index % 3 / 3], 100)
        >>> [drawn.params for drawn in draws], draws.skipped
        ([{'x': 'a'}, {'x': 'b'}], 98)
    """

    def __init__(self, space: SearchSpace, units: Units, iterations: float) -> None:
        self.skipped = 0
        """How many draws repeated a point."""
        self._space = space
        self._drawer = Drawer(space)
        self._units = units
        self._iterations = iterations
        self._next = 0
        self._left: deque[Drawn] = deque()
        self._seen: set[Key] = set()
        self._most: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether all were drawn."""
        return self._next >= self._iterations and not self._left

    def __next__(self) -> Drawn | None:
        if self._left:
            return self._left.popleft()
        for _ in range(_TURN):
            if self.has_ended:
                raise StopIteration
            drawn = self._draw()
            if drawn is not None:
                return drawn
        return None

    def catch_up(self, has_ended: Collection[int]) -> Iterator[Drawn]:
        """Draw what an earlier run drew, and yield what ended in it; the rest comes first."""
        last = max(has_ended, default=-1)
        while self._next <= last and self._next < self._iterations:
            drawn = self._draw()
            if drawn is not None and drawn.index in has_ended:
                yield drawn
            elif drawn is not None:
                self._left.append(drawn)

    def _draw(self) -> Drawn | None:
        """Return the next trial, None if repeated."""
        index = self._next
        self._next += 1
        point, key = self._drawer.draw(self._units(index))
        if key is None or self._is_new(key):
            return Drawn(index, point)
        self._note_skipped()
        return None

    def _is_new(self, key: Key) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _note_skipped(self) -> None:
        self.skipped += 1
        if self._most is None:  # counted only where something was drawn twice
            self._most = point_count(self._space)
        if len(self._seen) >= self._most:
            if self._iterations != math.inf:
                self.skipped += int(self._iterations) - self._next
            self._iterations = self._next


def point_count(space: SearchSpace) -> float:
    """Return how many points a space has; `math.inf` if too many to count.

    Example:
        >>> from ._dimensions import Choice, IntUniform
        >>> space = SearchSpace(a=Choice([True, False]), b=IntUniform(1, 10, when={"a": True}))
        >>> point_count(space)
        11
    """
    dimensions = list(space.dimensions.items())
    # What a later condition asks for, case by case, each with the number of its points.
    cases: dict[Key, tuple[dict[str, Any], float]] = {(): ({}, 1)}
    for place, (name, dimension) in enumerate(dimensions):
        if not _is_asked_for(name, [one for _, one in dimensions[place + 1 :]]):
            cases = {
                (*key, -1): (point, number * _share(space, dimension, point))
                for key, (point, number) in cases.items()
            }
            continue
        if dimension.count * len(cases) > _MOST_CASES:
            return math.inf
        cases = {
            (*key, index): (known, number)
            for key, (point, number) in cases.items()
            for index, known in _cases_of(space, name, dimension, point)
        }
    return sum(number for _, number in cases.values())


# Helpers, in order of use


def _is_asked_for(name: str, later: Sequence[Dimension]) -> bool:
    return any(one.when is not None and (callable(one.when) or name in one.when) for one in later)


def _share(space: SearchSpace, dimension: Dimension, point: dict[str, Any]) -> float:
    return dimension.count if space.is_met(dimension.when, point) else 1


def _cases_of(
    space: SearchSpace, name: str, dimension: Dimension, point: dict[str, Any]
) -> Iterator[tuple[int, dict[str, Any]]]:
    if not space.is_met(dimension.when, point):
        yield -1, point
        return
    for index, value in enumerate(dimension.grid()):
        yield index, {**point, name: value}
