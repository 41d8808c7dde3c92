"""Which setting is best?

`random_search` draws settings from a `SearchSpace`, evaluates many side by side, and returns the
best; a trial that fails, hangs or is hopeless hurts no other. It needs an open block of
`trio_foundation.tasks.open_task_supervisor`.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._errors import (
    FailedBefore,
    JournalBroken,
    JournalDiffers,
    JournalInUse,
    TooManyFailures,
)
from ._events import SearchEvent, SearchFinished, TrialFinished, TrialStarted
from ._options import Sampler, SearchOptions
from ._plot import plot
from ._random_search import random_search
from ._result import SearchResult
from ._rules import (
    Choice,
    Dimension,
    IntUniform,
    LogUniform,
    MedianPruner,
    Pruner,
    RandomSource,
    SearchSpace,
    Standing,
    SuccessiveHalvingPruner,
    Trial,
    TrialState,
    Uniform,
    When,
)
from ._running import report
from ._study import Study, optimize_study

__all__ = [
    "Choice",
    "Dimension",
    "FailedBefore",
    "IntUniform",
    "JournalBroken",
    "JournalDiffers",
    "JournalInUse",
    "LogUniform",
    "MedianPruner",
    "Pruner",
    "RandomSource",
    "Sampler",
    "SearchEvent",
    "SearchFinished",
    "SearchOptions",
    "SearchResult",
    "SearchSpace",
    "Standing",
    "Study",
    "SuccessiveHalvingPruner",
    "TooManyFailures",
    "Trial",
    "TrialFinished",
    "TrialStarted",
    "TrialState",
    "Uniform",
    "When",
    "optimize_study",
    "plot",
    "random_search",
    "report",
]

_give_home(globals())
