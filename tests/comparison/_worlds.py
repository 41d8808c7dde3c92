"""How a trial is run: on Trio in virtual time, on asyncio, or in threads."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias, TypeVar

import trio
from trio.testing import MockClock

__all__ = ["PATIENCE", "Answer", "Broken", "Trial", "elsewhere", "on_asyncio", "on_trio", "yes_if"]

Answer: TypeAlias = Literal["yes", "partly", "no"]

R = TypeVar("R")

Trial: TypeAlias = Callable[[], Awaitable[Answer]]

PATIENCE = 5.0
"""In seconds; a trial that waits so long for something that does not come has gone wrong."""


class Broken(Exception):
    """What workers crash with."""


def yes_if(seen: bool, otherwise: Answer = "no") -> Answer:
    """Return what was seen, in a word."""
    return "yes" if seen else otherwise


def on_trio(trial: Trial) -> Answer:
    """Run it on Trio, where a thousand seconds take no time."""

    async def main() -> Answer:
        with trio.fail_after(100_000):
            return await trial()

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def on_asyncio(trial: Trial) -> Answer:
    """Run it on asyncio, in real time."""

    async def main() -> Answer:
        return await asyncio.wait_for(trial(), PATIENCE)

    return asyncio.run(main())


def elsewhere(reference: R) -> R | None:
    """Return a reference as another process would have it that is sent it, if it can be sent."""
    try:
        copied: R = pickle.loads(pickle.dumps(reference))
    except (TypeError, AttributeError, pickle.PicklingError):
        return None
    return copied
