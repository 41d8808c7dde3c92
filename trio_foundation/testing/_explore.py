"""One scenario, under many orders of its tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import trio
from trio.abc import Clock, Instrument
from trio.testing import MockClock

from .._base import check_async_fn, check_count, check_seconds, name_of, seconds_in_words
from ._faults import Faults
from ._rules import Fault
from ._schedule import seeded

__all__ = ["explore"]

_MOST_ROUNDS = 100_000


def explore(
    scenario: Callable[[], Awaitable[object]],
    seeds: Iterable[int] = range(300),
    *,
    faults: Faults | None = None,
    clock: Callable[[], Clock] | None = None,
    timeout: float = 3600.0,
) -> None:
    """Run an async scenario in many orders of its tasks, and under many faults.

    Each seed stands for one order of the ready tasks, for the numbers from `random`, and for one
    throw of the dice of `Faults.at_random`. The error of a failed run says how to have it again.
    It starts Trio itself: call it from a plain test.

    Threads and real sockets cannot be repeated; nor the order of a set of strings, unless
    ``PYTHONHASHSEED`` is set.

    Args:
        scenario: An async function without arguments, which fails by raising anything.
        seeds: Which runs to make.
        faults: For the children of all its supervisors; each run has its own copy, by
            `Faults.again`.
        clock: Makes each run's clock; by default a virtual one, which jumps when all tasks wait.
        timeout: After how many seconds, by that clock, an unfinished run has failed.

    Raises:
        TypeError: *scenario* is no async function, or another argument of the wrong kind.
        ValueError: No seeds; or, after all runs, faults for a child that never ran.
        RuntimeError: Within a Trio run, or with a version of Trio that cannot be seeded.
        BaseException: Whatever the scenario raises, the same object, with a note of the seed and
            the faults. A `trio.TooSlowError` if a run is not over in time, or its tasks keep one
            another so busy that virtual time stands still.

    Example:
        >>> import trio
        >>> async def scenario():
        ...     order = []
        ...     async def note(number):
        ...         order.append(number)
        ...     async with trio.open_nursery() as nursery:
        ...         nursery.start_soon(note, 1)
        ...         nursery.start_soon(note, 2)
        ...     assert order == [1, 2], order
        >>> try:
        ...     explore(scenario)
        ... except AssertionError as error:
        ...     print(error)
        ...     print(error.__notes__[0].partition("; ")[2].partition("[")[0])
        [2, 1]
        to have it again: explore(scenario, seeds=
    """
    check_async_fn("explore", scenario)
    check_seconds("timeout", timeout, above_zero=True)
    if faults is not None and not isinstance(faults, Faults):
        raise TypeError(f"faults must be Faults or None, not {faults!r}")
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "explore starts Trio itself, so it cannot be called within a Trio run: call it from a "
            "plain function, def test_...(), not from async def test_...()"
        )
    if isinstance(seeds, int):
        raise TypeError(f"seeds must be numbers to try: write seeds=range({seeds}), or [{seeds}]")
    unmet: set[Fault] | None = None
    for seed in seeds:
        check_count("seed", seed)
        left = _try(partial(_run, scenario, timeout), seed, faults, clock or _virtual_clock)
        unmet = left if unmet is None else unmet & left
    if unmet is None:
        raise ValueError("seeds must not be empty: write seeds=range(300)")
    if unmet:
        names = ", ".join(sorted({repr(fault.child) for fault in unmet}))
        raise ValueError(
            f"there are faults for {names}, and no child of that name ran under any of the seeds: "
            "write its name, or its path, or the end of its path"
        )


def _try(
    run: partial[Coroutine[Any, Any, None]],
    seed: int,
    template: Faults | None,
    clock: Callable[[], Clock],
) -> set[Fault]:
    """Make one run; return the unmet faults."""
    faults = None if template is None else template.again(seed)
    with seeded(seed):
        try:
            trio.run(run, faults, clock=clock())
        except BaseException as error:
            error.add_note(_how_to_have_it_again(name_of(run.args[0]), seed, faults))
            raise
    return set() if faults is None else set(faults.unmet)


def _virtual_clock() -> Clock:
    return MockClock(autojump_threshold=0)


async def _run(
    scenario: Callable[[], Awaitable[object]], limit: float, faults: Faults | None
) -> None:
    watch = _Watch()
    trio.lowlevel.add_instrument(watch)
    with (
        trio.CancelScope(relative_deadline=limit) as watch.scope,
        nullcontext() if faults is None else faults.active(),
    ):
        waiting: object = scenario()
        if not isinstance(waiting, Awaitable):
            name = name_of(scenario)
            raise TypeError(
                f"explore takes an async function, and {name} returned {waiting!r}, which cannot "
                f"be awaited: write `async def {name}():`"
            )
        await waiting
    if watch.scope.cancel_called:  # also if it ended afterwards, within a shield
        raise trio.TooSlowError(watch.why or f"it was not over after {seconds_in_words(limit)}")


class _Watch(Instrument):
    """Ends a run whose tasks never let virtual time pass."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.why = ""
        self._now: float = -1.0
        self._rounds = 0

    def before_io_wait(self, timeout: float) -> None:
        clock = trio.lowlevel.current_clock()
        now: float = clock.current_time()
        if now != self._now or not isinstance(clock, MockClock):
            self._now, self._rounds = now, 0
            return
        self._rounds += 1
        if self._rounds == _MOST_ROUNDS:
            self.why = (
                f"its tasks kept one another busy for {_MOST_ROUNDS} rounds of the scheduler, and "
                f"so virtual time stood still at {now:g} s: let one of them sleep"
            )
            self.scope.cancel(reason=f"explore: {self.why}")


def _how_to_have_it_again(name: str, seed: int, faults: Faults | None) -> str:
    line = f"explore({name}, seeds=[{seed}]{'' if faults is None else ', faults=...'})"
    told = f"this is seed {seed} of scenario {name!r}; to have it again: {line}"
    if faults is None:
        return told
    return f"{told}\nthe faults that had happened: {list(faults.fired)}"
