"""Running the trials of an Optuna study."""

from __future__ import annotations

import importlib
import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from types import ModuleType
from typing import Any, Protocol, SupportsFloat, TypeAlias, TypeVar, cast, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_async_fn, check_count, check_seconds, fits, name_of
from ..tasks import Failed, Limit, TaskSupervisor, TaskTimeout, open_map
from ._rules import as_number

__all__ = ["Study", "optimize_study"]

_LOG = logging.getLogger("trio_foundation.search")

R = TypeVar("R")

# Something of Optuna, which need not be there.
_Thing: TypeAlias = Any


class Study(Protocol):
    """What is asked what to try, and told what came of it: an ``optuna.Study``, say.

    Example:
        >>> class Dice:
        ...     def ask(self): ...
        ...     def tell(self, trial, values=None, state=None, skip_if_finished=False): ...
        >>> study: Study = Dice()
    """

    def ask(self) -> Any:  # noqa: ANN401  an ``optuna.Trial``
        """Return the next trial."""

    def tell(
        self,
        trial: Any,  # noqa: ANN401
        values: Any = None,  # noqa: ANN401
        state: Any = None,  # noqa: ANN401
        skip_if_finished: bool = False,
    ) -> object:
        """Note what came of a trial."""


async def optimize_study(  # noqa: PLR0913  keywords, with defaults
    study: Study,
    evaluate: Callable[[_Thing], Awaitable[SupportsFloat | Sequence[SupportsFloat]]],
    *,
    iterations: float = 100,
    parallelism: float | Limit | None = None,
    trial_timeout: float | None = None,
    max_failures: int | None = None,
    tasks: TaskSupervisor | None = None,
) -> None:
    """Run trials of an Optuna study side by side: ``study.optimize`` for async functions.

    Needs ``pip install 'trio-foundation[optuna]'``.

    A trial that raises, takes too long or returns no number is told as ``FAIL``, and logged;
    one that raises ``optuna.TrialPruned`` as ``PRUNED``. The study is asked and told in a thread,
    one at a time.

    Args:
        study: What ``optuna.create_study`` returns.
        evaluate: An async function that takes an ``optuna.Trial`` and returns a number, or one
            for each direction of the study.
        iterations: How many trials are run; `math.inf` for no end.
        parallelism: How many run at once: a number, `math.inf`, or a `Limit`. None for the number
            of cores.
        trial_timeout: How long a trial may take, in seconds; None for any time.
        max_failures: How many trials may fail; the error of one more is raised. None for any
            number.
        tasks: Whose tasks the trials are; None for the nearest open block of
            `open_task_supervisor`.

    Raises:
        TaskSupervisorNotRunning: The task supervisor is missing, closed, or cancelled meanwhile.
        TypeError: An argument of the wrong kind.
        ValueError: An option that makes no sense.
        ModuleNotFoundError: Without Optuna.
        Exception: What one trial too many failed with, or the study raises.

    Cancellation:
        Cancels the trials that run, each told as ``FAIL`` before the cancellation goes on.

    Example:
        >>> import optuna, trio  # doctest: +SKIP
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def evaluate(trial):
        ...     x = trial.suggest_float("x", -10, 10)
        ...     await trio.sleep(0.01)
        ...     return (x - 2) ** 2
        >>> async def main():
        ...     study = optuna.create_study()
        ...     async with open_task_supervisor():
        ...         await optimize_study(study, evaluate, iterations=50, parallelism=5)
        ...     print(round(study.best_params["x"]))
        >>> trio.run(main)  # doctest: +SKIP
        2
    """
    check_count("iterations", iterations, least=1, allow_inf=True)
    _check(study, evaluate)
    if trial_timeout is not None:
        check_seconds("trial_timeout", trial_timeout, above_zero=True)
    if max_failures is not None:
        check_count("max_failures", max_failures)
    driver = _Driver(study, evaluate, trial_timeout, max_failures)
    numbers = itertools.count() if iterations == math.inf else range(int(iterations))
    block = open_map(driver.run, numbers, limit=parallelism, ordered=False, tasks=tasks)
    await _run_all(block)


# Helpers, in order of use


def _check(study: object, evaluate: object) -> None:
    if not callable(getattr(study, "ask", None)) or not callable(getattr(study, "tell", None)):
        raise TypeError(
            f"optimize_study takes a study first, such as optuna.create_study(), not {study!r}"
        )
    check_async_fn("optimize_study", evaluate, before=(study,))
    if not fits(cast(Callable[..., object], evaluate), None):
        raise TypeError(
            f"{name_of(evaluate)} must take one argument, an optuna.Trial: write "
            "async def evaluate(trial): ..."
        )


# Else an interrupt could come between the block of the map and the call that leaves it.
@enable_ki_protection
async def _run_all(
    block: AbstractAsyncContextManager[trio.abc.ReceiveChannel[Any]],
) -> None:
    async with block as results:
        async for result in results:
            if isinstance(result, Failed):
                raise result.error


@final
class _Driver:
    """Runs trials."""

    def __init__(
        self,
        study: Study,
        evaluate: Callable[[_Thing], Awaitable[object]],
        timeout: float | None,
        max_failures: float | None,
    ) -> None:
        self._optuna: _Thing = _optuna()
        self._study = study
        self._evaluate = evaluate
        self._name = name_of(evaluate)
        self._timeout = math.inf if timeout is None else timeout
        self._max_failures = math.inf if max_failures is None else max_failures
        self._failures = 0
        self._turn = trio.CapacityLimiter(1)

    async def run(self, _: int) -> None:
        """Run the next trial; raise one failure too many."""
        if self._failures > self._max_failures:
            await trio.lowlevel.checkpoint()
            return
        states = self._optuna.trial.TrialState
        trial = await self._in_thread(self._study.ask)
        try:
            values = await self._values_of(trial)
        except Exception as error:
            if self._is_pruned(error):
                await self._tell(trial, None, states.PRUNED)
                return
            _LOG.warning("trial %d of %s failed", trial.number, self._name, exc_info=error)
            await self._tell(trial, None, states.FAIL)
            self._failures += 1
            if self._failures > self._max_failures or isinstance(error, _NotAsync):
                raise
        except BaseException:
            await self._tell(trial, None, states.FAIL)
            raise
        else:
            await self._tell_values(trial, values)

    async def _tell_values(self, trial: _Thing, values: list[float]) -> None:
        states = self._optuna.trial.TrialState
        try:
            await self._tell(trial, values, states.COMPLETE)
        except BaseException:
            # It may be of another study, with more values or fewer; it is not to stay RUNNING.
            with suppress(Exception):
                await self._tell(trial, None, states.FAIL, skip_if_finished=True)
            raise

    async def _values_of(self, trial: _Thing) -> list[float]:
        with trio.CancelScope(relative_deadline=self._timeout):
            awaitable: object = self._evaluate(trial)
            if not isinstance(awaitable, Awaitable):
                raise _NotAsync(
                    f"evaluate must be async, but it has returned {awaitable!r}: write "
                    "async def evaluate(trial): ..."
                )
            return _numbers_of(await awaitable)
        raise TaskTimeout(self._name, self._timeout)

    def _is_pruned(self, error: Exception) -> bool:
        """Return whether a trial wants to be pruned, even from a nursery."""
        if isinstance(error, ExceptionGroup):
            group = cast(ExceptionGroup[Exception], error)
            return group.split(self._optuna.TrialPruned)[1] is None
        return isinstance(error, self._optuna.TrialPruned)

    async def _tell(
        self,
        trial: _Thing,
        values: list[float] | None,
        state: object,
        *,
        skip_if_finished: bool = False,
    ) -> None:
        # Whoever is cancelled now has asked for a trial, and owes an answer.
        with trio.CancelScope(shield=True):
            await self._in_thread(self._study.tell, trial, values, state, skip_if_finished)

    async def _in_thread(self, function: Callable[..., R], *args: object) -> R:
        return await trio.to_thread.run_sync(function, *args, limiter=self._turn)


class _NotAsync(TypeError):
    """No trial's fault, so it ends them all."""


def _numbers_of(returned: object) -> list[float]:
    if isinstance(returned, (list, tuple)):  # the study has more than one direction
        return [_number_of(value) for value in cast(Sequence[object], returned)]
    return [_number_of(returned)]


def _number_of(returned: object) -> float:
    value = as_number(returned)
    if value is None or math.isnan(value):
        raise ValueError(f"a trial must return a number, not {returned!r}")
    return value


def _optuna() -> ModuleType:
    try:
        return importlib.import_module("optuna")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "optimize_study needs Optuna: pip install 'trio-foundation[optuna]'"
        ) from None
