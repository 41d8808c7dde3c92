"""Running one trial."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, cast, final

import trio

from ..tasks import TaskTimeout
from ._book import Book
from ._rules import Drawn, Pruner, Reports, Trial, as_number, score_of
from ._running import Run, current_run

__all__ = ["Runner"]

_LONG = 0.001
"""After so many seconds of a trial, others get their turn."""


@final
class Runner:
    """Calls the function for each trial of a search, and has the trial noted.

    As the *retry* of a map it stands around the function: so a cancellation right behind a trial
    does not lose it.
    """

    def __init__(
        self,
        book: Book,
        *,
        timeout: float | None,
        max_failures: int | None,
        pruner: Pruner | None,
        is_deaf: bool,
    ) -> None:
        self.error: Exception | None = None
        """What has ended the search; no trial's error."""
        self._book = book
        self._timeout = math.inf if timeout is None else timeout
        self._max_failures = math.inf if max_failures is None else max_failures
        self._pruner = pruner
        self._is_deaf = is_deaf  # a thread does not hear that its time is over
        self._reports = Reports()

    @property
    def is_over(self) -> bool:
        """Whether something has ended the search."""
        return self.error is not None or self.has_too_many_failures

    @property
    def has_too_many_failures(self) -> bool:
        """Whether more trials have failed than may."""
        return self._book.failed > self._max_failures

    def remember(self, trial: Trial) -> None:
        """Note what a trial of an earlier run has reported."""
        previous = None
        scores: dict[int, float] = {}
        for step, value in trial.reports.items():
            scores[step] = score_of(value, maximize=self._book.maximize)
            self._reports.add(step, scores[step], previous)
            previous = step
        if trial.state == "complete":
            self._reports.note_end(scores)

    async def call(self, async_fn: Callable[..., Any], /, drawn: Drawn | None) -> None:
        """Run a trial; with None, let others have their turn."""
        if drawn is None or self.is_over:
            await trio.lowlevel.checkpoint()
            return
        run = Run(
            drawn,
            timeout=self._timeout,
            reports=self._reports,
            pruner=self._pruner,
            maximize=self._book.maximize,
        )
        self._book.begin(drawn)
        trial = await self._run(run, async_fn)
        if trial is None:
            await trio.lowlevel.checkpoint_if_cancelled()
            return
        self._end(run, trial)
        if trial.duration > _LONG:
            await trio.lowlevel.checkpoint()

    async def _run(self, run: Run, async_fn: Callable[..., Any]) -> Trial | None:
        drawn = run.drawn
        token = current_run.set(run)
        try:
            with run.scope:
                awaitable: object = async_fn(dict(drawn.params))
                if not isinstance(awaitable, Awaitable):
                    self.error = _not_async(awaitable)
                    return None
                value = await cast(Awaitable[object], awaitable)
                if not self._is_late(run):
                    return run.trial(_value_of(value))
            if run.is_pruned:
                return run.trial(_last(run), "pruned")
            return self._book.fail(run, TaskTimeout(self._book.name, self._timeout))
        except Exception as error:  # noqa: BLE001  a trial that fails hurts no other
            return self._failed(run, error)
        except BaseExceptionGroup as group:
            rest = cast(BaseException | None, group.split(trio.Cancelled)[1])
            if not isinstance(rest, Exception):
                raise
            return self._failed(run, rest)
        finally:
            run.has_ended = True
            current_run.reset(token)

    def _is_late(self, run: Run) -> bool:
        """Return whether a thread has taken too long."""
        return self._is_deaf and run.scope.cancel_called and not run.is_pruned

    def _failed(self, run: Run, error: Exception) -> Trial | None:
        if trio.current_effective_deadline() == -math.inf:
            # The search is cancelled, and this comes of it: it says nothing of the settings.
            self._book.log_failure(run, error, "failed when it was cancelled")
            return None
        return self._book.fail(run, error)

    def _end(self, run: Run, trial: Trial) -> None:
        if trial.state == "complete" and run.scores:
            self._reports.note_end(run.scores)
        try:
            self._book.end(trial)
        except Exception as error:  # noqa: BLE001  raised by the search
            self.error = self.error or error


def _value_of(returned: object) -> float:
    value = as_number(returned)
    if value is None:
        raise TypeError(f"a trial must return a number, not {returned!r}")
    return value


def _last(run: Run) -> float | None:
    return next(reversed(run.reports.values()), None)


def _not_async(returned: object) -> TypeError:
    return TypeError(
        f"random_search takes an async function, but this one has returned {returned!r}: write "
        "`async def`, or run_in='thread' or run_in='process'"
    )
