"""What is registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, final

import attrs

from ..supervision import Child

__all__ = ["Entry"]

KeyT_co = TypeVar("KeyT_co", covariant=True)
ValueT_co = TypeVar("ValueT_co", covariant=True)


@final
# With slots an attribute is read faster, though one is made more slowly.
@attrs.frozen(repr=False)
class Entry(Generic[KeyT_co, ValueT_co]):
    """One registration, as it was at one moment; an update makes another.

    Example:
        >>> registry = Registry[str, int]()
        >>> with registry.register("web", 8080, health="healthy") as entry:
        ...     print(entry)
        ...     print(entry.key, entry.value, entry.attributes["health"])
        Entry('web', 8080, health='healthy')
        web 8080 healthy
    """

    key: KeyT_co
    """What it is registered as."""

    value: ValueT_co
    """What is registered."""

    attributes: Mapping[str, Any]
    """What it is found by. Mappings, lists, tuples and sets are frozen copies."""

    owner: Child[Any] | None
    """The child that it is bound to, if any."""

    incarnation: int | None
    """The owner's incarnation with which it ends; None without an owner."""

    serial: int
    """Its number in the registry: later registrations have larger ones, an update keeps it."""

    _home: object = attrs.field(eq=False, alias="home")

    def is_from(self, home: object) -> bool:
        """Return whether this registry made it."""
        return self._home is home

    def __hash__(self) -> int:
        return hash((self.key, self.serial))

    def __repr__(self) -> str:
        words = [repr(self.key), repr(self.value)]
        words += [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"Entry({', '.join(words)})"
