"""What became of each batch: acknowledged, a dead letter, called off; or lost, which is an error.

It watches the system from outside: by what senders are told, by the events, and by what is in
the stores. What is settled is taken out of the stores, so that they do not grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from trio_foundation.agents import MessageDeadLettered, MessageDelivered, Receipt
from trio_foundation.demo._agents import Batch
from trio_foundation.demo._counting import Found
from trio_foundation.demo._system import System

__all__ = ["DOUBT", "Ledger"]

DOUBT = 20.0
"""After so many seconds no agent can be at a batch any more that was given up."""

MOST = 20
"""So many mistakes are told, at most; one is enough to fail."""


@attrs.define(eq=False)
class Ledger:
    """The account of all batches."""

    system: System
    expected: Mapping[Path, Found]
    """What is in each of the files."""

    mistakes: list[str] = attrs.field(factory=list[str])
    """Where it says what is not as it should be."""

    counts: Counter[str] = attrs.field(factory=Counter[str])
    sending: dict[str, Batch] = attrs.field(factory=dict[str, Batch])
    """Those whose senders have not been told anything."""

    waiting: dict[tuple[str, int], Batch] = attrs.field(factory=dict[tuple[str, int], Batch])
    """Those whose senders were told that they wait, by receiver and number."""

    latencies: list[float] = attrs.field(factory=list[float])
    """How long it took to deliver, in seconds, since somebody has emptied the list."""

    _numbers: dict[str, tuple[str, int]] = attrs.field(factory=dict[str, tuple[str, int]])
    # Those that came to nothing before their senders were told that they wait.
    _dead: set[str] = attrs.field(factory=set[str])
    # Those that are given up, but may be stored all the same, and since when.
    _doubtful: dict[str, float] = attrs.field(factory=dict[str, float])
    _changed: trio.Event = attrs.field(factory=trio.Event)

    @property
    def pending(self) -> int:
        """Of how many batches it is not known what becomes of them."""
        return len(self.sending) + len(self.waiting)

    # What senders tell

    def sent(self, batch: Batch) -> None:
        """Note that a batch is being sent."""
        self.counts["sent"] += 1
        self.sending[batch.key] = batch

    def answered(self, batch: Batch, receipt: Receipt) -> None:
        """Note what a sender was told."""
        del self.sending[batch.key]
        if receipt.status == "delivered":
            self.counts["acknowledged"] += 1
            self._settle(batch, receipt.agent_id)
        elif batch.key in self._dead:
            self._dead.discard(batch.key)
            self._give_up(batch.key, "dead letters")
        else:
            number = (receipt.agent_id, receipt.sequence)
            self.waiting[number] = batch
            self._numbers[batch.key] = number

    def called_off(self, batch: Batch) -> None:
        """Note that a sender has left."""
        self._end(batch, "called off")

    def failed(self, batch: Batch) -> None:
        """Note that a sender was told of a failure."""
        self._end(batch, "failed, as told")

    def _end(self, batch: Batch, what: str) -> None:
        del self.sending[batch.key]
        self._dead.discard(batch.key)
        self._give_up(batch.key, what)

    # What the coordinator tells

    def hear(self, event: MessageDelivered | MessageDeadLettered) -> None:
        """Note what became of a message."""
        if isinstance(event, MessageDelivered):
            self.latencies.append(event.after)
            batch = self.waiting.pop((event.agent, event.sequence), None)
            if batch is not None:
                del self._numbers[batch.key]
                self.counts["acknowledged later"] += 1
                self._settle(batch, event.agent)
        elif (key := event.letter.key) is not None:
            number = self._numbers.pop(key, None)
            if number is not None:
                del self.waiting[number]
                self._give_up(key, "dead letters")
            elif key in self.sending:
                self._dead.add(key)

    # What is in the stores

    def _settle(self, batch: Batch, agent: str) -> None:
        holders = self._holders(batch.key)
        if holders != [agent]:
            self._blame(f"{batch.key} was acknowledged by {agent}, and is stored by {holders}")
        else:
            found = self.system.stores[agent].batches[batch.key]
            if list(found) != [self.expected[path] for path in batch.files]:
                self._blame(f"{batch.key} is stored by {agent}, but not as it should be")
        self._forget(batch.key)
        self._changed.set()

    def _give_up(self, key: str, what: str) -> None:
        self.counts[what] += 1
        self._doubtful[key] = trio.current_time()
        self._changed.set()

    async def wait_settled(self) -> None:
        """Wait until it is known of all batches what became of them."""
        while self.pending:
            self._changed = trio.Event()
            await self._changed.wait()

    def sweep(self, older_than: float = DOUBT) -> None:
        """Forget those that were given up so many seconds ago."""
        now = trio.current_time()
        old = [key for key, since in self._doubtful.items() if since + older_than <= now]
        for key in old:
            del self._doubtful[key]
            holders = self._holders(key)
            if len(holders) > 1:
                self._blame(f"{key} is stored by {holders}")
            self._forget(key)

    def _holders(self, key: str) -> list[str]:
        return [store.name for store in self.system.stores.values() if key in store.batches]

    def _forget(self, key: str) -> None:
        for store in self.system.stores.values():
            store.batches.pop(key, None)
        self.system.dice.rolls.pop(key, None)

    def check(self) -> None:
        """See that the coordinator's own figures add up."""
        now = self.system.coordinator.statistics()
        became = now.delivered + now.failed + now.cancelled + now.dead_lettered + now.returned
        if now.messages != became + now.buffered + now.in_flight:
            self._blame(f"the coordinator's figures do not add up: {now}")

    def close(self) -> None:
        """Say what is lost, when all has had its time."""
        left = [*self.sending.values(), *self.waiting.values()]
        self.counts["lost"] = len(left)
        for batch in left:
            self._blame(f"{batch.key} is lost: nobody was told what became of it")
            self._forget(batch.key)
        self.sweep(0.0)
        for store in self.system.stores.values():
            for key in store.batches:
                self._blame(f"{key} was stored again by {store.name} after it was settled")

    def _blame(self, mistake: str) -> None:
        if len(self.mistakes) < MOST:
            self.mistakes.append(mistake)
