"""The results of a map one by one."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock
from ._batch import Batch
from ._groups import alone, bare, together, without_cancelled
from ._owner import Owner
from ._plan import Plan
from ._rules import Queue

__all__ = ["MapBlock", "Results"]


@final
class Results(trio.abc.ReceiveChannel[Any]):
    """The consumer's end of a channel."""

    def __init__(self, owner: Owner, plan: Plan, buffer: float) -> None:
        self._queue = Queue[Any](ordered=plan.ordered)
        self._receivers = trio.lowlevel.ParkingLot()
        self._has_ended = False
        self._is_closed = False
        self.batch = Batch(owner, plan, self._put, buffer=buffer)
        """What works on the items."""

    async def receive(self) -> object:
        """Receive the next result."""
        await trio.lowlevel.checkpoint_if_cancelled()
        has_waited = False
        while not self._queue and not self._is_closed:
            if self._has_ended:
                await self.batch.raise_error()
                raise trio.EndOfChannel
            await self._receivers.park()
            has_waited = True
        if self._is_closed:
            raise trio.ClosedResourceError("the results of this map were closed")
        result = self._queue.pop()
        self.batch.take()
        if not has_waited:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return result

    async def aclose(self) -> None:
        """Receive no more, and cancel what still runs."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Receive no more, and cancel what still runs."""
        self._is_closed = True
        self._queue.clear()
        self.batch.cancel("the results of the map are not wanted any more")
        self._receivers.unpark_all()

    def end(self) -> None:
        """Note that there are no more."""
        self._has_ended = True
        self._receivers.unpark_all()

    def _put(self, number: int, result: object) -> None:
        ready = self._queue.put(number, result)
        if ready and self._receivers:
            self._receivers.unpark(count=ready)


@final
class MapBlock(AsyncBlock[Results]):
    """The block of `open_map`; the map runs in a task beside the body."""

    opens = "a map"

    def __init__(self, owner: Owner, plan: Plan, buffer: float) -> None:
        self._owner = owner
        self._plan = plan
        self._buffer = buffer
        self._manager = trio.open_nursery(strict_exception_groups=True)
        self._nursery: trio.Nursery | None = None
        self._results: Results | None = None
        self._raised: BaseException | None = None

    def __aiter__(self) -> NoReturn:
        raise TypeError("write `async with open_map(...) as results:`, and go over the results")

    def __await__(self) -> NoReturn:
        raise TypeError(
            "write `async with open_map(...) as results:`, or await parallel_map(...) for all of them"
        )

    @enable_ki_protection
    async def __aenter__(self) -> Results:
        if self._results is not None:
            raise RuntimeError("the block of a map is entered once: call open_map() again")
        self._results = Results(self._owner, self._plan, self._buffer)
        self._nursery = await self._manager.__aenter__()
        self._nursery.start_soon(self._run, self._results, name=f"map of {self._plan.name}")
        return self._results

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        results = self._results
        assert results is not None
        results.close()
        try:
            is_absorbed = await self._manager.__aexit__(exc_type, exc, traceback)
            of_body = None if is_absorbed else exc
        except BaseExceptionGroup as group:
            of_body = bare(group)
        raised, self._raised = self._raised, None
        error = together(of_body, raised, results.batch.closing_error)
        results.batch.error = None
        try:
            if error is None or error is exc:
                return error is None
            raise error
        finally:
            del error, raised, of_body, exc  # whose tracebacks have this frame

    @enable_ki_protection
    async def _run(self, results: Results) -> None:
        assert self._nursery is not None
        try:
            await results.batch.run()
        except BaseException as raised:  # noqa: BLE001  raised when the body has been told
            error = alone(raised)
            if isinstance(error, trio.Cancelled):
                raise error from None
            self._raised = without_cancelled(error)
            self._nursery.cancel_scope.cancel(reason=f"in a map: {type(error).__name__}")
            del error  # whose traceback has this frame
        finally:
            results.end()
