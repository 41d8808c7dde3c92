"""The trial that runs, and what it reports."""

from __future__ import annotations

from contextvars import ContextVar
from typing import final

import trio

from ._rules import Drawn, Pruner, Reports, Trial, TrialState, as_number, score_of, whole_number

__all__ = ["Run", "current_run", "report"]


@final
class Run:
    """A trial that runs, with a timeout in seconds."""

    __slots__ = (
        "_maximize", "_pruner", "_shared", "begun", "drawn", "has_ended", "is_pruned",
        "reports", "scope", "scores",
    )  # fmt: skip

    def __init__(
        self,
        drawn: Drawn,
        *,
        timeout: float,
        reports: Reports,
        pruner: Pruner | None,
        maximize: bool,
    ) -> None:
        self.drawn = drawn
        self.begun = trio.current_time()
        self.scope = trio.CancelScope(relative_deadline=timeout)
        self.reports: dict[int, float] = {}
        self.scores: dict[int, float] = {}
        self.is_pruned = False
        self.has_ended = False
        self._shared = reports
        self._pruner = pruner
        self._maximize = maximize

    def trial(
        self,
        value: float | None,
        state: TrialState = "complete",
        error: Exception | None = None,
        traceback: str = "",
    ) -> Trial:
        """Return the trial, which ends now."""
        duration = trio.current_time() - self.begun
        drawn = self.drawn
        return Trial(
            drawn.index, drawn.params, value, error, state, duration, self.reports, traceback
        )

    def report(self, step: int, value: float) -> None:
        """Note a report; cancel a hopeless trial."""
        previous = next(reversed(self.reports), None)
        if previous is not None and step <= previous:
            raise ValueError(f"step must be more than {previous}, the last one, not {step}")
        self.reports[step] = value
        if self._pruner is None:
            return
        score = score_of(value, maximize=self._maximize)
        self.scores[step] = score
        standing = self._shared.add(step, score, previous)
        if self._pruner(standing):
            self.is_pruned = True
            self.scope.cancel(reason=f"trial {self.drawn.index} was pruned at step {step}")


current_run: ContextVar[Run | None] = ContextVar("trio_foundation.search", default=None)


async def report(step: int, value: float) -> None:
    """Say how far the trial has come, to the pruner and in `Trial.reports`.

    Call it in a trial of `random_search`, in its task or one that it has started. With
    ``run_in="thread"``, write ``trio.from_thread.run(report, step, value)``; a process cannot
    report.

    Args:
        step: How far, such as the number of the epoch; more than at the last report.
        value: What the trial would return if it ended now.

    Raises:
        TypeError: *step* is no whole number, or *value* no number.
        ValueError: *step* is below 0, or not more than at the last report.
        RuntimeError: No trial runs here.

    Cancellation:
        The report has been made. Pruning cancels, as a scope around the trial would: it can
        clean up.

    Example:
        >>> import trio
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def evaluate(params):
        ...     for epoch in range(10):
        ...         await report(epoch, params["x"] * epoch)
        ...     return params["x"]
        >>> async def main():
        ...     async with open_task_supervisor():
        ...         prune = MedianPruner(warmup_trials=2)
        ...         space = SearchSpace(x=Uniform(0, 1))
        ...         result = await random_search(space, evaluate, seed=1, pruner=prune)
        ...     print({trial.state for trial in result.trials} == {"complete", "pruned"})
        >>> trio.run(main)
        True
    """
    run = current_run.get()
    if run is None or run.has_ended:
        raise RuntimeError(
            "no trial runs here: call report in the function that random_search evaluates; in a "
            "thread, write trio.from_thread.run(report, step, value); a process cannot report"
        )
    number = as_number(value)
    if number is None:
        raise TypeError(f"value must be a number, not {value!r}")
    at = whole_number("step", step)
    if at < 0:
        raise ValueError(f"step must be 0 or more, not {step!r}")
    run.report(at, number)
    await trio.lowlevel.checkpoint()
