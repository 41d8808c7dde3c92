"""The state machine of a circuit breaker: what another state let through decides nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, final

import attrs

from ._windows import Window

__all__ = [
    "NEXT",
    "BreakerState",
    "Cause",
    "Change",
    "Circuit",
    "Verdict",
]

BreakerState: TypeAlias = Literal["closed", "open", "half_open", "forced_open", "disabled"]
"""What a breaker does with calls: let all through, none, a few to try, none until told
otherwise, all until told otherwise."""

Verdict: TypeAlias = Literal["failure", "success", "ignored"]
"""What an outcome says about what was called; ``ignored``: nothing."""

Cause: TypeAlias = Literal[
    "failures", "reset_timeout", "probe_succeeded", "probe_failed", "forced", "reset"
]
"""Why the state of a breaker changed."""

Happening: TypeAlias = Literal[
    "tripped", "cooled", "passed", "failed", "force_open", "disable", "close"
]

# From each state, what happens in it leads there. What is not in here changes nothing.
NEXT: Mapping[tuple[BreakerState, Happening], BreakerState] = MappingProxyType(
    {
        ("closed", "tripped"): "open",
        ("open", "cooled"): "half_open",
        ("half_open", "passed"): "closed",
        ("half_open", "failed"): "open",
        **{
            (state, "force_open"): "forced_open"
            for state in ("closed", "open", "half_open", "disabled")
        },
        **{
            (state, "disable"): "disabled"
            for state in ("closed", "open", "half_open", "forced_open")
        },
        **{
            (state, "close"): "closed"
            for state in ("closed", "open", "half_open", "forced_open", "disabled")
        },
    }
)


@final
@attrs.frozen
class Change:
    """The state has changed."""

    old: BreakerState
    new: BreakerState
    cause: Cause


@final
class Circuit:
    """The state of a circuit breaker.

    Example:
        >>> from trio_foundation.resilience._rules import ConsecutiveFailures
        >>> circuit = Circuit(ConsecutiveFailures(1), open_for=lambda attempt: 30.0)
        >>> call = circuit.admit()
        >>> circuit.settle(call, "failure", 1.0)
        Change(old='closed', new='open', cause='failures')
        >>> circuit.has_room, circuit.retry_after(2.0)
        (False, 29.0)
        >>> circuit.touch(31.0)
        Change(old='open', new='half_open', cause='reset_timeout')
        >>> probe = circuit.admit()
        >>> circuit.has_room
        False
        >>> circuit.settle(probe, "success", 32.0)
        Change(old='half_open', new='closed', cause='probe_succeeded')
    """

    __slots__ = (
        "_max_probes",
        "_open_for",
        "_probes",
        "_success_threshold",
        "_successes",
        "_window",
        "attempt",
        "generation",
        "opened_at",
        "state",
        "until",
    )

    def __init__(
        self,
        window: Window,
        *,
        open_for: Callable[[int], float],
        max_probes: int = 1,
        success_threshold: int = 1,
    ) -> None:
        self._window = window
        self._open_for = open_for
        self._max_probes = max_probes
        self._success_threshold = success_threshold
        self.state: BreakerState = "closed"
        self.generation = 0
        self.opened_at: float | None = None
        """Since when it has not been closed, in seconds."""
        self.until = math.inf
        """When the open state is over, in seconds."""
        self.attempt = 0
        """How many probes have failed in a row."""
        self._probes = 0
        self._successes = 0

    def touch(self, now: float) -> Change | None:
        """Let time pass until *now*, in seconds; return what changed."""
        if self.state == "open" and now >= self.until:
            return self._go("cooled", "reset_timeout", now)
        return None

    @property
    def has_room(self) -> bool:
        """Whether a call may be let through. Touch it first."""
        state = self.state
        if state == "half_open":
            return self._probes < self._max_probes
        return state in {"closed", "disabled"}

    def admit(self) -> int:
        """Let a call through; return the number of its state, to `settle` it by."""
        if self.state == "half_open":
            self._probes += 1
        return self.generation

    def retry_after(self, now: float) -> float | None:
        """Return in how many seconds it may let a call through; None if unknown."""
        return max(0.0, self.until - now) if self.state == "open" else None

    def settle(
        self,
        generation: int,
        verdict: Verdict,
        now: float,
        open_for: float | None = None,
    ) -> Change | None:
        """Return what the end of a call changes; if it opens, for *open_for* seconds."""
        if generation != self.generation or self.state == "disabled":
            return None
        if self.state == "closed":
            if verdict == "ignored" or not self._window.record(now, verdict == "failure"):
                return None
            return self._go("tripped", "failures", now, open_for)
        self._probes -= 1
        if verdict == "failure":
            self.attempt += 1
            return self._go("failed", "probe_failed", now, open_for)
        if verdict == "success":
            self._successes += 1
            if self._successes >= self._success_threshold:
                return self._go("passed", "probe_succeeded", now)
        return None

    def force_open(self, now: float) -> Change | None:
        return self._go("force_open", "forced", now)

    def disable(self, now: float) -> Change | None:
        return self._go("disable", "forced", now)

    def close(self, cause: Literal["forced", "reset"], now: float) -> Change | None:
        """Let calls through again."""
        return self._go("close", cause, now)

    def counts(self, now: float) -> tuple[int, int]:
        return self._window.counts(now)

    def _go(
        self, happening: Happening, cause: Cause, now: float, open_for: float | None = None
    ) -> Change | None:
        new = NEXT.get((self.state, happening))
        if new is None:
            return None
        old, self.state = self.state, new
        self.generation += 1
        self._probes = self._successes = 0
        self.until = math.inf
        if new == "closed":
            self.attempt = 0
            self.opened_at = None
            self._window.clear()
        elif new == "open":
            self.until = now + (self._open_for(self.attempt) if open_for is None else open_for)
            self.opened_at = now if self.opened_at is None else self.opened_at
        elif new == "forced_open":
            self.opened_at = now if self.opened_at is None else self.opened_at
        elif new == "disabled":
            self.opened_at = None
        return None if old == new else Change(old, new, cause)
