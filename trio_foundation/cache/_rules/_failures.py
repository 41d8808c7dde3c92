"""What could not be loaded just now."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar, final

__all__ = ["Failures"]

K = TypeVar("K")


@final
class Failures(Generic[K]):
    """The latest error of each key, for a while.

    Example:
        >>> failures = Failures(max_size=10, ttl=5.0)
        >>> failures.note("a", OSError("no route"), now=0.0)
        >>> failures.find("a", now=4.9), failures.find("a", now=5.0)
        (OSError('no route'), None)
    """

    __slots__ = ("_errors", "_max_size", "_ttl")

    def __init__(self, *, max_size: int, ttl: float) -> None:
        # All of them are kept equally long, so their order is that of their deadlines.
        self._errors: OrderedDict[K, tuple[float, Exception]] = OrderedDict()
        self._max_size = max_size
        self._ttl = ttl

    def __len__(self) -> int:
        return len(self._errors)

    def note(self, key: K, error: Exception, now: float) -> None:
        """Remember an error, and `tidy`."""
        self.tidy(now)
        self._errors.pop(key, None)
        while len(self._errors) >= self._max_size:
            self._errors.popitem(last=False)
        self._errors[key] = (now + self._ttl, error)

    def find(self, key: K, now: float) -> Exception | None:
        """Return a key's error, if remembered."""
        self.tidy(now)
        found = self._errors.get(key)
        return None if found is None else found[1]

    def forget(self, key: K) -> None:
        """Forget a key's error."""
        self._errors.pop(key, None)

    def tidy(self, now: float) -> None:
        """Forget what is due."""
        errors = self._errors
        while errors and next(iter(errors.values()))[0] <= now:
            errors.popitem(last=False)

    def move(self, then: float, now: float) -> None:
        """Take *then* on one clock for *now* on another."""
        for key, (until, error) in self._errors.items():
            self._errors[key] = (now + (until - then), error)

    def clear(self) -> None:
        """Forget all."""
        self._errors.clear()
