"""Random search: trials that are drawn from a space, run side by side, and compared.

Where nothing is known of a function but what it returns, drawing settings at random is hard to
beat for its price, and it needs no order among the trials: so they run side by side.
"""

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

    The settings of trial *i* depend on *seed* and *i* alone (and on the space, the sampler,
    and for ``latin_hypercube`` on *iterations*): however many run at once, the trials are the
    same. With the sampler ``random`` they are
    ``space.sample(random.Random(f"{seed}:{i}"))``. Settings without a continuous dimension
    that were there before are skipped, and a space whose points have all been there ends the
    search.

    A trial that raises has failed: it is logged with its traceback on the logger
    ``trio_foundation.search``, kept in the result, and the search goes on. So has one that
    returns no number, or takes too long. NaN and infinity are numbers, and never the best.

    How long the whole search may take is a matter of the cancel scope around it: when that is
    cancelled, the search returns what it has found.

    Args:
        space: What there is to choose from.
        evaluate: An async function that takes a dictionary of settings and returns a number;
            a plain one with *run_in*.
        iterations: How many trials are drawn, those that are skipped included; `math.inf` for
            as many as there are points, or until the search is cancelled.
        parallelism: How many run at once: a number, `math.inf`, or a `Limit`, which can be
            changed meanwhile. By default, as many as there are cores.
        maximize: Whether the best is the one with the largest value, or with the smallest.
        seed: A whole number that all settings are drawn from; with None it is that of
            *resume_from*, else one is made up, and the result says which.
        sampler: How the trials are spread over the space; see `Sampler`.
        trial_timeout: How long a trial may take, in seconds; then it is cancelled, and has
            failed with `TaskTimeout`. A thread cannot be cancelled; it is waited for, and has
            failed all the same. The start of a process is no part of the time.
        max_failures: How many trials may fail; one more ends the search. None for any number.
        pruner: For trials in tasks and threads, what says which trials are hopeless, by what
            they `report`: a `MedianPruner`, a `SuccessiveHalvingPruner`, or a function of a
            `Standing`. Which ones are is a matter of which ones came before, so here
            parallelism does change something.
        journal: Where to write down each trial that ends, in JSON, line by line. An earlier
            journal is not written over.
        resume_from: The journal of an earlier run of the same search; its trials are not run
            again. It may be the file that *journal* names, and then need not be there yet.
            Without *journal*, nothing is written down.
        run_in: Where the function runs: an async one in a ``"task"``, a plain one in a
            ``"thread"`` or a ``"process"``, as in `parallel_map`.
        tasks: Whose tasks the trials are; by default those of the nearest open block of
            `open_task_supervisor`.
        on_trial: A plain function that is called with each trial that ends, and was not
            cancelled, in the order of their ends. If it raises, the search does.

    Returns:
        The best trial, and all others.

    Raises:
        TaskSupervisorNotRunning: If there is no task supervisor, or it has closed, or is
            cancelled meanwhile.
        TooManyTasks: If it runs as many tasks as it may.
        TooManyFailures: If more trials fail than *max_failures*; the result is with it.
        JournalDiffers: If *resume_from* is the journal of another search.
        JournalBroken: If it is no journal.
        JournalInUse: If another search writes it.
        FileExistsError: If *journal* is there, and is not gone on with.
        OSError: If *journal* cannot be written, or *resume_from* cannot be read.
        TypeError: If an argument is of the wrong kind.
        ValueError: If an option makes no sense.
        ModuleNotFoundError: If *sampler* or *run_in* needs a package that is not installed.
        Exception: What *on_trial* raises, or a condition of the space.

    Cancellation:
        Cancels the trials that run, and returns what was found so far, with *complete* False.
        `trio.Cancelled` is raised at the next checkpoint, so put the cancel scope inside the
        block of the task supervisor, which waits when it is left.

    Emits:
        TrialStarted, TrialFinished, SearchFinished.

    Example:
        >>> import trio
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
