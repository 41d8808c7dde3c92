"""Functions that are called until a block ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Generic, ParamSpec, TypeVar, final

from trio.lowlevel import enable_ki_protection

__all__ = ["Asked"]

P = ParamSpec("P")
R = TypeVar("R")


@final
class Asked(Generic[P, R]):
    """Functions, each there until its block ends; one may come or go while they are called."""

    __slots__ = ("functions",)

    def __init__(self) -> None:
        self.functions: dict[object, Callable[P, R]] = {}
        """To call them, iterate over this object: they come and go."""

    def __iter__(self) -> Iterator[Callable[P, R]]:
        return iter(tuple(self.functions.values()))

    @contextmanager
    @enable_ki_protection
    def including(self, function: Callable[P, R]) -> Generator[None]:
        """Have a function called too, until the block ends."""
        key = object()
        self.functions[key] = function
        try:
            yield
        finally:
            del self.functions[key]
