"""Findings that nobody measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks._record import Document, FindingPlain, Record, from_plain

__all__ = ["finding", "record", "written"]


def finding(
    figure: float,
    bound: str = "at most",
    target: float = 2.0,
    unit: str = "x bare",
    **others: object,
) -> FindingPlain:
    """Return a finding whose samples were all the same."""
    side = {"median": 1.0, "quartiles": (0.9, 1.1), "rounds": 30}
    met = figure <= target if bound == "at most" else figure >= target
    plain: dict[str, object] = {
        "what": "a job",
        "figure": figure,
        "bound": bound,
        "target": target,
        "unit": unit,
        "met": met,
        "samples_in": "us a job",
        "ours": side,
        "beside": "bare",
        "theirs": side,
        "readings": {},
        "points": {},
        "peer": None,
    }
    told: FindingPlain = json.loads(json.dumps(plain | others))
    return told


def document(findings: Mapping[str, FindingPlain], python: str, *, smoke: bool) -> Document:
    """Return what a run writes; ``room__job`` is the name ``room.job``."""
    return {
        "machine": {
            "processor": "Abacus",
            "cores": 10,
            "load": 0.5,
            "system": "Wood",
            "python": f"CPython {python}",
            "trio": "0.35.0",
            "trio_foundation": "0.1.0",
            "commit": "0123456789ab",
            "peers": {},
        },
        "smoke": smoke,
        "findings": {name.replace("__", "."): one for name, one in findings.items()},
    }


def record(python: str = "3.11.7", **findings: FindingPlain) -> Record:
    """Return it as it is read back."""
    return from_plain("room-3.11.json", document(findings, python, smoke=False))


def written(folder: Path, *, smoke: bool = False, **findings: FindingPlain) -> str:
    """Write it, and return the file."""
    file = folder / "room-3.11.json"
    file.write_text(json.dumps(document(findings, "3.11.7", smoke=smoke)), "utf-8")
    return str(file)
