"""The errors of the room."""

from __future__ import annotations

from typing import final

from .._base import FoundationError

__all__ = ["NameTaken", "NotRegistered", "OwnerNotRunning"]


@final
class NameTaken(FoundationError):
    """The key is registered already, and keys are unique.

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
    """The registry's name."""

    key: object
    """The key."""

    owner: str | None
    """The name of the child that the present entry is bound to, if any."""

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
    """The key is not registered.

    Example:
        >>> try:
        ...     Registry[str, int](name="ports").lookup("web")
        ... except KeyError as error:
        ...     print(error)
        'web' is not registered in 'ports'
    """

    registry: str
    """The registry's name."""

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
        child 'server' is not running, so 'web' cannot be bound to it in 'ports': bind within it, \
with current_child()
    """

    registry: str
    """The registry's name."""

    key: object
    """The key."""

    owner: str
    """The child's name."""

    def __init__(self, registry: str, key: object, owner: str) -> None:
        super().__init__(registry, key, owner)
        self.registry = registry
        self.key = key
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"child {self.owner!r} is not running, so {self.key!r} cannot be bound to it in "
            f"{self.registry!r}: bind within it, with current_child()"
        )
