"""What is sent: small batches at a steady rate far below what the agents can do, and bursts."""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import trio

from trio_foundation.agents import DeliveryError
from trio_foundation.demo._agents import Batch
from trio_foundation.demo._counting import Found, count_file
from trio_foundation.demo._system import System

from ._ledger import Ledger
from ._plan import CAPABILITIES, Terms

__all__ = ["HANGS", "Load", "Place", "small_files"]

FILES = 12  # of each capability
BURST = 12  # batches
LEAVE = 0.15  # the share of senders that do not wait for an answer

HANGS = {"python": Path("hang.py"), "text": Path("hang.txt")}
"""The files that are only counted where something is to hang."""

CONTENT = {
    "python": "def {stem}(): return shared or {stem}\n",
    "text": "shared {stem}\n",
}
SUFFIX = {"python": ".py", "text": ".txt"}


@attrs.frozen
class Place:
    """Where the files are, and what is in them."""

    root: Path
    files: dict[str, list[Path]]
    """By capability."""

    expected: dict[Path, Found]


@contextmanager
def small_files() -> Generator[Place]:
    """Have some small files for as long as the block lasts."""
    with TemporaryDirectory(prefix="soak") as directory:
        root = Path(directory)
        files: dict[str, list[Path]] = {}
        for capability, suffix in SUFFIX.items():
            files[capability] = [Path(f"part{number:02}{suffix}") for number in range(FILES)]
            for path in (*files[capability], HANGS[capability]):
                (root / path).write_text(CONTENT[capability].format(stem=path.stem))
        everything = [*files["python"], *files["text"], *HANGS.values()]
        yield Place(root, files, {path: count_file(root, path) for path in everything})


@attrs.define(eq=False)
class Load:
    """Sends batches, each in a task of its own, so that a slow one keeps no other waiting."""

    terms: Terms
    system: System
    ledger: Ledger
    place: Place
    senders: trio.Nursery
    rng: random.Random = attrs.field(init=False)
    _number: int = 0

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(f"load {self.terms.seed}")

    async def steadily(self, until: float) -> None:
        """Send at a steady rate on average, up to a time."""
        while (now := trio.current_time()) < until:
            await trio.sleep_until(min(until, now + self.rng.expovariate(self.terms.rate)))
            self.send()

    async def in_bursts(self, until: float) -> None:
        """Send many at once now and then, up to a time."""
        while True:
            pause = self.rng.uniform(0.5, 1.5) * self.terms.burst_every
            if trio.current_time() + pause > until:
                return
            await trio.sleep(pause)
            self.flood(self.rng.choice(CAPABILITIES), BURST)

    def flood(self, capability: str, many: int) -> None:
        """Send many at once."""
        for _ in range(many):
            self.send(capability)

    def send(self, capability: str | None = None, *files: Path) -> None:
        """Send one batch, of some files at random if nothing else is said."""
        if capability is None:
            capability = self.rng.choices(CAPABILITIES, (2, 1))[0]
        if not files:
            files = tuple(self.rng.sample(self.place.files[capability], self.rng.randint(1, 3)))
        self._number += 1
        batch = Batch(f"{capability} batch {self._number}", capability, files)
        self.ledger.sent(batch)
        self.senders.start_soon(self._send, batch, self._patience())

    def _patience(self) -> float:
        """Return how long a sender waits, in seconds: most for ever, some hardly at all."""
        return self.rng.uniform(0.0, 0.05) if self.rng.random() < LEAVE else math.inf

    async def _send(self, batch: Batch, patience: float) -> None:
        with trio.CancelScope() as scope:
            try:
                if patience < math.inf and self.rng.random() < 0.5:
                    # To a circuit breaker that is something else than a deadline.
                    self.senders.start_soon(_cancel_after, patience, scope)
                else:
                    scope.deadline = trio.current_time() + patience
                self.ledger.answered(batch, await self.system.send(batch))
            except DeliveryError:  # there was no time to try again
                self.ledger.failed(batch)
        if scope.cancelled_caught:
            self.ledger.called_off(batch)


async def _cancel_after(seconds: float, scope: trio.CancelScope) -> None:
    await trio.sleep(seconds)
    scope.cancel(reason="the sender leaves")
