"""A mail room: one clerk has an outage, and the letters to it wait, follow, or come back."""

from __future__ import annotations

import trio
import trio.testing

from trio_foundation.agents import Agent, AgentRegistry, BufferDrained, open_coordinator
from trio_foundation.messaging import CallError, serve
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe


class Clerk(Agent):
    """Files letters; bob cannot reach the shelf from second 5 to 25."""

    async def receive(self, message: object, *, sender: str | None = None) -> str:
        """File a letter; refuse one without a stamp, and crash without a shelf."""
        if self.delivery.agent_id == "bob" and 5 <= trio.current_time() < 25:
            raise OSError("the shelf cannot be reached")
        if "without stamp" in str(message):
            raise CallError("there is no stamp on it")
        return "filed"


def say(what: object) -> None:
    """Say it, and when."""
    print(f"{trio.current_time():4.1f} s  {what}")


async def main() -> None:
    """Send letters to all who file them, whoever that is, and see that none is lost."""
    agents = AgentRegistry()
    served = {name: serve(Clerk, capacity=10, name=name) for name in ("ann", "bob")}
    clerks = [agents.register_on_start(name, served[name], capability="file") for name in served]
    room = open_coordinator(
        agents,
        buffer_capacity=3,
        on_dead_letter=lambda one: say(f"{one.message} to {one.agent_id} comes back: {one.reason}"),
        failure_threshold=1,
        reset_timeout=21.0,
    )
    async with open_supervisor(clerks), room as coordinator:
        with subscribe(lambda event: say(f"{event.agent} has caught up"), BufferDrained):
            for letter in ("A", "B", "C", "D", "E without stamp", "F", "G"):
                for clerk, came in (await coordinator.broadcast(letter, capability="file")).items():
                    say(f"{letter} to {clerk}: {getattr(came, 'status', came)}")
                await trio.sleep(5)
        told = coordinator.statistics()
        ended = f"{told.delivered} delivered, {told.failed} failed, {told.dead_lettered} came back"
        say(f"of {told.messages} letters {ended}")
        assert told.messages == told.delivered + told.failed + told.dead_lettered


if __name__ == "__main__":
    # This clock jumps whenever all tasks wait: the half minute is over at once.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
