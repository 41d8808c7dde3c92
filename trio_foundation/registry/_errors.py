"""What goes wrong with names and their owners."""

from __future__ import annotations

from typing import final

from .._base import FoundationError

__all__ = ["NameTaken", "NotRegistered", "OwnerNotRunning"]


@final
class NameTaken(FoundationError):
    """The key is registered already, in a registry of unique keys.

    Example:
        >>> registry = Registry[str, int](name="ports")
        >>> with registry.register("web", 8080):
        ...     try:
        ...         registry.register("web", 8081)
        ...     except NameTaken as error:
        ...         print(error)
        'web' is registered in 'ports' already: unregister it first
    """

    registry: str
    """The name of the registry."""

    key: object
    """The key."""

    owner: str | None
    """The name of the child that the entry there is bound to; None if it is bound to none."""

    def __init__(self, registry: str, key: object, owner: str | None = None) -> None:
        super().__init__(registry, key, owner)
        self.registry = registry
        self.key = key
        self.owner = owner

    def __str__(self) -> str:
        owner = "" if self.owner is None else f", by child {self.owner!r}"
        return (
            f"{self.key!r} is registered in {self.registry!r} already{owner}: unregister it first"
        )


@final
class NotRegistered(FoundationError, KeyError):
    """The key is not registered. It is a `KeyError`, too.

    Example:
        >>> try:
        ...     Registry[str, int](name="ports").lookup("web")
        ... except KeyError as error:
        ...     print(error)
        'web' is not registered in 'ports'
    """

    registry: str
    """The name of the registry."""

    key: object
    """The key."""

    def __init__(self, registry: str, key: object) -> None:
        super().__init__(registry, key)
        self.registry = registry
        self.key = key

    def __str__(self) -> str:
        return f"{self.key!r} is not registered in {self.registry!r}"


@final
class OwnerNotRunning(FoundationError):
    """Nothing can be bound to a child of which no incarnation runs.

    Example:
        >>> print(OwnerNotRunning("ports", "web", "server"))
        'web' cannot be bound to child 'server' in 'ports': no incarnation of it is running
    """

    registry: str
    """The name of the registry."""

    key: object
    """The key."""

    owner: str
    """The name of the child."""

    def __init__(self, registry: str, key: object, owner: str) -> None:
        super().__init__(registry, key, owner)
        self.registry = registry
        self.key = key
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"{self.key!r} cannot be bound to child {self.owner!r} in {self.registry!r}: "
            f"no incarnation of it is running"
        )
