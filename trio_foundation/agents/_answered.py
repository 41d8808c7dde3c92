"""Which keys were answered, and how: what makes a second delivery harmless."""

from __future__ import annotations

from typing import final

from .._base import check_count

__all__ = ["AnsweredKeys"]


@final
class AnsweredKeys:
    """A bounded memory of answers by idempotency key; the oldest goes first.

    A message that is sent again under its key is handled once, as long as the answer is
    remembered. A handler that crashed half way left no answer: if that matters, store effect and
    key together, in a database say.

    Args:
        capacity: How many answers are kept.

    Raises:
        TypeError: *capacity* is no whole number.
        ValueError: It is below 1.

    Example:
        >>> from functools import partial
        >>> from trio_foundation.messaging import serve
        >>> class Till(Agent):
        ...     def __init__(self, answered):
        ...         self.answered = answered
        ...     async def receive(self, message, *, sender=None):
        ...         return f"booked {message}"
        >>> served = serve(partial(Till, AnsweredKeys(1000)), capacity=10)
    """

    __slots__ = ("_answers", "_capacity")

    def __init__(self, capacity: int) -> None:
        self._capacity = check_count("capacity", capacity, least=1)
        self._answers: dict[str, object] = {}

    def __repr__(self) -> str:
        return f"<AnsweredKeys, {len(self._answers)} of at most {self._capacity}>"

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: object) -> bool:
        return key in self._answers

    def __getitem__(self, key: str) -> object:
        return self._answers[key]

    def keep(self, key: str, answer: object) -> None:
        """Remember an answer, and forget the oldest if there is no room."""
        self._answers[key] = answer
        if len(self._answers) > self._capacity:
            del self._answers[next(iter(self._answers))]
