"""All that was found, sorted for readers: what is ours, what is beside whom, what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import final

import attrs

from ._charts import short
from ._curves import GROWTH
from ._peers import PROGRAMS
from ._record import Record, Told

__all__ = ["Book", "Loss", "Row", "beside_it_grows", "figure", "losses", "reason_of", "sizes_told"]

FLAT = 1.25
"""What grows by no more than this from a thousand to the most counts as flat."""


@final
@attrs.frozen
class Row:
    """A question, and what was found."""

    python: str
    """The oldest Python on which it was asked."""

    one: Told
    later: Mapping[str, Told]
    """The same on other Pythons."""

    @property
    def is_of_another_world(self) -> bool:
        """Whether what stands beside it is no Python."""
        return self.one.peer is not None and PROGRAMS.get(self.one.peer) is not None


@final
@attrs.frozen
class Book:
    """All questions."""

    python: str
    """The oldest Python; rows of others say so."""

    rows: Sequence[Row]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Book:
        """Return what some records say; those at the end replace what others say of the same."""
        told = {
            (name, one.python): found for one in records for name, found in one.findings.items()
        }
        pythons: dict[str, list[str]] = {}
        for name, python in sorted(told, key=lambda key: _number(key[1])):
            pythons.setdefault(name, []).append(python)
        rows = [
            Row(first, told[name, first], {python: told[name, python] for python in later})
            for name, (first, *later) in pythons.items()
        ]
        return cls(min((python for _, python in told), key=_number), rows)

    def what(self, row: Row) -> str:
        """Return what a row is about."""
        what = row.one.what
        if row.one.peer is not None:
            what = f"{job_of(row.one)}: {row.one.beside}"
        if row.python != self.python:
            what = f"{what} (Python {row.python})"
        return what.replace("`", "")

    @property
    def own(self) -> list[Row]:
        """What was measured beside no other library."""
        return [row for row in self.rows if row.one.peer is None and not row.one.points]

    @property
    def peers(self) -> list[Row]:
        """What was measured beside other libraries for Python, job by job."""
        rows = [row for row in self.rows if row.one.peer and not row.is_of_another_world]
        return sorted(rows, key=lambda row: (job_of(row.one), row.one.times))

    @property
    def curves(self) -> list[Row]:
        """What was measured at some sizes."""
        return [row for row in self.rows if row.one.points]

    @property
    def other_world(self) -> list[Row]:
        """What was measured beside other machines than Python's."""
        return [row for row in self.rows if row.is_of_another_world]


def _number(python: str) -> int:
    return int(python.partition(".")[2])


def job_of(one: Told) -> str:
    """Return what was done, without who stands beside it."""
    return one.what.partition(", beside")[0]


def sizes_told(one: Told) -> tuple[int, int]:
    """Return the two sizes whose costs are compared."""
    sizes = sorted(one.points["ours"])
    return (1_000 if 1_000 in sizes else sizes[0]), sizes[-1]


def beside_it_grows(one: Told) -> str:
    """Return how many times as long it takes without the library at the larger size."""
    return short(one.readings[f"{GROWTH}, {one.beside}"])


def figure(one: Told) -> str:
    """Return what is held against the limit, with its unit."""
    return f"{short(one.figure)} {one.unit}".rstrip()


# Losses


@final
@attrs.frozen
class Loss:
    """Something to be explained."""

    row: Row
    python: str
    what: str


def losses(rows: Iterable[Row]) -> Iterator[Loss]:
    """Yield what has to be explained, on each Python."""
    for row in rows:
        for python, one in {row.python: row.one, **row.later}.items():
            said = [*_missed(one), *_behind(one), *_grown(one)]
            if said:
                yield Loss(row, python, "; ".join(said))


def _missed(one: Told) -> Iterator[str]:
    if not one.met:
        yield f"{figure(one)}, promised {one.bound} {one.target:g}"


def _behind(one: Told) -> Iterator[str]:
    if one.peer is not None and one.kind == "ratio" and one.times > 1:
        yield f"{short(one.times)} times as long"


def _grown(one: Told) -> Iterator[str]:
    growth = one.readings.get(GROWTH, 0)
    if growth > FLAT:
        few, many = sizes_told(one)
        yield (
            f"{short(growth)} times as long among {many:,} as among {few:,} "
            f"({one.beside}: {beside_it_grows(one)} times)"
        )


def reason_of(name: str, reasons: Mapping[str, str]) -> str | None:
    """Return why something is lost: the reason given for its name, or else for names like it.

    Example:
        >>> reasons = {"cache.hit_beside_*": "theirs is no Python", "cache.hit": "counting"}
        >>> reason_of("cache.hit", reasons), reason_of("cache.hit_beside_x", reasons)
        ('counting', 'theirs is no Python')
    """
    if name in reasons:
        return reasons[name]
    return next((why for like, why in reasons.items() if fnmatch(name, like)), None)
