"""What is to be kept running, written down as data, and checked there."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable
from types import FunctionType, MethodType
from typing import Any, Literal, TypedDict, final, get_args

import attrs

from .._base import (
    Backoff,
    check_async_fn,
    check_bool,
    check_choice,
    check_count,
    check_name,
    check_seconds,
)
from ._resident import Resident
from ._rules._words import Restart

__all__ = ["ChildOptions", "ChildSpec", "Liveness", "as_written", "child", "make_spec"]

_RESTARTS = get_args(Restart)

_GRACE = 5.0


@final
@attrs.frozen(kw_only=True)
class Liveness:
    """How often a child has to say that it is alive, by ``current_child().beat()``.

    After *misses* silent periods of *every* seconds, counted from readiness or the last beat, it is
    cancelled; its exit reason ``unresponsive`` counts as a crash. This finds a child that waits for
    ever, not one that never comes to a checkpoint.

    Raises:
        ValueError: *every* is not above 0, or *misses* is below 1.

    Example:
        >>> Liveness(every=10.0, misses=2)
        Liveness(every=10.0, misses=2)
    """

    every: float
    """One period, in seconds."""

    misses: int = 3
    """How many silent periods in a row are too many."""

    def __attrs_post_init__(self) -> None:
        check_seconds("every", self.every, above_zero=True, finite=True)
        check_count("misses", self.misses, least=1)

    @property
    def patience(self) -> float:
        """The longest silence, in seconds."""
        return self.every * self.misses


class ChildOptions(TypedDict, total=False):
    """The keyword arguments of `child`, ``start`` and ``start_soon``; `child` explains them.

    Example:
        >>> options: ChildOptions = {"restart": "transient", "grace": 1.0}
    """

    name: str | None
    """Its name; by default its function's."""

    restart: Restart
    """When it is started again."""

    grace: float
    """How long it may take to stop, and again to clean up, in seconds."""

    significant: bool
    """Whether its end may end its supervisor."""

    ready_within: float
    """How long it may take to be ready, in seconds."""

    backoff: Backoff | None
    """How long restarts are put off."""

    liveness: Liveness | None
    """How often it has to beat."""


@final
@attrs.frozen(kw_only=True)
class ChildSpec:
    """A child, written down by `child`; `attrs.evolve` makes a variation.

    Raises:
        TypeError: *async_fn* is no async function.
        ValueError: An option makes no sense.

    Example:
        >>> import attrs
        >>> async def poll(seconds): ...
        >>> spec = child(poll, 10, restart="transient")
        >>> spec.name, spec.restart, spec.args
        ('poll', 'transient', (10,))
        >>> attrs.evolve(spec, args=(60,)).args
        (60,)
    """

    async_fn: Callable[..., Awaitable[object]]
    """The function to run."""

    args: tuple[object, ...] = ()
    """Its positional arguments."""

    name: str
    """Its name in the supervisor."""

    restart: Restart = "permanent"
    """When it is started again."""

    grace: float = _GRACE
    """How long it may take to stop when asked, and again to clean up, in seconds."""

    significant: bool = False
    """Whether its end may end its supervisor."""

    ready_within: float = math.inf
    """How long it may take to be ready, in seconds."""

    backoff: Backoff | None = None
    """How long restarts are put off; None restarts at once."""

    liveness: Liveness | None = None
    """How often it has to beat; None asks for nothing."""

    kind: Literal["worker", "supervisor"] = "worker"
    """Whether it is itself a supervisor."""

    resident: Resident | None = attrs.field(default=None, repr=False, eq=False)
    """What stays between its incarnations, if anything."""

    _default_name: str | None = attrs.field(
        default=None, repr=False, eq=False, alias="default_name"
    )
    _takes_task_status: bool = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        check_async_fn("child", self.async_fn, self.args)
        _check_options(self)
        object.__setattr__(self, "_takes_task_status", _takes_task_status(self.async_fn))

    @property
    def is_named(self) -> bool:
        """Whether the name was given, not taken from the function."""
        return self.name != self._default_name

    @property
    def takes_task_status(self) -> bool:
        """Whether the function says itself when it is ready."""
        return self._takes_task_status


def child(  # noqa: PLR0913  a child has that many sides, and all but one are named
    async_fn: Callable[..., Awaitable[object]],
    *args: object,
    name: str | None = None,
    restart: Restart = "permanent",
    grace: float = 5.0,
    significant: bool = False,
    ready_within: float = math.inf,
    backoff: Backoff | None = None,
    liveness: Liveness | None = None,
) -> ChildSpec:
    """Write down a child for a supervisor to keep running.

    A function that takes ``task_status`` is ready when it calls ``task_status.started``, as with
    `trio.Nursery.start`; any other at once. Bind keyword arguments with `functools.partial`.

    Args:
        async_fn: The function to run.
        *args: Its positional arguments.
        name: Its name; by default its function's, made unique in its supervisor by ``-2``, ``-3``,
            and so on.
        restart: When it is started again: ``permanent`` always, ``transient`` after a crash,
            ``temporary`` never.
        grace: How long, in seconds, it may take to stop when asked (if it asks for
            `stop_requested`), and again to clean up when cancelled (in `cleanup_scope`). `math.inf`
            waits for it; 0 cancels at once and leaves no time.
        significant: Whether its end may end its supervisor (``auto_shutdown``); not if permanent.
        ready_within: How long it may take to be ready, in seconds, or the start has failed.
        backoff: How long restarts are put off; by default not at all. A restart is dated when it is
            made, so delays longer than the supervisor's *within* never exhaust its limit (unless
            that is 0).
        liveness: How often it has to say that it is alive; by default never.

    Returns:
        The child, as data.

    Raises:
        TypeError: *async_fn* cannot be an async function, for example a coroutine. A plain function
            is found out when it runs.
        ValueError: An option makes no sense.

    Example:
        >>> async def poll(url, seconds): ...
        >>> child(poll, "tcp://prices", 10, restart="transient", grace=1.0).name
        'poll'
        >>> child(poll("tcp://prices", 10))
        Traceback (most recent call last):
        ...
        TypeError: child takes an async function, but got a coroutine: write \
child(poll, 'tcp://prices', 10), not child(poll('tcp://prices', 10))
    """
    return make_spec(
        "child",
        async_fn,
        args,
        {
            "name": name,
            "restart": restart,
            "grace": grace,
            "significant": significant,
            "ready_within": ready_within,
            "backoff": backoff,
            "liveness": liveness,
        },
    )


def make_spec(
    caller: str,
    async_fn: Callable[..., Awaitable[object]],
    args: tuple[object, ...],
    options: ChildOptions,
    *,
    restart: Restart = "permanent",
) -> ChildSpec:
    """Return the spec of what *caller* was given; *restart* is its default."""
    if isinstance(async_fn, ChildSpec):
        raise TypeError(
            f"{caller} takes an async function, but got the spec of child {async_fn.name!r}: "
            f"write start_child({async_fn.name})"
        )
    check_async_fn(caller, async_fn, args)
    function = _function_of(async_fn)
    default_name = name_of(function)
    kind: Literal["worker", "supervisor"] = "supervisor" if is_supervisor(function) else "worker"
    if not options:
        return ChildSpec(
            async_fn=async_fn,
            args=args,
            name=default_name,
            default_name=default_name,
            kind=kind,
            restart=restart,
        )
    unknown = options.keys() - ChildOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"{caller} has no option {', '.join(map(repr, sorted(unknown)))}; its options are "
            f"{', '.join(ChildOptions.__annotations__)}; bind keyword arguments of the function "
            "with functools.partial"
        )
    wanted: dict[str, Any] = {"restart": restart, **options}
    name = wanted.pop("name", None)
    return ChildSpec(
        async_fn=async_fn,
        args=args,
        name=default_name if name is None else name,
        default_name=default_name if name is None else None,
        kind=kind,
        **wanted,
    )


def is_supervisor(function: Callable[..., object]) -> bool:
    """Return whether it is our own `supervise`."""
    return isinstance(function, FunctionType) and hasattr(function, "is_supervisor")


def name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def as_written(spec: ChildSpec) -> str:
    """Return about what the user has written to make a spec, or a word for it."""
    function = spec.async_fn
    is_users = isinstance(function, FunctionType) and function.__name__.isidentifier()
    if not is_users or function.__module__.startswith("trio_foundation."):
        return "spec"
    return f"child({function.__name__}, ...)" if spec.args else f"child({function.__name__})"


def _function_of(async_fn: Callable[..., object]) -> Callable[..., object]:
    while isinstance(async_fn, functools.partial):
        async_fn = async_fn.func
    return async_fn


def _check_options(spec: ChildSpec) -> None:
    check_name("name", spec.name)
    check_choice("restart", spec.restart, _RESTARTS)
    # Children are started by the thousand with what is the default, which is fine.
    if spec.grace is not _GRACE:
        check_seconds("grace", spec.grace)
    if spec.ready_within is not math.inf:
        check_seconds("ready_within", spec.ready_within, above_zero=True)
    if spec.significant is not False:
        check_bool("significant", spec.significant)
    check_choice("kind", spec.kind, ("worker", "supervisor"))
    if spec.significant and spec.restart == "permanent":
        raise ValueError(
            f"child {spec.name!r} is significant, but a permanent one never ends for good: "
            f"write significant=True, restart='transient'"
        )
    if spec.backoff is not None and not isinstance(spec.backoff, Backoff):
        raise TypeError(
            f"backoff must be a Backoff or None, not {spec.backoff!r}: write Backoff(initial=1)"
        )
    if spec.liveness is not None and not isinstance(spec.liveness, Liveness):
        raise TypeError(
            f"liveness must be a Liveness or None, not {spec.liveness!r}: write Liveness(every=10)"
        )


def _takes_task_status(async_fn: Callable[..., object]) -> bool:
    function = async_fn.__func__ if isinstance(async_fn, MethodType) else async_fn
    if isinstance(function, FunctionType) and not hasattr(function, "__wrapped__"):
        # Most are plain functions, and a signature takes longer to make than a task.
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        return "task_status" in code.co_varnames[code.co_posonlyargcount : count]
    try:
        parameter = inspect.signature(async_fn).parameters.get("task_status")
    except (TypeError, ValueError):  # some callables written in C have no signature
        return False
    if parameter is None or parameter.kind not in {
        parameter.KEYWORD_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
    }:
        return False
    # functools.partial(serve, task_status=...) has bound it already, and shows it still.
    return not _binds_task_status(async_fn)


def _binds_task_status(async_fn: object) -> bool:
    while isinstance(async_fn, functools.partial):
        if "task_status" in async_fn.keywords:
            return True
        async_fn = async_fn.func
    return False
