"""Servers for the type checkers to look at; nobody runs them."""

from __future__ import annotations

from trio_foundation.messaging import Server

__all__ = ["Counter", "Limited", "Other"]


class Counter(Server):
    """Counts."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    async def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    async def reset(self) -> None:
        self.count = 0

    async def rename(self, name: str, /, *, to: str | None = None) -> dict[str, str]:
        return {name: to or name}

    # Without the ``/`` one of the names could be "self", and mypy refuses the method.
    async def add(self, /, *numbers: float, **named: bytes) -> float:
        return sum(numbers) + len(named)

    def peek(self) -> int:
        return self.count


class Limited(Counter):
    """Overrides a message, and has one more."""

    async def increment(self, by: int = 1, *, at_most: int = 100) -> int:
        return min(await super().increment(by), at_most)

    async def limit(self) -> float:
        return 100.0


class Other(Server):
    """Has a message of the same name, and is no counter."""

    async def increment(self, by: int = 1) -> int:
        return by
