"""What came of replaying one scenario."""

from __future__ import annotations

import json
from collections.abc import Iterator

import attrs

from ._recordings import Json, is_list

__all__ = ["Difference", "Verdict"]


@attrs.frozen
class Difference:
    """One field of one observation in which we differ from the recording."""

    where: str
    """The step, in words."""

    field: str
    expected: Json
    """What was recorded."""

    got: Json
    """What we did."""

    def lines(self) -> Iterator[str]:
        """Yield the difference for a reader; two lists are shown from where they part."""
        yield f"{self.where}: {self.field}"
        expected, got = self.expected, self.got
        if is_list(expected) and is_list(got) and (alike := _alike(expected, got)):
            yield f"    the first {alike} are equal, then"
            expected, got = expected[alike:], got[alike:]
        yield f"    expected {_written(expected)}"
        yield f"    got      {_written(got)}"


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of one scenario."""

    scenario: str

    differences: tuple[Difference, ...] = ()

    deviations: tuple[str, ...] = ()
    """The listed deviations that the scenario fell under."""

    skipped: bool = False
    """Whether one of them says that it cannot be replayed at all."""

    @property
    def word(self) -> str:
        """The verdict in one word."""
        if self.skipped:
            return "skipped"
        if self.differences:
            return "differs"
        return "deviates" if self.deviations else "agrees"


def _alike(expected: list[Json], got: list[Json]) -> int:
    """Return how many items the two lists have in common before they part."""
    count = 0
    for theirs, ours in zip(expected, got, strict=False):
        if theirs != ours:
            break
        count += 1
    return count


def _written(value: Json) -> str:
    text = value if isinstance(value, str) and "\n" in value else json.dumps(value, default=repr)
    return text.replace("\n", "\n    ")
