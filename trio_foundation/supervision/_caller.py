"""Who gives an order to a supervisor, and whether both would wait for each other."""

from __future__ import annotations

from ._current import current_run
from ._incarnation import Incarnation, Keeper

__all__ = ["find_caller", "is_within", "waits_for_itself"]


def find_caller(keeper: Keeper, joining: Incarnation | None) -> Incarnation | None:
    """Return the incarnation that gives an order, if any; refuse what would hang."""
    caller = run = current_run()
    while run is not None:
        if run.keeper is keeper and run.ready_at is None:
            raise RuntimeError(
                f"child {run.entry.name!r} gave an order to its own supervisor {keeper.path!r} "
                "before it was ready, and would wait for ever, since the supervisor waits for "
                "the child: call task_status.started() first"
            )
        if run is joining and run.ending is not None:
            error: RuntimeError = waits_for_itself(run, keeper.path)
            raise error
        run = run.keeper.parent
    return caller


def waits_for_itself(run: Incarnation, supervisor: str) -> RuntimeError:
    """Return the error of an order from a child whose end is waited for."""
    return RuntimeError(
        f"child {run.entry.name!r} gave an order to its own supervisor {supervisor!r} "
        "while that waits for the child to end, and would wait for ever: give it before, "
        "or leave it to another child"
    )


def is_within(run: Incarnation | None, target: Incarnation) -> bool:
    """Return whether code that runs in *run* runs in *target* too."""
    while run is not None:
        if run is target:
            return True
        run = run.keeper.parent
    return False
