"""Blocks that hold a supervisor, and supervisors written down as children.

A supervisor lives as long as its block. Children and loop share the block's one nursery,
which nobody can reach; what leaves the block is one error, told apart here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import TypedDict, TypeVar, Unpack, cast, final, get_args

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_choice, check_count, check_name, check_seconds
from ._dynamic import DynamicEngine
from ._engine import Engine
from ._errors import ChildExists, RestartLimitReached
from ._exit import leaves
from ._rules._words import AutoShutdown, Restart, Strategy
from ._spec import ChildSpec
from ._static import StaticEngine
from ._supervisor import DynamicSupervisor, Supervisor, check_spec

__all__ = [
    "SupervisorOptions",
    "dynamic_subtree",
    "open_dynamic_supervisor",
    "open_supervisor",
    "subtree",
    "supervise",
]

HandleT = TypeVar("HandleT")


class SupervisorOptions(TypedDict, total=False):
    """The keyword arguments of `open_supervisor`, as `supervise` takes them too.

    Example:
        >>> options: SupervisorOptions = {"strategy": "one_for_all", "within": 60.0}
    """

    name: str
    """What the supervisor is called."""

    strategy: Strategy
    """Which children a restart takes along."""

    max_restarts: int
    """The limit: how many restarts are allowed..."""

    within: float
    """... in how many seconds."""

    auto_shutdown: AutoShutdown
    """Whether the supervisor ends when its significant children do."""

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

    The children are started in order, each ready before the next, and then the body runs.
    A child that ends is started again as its *restart* says; when that is needed more often
    than the limit allows, the supervisor gives up: it stops its children and fails. When the
    body ends, in whatever way, the children are stopped newest first, one after the other;
    they still run while the body cleans up.

    Exactly one thing leaves the block. The body's own error, the same object, bare. Or, if
    supervision failed, a `SupervisorFailed`, never in a group. Or a bare
    `KeyboardInterrupt`, `SystemExit` or `trio.TrioInternalError`, of the body or of a child:
    no child is restarted after one.

    Args:
        children: What `child`, `subtree` and `dynamic_subtree` return, oldest first.
        name: What the supervisor is called, in errors, events and the names of its tasks.
        strategy: Which children a restart takes along: ``one_for_one`` none,
            ``one_for_all`` all, ``rest_for_one`` those that were started after it.
        max_restarts: How many restarts are allowed in any *within* seconds. With 0 the first
            is one too many. A group restart counts once; a restart that fails to become
            ready, and is tried again, counts each time.
        within: How long a restart counts, in seconds; with `math.inf`, for ever.
        auto_shutdown: Whether the supervisor ends, in good order, when a significant child
            has finished: ``never``; ``any_significant``; ``all_significant``, when none of
            them is left. Finished means ended by itself and not restarted.
        rng: Where the jitter of backoffs comes from. A subtree uses that of the tree.

    Returns:
        The block, for ``async with``; it gives a `Supervisor` to its body.

    Raises:
        TypeError: If *children* holds anything but specs.
        ValueError: If an option makes no sense, or a significant child has no effect.
        ChildExists: If two children were given the same name.
        ChildStartFailed: On entering, if a child fails to start; those before it are
            stopped first, and nothing is tried again.
        RestartLimitReached: On leaving, if the supervisor gave up. It cancels the body; the
            last crash is the ``__cause__``.

    Cancellation:
        On entering, the start is cut short and what has started is stopped. In the body, the
        body is cancelled first and the children are stopped after it, each with its *grace*.
        Leaving waits for the children, cancelled or not.

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
        specs=_check_children(children, name),
        strategy=strategy,
        auto_shutdown=auto_shutdown,
    )
    for spec in engine.specs:
        engine.check_significant(spec)
    return _Block(engine, Supervisor(engine))


def open_dynamic_supervisor(
    *,
    name: str = "dynamic",
    max_restarts: int = 3,
    within: float = 5.0,
    max_children: float = math.inf,
) -> AbstractAsyncContextManager[DynamicSupervisor]:
    """Open a block for children that come and go, by the thousand if need be.

    Each stands alone (one_for_one). They start at once, beside one another, and at the end
    all are asked and cancelled together, each with its own *grace*. Nothing is kept of a
    child that is gone. Otherwise it is as `open_supervisor`.

    Args:
        name: What the supervisor is called, in errors, events and the names of its tasks.
        max_restarts: How many restarts are allowed in any *within* seconds, of all children
            taken together. Children are temporary by default, and do not count then.
        within: How long a restart counts, in seconds; with `math.inf`, for ever.
        max_children: How many children there may be at once; those that wait to be
            restarted count.

    Returns:
        The block, for ``async with``; it gives a `DynamicSupervisor` to its body.

    Raises:
        ValueError: If an option makes no sense.
        RestartLimitReached: On leaving, if the supervisor gave up.

    Cancellation:
        The body is cancelled first, and the children are stopped after it. Leaving waits for
        the children, cancelled or not.

    Emits:
        SupervisorStarted, SupervisorStopped, and the events of its children.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_dynamic_supervisor(max_children=1) as sup:
        ...         sup.start_soon(trio.sleep, 10)
        ...         sup.start_soon(trio.sleep, 10)
        >>> trio.run(main)
        Traceback (most recent call last):
        ...
        trio_foundation.supervision.TooManyChildren: supervisor 'dynamic' has 1 children, and \
max_children=1
    """
    engine = _dynamic_engine(name, max_restarts, within, max_children)
    return _Block(engine, DynamicSupervisor(engine))


async def supervise(
    children: Iterable[ChildSpec],
    *,
    task_status: trio.TaskStatus[Supervisor] = trio.TASK_STATUS_IGNORED,
    **options: Unpack[SupervisorOptions],
) -> None:
    """Keep children running until cancelled, failed, or shut down.

    It is `open_supervisor` with nothing in the block, for where a function is wanted:
    ``nursery.start(supervise, children)``.

    Args:
        children: What `child`, `subtree` and `dynamic_subtree` return, oldest first.
        task_status: Is given the `Supervisor` when the children are ready.
        **options: Those of `open_supervisor`; *within* is in seconds.

    Raises:
        ChildStartFailed: If a child fails to start.
        RestartLimitReached: If the supervisor gave up.

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
    async with open_supervisor(children, **options) as supervisor:
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

    When it gives up, that is an orderly end for the supervisor above, as in OTP: a permanent
    subtree is restarted, with an unspent limit, and a transient one is not. The
    `Child.value` of the child is the inner `Supervisor`.

    Args:
        children: The children of the inner supervisor, oldest first.
        name: What both the child and the inner supervisor are called.
        strategy: As for `open_supervisor`.
        max_restarts: As for `open_supervisor`.
        within: As for `open_supervisor`, in seconds.
        auto_shutdown: As for `open_supervisor`.
        restart: When the subtree as a whole is started again.
        grace: How long the subtree may take to stop, in seconds. When it is over, whatever
            still runs in it is cancelled at once, with all cleaning up; by default it is
            waited for, since each child has its own.
        significant: Whether its end may be the end of the supervisor above.

    Returns:
        The subtree, as data.

    Raises:
        TypeError: If *children* holds anything but specs.
        ValueError: If an option makes no sense.
        ChildExists: If two children were given the same name.

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
    specs = tuple(children)
    open_supervisor(specs, **options)  # only to refuse nonsense where it is written
    return _supervisor_spec(partial(supervise, specs, **options), name, restart, grace, significant)


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

    The `Child.value` of the child is the inner `DynamicSupervisor`. It starts empty, each
    time it is restarted too.

    Args:
        name: What both the child and the inner supervisor are called.
        max_restarts: As for `open_dynamic_supervisor`.
        within: As for `open_dynamic_supervisor`, in seconds.
        max_children: As for `open_dynamic_supervisor`.
        restart: When the subtree as a whole is started again.
        significant: Whether its end may be the end of the supervisor above.

    Returns:
        The subtree, as data.

    Raises:
        ValueError: If an option makes no sense.

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
    _dynamic_engine(name, max_restarts, within, max_children)  # refuses nonsense
    run = partial(_supervise_dynamic, name, max_restarts, within, max_children)
    return _supervisor_spec(run, name, restart, math.inf, significant)


async def _supervise_dynamic(
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


# The block itself


@final
@attrs.define(eq=False)
class _Block(AbstractAsyncContextManager[HandleT]):
    # A class rather than a generator: a KeyboardInterrupt between two lines of a generator's
    # machinery would leave the nursery open for ever, with children in it.
    _engine: Engine
    _handle: HandleT
    _nursery: AbstractAsyncContextManager[trio.Nursery] | None = None

    @enable_ki_protection
    async def __aenter__(self) -> HandleT:
        if self._nursery is not None:
            raise RuntimeError(
                "the block of a supervisor is entered once: call open_supervisor() again"
            )
        engine = self._engine
        self._nursery = trio.open_nursery()
        engine.begin(await self._nursery.__aenter__())
        error: BaseException | None = None
        try:
            await engine.wait_booted()
        except BaseException as cut_short:  # noqa: BLE001  raised again when all is stopped
            error = cut_short
        if error is not None or engine.failure is not None or engine.fatal is not None:
            leaving = await self._leave(error)
            assert leaving is not None
            raise leaving
        engine.body_scope.__enter__()
        return self._handle

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        left = exc
        try:
            if self._engine.body_scope.__exit__(exc_type, exc, traceback):
                left = None
        except BaseException as rest:  # noqa: BLE001  a group, less the supervisor's Cancelled
            left = rest
        leaving = await self._leave(left)
        if leaving is None:
            return True
        if leaving is exc:
            return False
        raise leaving

    async def _leave(self, body_error: BaseException | None) -> BaseException | None:
        """Return what leaves the block, if anything does, when all is stopped and joined."""
        assert self._nursery is not None
        self._engine.end("finished")
        interrupt: BaseException | None = None
        try:
            await self._nursery.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001  it leaves the block, less its group
            interrupt = next(leaves(error))
        engine = self._engine
        if interrupt is not None:
            return interrupt
        if _is_fatal(body_error):
            return body_error
        if engine.fatal is not None:
            return engine.fatal
        if isinstance(engine.failure, RestartLimitReached) and isinstance(body_error, Exception):
            engine.failure.body_error = body_error
        return engine.failure or body_error


def _is_fatal(error: BaseException | None) -> bool:
    return isinstance(error, (KeyboardInterrupt, SystemExit, trio.TrioInternalError))


# Checks at the door


def _check_children(children: object, supervisor: str) -> tuple[ChildSpec, ...]:
    if isinstance(children, ChildSpec):
        raise TypeError(
            f"open_supervisor takes a list of children: write [{children.name}], not "
            f"{children.name}"
        )
    if not isinstance(children, Iterable):
        raise TypeError(f"open_supervisor takes a list of children, not {children!r}")
    given = cast("Iterable[object]", children)
    specs = tuple(check_spec("open_supervisor", spec) for spec in given)
    seen: set[str] = set()
    for spec in specs:
        if spec.is_named and spec.name in seen:
            raise ChildExists(supervisor, spec.name, "starting")
        seen.add(spec.name if spec.is_named else "")
    return specs


def _check_rng(rng: random.Random | None) -> random.Random | None:
    if rng is not None and not isinstance(rng, random.Random):  # noqa: S311  no secret
        raise TypeError(f"rng must be a random.Random or None, not {rng!r}")
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
