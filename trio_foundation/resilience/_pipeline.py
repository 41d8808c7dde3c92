"""Several guards around one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, TypeVarTuple, final, runtime_checkable

from .._base import awaitable_of, check_async_fn, name_of
from ._bulkhead import Bulkhead
from ._fallback import Fallback
from ._hedge import Hedge
from ._rate_limiter import RateLimiter
from ._retry import Retry
from ._rules._order import USUAL_ORDER, StepKind, fault_in_order
from ._timeout import Timeout

__all__ = ["Breaker", "Pipeline", "Step"]

A = TypeVarTuple("A")
R = TypeVar("R")


@runtime_checkable
class Step(Protocol):
    """Whatever can stand around a call: a guard of this room, or one of your own.

    Example:
        >>> class Loud:
        ...     async def call(self, async_fn, *args):
        ...         print("calling")
        ...         return await async_fn(*args)
        >>> isinstance(Loud(), Step)
        True
    """

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function, or do not.

        Args:
            async_fn: The function, which may be another step's.
            *args: Its positional arguments.

        Returns:
            What the function returned.

        Cancellation:
            It has to let one through.
        """
        ...


@runtime_checkable
class Breaker(Step, Protocol):
    """What a pipeline takes for a circuit breaker: a step that also guards a block.

    Example:
        >>> isinstance(Timeout(1.0), Breaker)
        False
    """

    def guard(self) -> AbstractAsyncContextManager[None]:
        """Guard a block in the caller's task.

        Cancellation:
            It has to let one through.
        """
        ...


@final
class Pipeline:
    """Guards around a call, in an order that makes sense.

    Given by name, they stand in the usual order, the outermost first: fallback, retry, hedge,
    breaker, bulkhead, rate limit, timeout. So each attempt asks the breaker, waits for its slot and
    then for its turn, and only then does its time begin.

    ``Pipeline(Timeout(10.0), Retry(), Timeout(2.0))`` is another order, the outermost first. One in
    which a guard could not do its work is refused. A pipeline may be a step of another.

    Args:
        *steps: The guards in their order; none, if given by name.
        fallback: The second best answer.
        retry: When to try again.
        hedge: When to call once more beside a slow call.
        breaker: The circuit breaker; it hears of the errors of all within it.
        bulkhead: How many at once.
        rate_limit: How often.
        timeout: How long one attempt may take, in seconds; or a `Timeout`.

    Raises:
        TypeError: Something is no step or has the wrong name, or only some are given by name.
        ValueError: The order makes no sense, or has the same bulkhead, rate limiter or breaker
            twice.

    Example:
        >>> import trio
        >>> prices = Pipeline(
        ...     fallback=Fallback("unknown", on=OSError),
        ...     retry=Retry(attempts=3, retry_on=OSError),
        ...     bulkhead=Bulkhead(10, max_waiting=50, name="prices"),
        ...     timeout=2.0,
        ... )
        >>> async def ask(item):
        ...     return f"price of {item}"
        >>> async def main():
        ...     print(await prices.call(ask, "apples"))
        >>> trio.run(main)
        price of apples
        >>> Pipeline(Retry(), Fallback("unknown"))
        Traceback (most recent call last):
        ...
        ValueError: Fallback('unknown') within Retry(attempts=3) makes no sense: the fallback's \
answer hides every error from the retry, which would never try again
    """

    __slots__ = ("_steps",)

    def __init__(  # noqa: PLR0913  one for each kind
        self,
        *steps: Step,
        fallback: Fallback | None = None,
        retry: Retry | None = None,
        hedge: Hedge | None = None,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        rate_limit: RateLimiter | None = None,
        timeout: Timeout | float | None = None,
    ) -> None:
        named: dict[StepKind, Any] = {
            "fallback": fallback,
            "retry": retry,
            "hedge": hedge,
            "breaker": breaker,
            "bulkhead": bulkhead,
            "rate_limit": rate_limit,
            "timeout": Timeout(timeout) if isinstance(timeout, (int, float)) else timeout,
        }
        given: dict[StepKind, Any] = {
            kind: named[kind] for kind in USUAL_ORDER if named[kind] is not None
        }
        if steps and given:
            raise TypeError(
                f"Pipeline takes its steps in order, or all by name, but got {len(steps)} in "
                f"order and {', '.join(given)} by name: put those into the order too"
            )
        for kind, step in given.items():
            _check_kind(kind, step)
        self._steps = tuple(_flat(steps or given.values()))
        _check_order(self._steps)

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(repr, self._steps))})"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, the outermost first."""
        return self._steps

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function through all steps.

        Args:
            async_fn: The function.
            *args: Its positional arguments; bind keyword arguments with `functools.partial`.

        Returns:
            What the function returned, or a fallback answers.

        Raises:
            TypeError: *async_fn* is no async function.

        Cancellation:
            Goes through the steps into the function, as far as the call has come.

        Example:
            >>> import trio
            >>> async def main():
            ...     print(await Pipeline(Timeout(2.0)).call(trio.sleep, 0))
            >>> trio.run(main)
            None
        """
        check_async_fn("call", async_fn, args)
        name = name_of(async_fn)
        call: Callable[[*A], Awaitable[R]] = _Innermost(async_fn, name)
        for step in reversed(self._steps):
            call = _Link(step, call, name)
        return await call(*args)


@final
class _Innermost:
    """The user's function, for whatever step calls it."""

    __slots__ = ("__name__", "_async_fn")

    def __init__(self, async_fn: Callable[..., Awaitable[Any]], name: str) -> None:
        self._async_fn = async_fn
        self.__name__ = name

    def __call__(self, *args: object) -> Awaitable[Any]:
        return awaitable_of("call", self._async_fn, self._async_fn(*args), args)


@final
class _Link:
    """A function that calls another through a step, under its name."""

    __slots__ = ("__name__", "_inner", "_step")

    def __init__(self, step: Step, inner: Callable[..., Awaitable[Any]], name: str) -> None:
        self._step = step
        self._inner = inner
        self.__name__ = name

    def __call__(self, *args: object) -> Awaitable[Any]:
        return self._step.call(self._inner, *args)


def _flat(steps: Iterable[object]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Pipeline):
            yield from step.steps
        elif isinstance(step, Step) and not isinstance(step, type):
            yield step
        else:
            raise TypeError(
                f"Pipeline takes steps, which have an async method `call`, but got {step!r}: "
                "write Pipeline(retry=Retry(attempts=3), timeout=2.0), or "
                "Pipeline(Retry(attempts=3), Timeout(2.0))"
            )


_WRITTEN: dict[StepKind, tuple[type, str]] = {
    "fallback": (Fallback, "fallback=Fallback(async_fn_or_value)"),
    "retry": (Retry, "retry=Retry(attempts=3)"),
    "hedge": (Hedge, "hedge=Hedge(after=0.5)"),
    "breaker": (Breaker, "breaker=CircuitBreaker('prices')"),
    "bulkhead": (Bulkhead, "bulkhead=Bulkhead(10)"),
    "rate_limit": (RateLimiter, "rate_limit=RateLimiter(10, per=1.0)"),
    "timeout": (Timeout, "timeout=2.0"),
}


def _check_kind(kind: StepKind, step: object) -> None:
    cls, example = _WRITTEN[kind]
    if not isinstance(step, cls):
        raise TypeError(f"{kind} cannot be {step!r}: write Pipeline({example})")


def _kind_of(step: Step) -> StepKind:
    for kind, (cls, _) in _WRITTEN.items():
        if isinstance(step, cls):
            return kind
    return "other"


def _check_order(steps: tuple[Step, ...]) -> None:
    fault = fault_in_order([_kind_of(step) for step in steps])
    if fault is not None:
        outer, inner, why = fault
        raise ValueError(f"{steps[inner]!r} within {steps[outer]!r} makes no sense: {why}")
    for place, step in enumerate(steps):
        for outer_step in steps[:place]:
            _check_pair(outer_step, step)


def _check_pair(outer: Step, inner: Step) -> None:
    if outer is inner and _kind_of(inner) in _HELD:
        raise ValueError(
            f"{inner!r} stands in the pipeline twice: a call within it would wait for itself"
        )
    if isinstance(outer, Timeout) and isinstance(inner, Timeout) and inner.seconds >= outer.seconds:
        raise ValueError(
            f"{inner!r} within {outer!r} makes no sense: the inner one could never expire"
        )


# What a call holds while it runs, and others may have to wait for.
_HELD = frozenset[StepKind]({"breaker", "bulkhead", "rate_limit"})
