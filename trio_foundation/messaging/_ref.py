"""How a server is reached, whichever incarnation runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar, final

import trio
from trio.lowlevel import Task, enable_ki_protection

from ._errors import SelfCall, ServerGone
from ._request import HANDLED, UNDATED, Call, Cast
from ._statistics import MailboxStatistics

if TYPE_CHECKING:
    from ._box import Box
    from ._post import Post
    from ._server import Server

__all__ = ["Ref"]

S_co = TypeVar("S_co", bound="Server", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


@final
class Ref(Generic[S_co]):
    """A reference to a server, to send it messages; made by `serve`.

    It stays valid over restarts; messages to a server not yet started wait. A message is a method
    of the server's class with its arguments, checked by type checkers like any call.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Counter(Server):
        ...     def __init__(self):
        ...         self.count = 0
        ...     async def increment(self, by=1):
        ...         self.count += by
        ...         return self.count
        >>> async def main():
        ...     spec, counter = serve(Counter, capacity=64)
        ...     async with open_supervisor([spec]):
        ...         counter.cast(Counter.increment)
        ...         print(await counter.call(Counter.increment, by=2))
        >>> trio.run(main)
        3
    """

    __slots__ = ("__weakref__", "_post")

    def __init__(self, post: Post[Any]) -> None:
        self._post = post

    def __repr__(self) -> str:
        return f"<Ref of server {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self._post is other._post

    def __hash__(self) -> int:
        return hash(self._post)

    def __reduce__(self) -> NoReturn:
        # A copy would be of the mailbox too, which no server ever empties.
        raise TypeError(
            f"{self!r} cannot be copied or pickled: a server is reached within its own run; "
            "hand on the Ref itself, or send to other processes what they need of the server"
        )

    if not TYPE_CHECKING:  # a type checker finds it by itself

        def __getattr__(self, name: str) -> NoReturn:
            server_type = None if name.startswith("_") else self._post.server_type
            if not hasattr(server_type, name):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise AttributeError(
                f"{self!r} is not the server: write ref.call({server_type.__name__}.{name}, ...)"
            )

    @property
    def name(self) -> str:
        """The server's name."""
        return self._post.name

    @enable_ki_protection
    async def call(
        self,
        method: Callable[Concatenate[S_co, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Have the server run a method, and wait for what it returns.

        The caller's cancel scope is the deadline, time in the queue included:
        ``with trio.fail_after(1): await counter.call(Counter.increment)``. The call waits while the
        server is to be started, starts or backs off, and for room under the policy ``block``.

        Args:
            method: ``Counter.increment``; an override in the server's class is run instead.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What the method returned.

        Raises:
            CallError: The method refuses the call.
            CallFailed: The server ended while it held the call; from its error.
            ServerGone: No incarnation runs and none is scheduled; the call was not handled.
            MailboxFull: There is no room and the policy is ``reject``, a drop policy dropped the
                call, or a `StateServer` has no room to set it aside.
            SelfCall: The server itself calls, or a task that its present handler has started.
            TypeError: *method* is no async method of the server's class, or the arguments do not
                fit. The server lives on.

        Cancellation:
            A call that waits is withdrawn, and not run. One in hand is handled to its end, and its
            answer dropped.

        Emits:
            CallStarted, CallFinished.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Divider(Server):
            ...     async def divide(self, a, b):
            ...         if b == 0:
            ...             raise CallError("nobody divides by 0")
            ...         return a / b
            >>> async def main():
            ...     spec, divider = serve(Divider, capacity=10)
            ...     async with open_supervisor([spec]):
            ...         print(await divider.call(Divider.divide, 6, b=2))
            ...         try:
            ...             await divider.call(Divider.divide, 6, b=0)
            ...         except CallError as refusal:
            ...             print(refusal)
            >>> trio.run(main)
            3.0
            nobody divides by 0
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        name, box = self._post.find("call", method, args)
        task = trio.lowlevel.current_task()
        if box.current is not None and _is_own(box, task):
            await _turn_away(SelfCall(box.name, name))
        if box.is_shut:
            await _turn_away(ServerGone(box.name))
        request = Call(name, args, kwargs, box.now())
        try:
            if not box.store.submit(request, task):
                request.line = box.store
        except trio.WouldBlock as full:
            await _turn_away(full)
        except BaseException:  # a KeyboardInterrupt of whoever was told of a drop
            request.is_abandoned = True
            raise
        result: R
        if request.result is not None:  # it is the one that was dropped
            await trio.lowlevel.cancel_shielded_checkpoint()
            result = request.result.unwrap()
        else:
            request.caller = task
            result = await trio.lowlevel.wait_task_rescheduled(request.abandon)
        return result

    @enable_ki_protection
    def cast(
        self,
        method: Callable[Concatenate[S_co, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Have the server run a method, and wait for nothing.

        It takes what `call` takes, in the Trio thread only; a server may cast to itself. What the
        method returns is dropped. A `CallError`, or arguments that do not fit, are logged; any
        other error crashes the server.

        Raises:
            trio.WouldBlock: There is no room and the policy is ``block``.
            MailboxFull: There is no room and the policy is ``reject``.
            ServerGone: No incarnation runs and none is scheduled.
            TypeError: *method* is no async method of the server's class.

        Emits:
            CallStarted, CallFinished; MessageDropped if a drop policy dropped a message.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Greeter(Server):
            ...     async def greet(self, name):
            ...         print("hello", name)
            >>> async def main():
            ...     spec, greeter = serve(Greeter, capacity=10, drain=True)
            ...     async with open_supervisor([spec]):
            ...         greeter.cast(Greeter.greet, "Ada")
            >>> trio.run(main)
            hello Ada
        """
        name, box = self._post.find("cast", method, args)
        if box.is_shut and not _may_still(box):
            raise ServerGone(box.name)
        is_dated = box.has_timers or box.audience.is_there
        request = Cast()
        request.method = name
        request.args = args
        request.kwargs = kwargs
        request.queued_at = box.now() if is_dated else UNDATED
        box.store.put(request)

    @enable_ki_protection
    async def cast_wait(
        self,
        method: Callable[Concatenate[S_co, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Do what `cast` does, and wait for room if the policy is ``block``.

        Raises:
            MailboxFull: There is no room and the policy is ``reject``.
            ServerGone: No incarnation runs and none is scheduled, now or while it waits.
            SelfCall: The server itself would wait for room.
            TypeError: *method* is no async method of the server's class.

        Cancellation:
            The message is not sent.

        Emits:
            As `cast`.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Greeter(Server):
            ...     async def greet(self, name):
            ...         print("hello", name)
            >>> async def main():
            ...     spec, greeter = serve(Greeter, capacity=1, drain=True)
            ...     async with open_supervisor([spec]):
            ...         for name in ("Ada", "Joe", "Robert"):
            ...             await greeter.cast_wait(Greeter.greet, name)
            >>> trio.run(main)
            hello Ada
            hello Joe
            hello Robert
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        name, box = self._post.find("cast_wait", method, args)
        if box.is_shut and not _may_still(box):
            await _turn_away(ServerGone(box.name))
        store = box.store
        would_wait = store.overflow == "block" and store.is_full
        if would_wait and box.current is not None and _is_own(box, trio.lowlevel.current_task()):
            await _turn_away(SelfCall(box.name, name))
        request = Cast()
        request.method = name
        request.args = args
        request.kwargs = kwargs
        request.queued_at = box.now()
        await store.send(request)

    def statistics(self) -> MailboxStatistics:
        """Return the figures of the server's mailbox in this run, over all incarnations.

        A call whose caller left keeps its place until its turn, and then counts as dropped.

        Raises:
            RuntimeError: Outside the Trio run.
        """
        return self._post.box().store.statistics()


def _is_own(box: Box, task: Task) -> bool:
    """Return whether a task runs within the message in hand."""
    return task is box.task or HANDLED.get() is box.current


def _may_still(box: Box) -> bool:
    """Return whether the server drains, and the message is its own."""
    is_handling = box.takes_own and box.current is not None and box.current.kind != "own"
    return is_handling and _is_own(box, trio.lowlevel.current_task())


async def _turn_away(failure: BaseException) -> None:
    """Raise *failure* after a checkpoint: whoever tries again and again lets others run."""
    try:
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise failure
    finally:
        del failure  # its traceback holds this frame
