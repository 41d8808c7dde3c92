"""The attempts of one call, as `_rules` decides."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, TypeVar, final

import attrs
import trio

from .._base import Backoff, awaitable_of, name_of, written
from ..telemetry import emit, wanted
from ._by_run import of_this_run
from ._family_errors import TimedOut
from ._family_events import RetryScheduled
from ._rules import asked_pause
from ._rules._retrying import (
    Again,
    Errors,
    GiveUp,
    Ledger,
    RetryBudget,
    decide,
    delay_before,
    matches,
    note_attempts,
    note_of,
)

__all__ = ["Attempts", "Policy"]

R = TypeVar("R")


@final
@attrs.define(eq=False)
class Policy:
    """The options of `retry`, checked."""

    attempts: int | float
    backoff: Backoff
    retry_on: Errors
    retry_result: Callable[[Any], bool] | None
    attempt_timeout: float | None
    total: float | None
    budget: RetryBudget | None
    name: str | None
    rng: random.Random | None


@final
class Attempts(Generic[R]):
    """The attempts of one call."""

    __slots__ = (
        "_args",
        "_async_fn",
        "_caller",
        "_decided_at",
        "_ends_at",
        "_has_timed_out",
        "_ledger",
        "_made",
        "_policy",
    )

    def __init__(
        self,
        caller: str,
        policy: Policy,
        async_fn: Callable[..., Awaitable[R]],
        args: tuple[object, ...],
    ) -> None:
        self._caller = caller
        self._policy = policy
        self._async_fn = async_fn
        self._args = args
        self._made = 0
        self._has_timed_out = False
        self._decided_at = 0.0
        self._ends_at = math.inf if policy.total is None else trio.current_time() + policy.total
        self._ledger: Ledger | None = None
        if policy.budget is not None:
            self._ledger = of_this_run(policy.budget, partial(Ledger, policy.budget))
            self._ledger.note_call(trio.current_time())

    async def make(self) -> R:
        """Make them until one succeeds or there are no more; return its result."""
        is_not_enough = self._policy.retry_result
        within = self._policy.attempt_timeout
        while True:
            self._made += 1
            try:
                if within is None:
                    result = await self._call()
                else:
                    result = await self._make_one(within)
            except Exception as error:
                delay = self._delay_after(error)
                if delay is None:
                    raise
            else:
                if is_not_enough is None or not is_not_enough(result):
                    return result
                decision = self._decide(0.0)
                if isinstance(decision, GiveUp):
                    return result
                del result  # whatever it holds need not be kept through the wait
                self._tell(decision.delay, None)
                delay = decision.delay
            await self._wait(delay)

    async def _make_one(self, within: float) -> R:
        self._has_timed_out = False
        with trio.CancelScope(relative_deadline=within):
            return await self._call()
        self._has_timed_out = True
        raise TimedOut(self._name, within)

    def _call(self) -> Awaitable[R]:
        work = self._async_fn(*self._args)
        return awaitable_of(self._caller, self._async_fn, work, self._args)

    def _delay_after(self, error: Exception) -> float | None:
        """Return in how many seconds to try again; None if the error is to come out."""
        policy = self._policy
        if self._has_timed_out or matches(error, policy.retry_on, never=(trio.TrioInternalError,)):
            decision = self._decide(asked_pause(error) or 0.0)
        elif self._made == 1:
            return None  # it is as if there were no retry
        else:
            decision = GiveUp("this error is not worth another")
        if isinstance(decision, Again):
            self._tell(decision.delay, error)
            return decision.delay
        note = note_of(policy.name, self._made, policy.attempts, decision.why)
        note_attempts(error, policy.name, note)
        return None

    def _decide(self, retry_after: float) -> Again | GiveUp:
        policy = self._policy
        now = self._decided_at = trio.current_time()
        decision = decide(
            attempt=self._made,
            attempts=policy.attempts,
            delay=delay_before(self._made, policy.backoff, retry_after, policy.rng),
            now=now,
            until=min(self._ends_at, trio.current_effective_deadline()),
        )
        # Last, so that nothing is spent on a try that is not made.
        if isinstance(decision, Again) and self._ledger is not None and not self._ledger.admit(now):
            return GiveUp("the retry budget is spent")
        return decision

    async def _wait(self, delay: float) -> None:
        try:
            await trio.sleep(delay)
        except BaseException:
            if self._ledger is not None:
                self._ledger.take_back(self._decided_at)
            raise

    @property
    def _name(self) -> str:
        return self._policy.name or name_of(self._async_fn)

    def _tell(self, delay: float, error: Exception | None) -> None:
        if wanted(RetryScheduled):
            emit(
                RetryScheduled(
                    what=self._name,
                    attempt=self._made,
                    attempts=self._policy.attempts,
                    delay=delay,
                    error="" if error is None else written(error),
                )
            )
