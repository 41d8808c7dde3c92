"""What a saga does, and in which order it is undone: data, to be checked and printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import (
    Any,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    final,
    runtime_checkable,
)

import attrs

from ..._base import check_name, check_seconds, name_of, seconds_in_words
from ._arguments import count_taken

__all__ = ["Action", "Fate", "Plan", "PlannedStep", "SagaStep", "StepRetry", "Undo"]

A = TypeVarTuple("A")
R = TypeVar("R")

Fate: TypeAlias = Literal["done", "not_done", "unknown"]
"""What became of a step: ``done``, it returned; ``not_done``, it raised, or was not begun;
``unknown``, it was cut off by a cancellation, an interrupt, a `trio.TooSlowError` or a
`TimeoutError`."""

Action: TypeAlias = (
    Callable[[], Awaitable[object]] | Callable[[Mapping[str, Any]], Awaitable[object]]
)
"""What a step does: an async function of nothing, or of the results of earlier stages, by name."""

Undo: TypeAlias = (
    Callable[[], Awaitable[object]]
    | Callable[[Any], Awaitable[object]]
    | Callable[[Any, Fate], Awaitable[object]]
)
"""What undoes a step: an async function of nothing, of the step's result (None unless the step is
``done``), or of the result and the `Fate`."""


@runtime_checkable
class StepRetry(Protocol):
    """What calls a step's action: a `Retry`, or one of your own.

    Example:
        >>> class Twice:
        ...     async def call(self, async_fn, *args):
        ...         try:
        ...             return await async_fn(*args)
        ...         except OSError:
        ...             return await async_fn(*args)
        >>> isinstance(Twice(), StepRetry)
        True
    """

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an action, as often as it takes.

        Args:
            async_fn: The action.
            *args: Its arguments.

        Returns:
            What it returned.

        Cancellation:
            Has to be let through.
        """
        ...


@final
@attrs.frozen
class SagaStep:
    """One step of a saga, for `Saga.parallel`; `Saga.step` makes one of its arguments.

    Raises:
        TypeError: A function cannot be called as it will be, or *retry* is no `StepRetry`.
        ValueError: *name* is empty, or *undo_timeout* not above 0 and finite.

    Example:
        >>> async def book(): ...
        >>> async def cancel(booking, fate): ...
        >>> SagaStep("hotel", book, cancel, undo_timeout=5.0).name
        'hotel'
    """

    name: str
    """What it is called; no other step of the saga is."""

    action: Action
    """What it does."""

    undo: Undo | None = None
    """What undoes it; with None, nothing."""

    retry: StepRetry | None = attrs.field(default=None, kw_only=True)
    """What calls the action, again if need be; None calls it once."""

    undo_timeout: float | None = attrs.field(default=None, kw_only=True)
    """How long the undo may take, in seconds; by default that of the saga."""

    def __attrs_post_init__(self) -> None:
        check_name("name", self.name)
        _planned(self)
        if self.retry is not None and not _can_call(self.retry):
            raise TypeError(
                f"retry must have an async method call(async_fn, *args), as Retry() has, "
                f"not {self.retry!r}"
            )
        if self.undo_timeout is not None:
            check_seconds("undo_timeout", self.undo_timeout, above_zero=True, finite=True)


@final
@attrs.frozen
class PlannedStep:
    """A step, and how many arguments its functions take."""

    step: SagaStep
    action_takes: int
    undo_takes: int


@final
@attrs.frozen
class Plan:
    """The stages of a saga; the steps of one run side by side.

    Example:
        >>> async def book(): ...
        >>> async def cancel(): ...
        >>> plan = Plan().then(SagaStep("flight", book, cancel))
        >>> plan = plan.then(SagaStep("hotel", book, cancel))
        >>> [one.step.name for one in plan.to_undo({"flight", "hotel"})]
        ['hotel', 'flight']
    """

    stages: tuple[tuple[PlannedStep, ...], ...] = ()

    def __iter__(self) -> Iterator[PlannedStep]:
        return (planned for stage in self.stages for planned in stage)

    def then(self, *steps: SagaStep) -> Plan:
        """Return a plan with one more stage, of steps with new names."""
        names = {planned.step.name for planned in self}
        for step in steps:
            if step.name in names:
                raise ValueError(
                    f"the steps of a saga have names of their own, and there is a "
                    f"{step.name!r} already"
                )
            names.add(step.name)
        return Plan((*self.stages, tuple(_planned(step) for step in steps)))

    def to_undo(self, begun: Collection[str]) -> list[PlannedStep]:
        """Return the steps to undo of those begun, the last one written first."""
        return [
            one for one in reversed([*self]) if one.step.name in begun and one.step.undo is not None
        ]

    def described(self, saga: str, undo_timeout: float) -> Iterator[str]:
        """Yield the lines that tell what it does."""
        steps = len([*self])
        yield f"saga {saga!r}: {steps} step{'s' * (steps != 1)}"
        for number, stage in enumerate(self.stages, start=1):
            for place, planned in enumerate(stage):
                head = f"{number}." if not place else " " * len(f"{number}.")
                beside = ", side by side" if len(stage) > 1 else ""
                yield f"{head} {_described(planned.step, undo_timeout)}{beside}"


def _can_call(retry: object) -> bool:
    return isinstance(retry, StepRetry) and not isinstance(retry, type)


def _planned(step: SagaStep) -> PlannedStep:
    takes = count_taken(f"the action of {step.name!r}", step.action, ("the results",))
    undo_takes = 0
    if step.undo is not None:
        told = ("the result", "the fate")
        undo_takes = count_taken(f"the undo of {step.name!r}", step.undo, told)
    return PlannedStep(step, takes, undo_takes)


def _described(step: SagaStep, undo_timeout: float) -> str:
    action = f"{step.name}: {name_of(step.action)}{', retried' * (step.retry is not None)}"
    if step.undo is None:
        return f"{action}; no undo"
    within = undo_timeout if step.undo_timeout is None else step.undo_timeout
    return f"{action}; undo: {name_of(step.undo)}, within {seconds_in_words(within)}"
