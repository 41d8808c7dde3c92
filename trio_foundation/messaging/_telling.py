"""The events of handled messages."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..telemetry import emit, wanted
from ._box import Box
from ._events import CallFinished, CallStarted
from ._request import UNDATED, Request

__all__ = ["tell_finished", "tell_started"]

Ending: TypeAlias = Literal["returned", "refused", "crashed", "stopped"]


def tell_started(box: Box, request: Request) -> None:
    assert request.kind != "own"
    if wanted(CallStarted):
        emit(
            CallStarted(
                server=box.name,
                method=request.method,
                kind=request.kind,
                queued_for=_queued_for(box, request),
            )
        )


def tell_finished(box: Box, request: Request, how: Ending) -> None:
    if wanted(CallFinished):
        assert request.kind != "own"
        emit(
            CallFinished(
                server=box.name,
                method=request.method,
                kind=request.kind,
                queued_for=_queued_for(box, request),
                handled_for=box.now() - box.since,
                outcome=how,
            )
        )


def _queued_for(box: Box, request: Request) -> float:
    # A cast is dated only if somebody listens; else it waited since then at least.
    queued_at = box.audience.since if request.queued_at == UNDATED else request.queued_at
    return max(0.0, box.since - queued_at)
