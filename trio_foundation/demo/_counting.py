"""What there is to count in a file.

Agents do it in their own tasks, some milliseconds a file: threads could only take turns at it.
"""

from __future__ import annotations

import io
import keyword
import symtable
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import attrs

__all__ = ["CAPABILITIES", "Found", "Totals", "count_file"]

TEXT = (".cfg", ".decTest", ".md", ".rst", ".toml", ".txt", ".xml")
CAPABILITIES = {".py": "python"} | dict.fromkeys(TEXT, "text")
"""What an agent needs to count a file, by the end of its name."""


@attrs.frozen
class Found:
    """What is in a file."""

    path: Path
    identifiers: Counter[str]
    words: Counter[str]
    fault: str = ""
    """Why the file is skipped, if it is."""


@attrs.define
class Totals:
    """What is in many files; one that is added again counts again."""

    files: int = 0
    identifiers: Counter[str] = attrs.field(factory=Counter[str])
    words: Counter[str] = attrs.field(factory=Counter[str])
    skipped: dict[Path, str] = attrs.field(factory=dict[Path, str])

    def add(self, batch: Iterable[Found]) -> None:
        for found in batch:
            self.files += 1
            self.identifiers.update(found.identifiers)
            self.words.update(found.words)
            if found.fault:
                self.skipped[found.path] = found.fault


def count_file(root: Path, path: Path) -> Found:
    """Return what is in a file, or why it cannot be read."""
    identifiers, words = Counter[str](), Counter[str]()
    try:
        if CAPABILITIES[path.suffix] == "python":
            identifiers = count_identifiers(root / path)
        else:
            words = Counter((root / path).read_text("utf-8", errors="replace").split())
    except Exception as error:  # noqa: BLE001  a file names its codec, which may raise anything
        told = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        return Found(path, Counter(), Counter(), told.replace(f" for {str(root / path)!r}", ""))
    return Found(path, identifiers, words)


def count_identifiers(path: Path) -> Counter[str]:
    """Return the names in a file of Python, keywords aside."""
    names = Counter[str]()
    with tokenize.open(path) as source, warnings.catch_warnings(action="ignore"):
        text = source.read()
        symtable.symtable(text, path.name, "exec")  # the quickest way to have it parsed
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                names[token.string] += 1
    return names
