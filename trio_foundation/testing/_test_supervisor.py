"""A supervisor for crash tests."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from ..supervision import AutoShutdown, ChildSpec, Strategy, Supervisor, open_supervisor

__all__ = ["open_test_supervisor"]

_MAX_RESTARTS = 100

_WITHIN = 10.0


def open_test_supervisor(
    children: Iterable[ChildSpec] = (),
    *,
    name: str = "supervisor",
    strategy: Strategy = "one_for_one",
    auto_shutdown: AutoShutdown = "never",
    rng: random.Random | None = None,
) -> AbstractAsyncContextManager[Supervisor]:
    """Open a supervisor that bears 100 restarts in 10 seconds, for crash tests only.

    All else is as for `open_supervisor`; test giving up with that one.

    Returns:
        The block, for ``async with``; gives a `Supervisor`.

    Raises:
        RestartLimitReached: On leaving, if even that was too much.

    Cancellation:
        As for `open_supervisor`.

    Emits:
        What `open_supervisor` does.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import child
        >>> async def main():
        ...     async with open_test_supervisor([child(trio.sleep, 0)]) as sup:
        ...         while sup.children["sleep"].restarts < 20:
        ...             await trio.sleep(0)
        ...         print(sup.snapshot().max_restarts, sup.snapshot().within)
        >>> trio.run(main)
        100 10.0
    """
    return open_supervisor(
        children,
        name=name,
        strategy=strategy,
        max_restarts=_MAX_RESTARTS,
        within=_WITHIN,
        auto_shutdown=auto_shutdown,
        rng=rng,
    )
