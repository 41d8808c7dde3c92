"""The same count done plainly: one loop, and nothing but what Python brings along."""

from __future__ import annotations

import io
import keyword
import symtable
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ["count_serially"]


def count_serially(files: Iterable[Path]) -> tuple[Counter[str], set[Path]]:
    """Return the identifiers in some files, and those files that are not Python."""
    identifiers, skipped, keywords = Counter[str](), set[Path](), set(keyword.kwlist)
    for path in files:
        try:
            with tokenize.open(path) as source, warnings.catch_warnings(action="ignore"):
                text = source.read()
                symtable.symtable(text, path.name, "exec")
                tokens = tokenize.generate_tokens(io.StringIO(text).readline)
                names = [token.string for token in tokens if token.type == tokenize.NAME]
        except Exception:  # noqa: BLE001  a file names its codec, which may raise anything
            skipped.add(path)
        else:
            identifiers.update(name for name in names if name not in keywords)
    return identifiers, skipped
