"""Which promises are kept.

A promise is the target of a benchmark. A machine that does other things too moves a ratio by some
hundredths from run to run, so a check that may fail a build leaves room: it tells what is missed
by more than 15 % of what was promised. A ratio is judged by the median of the ratios round by
round, to which it does not matter when the machine is slow for a while. Memory and counts are the
same on all machines, and are judged by the figure. A time belongs to the machine that it was
taken on: it is told, and fails nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, final

import attrs

from ._record import Record, Told

__all__ = ["ROOM", "Verdict", "told", "verdicts"]

ROOM = 0.15
"""How much of what was promised may be missed."""

Word: TypeAlias = Literal["kept", "nearly kept", "missed", "only told"]


@final
@attrs.frozen
class Verdict:
    """What is to be said of one promise."""

    finding: Told
    file: str

    @property
    def missed_by(self) -> float:
        """By what part of the target it is missed; 0 or less, if it is kept.

        A target of nothing at all is missed by anything.
        """
        over = self.finding.judged - self.finding.target
        if self.finding.bound == "at least":
            over = -over
        if self.finding.target == 0:
            return float("inf") if over > 0 else 0.0
        return over / self.finding.target

    @property
    def word(self) -> Word:
        """The verdict."""
        if self.missed_by <= 0:
            return "kept"
        if self.finding.kind == "time":
            return "only told"
        return "nearly kept" if self.missed_by <= ROOM else "missed"

    def __str__(self) -> str:
        one = self.finding
        promise = f"promised is {one.bound} {one.target:g} {one.unit}".rstrip()
        return (
            f"{one.name} ({self.file}): {one.judged:.3g}; {promise}; missed by {self.missed_by:.1%}"
        )


def verdicts(records: Iterable[Record]) -> list[Verdict]:
    """Return what is to be said of all promises in some runs, none of which may be a smoke run."""
    found: list[Verdict] = []
    for record in records:
        if record.smoke:
            raise SystemExit(f"{record.file} is of a smoke run: its numbers mean nothing")
        found += [Verdict(finding, record.file) for finding in record.findings.values()]
    return found


def told(found: Iterable[Verdict]) -> Iterator[str]:
    """Yield what was found, line by line, the worst last."""
    by_word: dict[Word, list[Verdict]] = {
        "kept": [],
        "nearly kept": [],
        "only told": [],
        "missed": [],
    }
    for verdict in found:
        by_word[verdict.word].append(verdict)
    yield f"{len(by_word['kept'])} promises are kept."
    heads: dict[Word, str] = {
        "nearly kept": f"Missed, but by no more than {ROOM:.0%}:",
        "only told": "Missed on this machine; a time says nothing about others, so it fails nothing:",
        "missed": f"Missed by more than {ROOM:.0%}:",
    }
    for word, head in heads.items():
        if by_word[word]:
            yield head
            yield from (f"  {verdict}" for verdict in by_word[word])
