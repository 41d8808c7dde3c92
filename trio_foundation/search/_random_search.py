"""Random search."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal, SupportsFloat, Unpack, overload

from ..tasks import Limit, RunIn, TaskSupervisor
from ._options import Options, Sampler, SearchOptions
from ._result import SearchResult
from ._rules import Pruner, SearchSpace, Trial
from ._search import Search

__all__ = ["random_search"]


@overload
async def random_search(
    space: SearchSpace,
    evaluate: Callable[[dict[str, Any]], Awaitable[SupportsFloat]],
    *,
    run_in: Literal["task"] = "task",
    **options: Unpack[SearchOptions],
) -> SearchResult: ...
@overload
async def random_search(
    space: SearchSpace,
    evaluate: Callable[[dict[str, Any]], SupportsFloat],
    *,
    run_in: Literal["thread", "process"],
    **options: Unpack[SearchOptions],
) -> SearchResult: ...
async def random_search(  # noqa: PLR0913  keywords, with defaults
    space: SearchSpace,
    evaluate: Callable[[dict[str, Any]], Any],
    *,
    iterations: float = 100,
    parallelism: float | Limit | None = None,
    maximize: bool = True,
    seed: int | None = None,
    sampler: Sampler = "random",
    trial_timeout: float | None = None,
    max_failures: int | None = None,
    pruner: Pruner | None = None,
    journal: str | os.PathLike[str] | None = None,
    resume_from: str | os.PathLike[str] | None = None,
    run_in: RunIn = "task",
    tasks: TaskSupervisor | None = None,
    on_trial: Callable[[Trial], object] | None = None,
) -> SearchResult:
    """Draw settings at random, evaluate each, and return the best.

    The settings of trial *i* depend on *seed*, *i*, the space and the sampler alone (and for
    ``latin_hypercube`` on *iterations*); for ``random`` they are
    ``space.sample(random.Random(f"{seed}:{i}"))``. Settings without a continuous dimension that
    were there before are skipped; when all points have been there, the search ends.

    A trial that raises, takes too long or returns no number has failed: it is logged with its
    traceback on the logger ``trio_foundation.search`` and kept in the result, and the search goes
    on. NaN and infinity are numbers, but never the best.

    Args:
        space: The settings to choose from.
        evaluate: A function of a dictionary of settings that returns a number; see *run_in*.
        iterations: How many trials are drawn, skipped ones included; `math.inf` for all points,
            or until the search is cancelled.
        parallelism: How many run at once: a number, `math.inf`, or a `Limit`, to be changed
            meanwhile. None for the number of cores.
        maximize: Whether more is better, or less.
        seed: A whole number that all settings are drawn from; None for that of *resume_from*,
            else a new one. The result tells it.
        sampler: How the trials are spread over the space; see `Sampler`.
        trial_timeout: How long a trial may take, in seconds, less the start of a process; then
            it is cancelled, and has failed with `TaskTimeout`. A thread cannot be cancelled, and
            is waited for, but fails too. None for any time.
        max_failures: How many trials may fail; one more ends the search. None for any number.
        pruner: What says, in tasks and threads, which trials are hopeless by what they `report`:
            a `MedianPruner`, a `SuccessiveHalvingPruner`, or a function of a `Standing`. Which
            are depends on those before, and so on *parallelism*.
        journal: Where to write down each trial that ends, as a line of JSON. An earlier journal
            is not written over.
        resume_from: The journal of an earlier run of the same search, whose trials are not run
            again. It may be the file of *journal*, and then need not be there yet; without
            *journal*, nothing is written.
        run_in: ``"task"`` for an async function, ``"thread"`` or ``"process"`` for a plain one,
            as in `parallel_map`.
        tasks: Whose tasks the trials are; None for the nearest open block of
            `open_task_supervisor`.
        on_trial: A plain function called with each trial that ends, but for cancelled ones. What
            it raises ends the search.

    Returns:
        The best trial, and all others.

    Raises:
        TaskSupervisorNotRunning: The task supervisor is missing, closed, or cancelled meanwhile.
        TooManyTasks: It runs as many tasks as it may.
        TooManyFailures: More trials fail than *max_failures*; the result is with it.
        JournalDiffers: *resume_from* is the journal of another search.
        JournalBroken: It is no journal.
        JournalInUse: Another search writes it.
        FileExistsError: *journal* holds something, and is not *resume_from*.
        OSError: *journal* cannot be written, or *resume_from* cannot be read.
        TypeError: An argument of the wrong kind.
        ValueError: An option that makes no sense.
        ModuleNotFoundError: *sampler* or *run_in* needs a package that is not installed.
        Exception: What *on_trial* or a condition of the space raises.

    Cancellation:
        Cancels the trials that run, and returns what was found, with *complete* False: a cancel
        scope around it limits the search. `trio.Cancelled` is raised at the next checkpoint: put
        the scope inside the block of the task supervisor, which waits when it is left.

    Emits:
        TrialStarted, TrialFinished, SearchFinished.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def evaluate(params):
        ...     await trio.sleep(1)
        ...     return -abs(params["x"] - 3)
        >>> async def main():
        ...     space = SearchSpace(x=Uniform(0, 10))
        ...     async with open_task_supervisor():
        ...         result = await random_search(space, evaluate, seed=7, parallelism=10)
        ...     print(len(result.trials), round(result.best.params["x"], 1), trio.current_time())
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        100 3.0 10.0
    """
    options = Options(
        iterations=iterations,
        parallelism=parallelism,
        maximize=maximize,
        seed=seed,
        sampler=sampler,
        trial_timeout=trial_timeout,
        max_failures=max_failures,
        pruner=pruner,
        journal=journal,
        resume_from=resume_from,
        run_in=run_in,
        tasks=tasks,
        on_trial=on_trial,
    )
    return await Search(space, evaluate, options).run()
