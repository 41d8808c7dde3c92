"""All results of a map at once."""

from __future__ import annotations

import math
from typing import Any

from trio.lowlevel import enable_ki_protection

from ._batch import Batch
from ._groups import alone, together
from ._owner import Owner
from ._plan import Plan

__all__ = ["gather"]


@enable_ki_protection
async def gather(owner: Owner, plan: Plan) -> list[Any]:
    """Return and raise as `parallel_map`."""
    results: dict[int, Any] = {}
    batch = Batch(owner, plan, results.__setitem__, buffer=math.inf)
    error: BaseException | None = None
    try:
        await batch.run()
    except BaseException as raised:  # noqa: BLE001  goes on
        error = alone(raised)
    error = together(error, batch.closing_error)
    try:
        if error is not None:
            raise error
    finally:
        del error  # whose traceback has this frame
    await batch.raise_error()
    if plan.ordered:
        return [results[number] for number in range(len(results))]
    return list(results.values())
