"""Whether and when a failed batch is executed again."""

from __future__ import annotations

import random
from typing import TypeAlias, cast

from ..._base import Backoff

__all__ = ["RetryOn", "check_retry_on", "delay_before_next"]

RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...]
"""Which errors of an operation are worth another attempt: a class, or a tuple of them."""


def check_retry_on(retry_on: object) -> None:
    """Refuse what is neither a class of errors nor a tuple of them.

    Raises:
        TypeError: It is something else.

    Example:
        >>> check_retry_on((OSError, TimeoutError))
        >>> check_retry_on(KeyboardInterrupt)
        Traceback (most recent call last):
        TypeError: retry_on must be a subclass of Exception, or a tuple of them, not \
<class 'KeyboardInterrupt'>
    """
    classes = cast("tuple[object, ...]", retry_on if isinstance(retry_on, tuple) else (retry_on,))
    for one in classes:
        if not isinstance(one, type) or not issubclass(one, Exception):
            raise TypeError(
                f"retry_on must be a subclass of Exception, or a tuple of them, not {retry_on!r}"
            )


def delay_before_next(
    attempt: int,
    *,
    attempts: int,
    backoff: Backoff,
    rng: random.Random | None,
    now: float,
    until: float,
) -> float | str:
    """Return after how many seconds to make the next attempt, or why there is none.

    *attempt* have been made. None begins at *until* or later.
    """
    if attempt >= attempts:
        return f"attempt {attempt} of {attempts}"
    delay = backoff.delay(attempt - 1, rng)
    if now + delay >= until:
        return f"attempt {attempt} of {attempts}; there is no time for another"
    return delay
