"""The handle of a supervisor whose children come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Unpack, final

from trio.lowlevel import enable_ki_protection

from ._child import Child
from ._dynamic import DynamicEngine
from ._handle import Handle, check_spec
from ._spec import ChildOptions, ChildSpec, make_spec

__all__ = ["DynamicSupervisor"]


@final
class DynamicSupervisor(Handle):
    """Keeps children that come and go; what `open_dynamic_supervisor` gives to its block.

    Each stands alone (one_for_one), and **restart is "temporary" unless said otherwise**. A child
    that is gone is forgotten.

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

    __slots__ = ("_dynamic",)

    def __init__(self, engine: DynamicEngine) -> None:
        super().__init__(engine)
        self._dynamic = engine

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
        return self._dynamic.start_soon(spec).child

    @enable_ki_protection
    async def start(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Start a child, and wait until it is ready; other children start meanwhile.

        It takes what `start_soon` takes, and raises what that raises, too. The child is ready when
        it calls ``task_status.started``, or at once if it takes no ``task_status``.

        Returns:
            The child, running; or ignored, and forgotten, if it raised `IgnoreChild`.

        Raises:
            ChildStartFailed: If it ended before it was ready, from its error. The child is
                forgotten, and nothing is counted.
            SupervisorClosed: If the supervisor has ended, or ends meanwhile.
            RuntimeError: If a child calls it before it is ready itself, or while the supervisor
                waits for it to end.

        Cancellation:
            As for `Supervisor.start`.

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

    @enable_ki_protection
    async def start_child(self, spec: ChildSpec) -> Child[Any]:
        """Start a child that was written down, and wait until it is ready.

        It raises what `start` raises, too.

        Args:
            spec: What `child`, `subtree` or `dynamic_subtree` returned. Its own *restart* counts,
                ``permanent`` if it was written down without one.

        Returns:
            As `start`.

        Raises:
            TypeError: If *spec* is no `ChildSpec`.
            ValueError: If it is significant, which has no meaning here.

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
        entry = await self._dynamic.start(spec)
        return entry.child
