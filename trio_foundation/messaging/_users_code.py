"""Where users' code is run, without KeyboardInterrupt protection."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from trio.lowlevel import disable_ki_protection

from .._base import fits
from ._request import Request
from ._server import Server

__all__ = ["is_misaddressed", "make", "run", "run_for_certain", "run_method", "sole_leaf"]

S = TypeVar("S", bound=Server)

_ROOM = os.path.dirname(__file__) + os.sep


@disable_ki_protection
def make(factory: Callable[[], S]) -> S:
    """Return a fresh instance."""
    server = factory()
    name = getattr(factory, "__qualname__", repr(factory))
    if not isinstance(server, Server):
        raise TypeError(f"serve takes what makes a Server, but {name} made {server!r}")
    if hasattr(server, "_steering"):
        raise TypeError(
            f"{name} made the same server again: each incarnation needs a fresh one, since the "
            "old one may be broken"
        )
    return server


@disable_ki_protection
async def run(function: Callable[..., Awaitable[object]], *args: object) -> None:
    await function(*args)


async def run_for_certain(function: Callable[..., Awaitable[object]], *args: object) -> None:
    """Run ``teardown``: a KeyboardInterrupt may come within it, not before it."""
    work = function(*args)
    try:
        await _run_begun(work)
    except KeyboardInterrupt:
        if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == "CORO_CREATED":
            await _run_begun(work)
        raise


@disable_ki_protection
async def _run_begun(work: Awaitable[object]) -> None:
    await work


@disable_ki_protection
async def run_method(server: Server, request: Request) -> object:
    return await getattr(server, request.method)(*request.args, **request.kwargs)


def is_misaddressed(error: Exception, server: object, request: Request) -> bool:
    """Return whether an error comes from calling the method, not from within it.

    Either only our code ran; or a decorator's too, and the arguments do not fit the method.
    """
    if not isinstance(error, (TypeError, AttributeError)):
        return False
    method = getattr(type(server), request.method, None)
    own_code = getattr(inspect.unwrap(method), "__code__", None) if callable(method) else None
    is_ours = True
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code is own_code:
            return False
        is_ours = is_ours and code.co_filename.startswith(_ROOM)
        trace = trace.tb_next
    return is_ours or not (
        callable(method) and fits(method, server, *request.args, **request.kwargs)
    )


def sole_leaf(error: BaseException) -> BaseException:
    """Return the only error in a group; or the error itself."""
    leaf: BaseException = error
    while isinstance(leaf, BaseExceptionGroup):
        exceptions = cast("BaseExceptionGroup[BaseException]", leaf).exceptions
        if len(exceptions) != 1:
            return error
        leaf = exceptions[0]
    return leaf
