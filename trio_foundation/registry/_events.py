"""The events of the room."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Literal, TypeAlias, final

import attrs

from ..telemetry import Event
from ._entry import Entry

__all__ = [
    "EntryEvent",
    "Lagged",
    "OwnerUnknown",
    "Registered",
    "RegistryEvent",
    "Unregistered",
    "UnregisteredBy",
    "Updated",
]

UnregisteredBy: TypeAlias = Literal["unregister", "block", "owner"]
"""Why an entry is gone: ``unregister`` was called, or the ``block`` of `Registry.register` or
the incarnation of its ``owner`` has ended."""


@attrs.frozen(kw_only=True)
class RegistryEvent(Event):
    """The base class of a registry's events.

    Example:
        >>> Lagged(registry="ports", missed=3).registry
        'ports'
    """

    registry: str
    """The registry's name."""


@attrs.frozen(kw_only=True)
class EntryEvent(RegistryEvent):
    """The base class of changes of an entry.

    Example:
        >>> import trio
        >>> async def main():
        ...     registry = Registry[str, int](name="ports")
        ...     with subscribe(lambda event: print(event.name, event.key), EntryEvent):
        ...         with registry.register("web", 8080):
        ...             pass
        >>> from trio_foundation.telemetry import subscribe
        >>> trio.run(main)
        foundation.registry.registered web
        foundation.registry.unregistered web
    """

    entry: Entry[Any, Any]
    """The entry as it is now; as it was, if it is gone."""

    @property
    def key(self) -> object:
        """What it is registered as."""
        return self.entry.key


@final
@attrs.frozen(kw_only=True)
class Registered(EntryEvent):
    """An entry was added."""

    name: ClassVar[str] = "foundation.registry.registered"
    level: ClassVar[int] = logging.DEBUG


@final
@attrs.frozen(kw_only=True)
class Updated(EntryEvent):
    """An entry has another value, or other attributes."""

    name: ClassVar[str] = "foundation.registry.updated"
    level: ClassVar[int] = logging.DEBUG

    before: Entry[Any, Any]
    """The entry as it was."""


@final
@attrs.frozen(kw_only=True)
class Unregistered(EntryEvent):
    """An entry is gone."""

    name: ClassVar[str] = "foundation.registry.unregistered"
    level: ClassVar[int] = logging.DEBUG

    by: UnregisteredBy
    """Why."""


@final
@attrs.frozen(kw_only=True)
class Lagged(RegistryEvent):
    """A watcher was too slow, and what it had not received is lost."""

    name: ClassVar[str] = "foundation.registry.lagged"
    level: ClassVar[int] = logging.WARNING

    missed: int
    """How many events are lost."""


@final
@attrs.frozen(kw_only=True)
class OwnerUnknown(RegistryEvent):
    """A child has ended that owned nothing in the registry."""

    name: ClassVar[str] = "foundation.registry.owner_unknown"
    level: ClassVar[int] = logging.DEBUG

    owner: str
    """The child's name."""
