"""What an entry has to be like; a criterion fails on no attribute that an owner writes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal, NoReturn, TypeAlias, cast, final

import attrs

from ._frozen import COLLECTIONS, FrozenDict, Value, freeze, freeze_attributes
from ._paths import check_path, read

__all__ = ["AttributePath", "Criterion", "equals_itself", "where"]

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains"]


@final
@attrs.frozen
class Criterion:
    """One condition on the attributes of an entry; made by `where`.

    Example:
        >>> where("resources.memory") >= 0.5
        where('resources.memory') >= 0.5
        >>> (where("resources.memory") >= 0.5).matches({"resources": {"memory": 0.75}})
        True
    """

    path: str
    """The path of the value."""

    operator: Operator
    """How the value is compared."""

    value: Value
    """What it is compared with; for ``in`` and ``not in``, a tuple."""

    steps: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)
    """The names in the path."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "steps", check_path("path", self.path))
        object.__setattr__(self, "value", freeze(self.value))

    def matches(self, attributes: Mapping[str, object]) -> bool:
        """Return whether an entry's attributes match."""
        return self.accepts(freeze_attributes(attributes))

    def accepts(self, attributes: Mapping[str, Value]) -> bool:
        """Do what `matches` does, with frozen attributes."""
        return _TESTS[self.operator](read(attributes, self.steps), self.value)

    def __bool__(self) -> NoReturn:
        # `0.2 < where("load") < 0.8` would otherwise be `where("load") < 0.8`.
        raise TypeError(
            "a criterion is neither true nor false before there is an entry: instead of chained "
            "comparisons, `and`, `or` and `not`, write several criteria, as in "
            "query(where('load') > 0.2, where('load') < 0.8)"
        )

    def __repr__(self) -> str:
        start = f"where({self.path!r})"
        if self.operator in {"in", "not in", "contains"}:
            verb = {"in": "is_in", "not in": "not_in"}.get(self.operator, self.operator)
            value = list(self.value) if verb != "contains" else self.value
            return f"{start}.{verb}({value!r})"
        return f"{start} {self.operator} {self.value!r}"


@final
class AttributePath:  # noqa: PLW1641  it is no key, so it has no hash
    """The path of a value in the attributes of an entry; made by `where`.

    A comparison makes a `Criterion`.

    Example:
        >>> where("health") == "healthy"
        where('health') == 'healthy'
    """

    __slots__ = ("path",)

    path: str
    """The names, joined by dots."""

    def __init__(self, path: str) -> None:
        check_path("path", path)
        self.path = path

    def __repr__(self) -> str:
        return f"where({self.path!r})"

    # Two paths are not compared with one another, they make criteria.
    def __eq__(self, value: object) -> Criterion:  # type: ignore[override]
        return Criterion(self.path, "==", value)

    def __ne__(self, value: object) -> Criterion:  # type: ignore[override]
        return Criterion(self.path, "!=", value)

    def __lt__(self, value: object) -> Criterion:
        return Criterion(self.path, "<", value)

    def __le__(self, value: object) -> Criterion:
        return Criterion(self.path, "<=", value)

    def __gt__(self, value: object) -> Criterion:
        return Criterion(self.path, ">", value)

    def __ge__(self, value: object) -> Criterion:
        return Criterion(self.path, ">=", value)

    def is_in(self, *values: object) -> Criterion:
        """Ask for any of some values, each compared as by ``==``.

        Args:
            *values: The values, or one collection of them.

        Returns:
            The criterion.

        Example:
            >>> where("health").is_in(["healthy", "degraded"])
            where('health').is_in(['healthy', 'degraded'])
        """
        return Criterion(self.path, "in", _values(values))

    def not_in(self, *values: object) -> Criterion:
        """Ask for none of some values, each compared as by ``==``.

        Args:
            *values: The values, or one collection of them.

        Returns:
            The criterion.

        Example:
            >>> where("node").not_in("a", "b")
            where('node').not_in(['a', 'b'])
        """
        return Criterion(self.path, "not in", _values(values))

    def contains(self, member: object) -> Criterion:
        """Ask for a member of a set, list or tuple, a key of a mapping, or a part of a string.

        Returns:
            The criterion.

        Example:
            >>> where("capabilities").contains("translate")
            where('capabilities').contains('translate')
        """
        return Criterion(self.path, "contains", member)


def where(path: str) -> AttributePath:
    """Say what entries have to be like, for `Registry.query`.

    Compare the result with ``==``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``, or call its
    `AttributePath.is_in`, `AttributePath.not_in` or `AttributePath.contains`.

    - A missing attribute is None, and matches no order comparison.
    - ``==`` on a set, list or tuple is true of its members and of the whole; ``!=`` is its
      opposite.
    - Values are equal if Python says so: 1, 1.0 and ``True`` are. NaN equals nothing.
    - What cannot be compared does not match, and is no error.

    Args:
        path: An attribute, or for one within others, names joined by dots.

    Returns:
        What is to be compared.

    Raises:
        TypeError: *path* is no string.
        ValueError: It is empty, or nothing is between two dots.

    Example:
        >>> where("resources.memory") >= 0.5
        where('resources.memory') >= 0.5
    """
    return AttributePath(path)


def equals_itself(value: Value) -> bool:
    """Return whether a value equals itself; NaN does not."""
    try:
        return bool(value == value)  # noqa: PLR0124
    except Exception:  # noqa: BLE001  a value may be compared in any way that users can think of
        return False


def _values(values: tuple[object, ...]) -> tuple[object, ...]:
    if len(values) == 1:
        (single,) = values
        if isinstance(single, Iterable) and not isinstance(single, (str, bytes, bytearray)):
            return tuple(cast("Iterable[object]", single))
    return values


# How an attribute is compared, in order of use. None of these raises.


def _equal(actual: Value, wanted: Value) -> bool:
    if _same(actual, wanted):
        return equals_itself(wanted)
    return _holds(actual, wanted, COLLECTIONS)


def _same(actual: Value, wanted: Value) -> bool:
    try:
        return bool(actual == wanted)
    except Exception:  # noqa: BLE001  see above
        return False


def _holds(actual: Value, wanted: Value, kinds: tuple[type, ...]) -> bool:
    members = actual
    if not (isinstance(actual, kinds) and equals_itself(wanted)):
        return False
    try:
        return wanted in members
    except Exception:  # noqa: BLE001  one member cannot be compared, but another may be it
        return any(_same(member, wanted) for member in members)


def _unequal(actual: Value, wanted: Value) -> bool:
    return not _equal(actual, wanted)


def _in_order(compare: Callable[[Value, Value], object], actual: Value, wanted: Value) -> bool:
    try:
        return actual is not None and bool(compare(actual, wanted))
    except Exception:  # noqa: BLE001  see above
        return False


def _among(actual: Value, wanted: Value) -> bool:
    return any(_equal(actual, value) for value in wanted)


def _not_among(actual: Value, wanted: Value) -> bool:
    return not _among(actual, wanted)


def _contains(actual: Value, wanted: Value) -> bool:
    return _holds(actual, wanted, (str, FrozenDict, *COLLECTIONS))


_TESTS: dict[Operator, Callable[[Value, Value], bool]] = {
    "==": _equal,
    "!=": _unequal,
    "<": partial(_in_order, operator.lt),
    "<=": partial(_in_order, operator.le),
    ">": partial(_in_order, operator.gt),
    ">=": partial(_in_order, operator.ge),
    "in": _among,
    "not in": _not_among,
    "contains": _contains,
}
