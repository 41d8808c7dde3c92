"""All settings together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, cast, final, get_args

from ..._base import is_plain_function
from ._dimensions import Choice, Dimension, When
from ._values import is_whole, same

__all__ = ["RandomSource", "SearchSpace"]


class RandomSource(Protocol):
    """What gives random numbers: a `random.Random`, or a generator of NumPy's.

    Example:
        >>> import random
        >>> rng: RandomSource = random.Random(42)
    """

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        ...


@final
class SearchSpace:
    """The settings to choose from, by name.

    Args:
        **dimensions: What each setting may be: a `Uniform`, `LogUniform`, `IntUniform` or
            `Choice`; with *when*, only if that is met by those before it.

    Raises:
        TypeError: One is no dimension.
        ValueError: There is none, or a condition can never be met.

    Example:
        >>> import random
        >>> space = SearchSpace(
        ...     kernel=Choice(["linear", "rbf"]),
        ...     gamma=LogUniform(1e-4, 1, when={"kernel": "rbf"}),
        ... )
        >>> space.sample(random.Random(1))
        {'kernel': 'linear'}
        >>> sorted(space.sample(random.Random(2)))
        ['gamma', 'kernel']
    """

    __slots__ = ("_dimensions",)

    def __init__(self, /, **dimensions: Dimension) -> None:
        if not dimensions:
            raise ValueError("a space needs dimensions: write SearchSpace(x=Uniform(0, 1))")
        self._dimensions: dict[str, Dimension] = {}
        for name, dimension in dimensions.items():
            if not isinstance(dimension, get_args(Dimension)):
                raise TypeError(_no_dimension(name, dimension))
            self._check_condition(name, dimension.when)
            self._dimensions[name] = dimension

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The dimensions by name, in order."""
        return MappingProxyType(self._dimensions)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={one!r}" for name, one in self._dimensions.items())
        return f"SearchSpace({inside})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return NotImplemented
        return list(self._dimensions.items()) == list(other._dimensions.items())

    def __hash__(self) -> int:  # of the names only, since a condition may be a dictionary
        return hash(tuple(self._dimensions))

    def sample(self, rng: RandomSource) -> dict[str, Any]:
        """Return a random point, its settings by name.

        Each dimension takes one random number, whether its condition is met or not.

        Args:
            rng: Where the numbers come from, such as a `random.Random`.

        Raises:
            TypeError: *rng* gives no random numbers.

        Example:
            >>> import random
            >>> SearchSpace(x=IntUniform(1, 6)).sample(random.Random(42))
            {'x': 4}
        """
        if not callable(getattr(rng, "random", None)):
            raise TypeError(f"rng must be a source such as random.Random(42), not {rng!r}")
        return self.at([rng.random() for _ in self._dimensions])

    def at(self, units: Sequence[float]) -> dict[str, Any]:
        """Return the point for a place in the unit cube.

        Args:
            units: A number from 0 to below 1 for each dimension.

        Example:
            >>> SearchSpace(x=Uniform(0, 10), y=Choice(["a", "b"])).at([0.5, 0.9])
            {'x': 5.0, 'y': 'b'}
        """
        point: dict[str, Any] = {}
        for (name, dimension), unit in zip(self._dimensions.items(), units, strict=True):
            if dimension.when is None or self.is_met(dimension.when, point):
                point[name] = dimension.at(unit)
        return point

    def grid(self, count: int | None = None, /, **counts: int) -> Iterator[dict[str, Any]]:
        """Return the points of a grid, made one by one, the last dimension changing fastest.

        Args:
            count: How many values of dimensions that *counts* does not name; None for all.
            **counts: How many values, by dimension.

        Raises:
            TypeError: A count is no whole number.
            ValueError: One is below 1, for no dimension of the space, or missing where there is no
                end to the values.

        Example:
            >>> space = SearchSpace(x=Uniform(0, 1), y=Choice(["a", "b"]))
            >>> list(space.grid(x=2))
            [{'x': 0.0, 'y': 'a'}, {'x': 0.0, 'y': 'b'}, {'x': 1.0, 'y': 'a'}, {'x': 1.0, 'y': 'b'}]
        """
        for name, one in {"count": count, **counts}.items():
            if one is not None or name in counts:
                _check_grid_count(name, one)
        for name in counts:
            if name not in self._dimensions:
                raise ValueError(f"{name} is no dimension of this space: {self._names()}")
        values: list[Callable[[], Iterator[Any]]] = []
        for name, dimension in self._dimensions.items():
            wanted = counts.get(name, count)
            if wanted is None and dimension.count == math.inf:
                raise ValueError(
                    f"{name} is {dimension}, and there is no end to these: say how many of them, "
                    f"as in grid({name}=5)"
                )
            values.append(partial(dimension.grid, wanted))
        return self._walk({}, list(self._dimensions.items()), values)

    def validate(self, point: Mapping[str, object]) -> None:
        """Refuse settings by name that are no point of the space.

        Raises:
            TypeError: They are no mapping.
            ValueError: One is missing, too much, or of a wrong value.

        Example:
            >>> SearchSpace(x=Uniform(0, 1)).validate({"x": 2})
            Traceback (most recent call last):
            ValueError: x must be a number from 0 to 1, not 2
        """
        if not isinstance(point, Mapping):
            raise TypeError(f"a point must be a dictionary of settings, not {point!r}")
        for name in point:
            if name not in self._dimensions:
                raise ValueError(f"{name} is no dimension of this space: {self._names()}")
        known: dict[str, Any] = {}
        for name, dimension in self._dimensions.items():
            if self.is_met(dimension.when, known):
                known[name] = _value_in(point, name, dimension)
            elif name in point:
                raise ValueError(f"{name} must be left out here: {_unmet(dimension.when)}")

    def is_met(self, when: When, point: Mapping[str, Any]) -> bool:
        """Return whether a point, if only of the dimensions before, meets a condition."""
        if when is None:
            return True
        if callable(when):
            return bool(when(MappingProxyType(dict(point))))
        return all(
            name in point and _fits(self._dimensions[name], point[name], wanted)
            for name, wanted in when.items()
        )

    def _walk(
        self,
        point: dict[str, Any],
        rest: list[tuple[str, Dimension]],
        values: list[Callable[[], Iterator[Any]]],
    ) -> Iterator[dict[str, Any]]:
        if not rest:
            yield dict(point)
            return
        (name, dimension), *later = rest
        if not self.is_met(dimension.when, point):
            yield from self._walk(point, later, values[1:])
            return
        for value in values[0]():
            yield from self._walk({**point, name: value}, later, values[1:])

    def _check_condition(self, name: str, when: object) -> None:
        if when is None or (is_plain_function(when) and not isinstance(when, Mapping)):
            return
        if not isinstance(when, Mapping):
            raise TypeError(
                f"the condition of {name} must be a dictionary, such as {{'kernel': 'rbf'}}, or "
                f"a plain function of the settings before it, not {when!r}"
            )
        for other, wanted in cast(Mapping[str, object], when).items():
            dimension = self._dimensions.get(other)
            if dimension is None:
                raise ValueError(
                    f"the condition of {name} is about {other!r}, which is no dimension before "
                    f"{name}: {self._names() or 'there is none'}"
                )
            _check_options(name, other, dimension, wanted)

    def _names(self) -> str:
        return f"there is {', '.join(self._dimensions)}" if self._dimensions else ""


# Helpers, in order of use


def _no_dimension(name: str, value: object) -> str:
    hint = "Choice([...])" if isinstance(value, (list, set)) else "Uniform(0, 1)"
    return f"{name} must be a dimension, such as {hint}, not {value!r}"


def _check_grid_count(name: str, value: object) -> None:
    if not is_whole(value):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if int(value) < 1:
        raise ValueError(f"{name} must be 1 or more, not {value!r}")


def _check_options(name: str, other: str, dimension: Dimension, wanted: object) -> None:
    options = _options(wanted)
    for one in options or (wanted,):
        if options and dimension.holds(one):
            continue
        hint = "; for any of a few, write a set" if isinstance(one, (list, tuple)) else ""
        raise ValueError(
            f"the condition of {name} can never be met: {other} is {dimension}, and never "
            f"{one!r}{hint}"
        )


def _value_in(point: Mapping[str, object], name: str, dimension: Dimension) -> object:
    if name not in point:
        raise ValueError(f"{name} is missing: it must be {dimension}")
    if not dimension.holds(point[name]):
        raise ValueError(f"{name} must be {dimension}, not {point[name]!r}")
    return point[name]


def _unmet(when: When) -> str:
    words = "its condition" if callable(when) else f"its condition {dict(when or {})}"
    return f"{words} is not met"


def _options(wanted: object) -> tuple[object, ...]:
    """Return the values that a condition allows."""
    if isinstance(wanted, (set, frozenset)):
        return tuple(cast(set[object], wanted))
    return (wanted,)


def _fits(dimension: Dimension, value: object, wanted: object) -> bool:
    options = _options(wanted)
    if isinstance(dimension, Choice):
        return any(same(value, one) for one in options)
    return value in options
