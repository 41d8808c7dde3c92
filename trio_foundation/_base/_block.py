"""Blocks for ``async with``."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, NoReturn, TypeVar

__all__ = ["AsyncBlock"]

ValueT_co = TypeVar("ValueT_co", covariant=True)


class AsyncBlock(AbstractAsyncContextManager[ValueT_co]):
    """A block for ``async with`` that says so where ``with`` is written."""

    __slots__ = ()

    opens: ClassVar[str]
    """What is there within."""

    if not TYPE_CHECKING:  # a type checker refuses it, in words of its own

        def __enter__(self) -> NoReturn:
            raise TypeError(f"write 'async with', not 'with', to open {self.opens}")

        def __exit__(self, *_: object) -> NoReturn:  # Python looks for it before it enters
            raise AssertionError("nobody can have entered")
