"""What became of one item, or of one task."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeAlias, TypeVar, final

import attrs

__all__ = ["Failed", "Ok", "Result"]

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


@final
@attrs.frozen
class Ok(Generic[T_co, R_co]):
    """The function returned a value.

    Example:
        >>> match Ok("a.txt", 12):
        ...     case Ok(item, value):
        ...         print(item, value)
        a.txt 12
    """

    item: T_co
    """What it was called with; for `TaskSupervisor.start_soon`, the tuple of arguments."""

    value: R_co
    """What it returned."""

    def unwrap(self) -> R_co:
        """Return the value.

        Example:
            >>> Ok("a.txt", 12).unwrap()
            12
        """
        return self.value


@final
@attrs.frozen
class Failed(Generic[T_co]):
    """The function raised an error, took too long, or was cancelled.

    Example:
        >>> match Failed("a.txt", OSError("gone")):
        ...     case Failed(item, error):
        ...         print(item, error)
        a.txt gone
    """

    item: T_co
    """What it was called with; for `TaskSupervisor.start_soon`, the tuple of arguments."""

    error: Exception
    """What it raised; `TaskTimeout` if it took too long, `TaskCancelled` if it was cancelled."""

    def unwrap(self) -> NoReturn:
        """Raise the error.

        Raises:
            Exception: The error, the very same object each time.

        Example:
            >>> Failed("a.txt", OSError("gone")).unwrap()
            Traceback (most recent call last):
            OSError: gone
        """
        raise self.error


Result: TypeAlias = Ok[T, R] | Failed[T]
"""What became of an item."""
