"""Supervisors written down as children."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Unpack

import trio

from ._dynamic_supervisor import DynamicSupervisor
from ._errors import ShutdownChild
from ._open import SupervisorOptions, check_children, open_dynamic_supervisor, open_supervisor
from ._rules._words import AutoShutdown, Restart, Strategy
from ._spec import ChildSpec
from ._supervisor import Supervisor

__all__ = ["dynamic_subtree", "subtree", "supervise"]


async def supervise(
    children: Iterable[ChildSpec],
    *,
    task_status: trio.TaskStatus[Supervisor] = trio.TASK_STATUS_IGNORED,
    **options: Unpack[SupervisorOptions],
) -> None:
    """Keep children running until cancelled, failed, or shut down.

    It is `open_supervisor` as a function: ``nursery.start(supervise, children)``.

    Args:
        children: As for `open_supervisor`.
        task_status: Is given the `Supervisor` when the children are ready.
        **options: Those of `open_supervisor`.

    Raises:
        ChildStartFailed: A child failed to start.
        RestartLimitReached: The supervisor gave up.

    Cancellation:
        Stops the children, newest first, and goes on when they are gone.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with trio.open_nursery() as nursery:
        ...         sup = await nursery.start(supervise, [child(trio.sleep_forever)])
        ...         sup.shutdown()
        >>> trio.run(main)
    """
    specs = check_children("supervise", children, options.get("name", "supervisor"))
    async with open_supervisor(specs, **options) as supervisor:
        task_status.started(supervisor)
        await trio.sleep_forever()


# What ``child`` reads to know that such a child is a supervisor.
supervise.is_supervisor = True  # type: ignore[attr-defined]


def subtree(  # noqa: PLR0913  all but one are named
    children: Iterable[ChildSpec],
    *,
    name: str,
    strategy: Strategy = "one_for_one",
    max_restarts: int = 3,
    within: float = 5.0,
    auto_shutdown: AutoShutdown = "never",
    restart: Restart = "permanent",
    grace: float = math.inf,
    significant: bool = False,
) -> ChildSpec:
    """Write down a supervisor as a child of another.

    The `Child.value` is the inner `Supervisor`. That it gives up is an orderly end for the
    supervisor above, as in OTP: a permanent subtree is restarted, with an unspent limit, a
    transient one is not.

    Args:
        children: The children of the inner supervisor, oldest first.
        name: What both the child and the inner supervisor are called.
        strategy: As for `open_supervisor`.
        max_restarts: As for `open_supervisor`.
        within: As for `open_supervisor`, in seconds.
        auto_shutdown: As for `open_supervisor`.
        restart: When the subtree as a whole is started again.
        grace: How long the subtree may take to stop, in seconds; then all that still runs in it is
            cancelled at once, cleaning up included. By default it is waited for.
        significant: Whether its end may end the supervisor above.

    Returns:
        The subtree, as data.

    Raises:
        TypeError: *children* holds anything but specs.
        ValueError: An option makes no sense.
        ChildExists: Two children were given the same name.

    Example:
        >>> import trio
        >>> async def main():
        ...     web = subtree([child(trio.sleep_forever, name="http")], name="web")
        ...     async with open_supervisor([web], name="app") as sup:
        ...         print(sup.snapshot())
        >>> trio.run(main)
        app (one_for_one, 0 of 3 restarts in 5 s)
        `- web (one_for_one, 0 of 3 restarts in 5 s)  running, incarnation 1
           `- http  running, incarnation 1
    """
    options: SupervisorOptions = {
        "name": name,
        "strategy": strategy,
        "max_restarts": max_restarts,
        "within": within,
        "auto_shutdown": auto_shutdown,
    }
    specs = check_children("subtree", children, name)
    open_supervisor(specs, **options)  # only to refuse nonsense where it is written
    return _supervisor_spec(partial(_keep, specs, **options), name, restart, grace, significant)


def dynamic_subtree(
    *,
    name: str,
    max_restarts: int = 3,
    within: float = 5.0,
    max_children: float = math.inf,
    restart: Restart = "permanent",
    significant: bool = False,
) -> ChildSpec:
    """Write down a dynamic supervisor as a child of another.

    The `Child.value` is the inner `DynamicSupervisor`, empty after each start.

    Args:
        name: As for `subtree`.
        max_restarts: As for `open_dynamic_supervisor`.
        within: As for `open_dynamic_supervisor`, in seconds.
        max_children: As for `open_dynamic_supervisor`.
        restart: As for `subtree`.
        significant: As for `subtree`.

    Returns:
        The subtree, as data.

    Raises:
        ValueError: An option makes no sense.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_supervisor([dynamic_subtree(name="jobs")], name="app") as sup:
        ...         jobs = sup.children["jobs"].value
        ...         await jobs.start(trio.sleep_forever, name="nap")
        ...         print(sup.snapshot())
        >>> trio.run(main)
        app (one_for_one, 0 of 3 restarts in 5 s)
        `- jobs (dynamic, 0 of 3 restarts in 5 s)  running, incarnation 1
           `- nap  running, incarnation 1
    """
    open_dynamic_supervisor(  # only to refuse nonsense where it is written
        name=name, max_restarts=max_restarts, within=within, max_children=max_children
    )
    run = partial(_keep_dynamic, name, max_restarts, within, max_children)
    return _supervisor_spec(run, name, restart, math.inf, significant)


async def _keep(
    children: Iterable[ChildSpec],
    *,
    task_status: trio.TaskStatus[Supervisor],
    **options: Unpack[SupervisorOptions],
) -> None:
    await supervise(children, task_status=task_status, **options)
    # Only an end of its own leads here, and OTP tells such an end as a shutdown.
    raise ShutdownChild("the supervisor has shut down")


async def _keep_dynamic(
    name: str,
    max_restarts: int,
    within: float,
    max_children: float,
    *,
    task_status: trio.TaskStatus[DynamicSupervisor],
) -> None:
    async with open_dynamic_supervisor(
        name=name, max_restarts=max_restarts, within=within, max_children=max_children
    ) as supervisor:
        task_status.started(supervisor)
        await trio.sleep_forever()
    raise ShutdownChild("the supervisor has shut down")


def _supervisor_spec(
    run: Callable[..., Awaitable[None]],
    name: str,
    restart: Restart,
    grace: float,
    significant: bool,
) -> ChildSpec:
    return ChildSpec(
        async_fn=run,
        name=name,
        restart=restart,
        grace=grace,
        significant=significant,
        kind="supervisor",
    )
