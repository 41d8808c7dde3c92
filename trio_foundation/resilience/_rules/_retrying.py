"""Whether to try again, and when."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast, final

import attrs

from ..._base import (
    Backoff,
    check_count,
    check_number,
    check_seconds,
    is_mistake,
    is_plain_function,
)
from ._leaves import leaves_of

__all__ = [
    "Again",
    "Errors",
    "GiveUp",
    "Ledger",
    "RetryBudget",
    "check_errors",
    "decide",
    "delay_before",
    "matches",
    "note_attempts",
    "note_of",
]

Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors are meant: a class, some classes, or a function that is asked about each.

A group is meant only if each error in it is."""

# How finely a budget divides its window. It frees a retry up to one part later than it might.
_PARTS = 10


@final
@attrs.frozen
class Again:
    """It is tried again."""

    delay: float
    """After how many seconds."""


@final
@attrs.frozen
class GiveUp:
    """It is not tried again."""

    why: str
    """For the note; empty if all attempts are spent."""


@final
@attrs.frozen(kw_only=True, eq=False)
class RetryBudget:
    """How many retries all callers of a service may make together: ``retry(fetch, budget=budget)``.

    Those who share it may retry *floor* times in any *per* seconds, and beyond that once for every
    ``1 / ratio`` calls; else their calls fail at the first error. Each Trio run counts for itself.

    Raises:
        TypeError: An argument is no number.
        ValueError: One of them is out of its range.

    Example:
        >>> import trio
        >>> from trio_foundation.resilience import retry
        >>> async def fetch():
        ...     print("fetching")
        ...     raise OSError("no route")
        >>> async def main():
        ...     budget = RetryBudget(ratio=0.0, floor=1, per=60.0)
        ...     for _ in range(2):
        ...         try:
        ...             await retry(fetch, budget=budget)
        ...         except OSError as error:
        ...             print(error.__notes__)
        >>> trio.run(main)
        fetching
        fetching
        ['attempt 2 of 3; the retry budget is spent']
        fetching
        ['attempt 1 of 3; the retry budget is spent']
    """

    ratio: float = 0.1
    """How many retries each call adds, from 0 to 1: with 0.1, ten calls add one."""

    floor: int = 10
    """How many retries there are without any calls."""

    per: float = 60.0
    """How long calls and retries count, in seconds."""

    def __attrs_post_init__(self) -> None:
        check_number("ratio", self.ratio, least=0, most=1)
        check_count("floor", self.floor)
        check_seconds("per", self.per, above_zero=True, finite=True)


@final
class Ledger:
    """What has been made of a retry budget.

    Example:
        >>> ledger = Ledger(RetryBudget(ratio=0.5, floor=1, per=60.0))
        >>> for _ in range(4):
        ...     ledger.note_call(now=0.0)
        >>> [ledger.admit(now=1.0) for _ in range(4)]  # the floor, and a half of four calls
        [True, True, True, False]
        >>> ledger.admit(now=70.0)  # what is long ago is forgotten
        True
    """

    __slots__ = ("_budget", "_calls", "_part", "_retries")

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._part = 0
        self._calls = [0] * (_PARTS + 1)  # those of the newest part first
        self._retries = [0] * (_PARTS + 1)

    def note_call(self, now: float) -> None:
        """Count a call at its first attempt."""
        self._move(now)
        self._calls[0] += 1

    def admit(self, now: float) -> bool:
        """Count a retry if there is room for it, and say whether."""
        self._move(now)
        # The oldest part lies across the edge of the window. Its retries count, its calls do
        # not, so that what is promised holds to the moment.
        most = self._budget.floor + self._budget.ratio * sum(self._calls[:_PARTS])
        if sum(self._retries) + 1 > most:
            return False
        self._retries[0] += 1
        return True

    def take_back(self, then: float) -> None:
        """Forget a retry admitted *then* and not made after all."""
        age = self._part - self._part_at(then)
        if age <= _PARTS:  # else it is forgotten already
            self._retries[age] -= 1

    def _part_at(self, now: float) -> int:
        return math.floor(now / (self._budget.per / _PARTS))

    def _move(self, now: float) -> None:
        """Forget what is long ago."""
        part = self._part_at(now)
        passed = min(part - self._part, _PARTS + 1)
        if passed:
            self._part = part
            self._calls = [*[0] * passed, *self._calls[:-passed]]
            self._retries = [*[0] * passed, *self._retries[:-passed]]


def decide(
    *, attempt: int, attempts: float, delay: float, now: float, until: float
) -> Again | GiveUp:
    """Decide whether to try again after *attempt* tries, all times in seconds."""
    if attempt >= attempts:
        return GiveUp("")
    if now + delay >= until:
        return GiveUp("there is no time for another")
    return Again(delay)


def delay_before(
    attempt: int, backoff: Backoff, retry_after: float, rng: random.Random | None
) -> float:
    """Return in how many seconds to try again; *retry_after* counts up to ``backoff.maximum``."""
    return max(backoff.delay(attempt - 1, rng), min(retry_after, float(backoff.maximum)))


def matches(
    error: Exception, errors: Errors, *, never: tuple[type[BaseException], ...] = ()
) -> bool:
    """Return whether an error, or each in a group, is one of *errors*, and none of *never*.

    The mistake of a caller never is: it would come again, and is not to be hidden.
    """
    for leaf in leaves_of(error):
        if isinstance(leaf, never) or not isinstance(leaf, Exception) or is_mistake(leaf):
            return False
        is_meant = (
            isinstance(leaf, errors) if isinstance(errors, (type, tuple)) else bool(errors(leaf))
        )
        if not is_meant:
            return False
    return True


def check_errors(name: str, errors: object) -> None:
    """Refuse what does not say which errors are meant.

    Raises:
        TypeError: It is no class of errors, tuple of them, or plain function.

    Example:
        >>> check_errors("retry_on", (OSError, TimeoutError))
        >>> check_errors("retry_on", KeyboardInterrupt)
        Traceback (most recent call last):
        TypeError: retry_on takes subclasses of Exception, not KeyboardInterrupt: what is no \
Exception, such as trio.Cancelled, has to go on up
    """
    if errors is Exception or (not isinstance(errors, (type, tuple)) and is_plain_function(errors)):
        return
    classes = cast("tuple[object, ...]", errors if isinstance(errors, tuple) else (errors,))
    for one in classes:
        if not isinstance(one, type) or not issubclass(one, BaseException):
            raise TypeError(
                f"{name} must be a subclass of Exception, a tuple of them, or a plain function of "
                f"the error, not {errors!r}"
            )
        if issubclass(one, BaseExceptionGroup):
            raise TypeError(
                f"{name} is about the errors in a group, so it takes no {one.__name__}: name the "
                "classes of the errors that may be in it"
            )
        if not issubclass(one, Exception):
            raise TypeError(
                f"{name} takes subclasses of Exception, not {one.__name__}: what is no "
                "Exception, such as trio.Cancelled, has to go on up"
            )


def note_of(name: str | None, attempt: int, attempts: float, why: str) -> str:
    """Return the note that says how often it was tried.

    Example:
        >>> note_of(None, 3, 3, "")
        'attempt 3 of 3'
        >>> note_of("prices", 2, 3, "there is no time for another")
        'prices: attempt 2 of 3; there is no time for another'
    """
    limit = "" if attempts == math.inf else f" of {attempts}"
    reason = f"; {why}" if why else ""
    return f"{_subject(name)}attempt {attempt}{limit}{reason}"


def note_attempts(error: BaseException, name: str | None, note: str) -> None:
    """Put a note on an error, if it can be, in place of an earlier one by the same name."""
    earlier = re.compile(f"{re.escape(_subject(name))}attempt \\d+( of \\d+)?(; .*)?")
    with suppress(Exception):
        notes: list[Any] = getattr(error, "__notes__", [])
        kept = [one for one in notes if not (isinstance(one, str) and earlier.fullmatch(one))]
        error.__notes__ = [*kept, note]


def _subject(name: str | None) -> str:
    return "" if name is None else f"{name}: "
