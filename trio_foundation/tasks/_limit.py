"""How many run at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import final

from .._base import check_count

__all__ = ["Limit"]


@final
class Limit:
    """How many items of a map run at once; it may be changed while the map runs.

    Raised, it starts more at once; lowered, it lets those that run end. Two maps with one limit of
    3 run six at once; to share, give both as *retry* one `Bulkhead` with ``max_waiting=math.inf``.

    Args:
        value: How many, at least 1; `math.inf` for all.

    Raises:
        TypeError: *value* is no whole number.
        ValueError: *value* is below 1.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> limit = Limit(1)
        >>> async def work(item):
        ...     limit.value = 10  # it went well, so try more
        ...     await trio.sleep(1)
        >>> async def main():
        ...     async with open_task_supervisor() as tasks:
        ...         await tasks.parallel_map(work, range(10), limit=limit)
        ...     print(trio.current_time())
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        1.0
    """

    __slots__ = ("_listeners", "_value")

    def __init__(self, value: float) -> None:
        self._value = check_count("limit", value, least=1, allow_inf=True)
        self._listeners: dict[object, Callable[[], None]] = {}

    def __repr__(self) -> str:
        return f"Limit({self._value})"

    @property
    def value(self) -> float:
        """How many run at once."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        self._value = check_count("limit", value, least=1, allow_inf=True)
        for listener in tuple(self._listeners.values()):
            listener()

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Generator[None]:
        """Call a function when the value changes, within the block."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]
