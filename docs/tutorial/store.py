"""The store: a server, whose methods are its messages."""

from __future__ import annotations

from journal import record, recorded

from trio_foundation.messaging import CallError, Server


class Store(Server):
    """What is stored, by key."""

    async def setup(self) -> None:
        """Begin with what is known to be good."""
        self.data = recorded()

    async def get(self, key: str) -> str:
        """Return a value."""
        if key not in self.data:
            raise CallError(f"there is no {key}")
        return self.data[key]

    async def put(self, key: str, value: str) -> str:
        """Set a value; it is on disk before it is answered."""
        record(key, value)
        self.data[key] = value
        return "OK"

    async def delete(self, key: str) -> str:
        """Forget a value."""
        await self.get(key)
        record(key)
        del self.data[key]
        return "OK"

    async def add(self, key: str, number: str) -> str:
        """Add to a value that is a number. And if it is none?"""
        total = str(int(await self.get(key)) + int(number))
        await self.put(key, total)
        return total
