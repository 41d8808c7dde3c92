"""A value that tasks can wait on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast, final

from trio_util import AsyncValue  # type: ignore[import-untyped]

__all__ = ["State"]

T = TypeVar("T")


class _AsyncValue(Protocol[T]):
    value: T

    async def wait_value(self, predicate: Callable[[T], bool], /) -> T: ...


@final
class State(Generic[T]):
    """A value, and a way to wait until it satisfies a condition.

    Setting it wakes those whose condition it satisfies; setting an equal value does nothing.

    Example:
        >>> import trio, trio.testing
        >>> async def main():
        ...     state = State("starting")
        ...     async with trio.open_nursery() as nursery:
        ...         @nursery.start_soon
        ...         async def wait():
        ...             print(await state.wait_value(lambda value: value != "starting"))
        ...         await trio.testing.wait_all_tasks_blocked()
        ...         state.value = "running"
        >>> trio.run(main)
        running
    """

    __slots__ = ("_state",)

    def __init__(self, value: T) -> None:
        self._state = cast("_AsyncValue[T]", AsyncValue(value))

    @property
    def value(self) -> T:
        """The value now."""
        return self._state.value

    @value.setter
    def value(self, value: T) -> None:
        self._state.value = value

    async def wait_value(self, predicate: Callable[[T], bool]) -> T:
        """Wait until the value satisfies a condition; a checkpoint also if it does already.

        Args:
            predicate: The condition; quick, and it does not raise: whoever sets the value calls it.

        Returns:
            The value that satisfied it; it may have changed since.

        Cancellation:
            Leaves nothing behind.
        """
        return await self._state.wait_value(predicate)
