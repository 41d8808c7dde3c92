"""The options of a coordinator, checked."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Literal, TypeAlias, final, get_args

import attrs

from .._base import (
    check_choice,
    check_count,
    check_name,
    check_number,
    check_seconds,
    fits,
    is_plain_function,
)
from ..messaging import CallError, CallFailed, MailboxFull
from ..resilience import BreakerOptions, CircuitBreaker, RateLimiter, Verdict
from ..telemetry import emit, wanted
from ._delivery import DeadLetter
from ._errors import DeliveryTimeout
from ._events import MessageDeadLettered

__all__ = ["BufferOverflow", "Terms", "check_terms"]

_logger = logging.getLogger("trio_foundation.agents")

BufferOverflow: TypeAlias = Literal["drop_oldest", "reject", "block"]
"""What happens to one message too many for a buffer; see `open_coordinator`."""


@final
@attrs.frozen(kw_only=True)
class Terms:
    """The options of a coordinator."""

    name: str
    delivery_timeout: float
    attempts: int
    buffer_capacity: int
    overflow: BufferOverflow
    max_age: float
    drain_rate: float
    drain_concurrency: int
    on_dead_letter: Callable[[DeadLetter], object] | None
    breaker: BreakerOptions

    def make_limiter(self) -> RateLimiter | None:
        """Return what paces the buffered messages of one receiver."""
        if self.drain_rate == math.inf:
            return None
        return RateLimiter(self.drain_rate, max_waiting=math.inf, name=f"buffers of {self.name}")

    def bury(self, letters: list[DeadLetter]) -> None:
        """Tell of letters, and hand them over; what is no Exception goes up at the end."""
        with ExitStack() as last_to_first:
            for letter in reversed(letters):
                last_to_first.callback(self._bury, letter)

    def _bury(self, letter: DeadLetter) -> None:
        try:
            if wanted(MessageDeadLettered):
                agent = letter.agent_id
                emit(MessageDeadLettered(coordinator=self.name, agent=agent, letter=letter))
        finally:
            if self.on_dead_letter is not None:
                try:
                    self.on_dead_letter(letter)
                except Exception:
                    told = "on_dead_letter of %r raised, and is ignored: %r"
                    _logger.exception(told, self.name, self.on_dead_letter)


def check_terms(terms: Terms) -> Terms:
    """Return the terms, with defaults for the breakers; refuse what makes no sense."""
    check_name("name", terms.name)
    check_seconds("delivery_timeout", terms.delivery_timeout, above_zero=True)
    check_seconds("max_age", terms.max_age, above_zero=True)
    for option in ("attempts", "buffer_capacity", "drain_concurrency"):
        check_count(option, getattr(terms, option), least=1)
    if terms.drain_rate != math.inf and check_number("drain_rate", terms.drain_rate, least=0) == 0:
        raise ValueError("drain_rate must be more than 0, not 0: no buffer would ever run empty")
    _check_overflow(terms.overflow)
    _check_hook(terms.on_dead_letter)
    unknown = terms.breaker.keys() - BreakerOptions.__annotations__.keys()
    if unknown:
        own = [name for name in attrs.fields_dict(Terms) if name != "breaker"]
        raise TypeError(
            f"open_coordinator has no option {', '.join(map(repr, sorted(unknown)))}; its options "
            f"are {', '.join(own)}, and those of CircuitBreaker"
        )
    if terms.breaker.get("result_is_failure") is not None:
        raise ValueError(
            "result_is_failure is not asked about messages: let `receive` raise what is a failure"
        )
    terms = attrs.evolve(terms, breaker=_with_defaults(terms))
    probe: BreakerOptions = {**terms.breaker}
    probe.pop("health", None)  # which is looked at when there is a nursery for it
    CircuitBreaker("receiver", **probe)  # what makes no sense is refused here
    return terms


def _check_overflow(overflow: object) -> None:
    if overflow == "drop_newest":
        raise ValueError(
            "overflow='drop_newest' would tell a sender that its dropped message waits: write "
            "'reject', which tells it that there was no room"
        )
    check_choice("overflow", overflow, get_args(BufferOverflow))


def _check_hook(hook: object) -> None:
    if hook is None:
        return
    if not callable(hook) or not is_plain_function(hook) or not fits(hook, None):
        raise TypeError(
            f"on_dead_letter takes a plain function of the dead letter, not {hook!r}: to await "
            "something, let it put the letter into a mailbox"
        )


def _with_defaults(terms: Terms) -> BreakerOptions:
    options: BreakerOptions = {**terms.breaker}
    if "counts" not in options and "ignores" not in options:
        options["counts"] = judge
    if options.get("probe_timeout") is None and terms.delivery_timeout < math.inf:
        # A probe is a delivery like any other, and ends by itself in the same time; only the
        # breaker's own does not.
        has_health = options.get("health") is not None
        options["probe_timeout"] = terms.delivery_timeout if has_health else math.inf
    return options


_FAILURES = (CallFailed, DeliveryTimeout, MailboxFull)


def judge(error: BaseException) -> Verdict:
    """Return what the end of a delivery tells about its receiver.

    No pause would mend that it is gone, sends to itself, or is called with wrong arguments.
    """
    if isinstance(error, CallError):
        return "success"
    return "failure" if isinstance(error, _FAILURES) else "ignored"
