"""The agents, which count batches of files."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from ..agents import Agent
from ..cache import Cache
from ..supervision import current_child
from ._counting import Found, count_file
from ._faults import Dice
from ._store import Store

__all__ = ["Batch", "FileCounter"]


@attrs.frozen
class Batch:
    """A message to an agent: some files."""

    key: str
    """The same when it is sent again."""

    capability: str
    """What an agent needs to count these files."""

    files: tuple[Path, ...]


class FileCounter(Agent):
    """Counts the files of one batch after the other.

    It crashes, so its store and the cache of all agents are handed to it.
    """

    def __init__(self, root: Path, store: Store, cache: Cache[Path, Found], dice: Dice) -> None:
        self._root = root
        self._store = store
        self._cache = cache
        self._dice = dice

    async def receive(self, message: object, *, sender: str | None = None) -> int:
        """Count a batch; return how many files it has."""
        assert isinstance(message, Batch)
        found: list[Found] = []
        for path in message.files:
            current_child().status = path
            found.append(await self._cache.get_or_load(path, self._count))
        await self._store.save(message.key, found)
        self._dice.roll(message.key, f"stored {message.key}, but did not acknowledge it")
        return len(found)

    async def _count(self, path: Path) -> Found:
        await trio.lowlevel.checkpoint()
        found = count_file(self._root, path)
        self._dice.roll(str(path), f"dropped {path}")
        return found
