"""Keep a Trio program running: OTP's supervision ideas in Trio's own terms.

Each room of the library answers one question, and is imported by its name:

`trio_foundation.telemetry`
    What happened? Typed events, subscriptions, and a bridge to `logging`.
`trio_foundation.supervision`
    Who is kept running? Supervisors, children, restarts, ordered stops.
`trio_foundation.messaging`
    How do tasks talk? Mailboxes with a cap, servers that answer, acknowledged calls.
`trio_foundation.registry`
    Who is where, and alive? Names, indexes, criteria; owners that are forgotten when they end.
`trio_foundation.resilience`
    When should I not call? Circuit breakers, retries, limits.
`trio_foundation.tasks`
    How do I get a batch done? Supervised tasks, parallel maps.
`trio_foundation.workflows`
    What is done in order? Serial operations, sagas that undo.
`trio_foundation.cache`
    What do we know already? Values that expire, loaded once for all who ask.
`trio_foundation.search`
    Which setting is best? Random search, in parallel trials.
`trio_foundation.agents`
    Who can do what, and who gets the message? Agents by capability, acknowledged delivery.
`trio_foundation.testing`
    How do I test mine? Faults on demand, many schedules, leak checks; virtual time.
`trio_foundation.application`
    How does a program start and stop? Signals, an ordered stop, an exit code.

What all rooms share is here: the root of their errors, delays that grow, and flags for the rollout.
"""

from __future__ import annotations

from importlib import metadata as _metadata

from ._base import Backoff, FlagOverrides, FoundationError, flags, give_home as _give_home

__all__ = ["Backoff", "FlagOverrides", "FoundationError", "__version__", "flags"]

try:
    __version__ = _metadata.version("trio-foundation")
except _metadata.PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.1.0"

_give_home(globals())
