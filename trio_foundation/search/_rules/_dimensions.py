"""What a setting may be.

A dimension turns a number from 0 to 1, its *unit*, into a value; samplers only spread points over
the unit cube.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar, final

import attrs

from ._values import (
    distinct_values,
    finite_number,
    is_between,
    is_whole,
    same,
    whole_number,
)

__all__ = [
    "Choice",
    "Dimension",
    "IntUniform",
    "LogUniform",
    "Uniform",
    "When",
    "index_of",
    "spread",
]

N = TypeVar("N", int, float)

When: TypeAlias = Mapping[str, object] | Callable[[Mapping[str, Any]], bool] | None
"""When a dimension counts: always, if None; if dimensions named before it have these values (a set
stands for any of its members); or if a function of the settings so far says so."""

# Random numbers from 0 to 1 are multiples of 2**-53, so this is exact for any number of values.
_PARTS = 2**53


@final
@attrs.frozen
class Uniform:
    """A number from *a* to *b*, each as likely as any other.

    Raises:
        TypeError: *a*, *b* or *step* is no number.
        ValueError: One is not finite, *b* is less than *a*, or *step* is not above 0.

    Example:
        >>> Uniform(0, 10).at(0.25)
        2.5
        >>> list(Uniform(0, 1, step=0.3).grid())
        [0.0, 0.3, 0.6, 0.9]
    """

    a: float
    """The least value."""

    b: float
    """The greatest value, if *step* leads to it."""

    step: float | None = attrs.field(default=None, kw_only=True)
    """From one value to the next, counted from *a*; None for any value between."""

    when: When = attrs.field(default=None, kw_only=True)
    """When it counts; see `When`."""

    _exact: tuple[Fraction, Fraction] = attrs.field(
        init=False, repr=False, eq=False, default=(Fraction(0), Fraction(0))
    )

    count: float = attrs.field(init=False, repr=False, eq=False, default=math.inf)
    """How many values; `math.inf` without *step*, unless *a* is *b*."""

    def __attrs_post_init__(self) -> None:
        a, b = _check_bounds(self.a, self.b, finite_number)
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        if self.step is None:
            if a == b:
                object.__setattr__(self, "_exact", (Fraction(a), Fraction(0)))
                object.__setattr__(self, "count", 1)
            return
        step = finite_number("step", self.step)
        if not step > 0:
            raise ValueError(f"step must be more than 0, not {self.step!r}")
        # 0.1 is taken for 1/10, or three steps would lead to 0.30000000000000004.
        start, width = Fraction(repr(a)), Fraction(repr(step))
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "_exact", (start, width))
        object.__setattr__(self, "count", int((Fraction(repr(b)) - start) / width) + 1)

    def at(self, unit: float) -> float:
        """Return the value for a number from 0 to below 1."""
        if self.step is not None:
            return self.nth(index_of(unit, int(self.count)))
        # Not a + unit * (b - a), which may be infinite, and beyond b by rounding.
        return min(max(self.a * (1 - unit) + self.b * unit, self.a), self.b)

    def nth(self, index: int) -> float:
        """Return a value by its number, from 0, if there is an end to them."""
        start, width = self._exact
        return float(start + index * width)

    def holds(self, value: object) -> bool:
        """Return whether this is one of its values."""
        if not is_between(self.a, value, self.b):
            return False
        if self.step is None:
            return True
        number = finite_number("value", value)
        start, width = self._exact
        index = round((Fraction(repr(number)) - start) / width)
        return 0 <= index < self.count and self.nth(index) == number

    def grid(self, count: int | None = None) -> Iterator[float]:
        """Return values from *a* to *b*, the least first.

        Args:
            count: How many, both ends included (1 is the one in the middle); None for all.

        Raises:
            ValueError: There is no end to them, and no *count*.
        """
        if self.count != math.inf:
            return map(self.nth, spread(int(self.count), count))
        return _between(self, count, self.at)

    def __str__(self) -> str:
        steps = "" if self.step is None else f" in steps of {self.step:g}"
        return f"a number from {self.a:g} to {self.b:g}{steps}"


@final
@attrs.frozen
class LogUniform:
    """A number from *a* to *b*, as likely to be from 1 to 10 as from 10 to 100: a learning rate, say.

    Raises:
        TypeError: *a* or *b* is no number.
        ValueError: One is not finite, *a* is not above 0, or *b* is less than *a*.

    Example:
        >>> round(LogUniform(1, 100).at(0.5), 9)
        10.0
    """

    a: float
    """The least value, above 0."""

    b: float
    """The greatest value."""

    when: When = attrs.field(default=None, kw_only=True)
    """When it counts; see `When`."""

    _logs: tuple[float, float] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if finite_number("a", self.a) <= 0:
            raise ValueError(f"a must be more than 0, since it has a logarithm, not {self.a!r}")
        a, b = _check_bounds(self.a, self.b, finite_number)
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "_logs", (math.log(a), math.log(b)))

    @property
    def count(self) -> float:
        """How many values: `math.inf`, unless *a* is *b*."""
        return 1 if self.a == self.b else math.inf

    def at(self, unit: float) -> float:
        """Return the value for a number from 0 to below 1."""
        if unit in {0.0, 1.0}:  # the ends are met exactly
            return self.b if unit else self.a
        low, high = self._logs
        return min(max(math.exp(low * (1 - unit) + high * unit), self.a), self.b)

    def holds(self, value: object) -> bool:
        """Return whether this is one of its values."""
        return is_between(self.a, value, self.b)

    def grid(self, count: int | None = None) -> Iterator[float]:
        """Return *count* values from *a* to *b*, each as many times the one before.

        Args:
            count: How many, both ends included; 1 is the one in the middle.

        Raises:
            ValueError: There is no *count*, unless *a* is *b*.
        """
        if self.a == self.b:
            return iter([self.a])
        return _between(self, count, self.at)

    def __str__(self) -> str:
        return f"a number from {self.a:g} to {self.b:g}"


@final
@attrs.frozen
class IntUniform:
    """A whole number from *a* to *b*, both included, each as likely as any other.

    Raises:
        TypeError: *a*, *b* or *step* is no whole number.
        ValueError: *b* is less than *a*, or *step* is not above 0.

    Example:
        >>> list(IntUniform(1, 3).grid())
        [1, 2, 3]
        >>> list(IntUniform(16, 64, step=16).grid())
        [16, 32, 48, 64]
    """

    a: int
    """The least value."""

    b: int
    """The greatest value, if *step* leads to it."""

    step: int = attrs.field(default=1, kw_only=True)
    """From one value to the next, counted from *a*."""

    when: When = attrs.field(default=None, kw_only=True)
    """When it counts; see `When`."""

    def __attrs_post_init__(self) -> None:
        a, b = _check_bounds(self.a, self.b, whole_number)
        step = whole_number("step", self.step)
        if step < 1:
            raise ValueError(f"step must be 1 or more, not {self.step!r}")
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "step", step)

    @property
    def count(self) -> int:
        """How many values."""
        return (self.b - self.a) // self.step + 1

    def at(self, unit: float) -> int:
        """Return the value for a number from 0 to below 1."""
        return self.nth(index_of(unit, self.count))

    def nth(self, index: int) -> int:
        """Return a value by its number, from 0."""
        return self.a + index * self.step

    def holds(self, value: object) -> bool:
        """Return whether this is one of its values."""
        if not is_whole(value):
            return False
        number = whole_number("value", value)
        return self.a <= number <= self.b and (number - self.a) % self.step == 0

    def grid(self, count: int | None = None) -> Iterator[int]:
        """Return all its values, or *count* of them, evenly spread."""
        return map(self.nth, spread(self.count, count))

    def __str__(self) -> str:
        steps = "" if self.step == 1 else f" in steps of {self.step}"
        return f"a whole number from {self.a} to {self.b}{steps}"


@final
@attrs.frozen
class Choice:
    """One of a few values, of any kind, each as likely as any other.

    Trials get the values themselves: one that changes a list changes it for the next.

    Raises:
        TypeError: *values* is text, or a set, which has no order.
        ValueError: There is no value, or one is there twice.

    Example:
        >>> Choice(["linear", "rbf"]).at(0.75)
        'rbf'
    """

    values: tuple[Any, ...] = attrs.field(converter=distinct_values)
    """The values, in order; 1, 1.0 and True are three."""

    when: When = attrs.field(default=None, kw_only=True)
    """When it counts; see `When`."""

    @property
    def count(self) -> int:
        """How many values."""
        return len(self.values)

    def at(self, unit: float) -> object:
        """Return the value for a number from 0 to below 1."""
        return self.values[index_of(unit, len(self.values))]

    def nth(self, index: int) -> object:
        """Return a value by its number, from 0."""
        return self.values[index]

    def holds(self, value: object) -> bool:
        """Return whether this is one of its values."""
        return any(same(value, one) for one in self.values)

    def grid(self, count: int | None = None) -> Iterator[Any]:
        """Return all its values, or *count* of them, evenly spread."""
        return map(self.nth, spread(self.count, count))

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.values))}"


Dimension: TypeAlias = Uniform | LogUniform | IntUniform | Choice
"""What a setting may be."""


def spread(size: int, count: int | None) -> Iterable[int]:
    """Return *count* of the numbers below *size*, evenly spread; at most all.

    Example:
        >>> list(spread(5, 3)), list(spread(2, 3)), list(spread(5, None))
        ([0, 2, 4], [0, 1], [0, 1, 2, 3, 4])
    """
    if count is None or count >= size:
        return range(size)
    if count == 1:
        return [(size - 1) // 2]
    return [index * (size - 1) // (count - 1) for index in range(count)]


def index_of(unit: float, count: int) -> int:
    """Return which of *count* values a number from 0 to 1 stands for."""
    return min(int(unit * _PARTS) * count // _PARTS, count - 1)


def _between(
    dimension: Uniform | LogUniform, count: int | None, at: Callable[[float], float]
) -> Iterator[float]:
    if count is None:
        raise ValueError(f"there is no end to {dimension}: say how many values, as in grid(5)")
    shares = [0.5] if count == 1 else [index / (count - 1) for index in range(count)]
    return (at(share) for share in shares)


def _check_bounds(a: float, b: float, number: Callable[[str, object], N]) -> tuple[N, N]:
    low, high = number("a", a), number("b", b)
    if high < low:
        raise ValueError(f"b must be {low!r} or more, since a is, not {high!r}")
    return low, high
