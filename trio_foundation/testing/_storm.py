"""Faults by the clock: they find those too who wait for ever at one checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import final

import attrs
import trio

from .._base import AsyncBlock, check_seconds
from ..supervision import DynamicSupervisor, Supervisor
from ._faults import Faults, check_kinds
from ._rules import FaultKind

__all__ = ["open_storm"]


def open_storm(
    sup: Supervisor | DynamicSupervisor,
    seed: int,
    *,
    every: float = 0.5,
    kinds: Iterable[FaultKind] = ("crash", "cancel", "delay", "starve"),
    seconds: float = 0.1,
) -> AbstractAsyncContextManager[Faults]:
    """Throw faults at random children of a supervisor, until the block ends.

    All below it may be struck: its children, its subtrees, and their children. The pauses between
    faults are exponentially distributed. Allow for so many restarts: see `open_test_supervisor`.

    Args:
        sup: The supervisor.
        seed: What decides when, whom, and with what.
        every: How many seconds from one fault to the next on average.
        kinds: What may happen; if asked for, also a ``hang``, which lasts until somebody ends the
            child, and an ``interrupt``, which ends the program.
        seconds: How many seconds a ``delay`` or a ``starve`` lasts.

    Returns:
        The block, for ``async with``; gives its `Faults`, of which `Faults.fired` have happened.

    Raises:
        TypeError: *sup* is no supervisor.
        ValueError: An option that makes no sense.

    Cancellation:
        Leaves nothing behind. What the body raises leaves the block bare.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.supervision import child
        >>> async def main():
        ...     web = child(trio.sleep_forever, name="web")
        ...     async with open_test_supervisor([web]) as sup:
        ...         async with open_storm(sup, seed=7, kinds=["crash"]) as faults:
        ...             await trio.sleep(60)
        ...         print(sup.children["web"].restarts == len(faults.fired) > 100)
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        True
    """
    if not isinstance(sup, (Supervisor, DynamicSupervisor)):
        raise TypeError(
            f"open_storm takes the supervisor that open_supervisor gives to its block, not {sup!r}"
        )
    check_seconds("every", every, above_zero=True, finite=True)
    check_seconds("seconds", seconds, finite=True)
    return _Storm(sup, Faults(seed), every, check_kinds(kinds), seconds)


@final
@attrs.define(eq=False)
class _Storm(AsyncBlock[Faults]):
    opens = "a storm"

    _sup: Supervisor | DynamicSupervisor
    _faults: Faults
    _every: float
    _kinds: tuple[FaultKind, ...]
    _seconds: float
    _block: AbstractAsyncContextManager[trio.Nursery] | None = None
    _nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Faults:
        self._block = trio.open_nursery()
        self._nursery = await self._block.__aenter__()
        self._nursery.start_soon(self._rage)
        return self._faults

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._block is not None
        assert self._nursery is not None
        # What the body raised is not to be replaced by a cancellation from around the block.
        self._nursery.cancel_scope.shield = True
        self._nursery.cancel_scope.cancel(reason="the storm is over")
        # The nursery is not told of the body's error, which would come out in a group.
        await self._block.__aexit__(None, None, None)  # noqa: ASYNC102  it is cancelled

    async def _rage(self) -> None:
        dice = random.Random(self._faults.seed)  # noqa: S311  no secret
        with self._faults.active():
            while True:
                await trio.sleep(dice.expovariate(1 / self._every))
                below = f"{self._sup.path}/"
                paths = sorted(path for path in self._faults.running if path.startswith(below))
                if paths:
                    self._faults.strike(
                        dice.choice(paths), dice.choice(self._kinds), seconds=self._seconds
                    )
