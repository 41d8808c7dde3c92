"""The handle of a supervisor that keeps its children in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Unpack, cast, final

from trio.lowlevel import enable_ki_protection

from ._child import Child
from ._handle import Handle, check_spec
from ._requests import StartOrder
from ._spec import ChildOptions, ChildSpec, make_spec
from ._static import StaticEngine

__all__ = ["Supervisor"]


@final
class Supervisor(Handle):
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

    __slots__ = ("_static",)

    def __init__(self, engine: StaticEngine) -> None:
        super().__init__(engine)
        self._static = engine

    @enable_ki_protection
    def start_soon(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Add a child, to be started at the next step of the supervisor.

        An end before it is ready counts as a crash.

        Args:
            async_fn: The function to run.
            *args: Its positional arguments.
            **options: Those of `child`.

        Returns:
            The child, ``starting``; `Child.wait_ready` waits for it.

        Raises:
            TypeError: *async_fn* is no async function.
            ValueError: An option makes no sense.
            ChildExists: There is a child of that *name*.
            SupervisorClosed: The supervisor has ended, or is ending.

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
        return self._static.start_soon(spec, copy_context()).child

    @enable_ki_protection
    async def start(
        self,
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        **options: Unpack[ChildOptions],
    ) -> Child[Any]:
        """Add a child, start it, and wait until it is ready, as `child` says.

        It takes what `start_soon` takes, and raises what that raises, too.

        Returns:
            The child, running; or ignored, if it raised `IgnoreChild`.

        Raises:
            ChildStartFailed: It ended before it was ready. The child is forgotten, and nothing is
                counted.
            SupervisorClosed: The supervisor has ended, or ends meanwhile.
            RuntimeError: A child calls it before it is ready itself, or while the supervisor waits
                for it to end.

        Cancellation:
            Before the child is ready: it is cancelled, joined and forgotten. Once it is ready only
            the supervisor stops it.

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

    @enable_ki_protection
    async def start_child(self, spec: ChildSpec) -> Child[Any]:
        """Add a child that was written down, start it, and wait until it is ready.

        It raises what `start` raises, too.

        Args:
            spec: What `child`, `subtree` or `dynamic_subtree` returned.

        Returns:
            As `start`.

        Raises:
            TypeError: *spec* is no `ChildSpec`.
            ValueError: It is significant, and the supervisor never ends for its children.

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

    @enable_ki_protection
    async def restart_child(self, name: str) -> Child[Any]:
        """Start a child that is stopped or ignored, and wait until it is ready.

        Returns:
            The child, running; or ignored again.

        Raises:
            ChildNotFound: There is no such child.
            ChildRunning: It is not stopped.
            ChildStartFailed: It ended before it was ready; it stays stopped, and nothing is
                counted.
            SupervisorClosed: The supervisor has ended, or ends meanwhile.
            RuntimeError: As for `start`.

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

    @enable_ki_protection
    def delete_child(self, name: str) -> ChildSpec:
        """Forget a child that is stopped or ignored.

        Returns:
            What was written down about it.

        Raises:
            ChildNotFound: There is no such child.
            ChildRunning: It is not stopped.
            SupervisorClosed: The supervisor has ended, or is ending.

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
        return self._static.delete(name)
