"""What a circuit breaker raises instead of calling."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

from .._base import FoundationError, seconds_in_words, written
from ._rules import BreakerState

__all__ = ["BreakerOpen", "RejectedBy"]

RejectedBy: TypeAlias = BreakerState | Literal["closed_down"]
"""The state that a call was rejected in; ``closed_down`` if the breaker's block has ended."""


@final
class BreakerOpen(FoundationError):
    """The breaker did not let the call through, or has ended it.

    Example:
        >>> print(BreakerOpen("prices", "open", 12.5, OSError("no route")))
        breaker 'prices' is open, and tries again in 12.5 s; the last error was OSError('no route')
    """

    name: str
    """The name of the breaker."""

    state: RejectedBy
    """The state that it was in."""

    retry_after: float | None
    """In how many seconds it may let a call through; None if unknown."""

    last_error: BaseException | None
    """The error of the latest failure since it was closed; None if there was none."""

    def __init__(
        self,
        name: str,
        state: RejectedBy,
        retry_after: float | None = None,
        last_error: BaseException | None = None,
    ) -> None:
        super().__init__(name, state, retry_after, last_error)
        self.name = name
        self.state = state
        self.retry_after = retry_after
        self.last_error = last_error

    def __str__(self) -> str:
        state = self.state.replace("_", " ")
        after, last = self.retry_after, self.last_error
        again = "" if after is None else f", and tries again in {seconds_in_words(after)}"
        error = "" if last is None else f"; the last error was {written(last)}"
        return f"breaker {self.name!r} is {state}{again}{error}"
