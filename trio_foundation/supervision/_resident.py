"""What stays behind a child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # a child has its spec, and that its resident
    from ._child import Child

__all__ = ["Resident"]


class Resident(Protocol):
    """What stays behind a child while its incarnations come and go, as the mailbox of a server.

    Give it to the spec: ``attrs.evolve(spec, resident=it)``.

    Example:
        >>> import attrs, trio
        >>> class Sign:
        ...     def move_in(self, child):
        ...         child.on_state(lambda state: print(child.name, "is", state))
        ...     def status(self, child, shown):
        ...         return shown
        >>> async def main():
        ...     spec = attrs.evolve(child(trio.sleep, 0, restart="transient"), resident=Sign())
        ...     async with open_supervisor([spec]) as sup:
        ...         await sup.children["sleep"].wait_exit()
        >>> trio.run(main)
        sleep is running
        sleep is stopped
    """

    def move_in(self, child: Child[Any]) -> None:
        """Take note that a supervisor has taken the spec, as *child*, before anything is started.

        Raises:
            ValueError: It cannot serve this child, since it serves another, say; whoever handed
                over the spec gets it.
        """

    def status(self, child: Child[Any], shown: object) -> object:
        """Return what a snapshot tells of a child.

        Args:
            child: The child, which it may not serve any more.
            shown: What the child has put into `Child.status`.
        """
