"""What the end of an incarnation amounts to: the reason of an `Exit`, and who may restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
import trio

from ._errors import IgnoreChild, RestartLimitReached, ShutdownChild
from ._exit import fatal_leaf, leaves, without_cancelled
from ._rules._words import ExitReason

if TYPE_CHECKING:  # an incarnation is judged when it ends
    from ._incarnation import Incarnation

__all__ = ["Judgement", "is_ignore", "judge", "judge_run"]


@final
@attrs.frozen
class Judgement:
    reason: ExitReason
    error: BaseException | None = None
    fatal: BaseException | None = None
    """What no supervisor restarts after: it goes on up, bare."""


def judge(
    raised: BaseException | None, ending: ExitReason | None, *, is_supervisor: bool
) -> Judgement:
    """Return what it means that a child raised *raised*, or returned, while *ending*."""
    error = without_cancelled(raised)
    if error is None:
        return Judgement(ending or "returned")
    fatal = fatal_leaf(error)
    if fatal is not None:
        return Judgement(ending or "crashed", error, fatal=fatal)
    orderly = all(isinstance(leaf, ShutdownChild) for leaf in leaves(error))
    if ending == "stopped":
        return Judgement("stopped", None if orderly else error)
    if ending is not None:
        return Judgement(ending, error)
    if orderly or (is_supervisor and isinstance(error, RestartLimitReached)):
        return Judgement("shutdown", error)
    return Judgement("crashed", error)


_RETURNED = Judgement("returned")


def judge_run(run: Incarnation, raised: BaseException | None) -> Judgement:
    """Return what the end of *run* means."""
    if raised is None and run.ending is None and run.ready_at is not None:
        return _RETURNED
    spec = run.entry.spec
    verdict = judge(raised, run.ending, is_supervisor=spec.kind == "supervisor")
    if run.late:
        late = trio.TooSlowError(
            f"child {run.entry.name!r} was not ready within {spec.ready_within:g} seconds: "
            "call task_status.started() sooner, or raise ready_within"
        )
        late.__cause__ = verdict.error
        return Judgement("crashed", late, fatal=verdict.fatal)
    if run.ending is not None:
        return verdict
    if is_ignore(raised):
        if run.ready_at is None:
            run.ignored = True
            return Judgement("shutdown", raised)
        _explain_late_ignore(raised)
    elif run.ready_at is None and verdict.error is None:
        name = getattr(spec.async_fn, "__qualname__", run.entry.name)
        silent = RuntimeError(
            f"{name} returned before it called task_status.started(): call it when the child is "
            "ready, or do not take task_status"
        )
        return Judgement("crashed", silent)
    return verdict


def is_ignore(error: BaseException | None) -> bool:
    """Return whether a child raised `IgnoreChild` and nothing else."""
    return error is not None and all(isinstance(leaf, IgnoreChild) for leaf in leaves(error))


def _explain_late_ignore(raised: BaseException | None) -> None:
    assert raised is not None
    note = (
        "IgnoreChild was raised after the child was ready, and so it is a crash. Only a "
        "function that takes task_status can raise it, before task_status.started()."
    )
    if note not in getattr(raised, "__notes__", ()):  # the same object may be raised again
        raised.add_note(note)
