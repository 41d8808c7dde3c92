"""What the tests of a registry of agents share."""

from __future__ import annotations

from typing import Any

from trio_foundation.agents import Agent, AgentRegistry
from trio_foundation.messaging import Ref, serve

__all__ = ["Oops", "Worker", "a_ref", "check", "keys"]


class Oops(Exception):
    """What transactions fail with."""


class Worker(Agent):
    """Gives back what it is given, and ends as it is told."""

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        if message == "crash":
            raise OSError("no route")
        return message


def a_ref(name: str = "worker") -> Ref[Worker]:
    """Return the reference of a server that nobody starts."""
    return serve(Worker, capacity=9, name=name).ref


def keys(entries: list[Any]) -> list[str]:
    """Return the ids of some agents."""
    return [entry.key for entry in entries]


def check(agents: AgentRegistry) -> None:
    """Assert that all is in order."""
    agents._registry._check()
    agents._check()
