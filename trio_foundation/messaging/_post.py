"""Where a server's messages go: a `Box` for each Trio run, since runs may follow or overlap."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, final
from weakref import WeakKeyDictionary, ref

import trio
from trio.lowlevel import RunVar

from ..supervision import Child
from ..telemetry import Audience
from ._box import Box
from ._events import CallFinished, CallStarted
from ._methods import check_method, name_of_method
from ._rules import Overflow

if TYPE_CHECKING:
    from ._server import Server

__all__ = ["Post"]

S = TypeVar("S", bound="Server")


@final
class _Run:
    """A Trio run's boxes."""

    __slots__ = ("__weakref__", "audience", "boxes", "now")

    def __init__(self) -> None:
        self.audience = Audience(CallStarted, CallFinished)
        # What `trio.current_time` looks up and asks each time.
        self.now = trio.lowlevel.current_clock().current_time
        self.boxes: WeakKeyDictionary[Post[Any], Box] = WeakKeyDictionary()


_RUN: RunVar[_Run] = RunVar("trio_foundation.messaging")


@final
class Post(Generic[S]):
    """What `serve` was told, and a box for each run."""

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
        """None until the first incarnation, unless the factory tells it."""
        self._last: Callable[[], Box | None] = _no_box
        """The last box asked for."""
        self._names: dict[object, str] = {}

    def find(
        self, verb: str, method: Callable[..., object], args: tuple[object, ...]
    ) -> tuple[str, Box]:
        """Return the name of a method, and the box of this run."""
        box = self._last()
        try:  # nearly always one has asked for it before, in this very run
            if box is not None and box.root is trio.lowlevel.current_root_task():
                return self._names[method], box
        except (LookupError, RuntimeError, TypeError):
            pass
        return self.message(verb, method, args), self.box()

    def box(self) -> Box:
        """Return the box of this run; RuntimeError outside of it."""
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
        self.box().move_in(child)

    def status(self, child: Child[Any], shown: object) -> object:
        if not trio.lowlevel.in_trio_run():  # of a supervisor that has closed, say
            return shown
        return self.box().status(child, shown)

    # Methods are messages

    def message(self, verb: str, method: Callable[..., object], args: tuple[object, ...]) -> str:
        """Return the name of a method that can be a message."""
        name = name_of_method(verb, method, args)
        if name.startswith("_"):
            raise TypeError(f"{verb} takes a message, and {name!r} is none: its name begins with _")
        if self.server_type is None:
            return name  # and the server will see
        check_method(verb, method, name, self.server_type)
        self._names[method] = name
        return name


def made_by(factory: Callable[[], S]) -> type[S] | None:
    """Return the class that a factory is, or is a partial of."""
    made: object = factory
    while isinstance(made, partial):
        made = cast("partial[object]", made).func
    return cast("type[S]", made) if isinstance(made, type) else None


def _no_box() -> None:
    return None
