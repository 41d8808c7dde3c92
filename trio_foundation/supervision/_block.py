"""The block that a supervisor lives in: at most one thing leaves it, told apart here."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock
from ._engine import Engine
from ._errors import RestartLimitReached
from ._exit import fatal_leaf, leaves, without_cancelled

__all__ = ["Block"]

HandleT = TypeVar("HandleT")


@final
@attrs.define(eq=False, repr=False)
class Block(AsyncBlock[HandleT]):
    """What `open_supervisor` returns."""

    opens = "a supervisor"

    # A class rather than a generator: a KeyboardInterrupt between two lines of a generator's
    # machinery would leave the nursery open for ever, with children in it.
    _engine: Engine
    _handle: HandleT
    _nursery: AbstractAsyncContextManager[trio.Nursery] | None = None

    def __repr__(self) -> str:
        return f"<block of supervisor {self._engine.name!r}: write `async with`>"

    @enable_ki_protection
    async def __aenter__(self) -> HandleT:
        if self._nursery is not None:
            raise RuntimeError(
                "the block of a supervisor is entered once: call open_supervisor() again"
            )
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError("a supervisor runs on Trio: start the program by trio.run(main)")
        engine = self._engine
        engine.enlist()
        self._nursery = trio.open_nursery()
        engine.begin(await self._nursery.__aenter__())
        error: BaseException | None = None
        try:
            await engine.wait_booted()
        except BaseException as cut_short:  # noqa: BLE001  raised again when all is stopped
            error = cut_short
        if error is not None or engine.failure is not None or engine.fatal is not None:
            leaving = await self._leave(error)
            assert leaving is not None
            raise leaving
        engine.body_scope.__enter__()
        return self._handle

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        left = exc
        try:
            if self._engine.body_scope.__exit__(exc_type, exc, traceback):
                left = None
        except BaseException as rest:  # noqa: BLE001  a group, less the supervisor's Cancelled
            left = rest
        leaving = await self._leave(left)
        if leaving is None:
            return True
        if leaving is exc:
            return False
        raise leaving

    async def _leave(self, body_error: BaseException | None) -> BaseException | None:
        """Return what leaves the block, if anything, when all is joined."""
        assert self._nursery is not None
        self._engine.end("finished")
        interrupt: BaseException | None = None
        try:
            await self._nursery.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001  it leaves the block, less its group
            interrupt = next(leaves(error))
        engine = self._engine
        if interrupt is not None:
            return interrupt
        if engine.fatal is None and engine.failure is None:
            return body_error
        body_error = without_cancelled(body_error)
        fatal = None if body_error is None else fatal_leaf(body_error)
        if fatal is not None or engine.fatal is not None:
            return fatal or engine.fatal
        if isinstance(engine.failure, RestartLimitReached):
            engine.failure.body_error = body_error
        return engine.failure
