"""What was found, as it is kept in ``results/``: written by a run, read by the check and the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict, final

import attrs

__all__ = ["Bound", "Document", "Kind", "Record", "Spread", "Told", "from_plain", "read"]

Bound: TypeAlias = Literal["at most", "at least"]

Kind: TypeAlias = Literal["ratio", "memory", "count", "time"]
"""What sort of number a promise is about."""


@final
@attrs.frozen
class Spread:
    """The samples of one side, in three numbers."""

    median: float
    first: float
    third: float

    @property
    def percent(self) -> float:
        """How far half of the samples lie around the median, to either side."""
        return 50 * (self.third - self.first) / self.median if self.median else 0.0


@final
@attrs.frozen(kw_only=True)
class Told:
    """A finding, as one reads it back."""

    name: str
    what: str
    figure: float
    bound: Bound
    target: float
    unit: str
    met: bool
    samples_in: str
    rounds: int
    ours: Spread
    beside: str
    theirs: Spread
    readings: Mapping[str, float]
    points: Mapping[str, Mapping[int, Spread]]
    peer: str | None
    """Which library the other side is of, if it is of one."""

    @property
    def room(self) -> str:
        """Whose question it is."""
        return self.name.partition(".")[0]

    @property
    def kind(self) -> Kind:
        """What sort of number it is, by its unit."""
        first = self.unit.split(" ")[0]
        if first == "x":
            return "ratio"
        if first in {"KB", "kB", "bytes"}:
            return "memory"
        return "time" if first else "count"

    @property
    def judged(self) -> float:
        """What is held against the promise: a ratio round by round, or else the figure."""
        if self.kind != "ratio":
            return self.figure
        return self.readings.get("median of ratios", self.figure)

    @property
    def times(self) -> float:
        """How many times as much ours takes, of a ratio: more than 1 is worse."""
        return self.figure if self.bound == "at most" else 1 / self.figure

    @property
    def limit(self) -> float:
        """The most that `times` may be."""
        return self.target if self.bound == "at most" else 1 / self.target


@final
@attrs.frozen(kw_only=True)
class Record:
    """The findings of one run, and what they belong to."""

    file: str
    smoke: bool
    machine: MachinePlain
    findings: Mapping[str, Told]

    @property
    def python(self) -> str:
        """Its version, as far as it matters: ``3.11``."""
        version = self.machine["python"].rpartition(" ")[2]
        return ".".join(version.split(".")[:2])


# The shapes in the file, as `Samples.as_json`, `Finding.as_json` and `document` write them.


class SamplesPlain(TypedDict):
    """One side."""

    median: float
    quartiles: tuple[float, float]
    rounds: int


class FindingPlain(TypedDict):
    """The answer to one question."""

    what: str
    figure: float
    bound: Bound
    target: float
    unit: str
    met: bool
    samples_in: str
    ours: SamplesPlain
    beside: str
    theirs: SamplesPlain
    readings: dict[str, float]
    points: dict[str, dict[str, SamplesPlain]]
    peer: str | None


class MachinePlain(TypedDict):
    """Where."""

    processor: str
    cores: int
    load: float | None
    system: str
    python: str
    trio: str
    trio_foundation: str
    commit: str
    peers: dict[str, str]


class Document(TypedDict):
    """The file."""

    machine: MachinePlain
    smoke: bool
    findings: dict[str, FindingPlain]


def read(file: Path) -> Record:
    """Return what a run has written."""
    document: Document = json.loads(file.read_text("utf-8"))
    return from_plain(file.name, document)


def from_plain(file: str, document: Document) -> Record:
    """Return what a document says."""
    return Record(
        file=file,
        smoke=document["smoke"],
        machine=document["machine"],
        findings={name: _told(name, one) for name, one in document["findings"].items()},
    )


def _told(name: str, plain: FindingPlain) -> Told:
    return Told(
        name=name,
        what=plain["what"],
        figure=plain["figure"],
        bound=plain["bound"],
        target=plain["target"],
        unit=plain["unit"],
        met=plain["met"],
        samples_in=plain["samples_in"],
        rounds=plain["ours"]["rounds"],
        ours=_spread(plain["ours"]),
        beside=plain["beside"],
        theirs=_spread(plain["theirs"]),
        readings=plain["readings"],
        points={
            curve: {int(size): _spread(samples) for size, samples in points.items()}
            for curve, points in plain["points"].items()
        },
        peer=plain["peer"],
    )


def _spread(plain: SamplesPlain) -> Spread:
    return Spread(plain["median"], *plain["quartiles"])
