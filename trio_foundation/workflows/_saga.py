"""Steps that are undone if a later one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping
from typing import Any, final

import attrs

from .._base import check_name, check_seconds, is_plain_function
from ._rules import Action, Plan, SagaStep, StepRetry, Undo
from ._saga_run import SagaRun

__all__ = ["Saga", "SagaResult"]


@final
@attrs.frozen
class SagaResult:
    """What the steps of a saga returned, each as ``result["hotel"]``.

    Example:
        >>> SagaResult("trip", {"hotel": "room 5"})["hotel"]
        'room 5'
    """

    saga: str
    """The name of the saga."""

    results: Mapping[str, Any]
    """What the steps returned, by name, in the order in which they are written."""

    def __getitem__(self, step: str) -> Any:  # noqa: ANN401  each step returns what it likes
        return self.results[step]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def keys(self) -> KeysView[str]:
        """Return the names of the steps; ``dict(result)`` works."""
        return self.results.keys()


@final
class Saga:
    """Steps that are done one after the other, and undone if they do not all succeed.

    It is written once, and may be run any number of times, also at once. Nothing is isolated:
    others see what a step did before it is undone.

    Each step that has begun is undone, and its undo is told its `Fate`: a step that failed or was
    cut off may have done something. To undo what is not there should do no harm.

    Args:
        name: What it is called, in errors and events.
        undo_timeout: How long each undo may take, in seconds, unless its step says. Nothing else
            ends an undo that hangs.

    Raises:
        TypeError: *name* is no string, or *undo_timeout* no number.
        ValueError: *name* is empty, or *undo_timeout* is not above 0 and finite.

    Example:
        >>> import trio
        >>> async def book_flight():
        ...     return "seat 12"
        >>> async def cancel_flight(seat, fate):
        ...     print("cancelling", seat, fate)
        >>> async def book_hotel():
        ...     raise OSError("no room")
        >>> async def main():
        ...     trip = Saga("trip").step("flight", book_flight, cancel_flight)
        ...     trip.step("hotel", book_hotel)
        ...     try:
        ...         await trip.run()
        ...     except SagaFailed as failed:
        ...         print(failed)
        >>> trio.run(main)
        cancelling seat 12 done
        saga 'trip' failed with OSError('no room') at step 'hotel'; undone: flight
    """

    __slots__ = ("__weakref__", "_name", "_plan", "_runs", "_undo_timeout")

    def __init__(self, name: str = "saga", *, undo_timeout: float = 30.0) -> None:
        self._name = check_name("name", name)
        self._undo_timeout = check_seconds(
            "undo_timeout", undo_timeout, above_zero=True, finite=True
        )
        self._plan = Plan()
        self._runs = 0

    def __repr__(self) -> str:
        return f"<Saga {self._name!r}: {', '.join(one.step.name for one in self._plan)}>"

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    def step(
        self,
        name: str,
        action: Action,
        undo: Undo | None = None,
        *,
        retry: StepRetry | None = None,
        undo_timeout: float | None = None,
    ) -> Saga:
        """Add a step, to be done when those before it are.

        The functions get as many of the arguments told at `Action` and `Undo` as they require;
        defaults are kept. Bind others with `functools.partial`.

        Args:
            name: What it is called; no other step of the saga is.
            action: What it does.
            undo: What undoes it; with None, nothing.
            retry: What calls the action, again if need be: a `Retry`, a `CircuitBreaker`, or
                another `StepRetry`.
            undo_timeout: How long the undo may take, in seconds; by default that of the saga.

        Returns:
            The same saga, for the next step.

        Raises:
            TypeError: A function cannot be called so, or *retry* is no `StepRetry`.
            ValueError: *name* is empty or taken, or *undo_timeout* not above 0 and finite.

        Example:
            >>> async def reserve():
            ...     return "seat 12"
            >>> async def pay(results):
            ...     return f"paid for {results['reserve']}"
            >>> async def release(seat): ...
            >>> Saga("ticket").step("reserve", reserve, release).step("pay", pay)
            <Saga 'ticket': reserve, pay>
        """
        step = SagaStep(name, action, undo, retry=retry, undo_timeout=undo_timeout)
        return self.parallel(step)

    def parallel(self, *steps: SagaStep) -> Saga:
        """Add a stage: steps to be done side by side, each in a task of its own.

        None sees the results of the others. If one fails the others are cancelled, and all are
        undone one after the other, the last written first.

        Returns:
            The same saga, for the next stage.

        Raises:
            TypeError: One of them is no `SagaStep`, or there is none.
            ValueError: A name is taken.

        Example:
            >>> async def book(): ...
            >>> Saga("trip").parallel(SagaStep("car", book), SagaStep("hotel", book))
            <Saga 'trip': car, hotel>
        """
        if not steps:
            raise TypeError("parallel takes one step or more: write parallel(SagaStep(...), ...)")
        for step in steps:
            if not isinstance(step, SagaStep):
                raise TypeError(f"parallel takes steps, SagaStep(name, action), not {step!r}")
        self._plan = self._plan.then(*steps)
        return self

    def dry_run(self, write: Callable[[str], object] = print) -> None:
        """Tell what would be done, line by line, and do nothing.

        Args:
            write: Is given each line.

        Raises:
            TypeError: *write* is no plain function.

        Example:
            >>> async def book(): ...
            >>> async def cancel(): ...
            >>> trip = Saga("trip").step("flight", book, cancel)
            >>> trip.parallel(SagaStep("hotel", book, cancel, undo_timeout=5), SagaStep("car", book))
            <Saga 'trip': flight, hotel, car>
            >>> trip.dry_run()
            saga 'trip': 3 steps
            1. flight: book; undo: cancel, within 30 s
            2. hotel: book; undo: cancel, within 5 s, side by side
               car: book; no undo, side by side
        """
        if not is_plain_function(write):
            raise TypeError(
                f"dry_run takes a plain function of a line, such as print, not {write!r}"
            )
        for line in self._plan.described(self._name, self._undo_timeout):
            write(line)

    async def run(self) -> SagaResult:
        """Do the steps; if they do not all succeed, undo those that have begun.

        Undos run one after the other, newest first, each shielded for *undo_timeout* seconds, and
        all of them, also if one fails or takes longer.

        Returns:
            What the steps returned.

        Raises:
            SagaFailed: A step raised, or an undo did after a cancellation.

        Cancellation:
            Goes into the step in hand, whose fate is ``unknown``; then the undos run, shielded;
            then the `trio.Cancelled` goes on. If an undo fails, `SagaFailed` comes out instead, and
            the cancellation again at the next checkpoint. If all steps are done, the result is
            returned. A ``KeyboardInterrupt`` goes the same way, with what undos raise in its notes.

        Emits:
            StepFinished: When a step has ended, done or not.
            StepUndone: When an undo has ended, also if it failed.

        Example:
            >>> import trio
            >>> async def reserve():
            ...     return "seat 12"
            >>> async def pay(results):
            ...     return f"paid for {results['reserve']}"
            >>> async def main():
            ...     done = await Saga("ticket").step("reserve", reserve).step("pay", pay).run()
            ...     print(done["pay"])
            >>> trio.run(main)
            paid for seat 12
        """
        self._runs += 1
        run = SagaRun(self._name, self._runs, self._plan, self._undo_timeout)
        await run.go()
        return SagaResult(self._name, run.results)
