"""When should I not call?

A `CircuitBreaker` rejects calls for a while when they fail; `open_breakers` keeps one for each thing
that is called. Around it stand `retry`, `Bulkhead`, `RateLimiter`, `hedge`, `fallback` and
`timeout`; a `Pipeline` puts them together.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._breaker import CircuitBreaker
from ._breakers import Breakers, open_breakers
from ._bulkhead import Bulkhead, BulkheadStatistics, WaitingOrder
from ._errors import BreakerOpen, RejectedBy
from ._events import (
    BreakerEvent,
    CallFailedThrough,
    CallRejected,
    CallSucceeded,
    ProbeStarted,
    SlowCall,
    StaleResult,
    StateChanged,
)
from ._fallback import Fallback, fallback
from ._family_errors import BulkheadFull, RateLimited, TimedOut
from ._family_events import HedgedCallFailed, RetryScheduled
from ._hedge import Hedge, hedge
from ._not_called import NotCalled
from ._options import BreakerOptions
from ._pipeline import Breaker, Pipeline, Step
from ._rate_limiter import KeyedRateLimiter, RateLimiter, RateLimiterStatistics
from ._retry import Retry, RetryOptions, retry, retrying
from ._rules import BreakerState, Cause, Counts, ErrorTypes, Verdict
from ._rules._retrying import Errors, RetryBudget
from ._statistics import BreakerStatistics
from ._timeout import Timeout, timeout

__all__ = [
    "Breaker",
    "BreakerEvent",
    "BreakerOpen",
    "BreakerOptions",
    "BreakerState",
    "BreakerStatistics",
    "Breakers",
    "Bulkhead",
    "BulkheadFull",
    "BulkheadStatistics",
    "CallFailedThrough",
    "CallRejected",
    "CallSucceeded",
    "Cause",
    "CircuitBreaker",
    "Counts",
    "ErrorTypes",
    "Errors",
    "Fallback",
    "Hedge",
    "HedgedCallFailed",
    "KeyedRateLimiter",
    "NotCalled",
    "Pipeline",
    "ProbeStarted",
    "RateLimited",
    "RateLimiter",
    "RateLimiterStatistics",
    "RejectedBy",
    "Retry",
    "RetryBudget",
    "RetryOptions",
    "RetryScheduled",
    "SlowCall",
    "StaleResult",
    "StateChanged",
    "Step",
    "TimedOut",
    "Timeout",
    "Verdict",
    "WaitingOrder",
    "fallback",
    "hedge",
    "open_breakers",
    "retry",
    "retrying",
    "timeout",
]

_give_home(globals())
