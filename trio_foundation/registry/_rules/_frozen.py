"""Containers that cannot change, since an index of them would be wrong.

They equal what they were made from, and are copied and pickled as plain containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet
from typing import Any, NoReturn, TypeAlias, cast, final

__all__ = [
    "COLLECTIONS",
    "PLAIN",
    "FrozenDict",
    "FrozenList",
    "Value",
    "freeze",
    "freeze_attributes",
]

Value: TypeAlias = Any
"""The value of an attribute."""

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
"""The types of most values, which are kept as they are."""


def _refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise TypeError(
        "the attributes of an entry cannot be changed in place: write registry.update(key, ...), "
        "or change a copy"
    )


@final
class FrozenList(list[Any]):
    """A list that does not change.

    Example:
        >>> FrozenList([1, 2]) == [1, 2]
        True
    """

    __slots__ = ()

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (tuple(self),)


@final
class FrozenDict(dict[Any, Any]):
    """A dictionary that does not change.

    Example:
        >>> FrozenDict({"memory": 0.5}) == {"memory": 0.5}
        True
    """

    __slots__ = ()

    pop = popitem = clear = update = setdefault = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (tuple(self.items()),)


COLLECTIONS = (FrozenList, frozenset, tuple)
"""Frozen containers that have members."""


def freeze(value: object) -> object:
    """Return a value; of a container a copy that cannot change, with those within.

    Example:
        >>> freeze([1, {"tags": {"fast"}}])
        [1, {'tags': frozenset({'fast'})}]
    """
    kind = type(value)
    if kind in PLAIN or kind is FrozenDict or kind is FrozenList:
        return value
    if isinstance(value, Mapping):
        return _freeze_mapping(cast("Mapping[object, object]", value))
    if isinstance(value, list):
        return FrozenList(map(freeze, cast("list[object]", value)))
    if kind is tuple:
        return tuple(map(freeze, cast("tuple[object, ...]", value)))
    if isinstance(value, AbstractSet):
        return frozenset(cast("AbstractSet[object]", value))
    return value


def freeze_attributes(attributes: Mapping[str, object]) -> FrozenDict:
    """Return the attributes of an entry, frozen.

    Raises:
        ValueError: A name has a dot.

    Example:
        >>> freeze_attributes({"tags": {"fast"}})
        {'tags': frozenset({'fast'})}
    """
    frozen = dict(attributes)
    for name, value in attributes.items():
        if "." in name:
            outer, _, inner = name.partition(".")
            raise ValueError(
                f"the name of an attribute has no dot in it, but got {name!r}: for an attribute "
                f"within another write {outer}={{{inner!r}: ...}}"
            )
        if type(value) not in PLAIN:
            frozen[name] = freeze(value)
    return FrozenDict(frozen)


def _freeze_mapping(mapping: Mapping[Any, object]) -> FrozenDict:
    return FrozenDict({name: freeze(value) for name, value in mapping.items()})
