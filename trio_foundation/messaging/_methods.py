"""Which methods can be messages."""

from __future__ import annotations

import inspect
from typing import Final

from .._base import check_async_fn

__all__ = ["NO_MESSAGES", "check_method", "name_of_method"]

# Part of every server, and no messages.
NO_MESSAGES: Final = frozenset({"setup", "teardown", "every", "after", "shutdown"})


def name_of_method(
    verb: str, method: object, args: tuple[object, ...], *, before: tuple[object, ...] = ()
) -> str:
    """Return the name of what could be a message."""
    if isinstance(method, str):
        raise TypeError(f"{verb} takes the method itself, not its name {method!r}: no quotes")
    check_async_fn(verb, method, args, before=before)
    if inspect.ismethod(method):
        owner: object = method.__self__
        if isinstance(owner, type):
            raise TypeError(
                f"{verb} takes a method of an instance, not the classmethod {_told(method)}"
            )
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


def check_method(verb: str, method: object, name: str, server_type: type) -> None:
    """Refuse what is no async method of a server's class."""
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


def _told(method: object) -> str:
    return getattr(method, "__qualname__", None) or repr(method)
