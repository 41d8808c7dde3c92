"""What is known of a search while it runs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import cast, final

import attrs
import trio

from ..telemetry import Audience, emit
from ._events import SearchFinished, TrialFinished, TrialStarted
from ._journal import Journal
from ._result import SearchResult
from ._rules import Drawn, Draws, SearchSpace, Trial, described_error, is_better
from ._running import Run

__all__ = ["LOG", "Book", "OnTrial", "forget_frames"]

LOG = logging.getLogger("trio_foundation.search")

OnTrial = Callable[[Trial], object] | None


@final
@attrs.define(eq=False, kw_only=True)
class Book:
    """Keeps the trials of a search."""

    name: str
    """The name of the evaluated function."""

    space: SearchSpace
    seed: int
    maximize: bool
    iterations: float
    draws: Draws
    on_trial: OnTrial

    journal: Journal | None = None
    best: Trial | None = None
    failed: int = 0
    trials: dict[int, Trial] = attrs.field(factory=dict[int, Trial])
    running: dict[int, Drawn] = attrs.field(factory=dict[int, Drawn])

    _begun: float = attrs.field(factory=trio.current_time, init=False)
    _audience: Audience = attrs.field(
        factory=lambda: Audience(TrialStarted, TrialFinished, SearchFinished), init=False
    )

    def begin(self, drawn: Drawn) -> None:
        self.running[drawn.index] = drawn
        if self._audience.is_there:
            emit(TrialStarted(search=self.name, index=drawn.index))

    def note(self, trial: Trial) -> None:
        """Note a trial that has ended, now or in an earlier run."""
        self.running.pop(trial.index, None)
        self.trials[trial.index] = trial
        self.failed += trial.state == "failed"
        if is_better(trial, self.best, maximize=self.maximize):
            self.best = trial

    def end(self, trial: Trial) -> None:
        """Note, write and tell a trial that has ended."""
        self.note(trial)
        if self.journal is not None:
            self.journal.write(trial)
        if self._audience.is_there:
            emit(self._finished(trial))
        if self.on_trial is not None:
            self.on_trial(trial)

    def fail(self, run: Run, error: Exception) -> Trial:
        """Log an error; return the trial that it has ended."""
        text = self.log_failure(run, error, "failed")
        return run.trial(None, "failed", error, text)

    def log_failure(self, run: Run, error: Exception, what: str) -> str:
        """Log an error; return its traceback, which it loses."""
        text = "".join(traceback.format_exception(error))
        LOG.warning(
            "trial %d of %s %s with %s: %s\n%s",
            run.drawn.index,
            self.name,
            what,
            run.drawn.params,
            described_error(error),
            text,
        )
        forget_frames(error)
        return text

    def result(self, *, is_over: bool) -> SearchResult:
        """Return what there is; *is_over* if the search was ended early."""
        cancelled = [
            Trial(drawn.index, drawn.params, state="cancelled") for drawn in self.running.values()
        ]
        return SearchResult(
            self.best,
            [self.trials[index] for index in sorted(self.trials)],
            complete=self.draws.has_ended and not cancelled and not is_over,
            cancelled=sorted(cancelled, key=lambda trial: trial.index),
            skipped=self.draws.skipped,
            seed=self.seed,
            maximize=self.maximize,
            space=self.space,
        )

    def tell_end(self, result: SearchResult) -> None:
        if not self._audience.is_there:
            return
        emit(
            SearchFinished(
                search=self.name,
                complete=result.complete,
                best=None if result.best is None else result.best.value,
                ended=len(result.trials),
                failed=self.failed,
                pruned=sum(trial.state == "pruned" for trial in result.trials),
                skipped=result.skipped,
                after=trio.current_time() - self._begun,
            )
        )

    def _finished(self, trial: Trial) -> TrialFinished:
        return TrialFinished(
            search=self.name,
            index=trial.index,
            state=trial.state,
            value=trial.value,
            best=None if self.best is None else self.best.value,
            after=trial.duration,
            error="" if trial.error is None else described_error(trial.error),
            ended=len(self.trials),
            iterations=self.iterations,
        )


def forget_frames(error: BaseException) -> None:
    """Take the tracebacks, which keep frames alive, off an error, its causes and leaves."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        BaseException.with_traceback(one, None)  # a class may have one of its own
        queue += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            queue += cast(BaseExceptionGroup[BaseException], one).exceptions
