"""The handles that users hold of a supervisor whose block is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import copy_context
from typing import Any, Generic, TypeVar, Unpack, cast, final

from trio.lowlevel import enable_ki_protection

from ._child import Child
from ._dynamic import DynamicEngine
from ._engine import Engine
from ._entry import Entry
from ._exit import Exit
from ._requests import StartOrder
from ._snapshot import ChildCounts, ChildSnapshot, SupervisorSnapshot
from ._spec import ChildOptions, ChildSpec, make_spec
from ._static import StaticEngine

__all__ = ["DynamicSupervisor", "Supervisor"]

EngineT = TypeVar("EngineT", bound=Engine)


class _Handle(Generic[EngineT]):
    """What both kinds of supervisor can be asked."""

    __slots__ = ("__weakref__", "_engine")

    def __init__(self, engine: EngineT) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        engine = self._engine
        state = "closed" if engine.closed else "open" if engine.ending is None else "closing"
        return f"<{type(self).__name__} {engine.path!r} {state}, {len(engine.entries)} children>"

    @property
    def name(self) -> str:
        """What the supervisor is called."""
        return self._engine.name

    @property
    def path(self) -> str:
        """Where it is in the tree, from the outermost supervisor: ``app/web``."""
        return self._engine.path

    @property
    def children(self) -> Mapping[str, Child[Any]]:
        """The children by name, in start order; read-only, and always as they are now."""
        return _Children(self._engine.entries)

    def count_children(self) -> ChildCounts:
        """Return how many children there are, run, and are supervisors or workers.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever)]) as sup:
            ...         print(sup.count_children().active)
            >>> trio.run(main)
            1
        """
        entries = self._engine.entries.values()
        supervisors = sum(entry.spec.kind == "supervisor" for entry in entries)
        return ChildCounts(
            specs=len(entries),
            active=sum(entry.alive for entry in entries),
            supervisors=supervisors,
            workers=len(entries) - supervisors,
        )

    def snapshot(self) -> SupervisorSnapshot:
        """Return a picture of the whole tree below, as it is now; ``print`` draws it.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever)], name="app") as sup:
            ...         print(sup.snapshot())
            >>> trio.run(main)
            app (one_for_one, 0 of 3 restarts in 5 s)
            `- sleep_forever  running, incarnation 1
        """
        engine = self._engine
        return SupervisorSnapshot(
            name=engine.name,
            strategy=engine.kind,
            restarts=engine.restarts_in_window(),
            max_restarts=engine.max_restarts,
            within=engine.within,
            children=tuple(_picture(entry) for entry in engine.entries.values()),
        )

    def shutdown(self, reason: str | None = None) -> None:
        """End the supervisor in good order: cancel the body, then stop the children.

        Like `trio.CancelScope.cancel` it returns at once, may be called again, and is to be
        called in the Trio thread. The block ends without an error.

        Args:
            reason: Why, for those who are cancelled.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever)]) as sup:
            ...         sup.shutdown("enough")
            ...         await trio.sleep_forever()
            >>> trio.run(main)
        """
        self._engine.end("shutdown", reason)

    def hurry(self) -> None:
        """End the supervisor, and leave no time for it.

        Everything that runs in the whole tree is cancelled now, and so is every
        `cleanup_scope`. It is what a second signal does to an application.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever)]) as sup:
            ...         sup.hurry()
            ...         await trio.sleep_forever()
            >>> trio.run(main)
        """
        self._engine.hurry()

    async def wait_closed(self) -> None:
        """Wait until the supervisor has stopped and none of its children is left.

        It is for other tasks: the body of the block is cancelled when the supervisor ends.

        Cancellation:
            Leaves nothing behind; the supervisor is not concerned.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         pass
            ...     await sup.wait_closed()
            >>> trio.run(main)
        """
        await self._engine.wait_closed()

    async def stop_child(self, name: str) -> Exit | None:
        """Stop a child, and wait until it is gone.

        It is asked first if it listens (`stop_requested`), and cancelled after its *grace*.
        It does not count as a restart, and takes no siblings along. The spec stays, unless
        the child is temporary or the supervisor dynamic. Of a child that waits for a restart
        the restart is called off.

        Args:
            name: The name of the child.

        Returns:
            How it ended; None if it was not running.

        Raises:
            ChildNotFound: If there is no such child.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            The child goes on being stopped. A child that stops itself is cancelled here.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever, name="web")]) as sup:
            ...         exit = await sup.stop_child("web")
            ...         print(exit.reason, sup.children["web"].state)
            >>> trio.run(main)
            stopped stopped
        """
        return cast("Exit | None", await self._engine.ask("stop", name))


@final
class Supervisor(_Handle[StaticEngine]):
    """Keeps children running, in order; what `open_supervisor` gives to its block.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_supervisor() as sup:
        ...         web = await sup.start(trio.sleep_forever, name="web")
        ...         print(web.state)
        >>> trio.run(main)
        running
    """

    __slots__ = ()

    def start_soon(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Add a child, to be started at the next step of the supervisor.

        If it ends before it is ready, that counts as a crash of the child.

        Args:
            async_fn: The function to run.
            *args: Its positional arguments.
            **options: Those of `child`; times are in seconds.

        Returns:
            The child, in state ``starting``; wait for it with `Child.wait_ready`.

        Raises:
            TypeError: If *async_fn* is no async function.
            ValueError: If an option makes no sense.
            ChildExists: If there is a child of that *name*.
            SupervisorClosed: If the supervisor has ended, or is ending.

        Example:
            >>> import trio
            >>> async def greet(whom):
            ...     print("hello", whom)
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         await sup.start_soon(greet, "world", restart="temporary").wait_exit()
            >>> trio.run(main)
            hello world
        """
        spec = make_spec("start_soon", async_fn, args, options)
        return self._engine.start_soon(spec, copy_context()).child

    async def start(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Add a child, start it, and wait until it is ready.

        Args:
            async_fn: The function to run; it is ready when it calls
                ``task_status.started``, or at once if it takes no ``task_status``.
            *args: Its positional arguments.
            **options: Those of `child`; times are in seconds.

        Returns:
            The child, running; or ignored, if it raised `IgnoreChild`.

        Raises:
            TypeError: If *async_fn* is no async function.
            ValueError: If an option makes no sense.
            ChildStartFailed: If it ended before it was ready, from its error. The child is
                forgotten, and nothing is counted.
            ChildExists: If there is a child of that *name*.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            Before the child is ready: it is cancelled, joined and forgotten, and then the
            `trio.Cancelled` goes on. Once it is ready only the supervisor stops it.

        Example:
            >>> import trio
            >>> async def serve(*, task_status):
            ...     task_status.started(8080)
            ...     await trio.sleep_forever()
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         print((await sup.start(serve)).value)
            >>> trio.run(main)
            8080
        """
        return await self.start_child(make_spec("start", async_fn, args, options))

    async def start_child(self, spec: ChildSpec) -> Child[Any]:
        """Add a child that was written down, start it, and wait until it is ready.

        Args:
            spec: What `child`, `subtree` or `dynamic_subtree` returned.

        Returns:
            The child, running; or ignored, if it raised `IgnoreChild`.

        Raises:
            TypeError: If *spec* is no `ChildSpec`.
            ValueError: If it is significant and the supervisor never ends for its children.
            ChildStartFailed: If it ended before it was ready, from its error. The child is
                forgotten, and nothing is counted.
            ChildExists: If there is a child of that name.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            As for `start`.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_supervisor() as sup:
            ...         print(await sup.start_child(child(trio.sleep_forever, name="web")))
            >>> trio.run(main)
            <Child 'web' running, incarnation 1>
        """
        check_spec("start_child", spec)
        order = StartOrder(spec, copy_context())
        return cast("Child[Any]", await self._engine.ask("start", order))

    async def restart_child(self, name: str) -> Child[Any]:
        """Start a child that is stopped or ignored, and wait until it is ready.

        Args:
            name: The name of the child.

        Returns:
            The child, running; or ignored again.

        Raises:
            ChildNotFound: If there is no such child.
            ChildRunning: If it is not stopped.
            ChildStartFailed: If it ended before it was ready, from its error; it stays
                stopped, and nothing is counted.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            Before the child is ready: it is cancelled and joined, and stays stopped.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever, name="web")]) as sup:
            ...         await sup.stop_child("web")
            ...         print((await sup.restart_child("web")).incarnation)
            >>> trio.run(main)
            2
        """
        return cast("Child[Any]", await self._engine.ask("restart", name))

    def delete_child(self, name: str) -> ChildSpec:
        """Forget a child that is stopped or ignored.

        Args:
            name: The name of the child.

        Returns:
            What was written down about it.

        Raises:
            ChildNotFound: If there is no such child.
            ChildRunning: If it is not stopped.
            SupervisorClosed: If the supervisor has ended, or is ending.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_supervisor([child(trio.sleep_forever, name="web")]) as sup:
            ...         await sup.stop_child("web")
            ...         sup.delete_child("web")
            ...         print(len(sup.children))
            >>> trio.run(main)
            0
        """
        return self._engine.delete(name)


@final
class DynamicSupervisor(_Handle[DynamicEngine]):
    """Keeps children that come and go; what `open_dynamic_supervisor` gives to its block.

    Each stands alone (one_for_one), and **restart is "temporary" unless said otherwise**,
    since most come to do one thing. Nothing is kept of a child that is gone.

    Example:
        >>> import trio
        >>> async def greet(whom):
        ...     print("hello", whom)
        >>> async def main():
        ...     async with open_dynamic_supervisor() as sup:
        ...         await sup.start_soon(greet, "world").wait_exit()
        >>> trio.run(main)
        hello world
    """

    __slots__ = ()

    @enable_ki_protection
    def start_soon(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Start a child; it runs at the next step of the scheduler.

        If it ends before it is ready, that counts as a crash of the child.

        Args:
            async_fn: The function to run.
            *args: Its positional arguments.
            **options: Those of `child`, with *restart* ``temporary`` by default; times are in
                seconds.

        Returns:
            The child; wait for it with `Child.wait_ready`.

        Raises:
            TypeError: If *async_fn* is no async function.
            ValueError: If an option makes no sense.
            ChildExists: If there is a child of that *name*.
            TooManyChildren: If there are *max_children* already.
            SupervisorClosed: If the supervisor has ended, or is ending.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_dynamic_supervisor() as sup:
            ...         print(sup.start_soon(trio.sleep, 10, name="nap").name)
            >>> trio.run(main)
            nap
        """
        spec = make_spec("start_soon", async_fn, args, options, restart="temporary")
        return self._engine.start_soon(spec, copy_context()).child

    async def start(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Start a child, and wait until it is ready; other children start meanwhile.

        Args:
            async_fn: The function to run; it is ready when it calls
                ``task_status.started``, or at once if it takes no ``task_status``.
            *args: Its positional arguments.
            **options: Those of `child`, with *restart* ``temporary`` by default; times are in
                seconds.

        Returns:
            The child, running; or ignored, and forgotten, if it raised `IgnoreChild`.

        Raises:
            TypeError: If *async_fn* is no async function.
            ValueError: If an option makes no sense.
            ChildStartFailed: If it ended before it was ready, from its error. The child is
                forgotten, and nothing is counted.
            ChildExists: If there is a child of that *name*.
            TooManyChildren: If there are *max_children* already.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            Before the child is ready: it is cancelled, joined and forgotten, and then the
            `trio.Cancelled` goes on. Once it is ready only the supervisor stops it.

        Example:
            >>> import trio
            >>> async def serve(*, task_status):
            ...     task_status.started(8080)
            ...     await trio.sleep_forever()
            >>> async def main():
            ...     async with open_dynamic_supervisor() as sup:
            ...         print((await sup.start(serve)).value)
            >>> trio.run(main)
            8080
        """
        spec = make_spec("start", async_fn, args, options, restart="temporary")
        return await self.start_child(spec)

    async def start_child(self, spec: ChildSpec) -> Child[Any]:
        """Start a child that was written down, and wait until it is ready.

        Args:
            spec: What `child`, `subtree` or `dynamic_subtree` returned. Its *restart* counts,
                so a child that was written down without one is permanent.

        Returns:
            The child, running; or ignored, and forgotten, if it raised `IgnoreChild`.

        Raises:
            TypeError: If *spec* is no `ChildSpec`.
            ValueError: If it is significant, which has no meaning here.
            ChildStartFailed: If it ended before it was ready, from its error.
            ChildExists: If there is a child of that name.
            TooManyChildren: If there are *max_children* already.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself.

        Cancellation:
            As for `start`.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_dynamic_supervisor() as sup:
            ...         print(await sup.start_child(child(trio.sleep_forever, name="web")))
            >>> trio.run(main)
            <Child 'web' running, incarnation 1>
        """
        check_spec("start_child", spec)
        entry = await self._engine.start(spec, copy_context())
        return entry.child


def check_spec(caller: str, spec: object) -> ChildSpec:
    """Return *spec*, if it is one.

    Raises:
        TypeError: If it is none; the message says how one is made.
    """
    if isinstance(spec, ChildSpec):
        return spec
    name = getattr(spec, "__name__", None)
    advice = f": write child({name})" if callable(spec) and name else ""
    raise TypeError(f"{caller} takes what child() or subtree() returns, not {spec!r}{advice}")


@final
class _Children(Mapping[str, Child[Any]]):
    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Child[Any]:
        return self._entries[name].child

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __repr__(self) -> str:
        return repr(dict(self))


def _picture(entry: Entry) -> ChildSnapshot:
    value: object = entry.value
    below = value if entry.alive and isinstance(value, (Supervisor, DynamicSupervisor)) else None
    return ChildSnapshot(
        name=entry.name,
        state=entry.state,
        incarnation=entry.incarnations,
        kind=entry.spec.kind,
        status=entry.status,
        last_exit=None if entry.last_exit is None else str(entry.last_exit),
        supervisor=None if below is None else below.snapshot(),
    )
