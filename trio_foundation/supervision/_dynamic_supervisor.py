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

    **Their restart is "temporary" unless said otherwise**. A child that is gone is forgotten.

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

        An end before it is ready counts as a crash.

        Args:
            async_fn: The function to run.
            *args: Its positional arguments.
            **options: Those of `child`; *restart* is ``temporary`` by default.

        Returns:
            The child; `Child.wait_ready` waits for it.

        Raises:
            TypeError: *async_fn* is no async function.
            ValueError: An option makes no sense.
            ChildExists: There is a child of that *name*.
            TooManyChildren: There are *max_children* already.
            SupervisorClosed: The supervisor has ended, or is ending.

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

        It takes what `start_soon` takes, and raises what that raises, too.

        Returns:
            The child, running; or ignored, and forgotten, if it raised `IgnoreChild`.

        Raises:
            ChildStartFailed: It ended before it was ready. The child is forgotten, and nothing is
                counted.
            SupervisorClosed: The supervisor has ended, or ends meanwhile.
            RuntimeError: As for `Supervisor.start`.

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
            spec: What `child`, `subtree` or `dynamic_subtree` returned; written down without
                *restart*, it is ``permanent``.

        Returns:
            As `start`.

        Raises:
            TypeError: *spec* is no `ChildSpec`.
            ValueError: It is significant, which has no meaning here.

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
