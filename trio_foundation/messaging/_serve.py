"""How a class becomes a supervised server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple, TypeVar, Unpack, get_args

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_bool, check_choice, check_name
from ..supervision import ChildOptions, ChildSpec, child, current_child
from ._loop import Loop
from ._open_mailbox import check_capacity
from ._post import Post
from ._ref import Ref
from ._rules import Overflow
from ._server import Server

__all__ = ["Served", "serve"]

S = TypeVar("S", bound=Server)
S_co = TypeVar("S_co", bound=Server, covariant=True)


class Served(NamedTuple, Generic[S_co]):
    """What `serve` returns: a child for a supervisor, and the way to reach it.

    Example:
        >>> class Counter(Server):
        ...     async def increment(self): ...
        >>> served = serve(Counter, capacity=64)
        >>> served.spec.name, served.ref
        ('Counter', <Ref of server 'Counter'>)
    """

    spec: ChildSpec
    """For a supervisor."""

    ref: Ref[S_co]
    """For whoever sends messages."""


def serve(
    factory: Callable[[], S],
    *,
    capacity: int,
    overflow: Overflow = "block",
    drain: bool = False,
    **options: Unpack[ChildOptions],
) -> Served[S]:
    """Make a server of a class: a child for a supervisor, and a reference to reach it.

    A crash fails only the message in hand: what is queued is handled by the next incarnation.

    A spec runs once at a time: serve the class again for a second server. It may be made at import
    time: each Trio run has its own mailbox.

    Args:
        factory: Makes an instance for each incarnation: the class itself, or
            ``functools.partial(Counter, start=5)``.
        capacity: How many messages may wait, at least 1.
        overflow: What happens to one more; see `Overflow`.
        drain: Whether an ordered stop lets the server finish what is queued, for up to *grace*
            seconds, rather than cancels it at once. Either way new messages are refused, except
            what a handler casts to its own draining server.
        **options: Those of `child`; *name* defaults to that of the class. With *liveness* the
            server beats by itself, while idle and before each message: a stuck handler is found.

    Returns:
        The spec and the reference.

    Raises:
        TypeError: *factory* is no class or function, or the class is no `Server`.
        ValueError: An option makes no sense; later, if a supervisor gets the spec while it runs
            in another.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Counter(Server):
        ...     def __init__(self):
        ...         self.count = 0
        ...     async def increment(self, by=1):
        ...         self.count += by
        ...         return self.count
        >>> async def main():
        ...     spec, counter = serve(Counter, capacity=64)
        ...     async with open_supervisor([spec]):
        ...         print(await counter.call(Counter.increment, by=2))
        >>> trio.run(main)
        2
    """
    _check_factory(factory)
    check_capacity(capacity, "write serve(..., capacity=100) for at most 100 messages")
    check_choice("overflow", overflow, get_args(Overflow))
    check_bool("drain", drain)
    unknown = options.keys() - ChildOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"serve has no option {', '.join(map(repr, sorted(unknown)))}; its options are capacity, "
            f"overflow, drain, {', '.join(ChildOptions.__annotations__)}"
        )
    given = options.get("name")
    name = _default_name(factory) if given is None else check_name("name", given)
    post = Post(factory, name=name, capacity=capacity, overflow=overflow, drain=drain)
    options["name"] = name
    spec = attrs.evolve(
        child(partial(_run, post), **options),
        resident=post,
        default_name=name if given is None else None,
    )
    return Served(spec, Ref(post))


@enable_ki_protection
async def _run(post: Post[S], *, task_status: trio.TaskStatus[Ref[S]]) -> None:
    me = current_child()
    box = post.box()
    if box.child is not me:  # started again after another supervisor had taken the spec
        box.move_in(me)
    await Loop(post, box, me).run(task_status)


def _default_name(factory: Callable[[], object]) -> str:
    function: object = factory
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def _check_factory(factory: object) -> None:
    if isinstance(factory, Server):
        cls = type(factory).__name__
        raise TypeError(
            f"serve takes what makes a server, since each incarnation needs a fresh one, but got "
            f"a {cls}: write serve({cls}, ...), or serve(partial({cls}, ...), ...) for arguments"
        )
    if isinstance(factory, type) and not issubclass(factory, Server):
        name = factory.__name__
        raise TypeError(f"serve takes a subclass of Server, not {name}: write class {name}(Server)")
    if not callable(factory):
        raise TypeError(f"serve takes what makes a server, a class or a function, not {factory!r}")
