"""How a supervisor is opened."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TypedDict, TypeVar, cast, get_args

from .._base import check_choice, check_count, check_name, check_seconds
from ._block import Block
from ._dynamic import DynamicEngine
from ._dynamic_supervisor import DynamicSupervisor
from ._errors import ChildExists
from ._handle import check_spec
from ._rules._words import AutoShutdown, Strategy
from ._spec import ChildSpec, as_written
from ._static import StaticEngine
from ._supervisor import Supervisor

__all__ = [
    "SupervisorOptions",
    "check_children",
    "open_dynamic_supervisor",
    "open_supervisor",
]

HandleT = TypeVar("HandleT")


class SupervisorOptions(TypedDict, total=False):
    """The keyword arguments of `open_supervisor` and `supervise`; the former explains them.

    Example:
        >>> options: SupervisorOptions = {"strategy": "one_for_all", "within": 60.0}
    """

    name: str
    """Its name."""

    strategy: Strategy
    """Which children a restart takes along."""

    max_restarts: int
    """The limit: so many restarts..."""

    within: float
    """... in so many seconds."""

    auto_shutdown: AutoShutdown
    """Whether it ends when its significant children do."""

    rng: random.Random | None
    """Where the jitter of backoffs comes from."""


def open_supervisor(  # noqa: PLR0913  all but one are named
    children: Iterable[ChildSpec] = (),
    *,
    name: str = "supervisor",
    strategy: Strategy = "one_for_one",
    max_restarts: int = 3,
    within: float = 5.0,
    auto_shutdown: AutoShutdown = "never",
    rng: random.Random | None = None,
) -> AbstractAsyncContextManager[Supervisor]:
    """Open a block in which children are kept running.

    The children are started in order, each ready before the next; then the body runs. A child that
    ends is started again as its *restart* says; past the limit the supervisor gives up: it stops
    its children and fails. When the body has ended, in whatever way, the children are stopped
    newest first, one after the other.

    At most one thing leaves the block: the body's own error, the same object, bare; or, if
    supervision failed, a `SupervisorFailed`, never in a group; or a bare `KeyboardInterrupt`,
    `SystemExit` or `trio.TrioInternalError`, of the body or of a child, after which no child is
    restarted.

    Args:
        children: What `child`, `subtree` and `dynamic_subtree` return, oldest first.
        name: Its name in errors, events and the names of its tasks.
        strategy: Which children a restart takes along: ``one_for_one`` none, ``one_for_all`` all,
            ``rest_for_one`` those started later.
        max_restarts: How many restarts are allowed in any *within* seconds. A group restart counts
            once; one that fails to become ready counts again each time it is tried.
        within: How long a restart counts, in seconds; with `math.inf`, for ever.
        auto_shutdown: Whether the supervisor ends, in good order, when a significant child has
            ended by itself and is not restarted: ``never``; ``any_significant``; or
            ``all_significant``, when none is left.
        rng: Where the jitter of backoffs comes from; a subtree uses that of the tree.

    Returns:
        The block, for ``async with``; it gives a `Supervisor` to its body.

    Raises:
        TypeError: *children* holds anything but specs.
        ValueError: An option makes no sense, or a significant child has no effect.
        ChildExists: Two children were given the same name.
        ChildStartFailed: On entering: a child failed to start. Those before it are stopped first,
            and nothing is tried again.
        RestartLimitReached: On leaving: the supervisor gave up, and cancelled the body.

    Cancellation:
        On entering, what has started is stopped. In the block, the body is cancelled first, and
        then the children are stopped, each with its *grace*. Leaving waits for the children,
        cancelled or not.

    Emits:
        SupervisorStarted, SupervisorStopped, and the events of its children.

    Example:
        >>> import trio
        >>> answers = iter([ConnectionError("refused"), "hello"])
        >>> async def fetch():
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     print(answer)
        ...     raise ShutdownChild("done")
        >>> async def main():
        ...     fetcher = child(fetch, restart="transient", significant=True)
        ...     async with open_supervisor([fetcher], auto_shutdown="all_significant"):
        ...         await trio.sleep_forever()
        >>> trio.run(main)
        hello
    """
    check_name("name", name)
    check_choice("strategy", strategy, get_args(Strategy))
    check_count("max_restarts", max_restarts)
    check_seconds("within", within, above_zero=True)
    check_choice("auto_shutdown", auto_shutdown, get_args(AutoShutdown))
    engine = StaticEngine(
        name=name,
        max_restarts=max_restarts,
        within=within,
        rng=_check_rng(rng),
        specs=check_children("open_supervisor", children, name),
        strategy=strategy,
        auto_shutdown=auto_shutdown,
    )
    for spec in engine.specs:
        engine.check_significant(spec)
    return Block(engine, Supervisor(engine))


def open_dynamic_supervisor(
    *,
    name: str = "dynamic",
    max_restarts: int = 3,
    within: float = 5.0,
    max_children: float = math.inf,
) -> AbstractAsyncContextManager[DynamicSupervisor]:
    """Open a block for children that come and go, by the thousand if need be.

    It is as `open_supervisor`, but each child stands alone (one_for_one): they start at once,
    beside one another, and at the end all are stopped together, each with its own *grace*. Nothing
    is kept of a child that is gone, nor of what it returned: send results through a channel.

    Args:
        name: As for `open_supervisor`.
        max_restarts: As for `open_supervisor`, of all children together; temporary ones, the
            default, have none.
        within: As for `open_supervisor`, in seconds.
        max_children: How many there may be at once; those that wait to be restarted count.

    Returns:
        The block, for ``async with``; it gives a `DynamicSupervisor` to its body.

    Raises:
        ValueError: An option makes no sense.
        RestartLimitReached: On leaving: the supervisor gave up.

    Cancellation:
        As for `open_supervisor`.

    Emits:
        As `open_supervisor`.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_dynamic_supervisor(max_children=1) as sup:
        ...         sup.start_soon(trio.sleep, 10)
        ...         sup.start_soon(trio.sleep, 10)
        >>> trio.run(main)
        Traceback (most recent call last):
        ...
        trio_foundation.supervision.TooManyChildren: supervisor 'dynamic' is full, \
max_children=1: let a child end first, or allow more
    """
    engine = _dynamic_engine(name, max_restarts, within, max_children)
    return Block(engine, DynamicSupervisor(engine))


# Checks at the door


def check_children(caller: str, children: object, supervisor: str) -> tuple[ChildSpec, ...]:
    """Return the children of a supervisor, checked: specs, of different names."""
    takes = f"{caller} takes a list of children"
    if isinstance(children, ChildSpec):
        one = as_written(children)
        raise TypeError(f"{takes}: write [{one}], not {one}")
    if isinstance(getattr(children, "spec", None), ChildSpec):  # what serve() returns
        raise TypeError(f"{takes}: write [served.spec], not served")
    if not isinstance(children, Iterable):
        name = getattr(children, "__name__", "async_fn")
        raise TypeError(f"{takes}, not {children!r}: write [child({name})]")
    given = cast("Iterable[object]", children)
    specs = tuple(check_spec(caller, spec) for spec in given)
    seen: set[str] = set()
    for spec in specs:
        if spec.is_named and spec.name in seen:
            raise ChildExists(supervisor, spec.name, "starting")
        seen.add(spec.name if spec.is_named else "")
    return specs


def _check_rng(rng: random.Random | None) -> random.Random | None:
    if rng is not None and not isinstance(rng, random.Random):  # noqa: S311  no secret
        raise TypeError(f"rng must be a random.Random or None, not {rng!r}: write random.Random(1)")
    return rng


def _dynamic_engine(
    name: str, max_restarts: int, within: float, max_children: float
) -> DynamicEngine:
    check_name("name", name)
    check_count("max_restarts", max_restarts)
    check_seconds("within", within, above_zero=True)
    check_count("max_children", max_children, allow_inf=True)
    return DynamicEngine(
        name=name, max_restarts=max_restarts, within=within, max_children=max_children
    )
