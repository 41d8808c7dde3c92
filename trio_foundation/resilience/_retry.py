"""Trying again, as `_rules` decides."""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypedDict, TypeVar, TypeVarTuple, Unpack, final, overload

from .._base import (
    Backoff,
    check_async_fn,
    check_count,
    check_name,
    check_seconds,
    is_plain_function,
)
from ._attempts import Attempts, Policy
from ._rules._retrying import Errors, RetryBudget, check_errors

__all__ = ["Retry", "RetryOptions", "retry", "retrying"]

A = TypeVarTuple("A")
P = ParamSpec("P")
R = TypeVar("R")

_BACKOFF = Backoff()


class RetryOptions(TypedDict, total=False):
    """The keyword arguments of `retry`, where more is said of each.

    Example:
        >>> options: RetryOptions = {"attempts": 5, "retry_on": OSError}
        >>> Retry(**options)
        Retry(attempts=5)
    """

    attempts: int | float
    """How many tries, the first included."""

    backoff: Backoff
    """How long to wait between two tries."""

    retry_on: Errors
    """Which `Errors` are worth another try."""

    retry_result: Callable[[Any], bool] | None
    """Whether a result is not good enough."""

    attempt_timeout: float | None
    """How long a try may take, in seconds."""

    total: float | None
    """After how many seconds no more tries begin."""

    budget: RetryBudget | None
    """What all who share it may spend."""

    name: str | None
    """What notes and events call it."""

    rng: random.Random | None
    """Where the spread of the delays comes from."""


async def retry(  # noqa: PLR0913  all but two are named
    async_fn: Callable[[*A], Awaitable[R]],
    *args: *A,
    attempts: int | float = 3,
    backoff: Backoff = _BACKOFF,
    retry_on: Errors = Exception,
    retry_result: Callable[[R], bool] | None = None,
    attempt_timeout: float | None = None,
    total: float | None = None,
    budget: RetryBudget | None = None,
    name: str | None = None,
    rng: random.Random | None = None,
) -> R:
    """Call an async function, and if it fails call it again.

    Only for what may safely be called twice: a try that failed may have done all its work but the
    answer.

    If the next try would begin when *total* is over, or at the deadline of a cancel scope around
    the caller, the error comes out at once. After an error with a number ``retry_after``, such as
    `RateLimited` or `BreakerOpen`, the next try waits at least as many seconds, but no longer than
    the *maximum* of *backoff*.

    The error of the last try comes out as itself, with a note such as ``attempt 3 of 3``. An error
    of *retry_on* or *retry_result* itself comes out at once.

    Args:
        async_fn: The function.
        *args: Its positional arguments; bind keyword arguments with `functools.partial`.
        attempts: How many tries, the first included; `math.inf` sets no limit.
        backoff: How long to wait between two tries.
        retry_on: Which `Errors` are worth another try.
        retry_result: A function that says whether a result is not good enough. The last try's is
            returned as it is.
        attempt_timeout: After how many seconds a try is cancelled, and fails with `TimedOut`; there
            is another, whatever *retry_on* says.
        total: After how many seconds no more tries begin. One that runs then may end; to end it
            too, put `timeout` around all.
        budget: How many retries all who share it may make.
        name: What notes and events call it; by default events name the function, and notes nothing.
        rng: Where the spread of the delays comes from; a seeded one repeats it.

    Returns:
        What the function returned.

    Raises:
        TimedOut: The last try took longer than *attempt_timeout*.
        TypeError: *async_fn* is no async function, or an option is of the wrong kind.
        ValueError: A number is out of its range.

    Cancellation:
        Goes into the function, or ends the wait. It is never a reason to try again, alone or in a
        group. A checkpoint if it waits, else only as far as the function is.

    Emits:
        RetryScheduled: When there will be another try.

    Example:
        >>> import trio
        >>> answers = iter([ConnectionError("refused"), "hello"])
        >>> async def fetch():
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> async def main():
        ...     print(await retry(fetch, attempts=3, retry_on=OSError, total=10.0))
        >>> trio.run(main)
        hello
    """
    check_async_fn("retry", async_fn, args)
    policy = Retry(
        attempts=attempts,
        backoff=backoff,
        retry_on=retry_on,
        retry_result=retry_result,
        attempt_timeout=attempt_timeout,
        total=total,
        budget=budget,
        name=name,
        rng=rng,
    )
    return await _attempts_of(policy, async_fn, args).make()


@overload
def retrying(
    async_fn: Callable[P, Awaitable[R]], /, **options: Unpack[RetryOptions]
) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def retrying(
    **options: Unpack[RetryOptions],
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]: ...
def retrying(async_fn: Callable[P, Awaitable[R]] | None = None, /, **options: Any) -> Any:
    """Make an async function try again when it fails, wherever it is called.

    Args:
        async_fn: The function; none with options: ``@retrying(attempts=5)``.
        **options: Those of `retry`.

    Returns:
        The function that tries again, or a decorator.

    Raises:
        TypeError: *async_fn* is no async function, or an option is of the wrong kind.
        ValueError: A number is out of its range.

    Cancellation:
        As in `retry`.

    Example:
        >>> import trio
        >>> answers = iter([ConnectionError("refused"), "hello"])
        >>> @retrying(attempts=3, retry_on=OSError)
        ... async def fetch(url):
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> async def main():
        ...     print(await fetch("tcp://prices"))
        >>> trio.run(main)
        hello
    """
    policy = Retry(**options)

    def decorate(async_fn: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        check_async_fn("retrying", async_fn)

        @functools.wraps(async_fn)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = functools.partial(async_fn, *args, **kwargs)
            return await _attempts_of(policy, bound, ()).make()

        return call

    return decorate if async_fn is None else decorate(async_fn)


@final
class Retry:
    """`retry` with options kept: a step of a `Pipeline`.

    Its options are those of `retry`; *attempt_timeout* and *total* are in seconds.

    Raises:
        TypeError: An option of the wrong kind.
        ValueError: A number is out of its range.

    Example:
        >>> import trio
        >>> patient = Retry(attempts=10, total=60.0)
        >>> async def fetch(item):
        ...     return f"price of {item}"
        >>> async def main():
        ...     print(await patient.call(fetch, "apples"))
        >>> trio.run(main)
        price of apples
    """

    __slots__ = ("_policy",)

    def __init__(  # noqa: PLR0913  the options of `retry`
        self,
        *,
        attempts: int | float = 3,
        backoff: Backoff = _BACKOFF,
        retry_on: Errors = Exception,
        retry_result: Callable[[Any], bool] | None = None,
        attempt_timeout: float | None = None,
        total: float | None = None,
        budget: RetryBudget | None = None,
        name: str | None = None,
        rng: random.Random | None = None,
    ) -> None:
        check_count("attempts", attempts, least=1, allow_inf=True)
        if not isinstance(backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff, not {backoff!r}: write Backoff(initial=1)")
        check_errors("retry_on", retry_on)
        if retry_result is not None and not is_plain_function(retry_result):
            raise TypeError(
                f"retry_result must be a plain function of the result, not {retry_result!r}: "
                "write retry_result=lambda result: result is None"
            )
        if attempt_timeout is not None:
            check_seconds("attempt_timeout", attempt_timeout, above_zero=True)
        if total is not None:
            check_seconds("total", total)
        if budget is not None and not isinstance(budget, RetryBudget):
            raise TypeError(
                f"budget must be a RetryBudget, not {budget!r}: write RetryBudget(ratio=0.1)"
            )
        if name is not None:
            check_name("name", name)
        if rng is not None and not isinstance(rng, random.Random):  # noqa: S311  no secrets
            raise TypeError(f"rng must be a random.Random, not {rng!r}: write random.Random(1)")
        # By position, which takes half the time: `retry` does this for each call.
        self._policy = Policy(
            attempts, backoff, retry_on, retry_result, attempt_timeout, total, budget, name, rng
        )

    def __repr__(self) -> str:
        return f"Retry(attempts={self._policy.attempts!r})"

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function as `retry` does.

        Returns:
            What the function returned.

        Cancellation:
            As in `retry`.
        """
        check_async_fn("call", async_fn, args)
        return await Attempts("call", self._policy, async_fn, args).make()


def _attempts_of(
    retry: Retry, async_fn: Callable[..., Awaitable[R]], args: tuple[object, ...]
) -> Attempts[R]:
    policy = retry._policy  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return Attempts("retry", policy, async_fn, args)
