"""What both kinds of supervisor can be asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, cast, final

from trio.lowlevel import enable_ki_protection

from ._child import Child
from ._engine import Engine
from ._entry import Entry
from ._exit import Exit
from ._report import say
from ._resident import Resident
from ._snapshot import ChildCounts, ChildSnapshot, SupervisorSnapshot
from ._spec import ChildSpec

__all__ = ["Handle", "check_spec"]


class Handle:
    __slots__ = ("__weakref__", "_engine")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        engine = self._engine
        state = "closed" if engine.closed else "open" if engine.ending is None else "closing"
        return f"<{type(self).__name__} {engine.path!r} {state}, {len(engine.entries)} children>"

    @property
    def name(self) -> str:
        """Its name."""
        return self._engine.name

    @property
    def path(self) -> str:
        """Where it is in the tree, as ``app/web``."""
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
        """Return the tree below, as it is now; ``print`` draws it.

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

        It returns at once, and the block ends without an error. Call it in the Trio thread, as
        often as you like.

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

        All that runs in the tree is cancelled now, every `cleanup_scope` too.

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

    @enable_ki_protection
    async def wait_closed(self) -> None:
        """Wait until the supervisor has stopped and none of its children is left.

        It is for other tasks: the end of the supervisor cancels the body.

        Cancellation:
            The supervisor is not concerned.

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

    @enable_ki_protection
    async def stop_child(self, name: str) -> Exit | None:
        """Stop a child, and wait until it is gone.

        It is asked first if it listens (`stop_requested`), and cancelled after its *grace*; a
        restart that is due is called off. No restart is counted, and no sibling stopped. The spec
        stays, unless the child is temporary or the supervisor dynamic.

        Returns:
            How it ended; None if it was not running.

        Raises:
            ChildNotFound: There is no such child.
            SupervisorClosed: The supervisor has ended, or ends meanwhile.
            RuntimeError: A child calls it before it is ready itself, or while the supervisor waits
                for it to end.

        Cancellation:
            The child goes on being stopped. A child that stops itself is cancelled here; if it has
            shielded itself, it gets None and is cancelled later.

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


def check_spec(caller: str, spec: object) -> ChildSpec:
    """Return *spec*, if it is one; else raise a TypeError that says how one is made."""
    if isinstance(spec, ChildSpec):
        return spec
    inner: object = getattr(spec, "spec", None)
    if isinstance(inner, ChildSpec):  # what serve() returns
        raise TypeError(
            f"{caller} takes a child's spec: write its .spec, not {type(spec).__name__}"
        )
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
    # A worker may hand out any supervisor, its own too; what is drawn is the tree.
    below = entry.value if entry.alive and isinstance(entry.value, Handle) else None
    if below is not None and not f"{below.path}/".startswith(f"{entry.path}/{entry.name}/"):
        below = None
    resident = entry.spec.resident
    return ChildSnapshot(
        name=entry.name,
        state=entry.state,
        incarnation=entry.incarnations,
        kind=entry.spec.kind,
        status=entry.status if resident is None else _status(resident, entry),
        last_exit=None if entry.last_exit is None else str(entry.last_exit),
        supervisor=None if below is None else below.snapshot(),
    )


def _status(resident: Resident, entry: Entry) -> object:
    try:
        return resident.status(entry.child, entry.status)
    except Exception:  # noqa: BLE001  it belongs to another room, and must not hide the tree
        message = "a resident raised when asked for its status, and is ignored: %r"
        say(logging.ERROR, message, resident, exc_info=True)
        return entry.status
