"""The circuit breaker."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar, TypeVarTuple, cast, final, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._base import (
    Backoff,
    check_async_fn,
    check_bool,
    check_choice,
    check_count,
    check_name,
    check_seconds,
    is_plain_function,
)
from ._call import GuardedCall
from ._core import Core
from ._events import StateChanged
from ._guard import Guard
from ._options import first_open_time, open_times, window_of
from ._rules import BreakerState, Circuit, Counts, ErrorTypes, Judge
from ._statistics import BreakerStatistics
from ._this_run import this_run
from ._watch import run_health_probes
from ._workers import Workers

__all__ = ["CircuitBreaker"]

R = TypeVar("R")
A = TypeVarTuple("A")


@final
class CircuitBreaker:
    """Lets calls through while they succeed, and rejects them for a while when they fail.

    After *failure_threshold* failures in a row, or too large a share of them, it opens: calls are
    rejected at once with `BreakerOpen`. After *reset_timeout* it lets one through to try (a probe),
    and closes if that succeeds. A call that ends in another state than it began in changes nothing.

    It serves one Trio run at a time, in one thread, by that run's clock. One made at module level
    needs a `reset` when the next run begins.

    Args:
        name: What errors and events call it.
        failure_threshold: How many failures in a row open it.
        failure_rate: The share of failures, above 0 and up to 1, that opens it instead.
        window: Of which calls: the last so many (an int, by default 100), or those of so many
            seconds (a float).
        minimum_calls: How many calls the window has to hold before the share counts.
        slow_after: After how many seconds a call under way counts as a failure; with `guard`,
            noticed at the next use of the breaker.
        reset_timeout: How long it stays open, in seconds; a `Backoff` makes it longer with each
            failed probe. The *retry_after* of an error, in seconds, replaces it.
        success_threshold: How many probes have to succeed before it closes.
        half_open_max_calls: How many probes there may be at once.
        probe_timeout: After how many seconds a probe is cancelled, a failure; by default the first
            *reset_timeout*, or never if that is 0.
        counts: Which errors are failures: types, or a function that returns ``"failure"``,
            ``"success"`` or ``"ignored"``. Other types are ignored, as is `NotCalled` unless named.
        ignores: Which of these are ignored.
        result_is_failure: A function that says which results are failures; a block has none.
        cancel_in_flight: Whether calls under way are cancelled when it opens; each raises
            `BreakerOpen`.
        nursery: Where its calls run, such as that of `open_breakers`; by default, each call has its
            own.
        health: An async function that the breaker calls, instead of a user's call, to try whether
            it may close; it needs a *nursery*.
        rng: Where the jitter of a `Backoff` comes from.

    Raises:
        TypeError: An option of the wrong kind.
        ValueError: An option that makes no sense.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.resilience import BreakerOpen
        >>> async def fetch():
        ...     raise OSError("no route")
        >>> async def main():
        ...     breaker = CircuitBreaker("prices", failure_threshold=1, reset_timeout=10.0)
        ...     for _ in range(2):
        ...         try:
        ...             await breaker.call(fetch)
        ...         except (OSError, BreakerOpen) as error:
        ...             print(error)
        >>> trio.run(main, clock=trio.testing.MockClock())
        no route
        breaker 'prices' is open, and tries again in 10 s; the last error was OSError('no route')
    """

    __slots__ = ("__weakref__", "_core", "_health", "_workers")

    def __init__(  # noqa: PLR0913  a breaker has that many sides, and all are named
        self,
        name: str,
        *,
        failure_threshold: int = 5,
        failure_rate: float | None = None,
        window: float | None = None,
        minimum_calls: int = 10,
        slow_after: float | None = None,
        reset_timeout: float | Backoff = 30.0,
        success_threshold: int = 1,
        half_open_max_calls: int = 1,
        probe_timeout: float | None = None,
        counts: Counts = Exception,
        ignores: ErrorTypes = (),
        result_is_failure: Callable[[Any], bool] | None = None,
        cancel_in_flight: bool = False,
        nursery: trio.Nursery | None = None,
        health: Callable[[], Awaitable[object]] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        check_name("name", name)
        check_count("success_threshold", success_threshold, least=1)
        check_count("half_open_max_calls", half_open_max_calls, least=1)
        check_bool("cancel_in_flight", cancel_in_flight)
        for option, value, kind in (
            ("nursery", nursery, trio.Nursery),
            ("rng", rng, random.Random),  # noqa: S311  no secret
        ):
            if value is not None and not isinstance(value, kind):
                raise TypeError(
                    f"{option} must be a {kind.__module__}.{kind.__name__} or None, not {value!r}"
                )
        for option, seconds in (("slow_after", slow_after), ("probe_timeout", probe_timeout)):
            if seconds is not None:
                check_seconds(option, seconds, above_zero=True)
        if health is not None:
            check_async_fn("health", health)
            if nursery is None:
                raise ValueError(
                    f"breaker {name!r} has health={health!r}, which needs a task of its own: give "
                    "it a nursery=, or get it from open_breakers()"
                )
        open_for = open_times(reset_timeout, rng)
        circuit = Circuit(
            window_of(failure_threshold, failure_rate, window, minimum_calls),
            open_for=open_for,
            max_probes=half_open_max_calls,
            success_threshold=success_threshold,
        )
        self._core = Core(
            name,
            circuit,
            Judge(counts=counts, ignores=ignores, result_is_failure=result_is_failure),
            slow_after=slow_after,
            probe_timeout=first_open_time(reset_timeout)
            if probe_timeout is None
            else probe_timeout,
            cancel_in_flight=cancel_in_flight,
            has_health=health is not None,
        )
        self._workers = None if nursery is None else Workers(nursery)
        self._health = health
        if health is not None:
            self._core.on_open = self._start_health

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self._core.circuit.state}>"

    @property
    def name(self) -> str:
        """What it is called."""
        return self._core.name

    @property
    def state(self) -> BreakerState:
        """What it does with calls now."""
        self._core.touch(trio.current_time())
        return self._core.circuit.state

    # Guarding

    @enable_ki_protection
    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function in a task of its own, if the breaker lets it through.

        The function has the caller's context variables, but none of its locks: for those use
        `guard`. Nor should it hold one when it returns: in a block of breakers the task lives on.

        Args:
            async_fn: The function.
            *args: Its positional arguments; bind keyword arguments with `functools.partial`.

        Returns:
            What it returned.

        Raises:
            BreakerOpen: The call is rejected; or ended, as a probe that took too long, by
                *cancel_in_flight*, or because its nursery has ended.
            TypeError: *async_fn* is no async function, which is no failure.
            Exception: What the function raised, the same object.

        Cancellation:
            Cancels the function, and waits for it to end. By a deadline that is a failure, once
            the call has taken *slow_after*, if set; otherwise it says nothing.

        Emits:
            CallSucceeded, CallFailedThrough, CallRejected, ProbeStarted, SlowCall, StaleResult,
            StateChanged.

        Example:
            >>> import trio
            >>> async def add(a, b):
            ...     return a + b
            >>> async def main():
            ...     print(await CircuitBreaker("sums").call(add, 1, 2))
            >>> trio.run(main)
            3
        """
        check_async_fn("call", async_fn, args)
        core = self._core
        run = this_run()
        now = run.clock.current_time()
        if not core.is_clear(now):
            now = await core.clear(run, now)
        call = GuardedCall(core, async_fn, args)
        core.book(call, run, now)
        if self._workers is None:
            await call.run_alone()
        else:
            await call.run_in(self._workers)
        if not call.has_result:
            call.raise_what_came()
        core.end_by_result(call, call.result)
        return cast("R", call.result)

    def guard(self) -> AbstractAsyncContextManager[None]:
        """Guard a block in the caller's own task; its error is judged like that of a call.

        Returns:
            The block, for ``async with``, to be entered once.

        Raises:
            BreakerOpen: On entering, if rejected; on leaving, if the breaker has ended it.

        Cancellation:
            As with `call`. Entering is no schedule point, unless rejected.

        Example:
            >>> import trio
            >>> async def main():
            ...     breaker = CircuitBreaker("files")
            ...     async with breaker.guard():
            ...         await trio.sleep(0)
            ...     print(breaker.statistics().succeeded)
            >>> trio.run(main)
            1
        """
        return Guard(self._core)

    # By hand

    def force_open(self) -> None:
        """Reject all calls, until `reset` or `force_closed`."""
        self._core.change(self._core.circuit.force_open)

    def disable(self) -> None:
        """Let all calls through, whatever comes of them, until `reset` or `force_closed`."""
        self._core.change(self._core.circuit.disable)

    def force_closed(self) -> None:
        """Let calls through again, with no failure held against them."""
        circuit = self._core.circuit
        self._core.change(lambda now: circuit.close("forced", now))

    def reset(self) -> None:
        """Do as `force_closed`, with the cause ``reset``; the figures of `statistics` go on."""
        circuit = self._core.circuit
        self._core.change(lambda now: circuit.close("reset", now))

    @contextmanager
    def refuse_when(self, refuses: Callable[[], bool]) -> Generator[None]:
        """Reject calls whenever a function says so, until the block ends.

        It is asked first, and changes no state: for maintenance, or a test of rejections.

        Args:
            refuses: A plain function, called before each call.

        Yields:
            None.

        Raises:
            TypeError: *refuses* is async or not callable.

        Example:
            >>> import trio
            >>> from trio_foundation.resilience import BreakerOpen
            >>> async def main():
            ...     breaker = CircuitBreaker("prices")
            ...     with breaker.refuse_when(lambda: True):
            ...         try:
            ...             await breaker.call(trio.sleep, 0)
            ...         except BreakerOpen as rejected:
            ...             print(rejected.state)
            >>> trio.run(main)
            closed
        """
        if not is_plain_function(refuses):
            raise TypeError(
                f"refuse_when takes a plain function, not {refuses!r}: write refuse_when(lambda: True)"
            )
        with self._core.refusers.including(refuses):
            yield

    # Watching

    def statistics(self) -> BreakerStatistics:
        """Return its figures now."""
        return self._core.statistics()

    @enable_ki_protection
    async def wait_state(self, *states: BreakerState) -> BreakerState:
        """Wait until the breaker is in one of the states.

        Args:
            *states: The states.

        Returns:
            The state that it is in.

        Raises:
            ValueError: A state is unknown, or none is named.

        Cancellation:
            Leaves nothing behind.

        Example:
            >>> import trio, trio.testing
            >>> async def main():
            ...     breaker = CircuitBreaker("prices", failure_threshold=1, reset_timeout=10.0)
            ...     try:
            ...         async with breaker.guard():
            ...             raise OSError
            ...     except OSError:
            ...         print(await breaker.wait_state("half_open"), trio.current_time())
            >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
            half_open 10.0
        """
        if not states:
            raise ValueError("wait_state takes one state or more: write wait_state('closed')")
        for state in states:
            check_choice("state", state, get_args(BreakerState))
        await trio.lowlevel.checkpoint()
        while (state := self.state) not in states:
            await self._core.wait_change()
        return state

    @contextmanager
    @enable_ki_protection
    def subscribe(self, capacity: int = 16) -> Generator[trio.MemoryReceiveChannel[StateChanged]]:
        """Receive the changes of its state, until the block ends.

        Args:
            capacity: How many changes the channel holds, at least 1. When it is full, the oldest
                goes; the breaker never waits.

        Yields:
            The channel.

        Raises:
            ValueError: *capacity* is below 1.

        Example:
            >>> import trio
            >>> async def main():
            ...     breaker = CircuitBreaker("prices")
            ...     with breaker.subscribe() as changes:
            ...         breaker.force_open()
            ...         print((await changes.receive()).new)
            >>> trio.run(main)
            forced_open
        """
        check_count("capacity", capacity, least=1)
        send, receive = trio.open_memory_channel[StateChanged](capacity)
        spare = receive.clone()  # to take the oldest from, whatever becomes of the other end

        def put(change: StateChanged) -> None:
            try:
                send.send_nowait(change)
            except trio.WouldBlock:
                spare.receive_nowait()
                send.send_nowait(change)

        with send, receive, spare, self._core.listeners.including(put):
            yield receive

    def _start_health(self) -> None:
        assert self._workers is not None
        assert self._health is not None
        if not self._core.is_probing:
            try:
                self._workers.nursery.start_soon(run_health_probes, self._core, self._health)
            except RuntimeError:  # it is closed to new arrivals: guards try for themselves
                self._core.has_health = False
            else:
                self._core.is_probing = True
