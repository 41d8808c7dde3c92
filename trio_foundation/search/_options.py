"""The options of a search."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, TypeAlias, TypedDict, final, get_args

import attrs

from .._base import check_bool, check_choice, check_count, check_seconds, is_plain_function
from ..tasks import Limit, RunIn, TaskSupervisor
from ._rules import Pruner, Trial

__all__ = ["Options", "Sampler", "SearchOptions"]

Sampler: TypeAlias = Literal["random", "sobol", "latin_hypercube"]
"""How the trials are spread over the space: ``random``, each by itself; ``sobol``, evenly, by Sobol's
sequence (``pip install 'trio-foundation[search]'``); ``latin_hypercube``, one in each of as many
equal parts of every dimension as there are trials, so finitely many."""


class SearchOptions(TypedDict, total=False):
    """The keyword arguments of `random_search`, less *run_in*; described there.

    Example:
        >>> options: SearchOptions = {"iterations": 50, "maximize": False, "seed": 42}
    """

    iterations: int | float
    """How many trials are drawn."""

    parallelism: int | float | Limit | None
    """How many run at once."""

    maximize: bool
    """Whether more is better."""

    seed: int | None
    """What settings are drawn from."""

    sampler: Sampler
    """How the trials are spread."""

    trial_timeout: float | None
    """How long a trial may take, in seconds."""

    max_failures: int | None
    """How many trials may fail."""

    pruner: Pruner | None
    """What says which trials are hopeless."""

    journal: str | os.PathLike[str] | None
    """Where to write trials down."""

    resume_from: str | os.PathLike[str] | None
    """The journal to go on with."""

    tasks: TaskSupervisor | None
    """Whose tasks the trials are."""

    on_trial: Callable[[Trial], object] | None
    """A function called with each trial that ends."""


@final
@attrs.frozen(kw_only=True)
class Options:
    """The keyword arguments of a search, checked."""

    iterations: int | float
    parallelism: float | Limit | None
    maximize: bool
    seed: int | None
    sampler: Sampler
    trial_timeout: float | None
    max_failures: int | None
    pruner: Pruner | None
    journal: str | os.PathLike[str] | None
    resume_from: str | os.PathLike[str] | None
    run_in: RunIn
    tasks: TaskSupervisor | None
    on_trial: Callable[[Trial], object] | None

    def __attrs_post_init__(self) -> None:
        check_count("iterations", self.iterations, least=1, allow_inf=True)
        if not isinstance(self.parallelism, Limit) and self.parallelism is not None:
            check_count("parallelism", self.parallelism, least=1, allow_inf=True)
        check_bool("maximize", self.maximize)
        check_choice("sampler", self.sampler, get_args(Sampler))
        check_choice("run_in", self.run_in, get_args(RunIn))
        self._check_numbers()
        self._check_functions()
        for name, path in (("journal", self.journal), ("resume_from", self.resume_from)):
            if path is not None and not isinstance(path, (str, os.PathLike)):
                raise TypeError(f"{name} must be the path of a file or None, not {path!r}")
        if self.sampler == "latin_hypercube" and not isinstance(self.iterations, int):
            raise ValueError(
                "the latin hypercube is laid out for a number of trials: iterations must be "
                f"finite, not {self.iterations!r}"
            )

    def _check_functions(self) -> None:
        for name, function in (("on_trial", self.on_trial), ("pruner", self.pruner)):
            if function is not None and not is_plain_function(function):
                raise TypeError(f"{name} must be a plain function or None, not {function!r}")
        if isinstance(self.pruner, type):
            raise TypeError(f"pruner must be made: write {self.pruner.__name__}()")
        if self.pruner is not None and self.run_in == "process":
            raise ValueError(
                "pruner needs trials that report, and those in processes cannot: leave it out, or "
                "write run_in='thread'"
            )

    def _check_numbers(self) -> None:
        if self.seed is not None and (
            isinstance(self.seed, bool) or not isinstance(self.seed, int)
        ):
            raise TypeError(f"seed must be a whole number or None, not {self.seed!r}")
        if self.trial_timeout is not None:
            check_seconds("trial_timeout", self.trial_timeout, above_zero=True)
        if self.max_failures is not None:
            check_count("max_failures", self.max_failures)
