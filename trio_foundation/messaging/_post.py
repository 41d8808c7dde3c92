"""Where a server's messages go, whichever incarnation and whichever Trio run it is.

What `serve` returns may be made once, when a module is imported, and used in run after run,
or in two at the same time in two threads. So it holds no state of its own but a `Box` for each
run, which nothing keeps when the run is over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, final
from weakref import WeakKeyDictionary, ref

import trio
from trio.lowlevel import RunVar

from .._base import check_async_fn
from ..supervision import Child
from ..telemetry import Audience
from ._box import Box
from ._events import CallFinished, CallStarted
from ._rules import Overflow

if TYPE_CHECKING:
    from ._server import Server

__all__ = ["NO_MESSAGES", "Post", "name_of_method"]

S = TypeVar("S", bound="Server")

# Part of every server, and no messages.
NO_MESSAGES = frozenset({"setup", "teardown", "every", "after", "shutdown"})


@final
class _Run:
    """One Trio run, and the boxes that there are in it."""

    __slots__ = ("__weakref__", "audience", "boxes", "now")

    def __init__(self) -> None:
        self.audience = Audience(CallStarted, CallFinished)
        # What `trio.current_time` looks up and asks each time.
        self.now = trio.lowlevel.current_clock().current_time
        self.boxes: WeakKeyDictionary[Post[Any], Box] = WeakKeyDictionary()


_RUN: RunVar[_Run] = RunVar("trio_foundation.messaging")


@final
class Post(Generic[S]):
    """All that `serve` was told, and a box for each run."""

    __slots__ = (
        "__weakref__",
        "_last",
        "_names",
        "capacity",
        "drain",
        "factory",
        "name",
        "overflow",
        "server_type",
    )

    def __init__(
        self,
        factory: Callable[[], S],
        *,
        name: str,
        capacity: int,
        overflow: Overflow,
        drain: bool,
    ) -> None:
        self.factory: Callable[[], S] = factory
        self.name: str = name
        self.capacity: int = capacity
        self.overflow: Overflow = overflow
        self.drain: bool = drain
        self.server_type: type[S] | None = made_by(factory)
        """Known at once if the factory is the class, else with the first incarnation."""
        self._last: Callable[[], Box | None] = _no_box
        """Gives the box that was last asked for, while its run keeps it."""
        self._names: dict[object, str] = {}

    def find(
        self, verb: str, method: Callable[..., object], args: tuple[object, ...]
    ) -> tuple[str, Box]:
        """Return the name of a method that is a message, and the box of this run.

        Args:
            verb: What the user called.
            method: The method.
            args: Its arguments, for the error.
        """
        box = self._last()
        try:  # nearly always one has asked for it before, in this very run
            if box is not None and box.root is trio.lowlevel.current_root_task():
                return self._names[method], box
        except (LookupError, RuntimeError, TypeError):
            pass
        return self.message(verb, method, args), self.box()

    def box(self) -> Box:
        """Return the box of this run.

        Raises:
            RuntimeError: If this is no Trio run, or another thread.
        """
        try:
            run = _RUN.get()
        except (LookupError, RuntimeError):
            run = self._new_run()
        box = run.boxes.get(self)
        if box is None:
            box = Box(self.name, self.capacity, self.overflow, run.audience, run.now)
            run.boxes[self] = box
        self._last = ref(box)
        return box

    def _new_run(self) -> _Run:
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError(
                f"server {self.name!r} is reached from within its Trio run only: from a thread "
                "use trio.from_thread.run"
            )
        run = _Run()
        _RUN.set(run)
        return run

    # A resident of the spec (see `supervision.Resident`)

    def move_in(self, child: Child[Any]) -> None:
        """Take note that a supervisor has taken the spec."""
        self.box().move_in(child)

    def status(self, child: Child[Any], shown: object) -> object:
        """Return what a snapshot tells of a child."""
        if not trio.lowlevel.in_trio_run():  # of a supervisor that has closed, say
            return shown
        return self.box().status(child, shown)

    # Methods are messages

    def message(self, verb: str, method: Callable[..., object], args: tuple[object, ...]) -> str:
        """Return the name of a method, if it is one that can be a message to the server.

        Args:
            verb: What the user called.
            method: The method.
            args: Its arguments, for the error.

        Raises:
            TypeError: If it cannot.
        """
        name = name_of_method(verb, method, args)
        if name.startswith("_"):
            raise TypeError(f"{verb} takes a message, and {name!r} is none: its name begins with _")
        if self.server_type is None:
            return name  # and the server will see
        self.check_method(verb, method, name)
        self._names[method] = name
        return name

    def check_method(self, verb: str, method: object, name: str) -> None:
        """Refuse what is no method of the server's class, nor of one that it inherits from.

        Raises:
            TypeError: If it is none.
        """
        server_type = self.server_type
        assert server_type is not None
        if not any(vars(cls).get(name) is method for cls in server_type.__mro__):
            raise TypeError(
                f"{verb} takes a method of {server_type.__name__}, which {_told(method)} is not"
            )
        found = inspect.getattr_static(server_type, name)  # a subclass may have overridden it
        if not callable(found) or not inspect.iscoroutinefunction(inspect.unwrap(found)):
            raise TypeError(
                f"{verb} takes an async method, and {server_type.__name__} overrides {name} with "
                f"{found!r}: write `async def {name}`"
            )


def made_by(factory: Callable[[], S]) -> type[S] | None:
    """Return the class that a factory makes an instance of, if it is one, or a partial of one."""
    made: object = factory
    while isinstance(made, partial):
        made = cast("partial[object]", made).func
    return cast("type[S]", made) if isinstance(made, type) else None


def _no_box() -> None:
    return None


def name_of_method(
    verb: str, method: object, args: tuple[object, ...], *, before: tuple[object, ...] = ()
) -> str:
    """Return the name of what could be a message.

    Raises:
        TypeError: If it could be none.
    """
    if isinstance(method, str):
        raise TypeError(f"{verb} takes the method itself, not its name {method!r}")
    check_async_fn(verb, method, args, before=before)
    if inspect.ismethod(method):
        owner: object = method.__self__
        if isinstance(owner, type):
            raise TypeError(f"{verb} takes a method of an instance, not the class's own {method!r}")
        raise TypeError(
            f"{verb} takes the method as the class has it: write {verb}({type(owner).__name__}."
            f"{method.__name__}{', ...' if args else ''}), not that of an instance"
        )
    name = getattr(method, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"{verb} takes a method of the server's class, not {method!r}")
    assert callable(method)
    if name in NO_MESSAGES:
        raise TypeError(f"{verb} takes a message, and {name!r} is none: every server has it")
    if name == "<lambda>":
        raise TypeError(f"{verb} takes a method of the server's class, not {method!r}")
    if not inspect.iscoroutinefunction(inspect.unwrap(method)):
        raise TypeError(
            f"{verb} takes an async method, and {_told(method)} is not: write `async def {name}`"
        )
    return name


def _told(method: object) -> str:
    return getattr(method, "__qualname__", None) or repr(method)
