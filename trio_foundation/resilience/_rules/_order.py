"""Which step may stand around which; pairs not in the table, either way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["USUAL_ORDER", "WRONG_WITHIN", "StepKind", "fault_in_order"]

StepKind: TypeAlias = Literal[
    "fallback", "retry", "hedge", "breaker", "bulkhead", "rate_limit", "timeout", "other"
]
"""What a step does."""

USUAL_ORDER: tuple[StepKind, ...] = (
    "fallback",
    "retry",
    "hedge",
    "breaker",
    "bulkhead",
    "rate_limit",
    "timeout",
)
"""The outermost first."""

_HIDES = "the fallback's answer hides every error from the {outer}"

WRONG_WITHIN: Mapping[tuple[StepKind, StepKind], str] = MappingProxyType(
    {
        # (inner, outer): why not
        ("fallback", "retry"): f"{_HIDES}, which would never try again",
        ("fallback", "hedge"): f"{_HIDES}, which would take it for a success",
        ("fallback", "breaker"): f"{_HIDES}, which would never open",
        ("fallback", "bulkhead"): (
            "a call that finds the bulkhead full would not be answered by the fallback, and the "
            "fallback would hold a slot"
        ),
        ("fallback", "rate_limit"): (
            "a call that comes too early would not be answered by the fallback"
        ),
        ("fallback", "timeout"): "a call that takes too long would not be answered by the fallback",
        ("retry", "retry"): "the attempts of the two would multiply",
        ("retry", "hedge"): "what is called beside a retry that waits would be a second retry",
        ("retry", "breaker"): (
            "the breaker could not stop the retries, and would count all of them as one failure"
        ),
        ("retry", "bulkhead"): (
            "a slot would be held by a call that only waits for its next attempt"
        ),
        ("retry", "rate_limit"): "only the first attempt would wait for its turn",
        ("hedge", "hedge"): "the calls of the two would multiply",
        ("hedge", "bulkhead"): "several calls would run in one slot",
        ("hedge", "rate_limit"): "only the first call would wait for its turn",
    }
)
"""What may not stand within what, and why."""


def fault_in_order(kinds: Sequence[StepKind]) -> tuple[int, int, str] | None:
    """Return the first fault in an order: the places of the outer and the inner step, and why.

    Example:
        >>> fault_in_order(["fallback", "retry", "timeout"])
        >>> fault_in_order(["timeout", "fallback"])
        (0, 1, 'a call that takes too long would not be answered by the fallback')
    """
    for inner, kind in enumerate(kinds):
        for outer in range(inner):
            why = WRONG_WITHIN.get((kind, kinds[outer]))
            if why is not None:
                return outer, inner, why.format(outer=kinds[outer])
    return None
