"""The handle of a child, over all its incarnations."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_count, is_plain_function
from ._errors import ChildStartFailed
from ._exit import Exit, describe
from ._rules._words import ChildState, ExitReason
from ._verdict import Judgement, is_ignore, judge

if TYPE_CHECKING:  # an entry holds its handle
    from ._entry import Entry
    from ._spec import ChildSpec

__all__ = ["Child"]

ValueT = TypeVar("ValueT")

Callback = TypeVar("Callback", bound=Callable[..., object])


@final
class Child(Generic[ValueT]):
    """A child of a supervisor. It stays valid over restarts, and after the end.

    ``start`` and ``start_soon`` of a supervisor, its ``children`` and `current_child` give it.

    Example:
        >>> import trio
        >>> async def serve(*, task_status):
        ...     task_status.started("port 8080")
        ...     await trio.sleep_forever()
        >>> async def main():
        ...     async with open_supervisor() as sup:
        ...         web = await sup.start(serve)
        ...         print(web.name, web.state, web.value, web.incarnation)
        >>> trio.run(main)
        serve running port 8080 1
    """

    __slots__ = ("__weakref__", "_entry")

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __repr__(self) -> str:
        return f"<Child {self.name!r} {self.state}, incarnation {self.incarnation}>"

    @property
    def name(self) -> str:
        """Its name in the supervisor."""
        return self._entry.name

    @property
    def spec(self) -> ChildSpec:
        """What was written down about it."""
        return self._entry.spec

    @property
    def state(self) -> ChildState:
        """What it is doing, as its supervisor has noticed.

        ``starting`` until it is ready, then ``running``; ``stopping`` while it is being ended;
        ``backing_off`` while a restart is due, its own or its group's; ``stopped`` when finished,
        stopped or forgotten; ``ignored`` if it raised `IgnoreChild`.
        """
        return self._entry.state

    @property
    def incarnation(self) -> int:
        """How often it was started so far, failed starts included."""
        return self._entry.incarnations

    @property
    def restarts(self) -> int:
        """How often its supervisor started it again by itself."""
        return self._entry.restarts

    @property
    def value(self) -> ValueT:
        """What the last ``task_status.started`` was given; None without one."""
        value: ValueT = self._entry.value
        return value

    @property
    def last_exit(self) -> Exit | None:
        """How the last incarnation to end did so; None if none has."""
        return self._entry.last_exit

    @property
    def status(self) -> object:
        """What the child shows in the supervisor's snapshot; None at first."""
        return self._entry.status

    @status.setter
    def status(self, status: object) -> None:
        self._entry.status = status

    @property
    def ending(self) -> ExitReason | None:
        """How its supervisor is ending this incarnation; None while it is not."""
        run = self._entry.run
        return None if run is None else run.ending

    @property
    def leaving(self) -> bool:
        """Whether its supervisor is ending this incarnation, and starts no other after it."""
        run = self._entry.run
        return run is not None and run.leaving

    def exit_by(self, error: BaseException | None) -> Exit:
        """Return the exit that the present incarnation would have, if it ended now.

        The exit that is told later is another object.

        Args:
            error: What its function would raise; None if it would return.

        Raises:
            RuntimeError: No incarnation is running.

        Example:
            >>> import trio
            >>> async def work():
            ...     try:
            ...         raise OSError("no route")
            ...     except OSError as error:
            ...         print(current_child().exit_by(error).reason)
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         await sup.start_soon(work, restart="temporary").wait_exit()
            >>> trio.run(main)
            crashed
        """
        run = self._entry.run
        if run is None or run.ended:
            raise RuntimeError(
                f"child {self.name!r} is not running, so it cannot end: exit_by is for code within it"
            )
        if run.ready_at is None and run.ending is None and is_ignore(error):
            return run.make_exit(Judgement("shutdown", error))
        is_supervisor = self.spec.kind == "supervisor"
        return run.make_exit(judge(error, run.ending, is_supervisor=is_supervisor))

    def beat(self) -> None:
        """Say that the child is alive; without a `Liveness` it does nothing.

        Example:
            >>> import trio
            >>> async def poll():
            ...     while True:
            ...         current_child().beat()
            ...         await trio.sleep(1)
            >>> async def main():
            ...     async with open_supervisor([child(poll, liveness=Liveness(every=5))]):
            ...         await trio.sleep(0)
            >>> trio.run(main)
        """
        run = self._entry.run
        if run is not None:
            run.last_beat = trio.current_time()

    @enable_ki_protection
    async def wait_ready(self) -> ValueT:
        """Wait until the child is ready.

        Returns:
            Its `value`.

        Raises:
            ChildStartFailed: It is not ready and will not be: gone, stopped or ignored. From its
                last error, if there is one.

        Cancellation:
            The child is not concerned.

        Example:
            >>> import trio
            >>> async def serve(*, task_status):
            ...     task_status.started(8080)
            ...     await trio.sleep_forever()
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         print(await sup.start_soon(serve).wait_ready())
            >>> trio.run(main)
            8080
        """
        entry = self._entry
        # Of an incarnation that has ended, the supervisor may not have noticed yet.
        state = await entry.wait(
            lambda state: state in {"stopped", "ignored"} or (state == "running" and entry.alive)
        )
        if state == "running":
            value: ValueT = entry.value
            return value
        exit = entry.last_exit
        if exit is None:
            why = "it was never started"
        elif exit.error is None:
            why = f"it is {state} ({exit.reason}); restart_child({entry.name!r}) would start it"
        else:
            why = describe(exit.error)
        failure = ChildStartFailed(entry.path, entry.name, why)
        raise failure from (None if exit is None else exit.error)

    @enable_ki_protection
    async def wait_exit(self) -> Exit:
        """Wait for the end of the present incarnation, or of the first.

        Returns:
            Its exit; or the last one, if none is running.

        Raises:
            RuntimeError: The child never ran and is not going to.

        Cancellation:
            The child is not concerned.

        Example:
            >>> import trio
            >>> async def work():
            ...     await trio.sleep(0)
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         exit = await sup.start_soon(work, restart="temporary").wait_exit()
            ...         print(exit.reason)
            >>> trio.run(main)
            returned
        """
        entry = self._entry
        if entry.run is None and entry.last_exit is None:
            await entry.wait(lambda state: entry.run is not None or state in {"stopped", "ignored"})
        if entry.run is not None:
            return await entry.run.wait_done()
        await trio.lowlevel.checkpoint()
        if entry.last_exit is None:
            raise RuntimeError(f"child {self.name!r} never ran, so it has no exit to wait for")
        return entry.last_exit

    @contextmanager
    @enable_ki_protection
    def monitor(self, capacity: int = 16) -> Generator[trio.MemoryReceiveChannel[Exit]]:
        """Receive the exits of the child, from now on.

        The channel ends when the child is forgotten or its supervisor has closed. A full channel
        loses its oldest exit; the gap shows in `Exit.incarnation`.

        Args:
            capacity: How many exits may wait to be received, at least 1.

        Yields:
            The channel.

        Raises:
            ValueError: *capacity* is below 1.

        Example:
            >>> import trio
            >>> async def work():
            ...     raise ShutdownChild("nothing to do")
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         with sup.start_soon(work, restart="temporary").monitor() as exits:
            ...             async for exit in exits:
            ...                 print(exit.reason)
            >>> trio.run(main)
            shutdown
        """
        check_count("capacity", capacity, least=1)
        send, receive = trio.open_memory_channel[Exit](capacity)
        spare = receive.clone()  # to take the oldest from, whatever becomes of the other end
        entry = self._entry

        def put(exit: Exit) -> None:
            try:
                send.send_nowait(exit)
            except trio.WouldBlock:
                spare.receive_nowait()
                send.send_nowait(exit)

        remove_put = entry.hook("on_exit", put)
        remove_close = entry.hook("on_forgotten", send.close)
        if entry.forgotten:
            send.close()
        try:
            with send, receive, spare:
                yield receive
        finally:
            remove_put()
            remove_close()

    @enable_ki_protection
    def on_exit(self, callback: Callable[[Exit], object]) -> Callable[[], None]:
        """Have a function called at the end of each incarnation.

        It is called synchronously, before the supervisor decides anything, in the order of
        registration. What it raises is logged and ignored.

        Args:
            callback: A plain function of the exit.

        Returns:
            A function that removes the callback, and may be called again.

        Raises:
            TypeError: *callback* is async or not callable.

        Example:
            >>> import trio
            >>> async def work():
            ...     await trio.sleep(0)
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         worker = sup.start_soon(work, restart="temporary")
            ...         remove = worker.on_exit(lambda exit: print(exit.child, exit.reason))
            ...         await worker.wait_exit()
            >>> trio.run(main)
            work returned
        """
        return self._entry.hook("on_exit", _plain("on_exit", callback))

    @enable_ki_protection
    def on_state(self, callback: Callable[[ChildState], object]) -> Callable[[], None]:
        """Have a function called with each new `state` of the child.

        It is called by whatever changes the state, otherwise as by `on_exit`; and again, while the
        child is stopping, if it was to be started again and no longer is (see `leaving`).

        Returns:
            As `on_exit`.

        Raises:
            TypeError: *callback* is async or not callable.

        Example:
            >>> import trio
            >>> async def work():
            ...     await trio.sleep(0)
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         worker = sup.start_soon(work, restart="transient")
            ...         remove = worker.on_state(print)
            ...         await worker.wait_exit()
            >>> trio.run(main)
            running
            stopped
        """
        return self._entry.hook("on_state", _plain("on_state", callback))

    @enable_ki_protection
    def on_gone(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Have a function called when nothing of the child runs and no start is scheduled.

        It has finished, was stopped, is ignored or forgotten, or its supervisor has closed;
        ``restart_child`` or a group restart may start it again. The call is without arguments,
        otherwise as by `on_exit`.

        Returns:
            As `on_exit`.

        Raises:
            TypeError: *callback* is async or not callable.

        Example:
            >>> import trio
            >>> async def work():
            ...     await trio.sleep_forever()
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         sup.start_soon(work).on_gone(lambda: print("gone"))
            ...         await sup.stop_child("work")
            >>> trio.run(main)
            gone
        """
        return self._entry.hook("on_gone", _plain("on_gone", callback))


def _plain(caller: str, callback: Callback) -> Callback:
    if is_plain_function(callback):
        return callback
    raise TypeError(
        f"{caller} takes a plain function, which is called at once, but got {callback!r}: to do "
        "more, let a task wait on Child.monitor() or Child.wait_exit()"
    )
