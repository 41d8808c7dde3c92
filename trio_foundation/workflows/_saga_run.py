"""One run of a saga. Whatever ends it is caught: undos come before the caller hears of it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, final

import trio
from trio.lowlevel import checkpoint_if_cancelled, enable_ki_protection

from .._base import name_of, told
from ..telemetry import emit, wanted
from ._calls import (
    call_users,
    is_internal,
    leaves_of,
    note,
    split_cancelled,
    was_cut_off,
    without_shell,
)
from ._errors import SagaFailed, UndoTimedOut
from ._events import StepFinished, StepUndone
from ._rules import Fate, Plan, PlannedStep

__all__ = ["SagaRun"]


@final
class SagaRun:
    """What has been done, and what came of it."""

    __slots__ = (
        "_begun",
        "_cancelled",
        "_failures",
        "_fates",
        "_number",
        "_plan",
        "_results",
        "_saga",
        "_undo_errors",
        "_undo_timeout",
        "_undone",
        "_unsure",
    )

    def __init__(self, saga: str, number: int, plan: Plan, undo_timeout: float) -> None:
        self._saga = saga
        self._number = number
        self._plan = plan
        self._undo_timeout = undo_timeout
        self._begun: list[str] = []
        self._fates: dict[str, Fate] = {one.step.name: "not_done" for one in plan}
        self._results: dict[str, Any] = {}
        self._failures: list[tuple[str, BaseException]] = []  # in the order of time
        self._cancelled: tuple[str, BaseException] | None = None  # and not the group of it
        self._undo_errors: list[BaseException] = []
        self._undone: list[str] = []
        self._unsure: set[str] = set()  # steps of which some attempt was cut off

    @property
    def results(self) -> Mapping[str, Any]:
        """What the steps returned, as they are written."""
        return {one.step.name: self._results[one.step.name] for one in self._plan}

    @enable_ki_protection
    async def go(self) -> None:
        """Do the steps, and undo them if they do not all succeed."""
        await trio.lowlevel.checkpoint()
        for stage in self._plan.stages:
            await self._do(stage)
            if self._failures or self._cancelled:
                break
        else:
            return
        for planned in self._plan.to_undo(self._begun):
            await self._undo(planned)
        ending = self._ending()
        try:
            raise ending
        finally:
            # Each error knows this frame by its traceback.
            del ending
            self._cancelled = None
            self._failures.clear()
            self._undo_errors.clear()

    # Steps

    async def _do(self, stage: tuple[PlannedStep, ...]) -> None:
        """Do a stage, and note what it raises."""
        # They see what was there before the stage: what a neighbour returns may come or not.
        results = MappingProxyType(dict(self._results))
        if len(stage) == 1:
            await self._do_and_note(stage[0], results)
            return
        try:
            async with trio.open_nursery() as nursery:
                for one in stage:
                    name = f"step {one.step.name!r} of saga {self._saga!r}"
                    scope = nursery.cancel_scope
                    nursery.start_soon(self._do_beside, one, results, scope, name=name)
        except GeneratorExit:
            raise
        except BaseException as error:  # it goes up when the undos have run
            if is_internal(error):
                raise
            # A cancellation is not heeded here: each step has noted its own, and if there is
            # none, all of them are done.
            rest = split_cancelled(error)[1]
            if rest is not None:
                self._note(stage[0].step.name, without_shell(rest))

    async def _do_beside(
        self, planned: PlannedStep, results: Mapping[str, Any], scope: trio.CancelScope
    ) -> None:
        await self._do_and_note(planned, results)
        if self._failures or self._cancelled:
            scope.cancel(reason=f"step {planned.step.name!r} did not succeed")

    async def _do_and_note(self, planned: PlannedStep, results: Mapping[str, Any]) -> None:
        try:
            await self._do_one(planned, results)
        except GeneratorExit:
            raise
        except BaseException as error:  # it goes up when the undos have run
            if is_internal(error):
                raise
            self._note(planned.step.name, error)

    async def _do_one(self, planned: PlannedStep, results: Mapping[str, Any]) -> None:
        await checkpoint_if_cancelled()
        step = planned.step
        action = self._watched(step.name, step.action)
        args: tuple[Any, ...] = (results,)[: planned.action_takes]
        self._begun.append(step.name)
        self._fates[step.name] = "unknown"
        begun_at = trio.current_time()
        error: BaseException | None = None
        try:
            if step.retry is None:
                result = await call_users(action, *args)
            else:
                result = await call_users(step.retry.call, action, *args)
            self._results[step.name] = result
            self._fates[step.name] = "done"
        except BaseException as caught:
            error = caught
            if isinstance(caught, Exception) and step.name not in self._unsure:
                self._fates[step.name] = "not_done"
            raise
        finally:
            self._tell_end(StepFinished, step.name, begun_at, error)
            del error  # or its own traceback would keep it

    def _watched(
        self, step: str, action: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        """Return the action; it notes whether it is cut off, which a retry may hide."""

        async def attempt(*args: object) -> object:
            # What was being handled before has nothing to do with it.
            before = {id(sys.exception())}
            try:
                return await action(*args)
            except BaseException as error:
                if was_cut_off(error, before):
                    self._unsure.add(step)
                raise

        attempt.__name__ = name_of(action)  # a retry tells it
        return attempt

    def _note(self, step: str, error: BaseException) -> None:
        cancelled, rest = split_cancelled(error)
        if rest is not None:
            self._failures.append((step, rest))
        elif cancelled is not None and self._cancelled is None:
            self._cancelled = (step, next(leaves_of(cancelled)))

    # Undos

    async def _undo(self, planned: PlannedStep) -> None:
        step = planned.step
        undo: Callable[..., Awaitable[object]] | None = step.undo
        assert undo is not None
        within = self._undo_timeout if step.undo_timeout is None else step.undo_timeout
        told_it: tuple[Any, ...] = (self._results.get(step.name), self._fates[step.name])[
            : planned.undo_takes
        ]
        begun_at = trio.current_time()
        error: BaseException | None = None
        try:
            with trio.CancelScope(shield=True, relative_deadline=within) as scope:
                await call_users(undo, *told_it)
            if scope.cancelled_caught:
                error = UndoTimedOut(self._saga, step.name, within)
        except GeneratorExit:
            raise
        except BaseException as caught:  # the other undos have to run
            if is_internal(caught):
                raise
            note(caught, f"in the undo of step {step.name!r} of saga {self._saga!r}")
            error = caught
        if error is None:
            self._undone.append(step.name)
        else:
            self._undo_errors.append(error)
        self._tell_end(StepUndone, step.name, begun_at, error)
        del error  # or its own traceback would keep it

    # The end

    def _ending(self) -> BaseException:
        """Return what goes up."""
        errors = tuple(error for _, error in self._failures)
        undo_errors = tuple(self._undo_errors)
        for error in (*errors, *undo_errors):
            if not isinstance(error, Exception):  # a KeyboardInterrupt, say, which nothing hides
                self._note_others(error, (*errors, *undo_errors))
                return error
        if errors:
            step = self._failures[0][0]
        else:
            assert self._cancelled is not None
            step, cancelled = self._cancelled
            if not undo_errors:
                undone = ", ".join(self._undone) or "nothing"
                note(cancelled, f"in step {step!r} of saga {self._saga!r}; undone: {undone}")
                return cancelled
            errors = (cancelled,)
        return self._failed(step, errors, undo_errors)

    def _failed(
        self,
        step: str,
        errors: tuple[BaseException, ...],
        undo_errors: tuple[BaseException, ...],
    ) -> SagaFailed:
        undone = tuple(self._undone)
        failed = SagaFailed(self._saga, step, errors, undo_errors, undone, dict(self._fates))
        causes = (*errors, *undo_errors)
        failed.__cause__ = (
            causes[0]
            if len(causes) == 1
            else BaseExceptionGroup(f"what went wrong in saga {self._saga!r}", causes)
        )
        return failed

    def _note_others(self, error: BaseException, errors: tuple[BaseException, ...]) -> None:
        for one in errors:
            if one is not error:
                note(error, f"in saga {self._saga!r}, besides: {told(one)}")

    def _tell_end(
        self,
        event_type: type[StepFinished | StepUndone],
        step: str,
        begun_at: float,
        error: BaseException | None,
    ) -> None:
        if wanted(event_type):
            emit(
                event_type(
                    saga=self._saga,
                    run=self._number,
                    step=step,
                    fate=self._fates[step],
                    ran_for=trio.current_time() - begun_at,
                    error=told(error),
                )
            )
