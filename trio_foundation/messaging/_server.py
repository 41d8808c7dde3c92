"""The class that users derive theirs from."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, final

from .._base import check_seconds
from ..supervision import Exit
from ._methods import name_of_method
from ._rules import Appointment

if TYPE_CHECKING:
    from ._ref import Ref

__all__ = ["Job", "Server", "StateSteering", "Steering", "Timer"]

ServerT = TypeVar("ServerT", bound="Server")

Job: TypeAlias = tuple[str, tuple[object, ...]]
"""A timer's method, and its arguments."""


class StateSteering(Protocol):
    """What a server with states can ask of its incarnation."""

    @property
    def state(self) -> str: ...

    def become(self, state: str) -> None: ...


class Steering(Protocol):
    """What a server can ask of its incarnation."""

    ref: Ref[Any]
    is_over: bool

    @property
    def machine(self) -> StateSteering | None: ...

    def set_timer(
        self, method: str, args: tuple[object, ...], *, after: float, every: float | None
    ) -> Appointment[Job]: ...

    def call_off(self, appointment: Appointment[Job]) -> None: ...

    def shut_down(self, reason: object) -> None: ...


@final
class Timer:
    """What `Server.every` and `Server.after` return: a way to call it off.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Pulse(Server):
        ...     async def setup(self):
        ...         self.timer = self.every(1.0, self.beat)
        ...         self.beats = 0
        ...     async def beat(self):
        ...         self.beats += 1
        ...         if self.beats == 2:
        ...             self.timer.cancel()
        ...     async def count(self):
        ...         return self.beats
        >>> async def main():
        ...     spec, pulse = serve(Pulse, capacity=10)
        ...     async with open_supervisor([spec]):
        ...         await trio.sleep(60)
        ...         print(await pulse.call(Pulse.count))
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        2
    """

    __slots__ = ("_appointment", "_steering")

    def __init__(self, steering: Steering, appointment: Appointment[Job]) -> None:
        self._steering = steering
        self._appointment = appointment

    def cancel(self) -> None:
        """Call it off; this may be called again, and when it is over."""
        self._steering.call_off(self._appointment)


class Server:
    """The base class of servers: one task that handles messages, one at a time.

    Its public async methods are its messages, handled in order of arrival, in the server's task and
    context, not the caller's. Each incarnation is a fresh instance: keep elsewhere what is to
    survive a crash.

    A method that raises a `CallError` refuses this one call; any other error crashes the server.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Counter(Server):
        ...     async def setup(self):
        ...         self.count = 0
        ...     async def increment(self, by=1):
        ...         self.count += by
        ...         return self.count
        ...     async def teardown(self, exit):
        ...         print("counted to", self.count, "and was", exit.reason)
        >>> async def main():
        ...     spec, counter = serve(Counter, capacity=64)
        ...     async with open_supervisor([spec]):
        ...         print(await counter.call(Counter.increment, by=2))
        >>> trio.run(main)
        2
        counted to 2 and was stopped
    """

    _steering: Steering

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("setup", "teardown"):
            found = inspect.getattr_static(cls, name)
            if not inspect.iscoroutinefunction(inspect.unwrap(found)):
                raise TypeError(f"{cls.__name__}.{name} has to be async: write `async def {name}`")

    async def setup(self) -> None:
        """Prepare for the first message; when this returns, the server is ready.

        If it raises, the start has failed.

        Cancellation:
            It is cancelled when the start is; `teardown` follows.
        """

    async def teardown(self, exit: Exit) -> None:
        """Clean up, at every end of an incarnation.

        That is after a stop, a crash, `shutdown`, and a failed or cancelled `setup`. It runs in a
        `cleanup_scope`, and may await for *grace* seconds. What it raises crashes the server; after
        another error it is only logged.

        Args:
            exit: How the incarnation ends, as of now.

        Cancellation:
            It is cancelled when its time is over.
        """

    @property
    @final
    def ref(self: ServerT) -> Ref[ServerT]:
        """The server's own `Ref`, to give away, or to cast to itself.

        Raises:
            RuntimeError: The server does not run.
        """
        ref: Ref[ServerT] = self._running("ref").ref
        return ref

    @final
    def every(
        self, seconds: float, method: Callable[..., Awaitable[object]], /, *args: object
    ) -> Timer:
        """Run a method again and again, as if it was cast, until the incarnation ends.

        It takes its turn among the messages, as of when it came due, but no room in the mailbox.
        Times missed while the server is busy are left out.

        Args:
            seconds: The time to the first run, and from one to the next, in seconds.
            method: ``self.sweep`` or ``Cache.sweep``.
            *args: Its arguments.

        Returns:
            A way to call it off.

        Raises:
            ValueError: *seconds* is not above 0, or infinite.
            TypeError: *method* is no async method of this server.
            RuntimeError: The server does not run.

        Example:
            >>> import trio, trio.testing
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Clock(Server):
            ...     async def setup(self):
            ...         self.every(60.0, self.tell, "a minute")
            ...     async def tell(self, what):
            ...         print(what, "is over")
            >>> async def main():
            ...     spec, clock = serve(Clock, capacity=10)
            ...     async with open_supervisor([spec]):
            ...         await trio.sleep(150)
            >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
            a minute is over
            a minute is over
        """
        check_seconds("seconds", seconds, above_zero=True, finite=True)
        return self._set_timer("every", method, args, after=seconds, every=seconds)

    @final
    def after(
        self, seconds: float, method: Callable[..., Awaitable[object]], /, *args: object
    ) -> Timer:
        """Run a method once, later, as if it was cast then; turn and end are as with `every`.

        Args:
            seconds: How much later, in seconds; 0 for the next turn.
            method: ``self.give_up`` or ``Job.give_up``.
            *args: Its arguments.

        Returns:
            A way to call it off.

        Raises:
            ValueError: *seconds* is negative or infinite.
            TypeError: *method* is no async method of this server.
            RuntimeError: The server does not run.

        Example:
            >>> import trio, trio.testing
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Egg(Server):
            ...     async def setup(self):
            ...         self.after(240.0, self.ring)
            ...     async def ring(self):
            ...         print("ready")
            >>> async def main():
            ...     spec, egg = serve(Egg, capacity=1)
            ...     async with open_supervisor([spec]):
            ...         await trio.sleep(300)
            >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
            ready
        """
        check_seconds("seconds", seconds, finite=True)
        return self._set_timer("after", method, args, after=seconds, every=None)

    @final
    def shutdown(self, reason: object = "shutdown") -> None:
        """End this incarnation, after the message in hand is answered.

        The exit reason is ``shutdown``: a transient server is not started again, a permanent one
        is. Waiting messages are left to the next incarnation, or refused without one.

        Args:
            reason: Why, for whoever reads the exit.

        Raises:
            RuntimeError: The server does not run.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Job(Server):
            ...     async def finish(self):
            ...         self.shutdown("the work is done")
            ...         return "done"
            >>> async def main():
            ...     spec, job = serve(Job, capacity=10, restart="transient")
            ...     async with open_supervisor([spec]) as sup:
            ...         print(await job.call(Job.finish))
            ...         exit = await sup.children["Job"].wait_exit()
            ...         print(exit.reason)
            >>> trio.run(main)
            done
            shutdown
        """
        self._running("shutdown").shut_down(reason)

    def _set_timer(
        self,
        verb: str,
        method: Callable[..., Awaitable[object]],
        args: tuple[object, ...],
        *,
        after: float,
        every: float | None,
    ) -> Timer:
        steering = self._running(verb)
        if getattr(method, "__self__", None) is self:
            method = getattr(method, "__func__", method)
        name = name_of_method(verb, method, args, before=(after,))
        if not any(vars(cls).get(name) is method for cls in type(self).__mro__):
            told = getattr(method, "__qualname__", repr(method))
            raise TypeError(f"{verb} takes a method of {type(self).__name__}, which {told} is not")
        try:
            inspect.signature(method).bind(self, *args)
        except TypeError as misfit:
            raise TypeError(
                f"{verb} cannot run {name} with the arguments {args}: {misfit}"
            ) from None
        return Timer(steering, steering.set_timer(name, args, after=after, every=every))

    def _running(self, verb: str) -> Steering:
        steering: Steering | None = getattr(self, "_steering", None)
        if steering is not None and not steering.is_over:
            return steering
        raise RuntimeError(
            f"{type(self).__name__}.{verb} works in a server that runs: use it in setup or in a "
            "handler, and let a supervisor run what serve() returns"
        )
