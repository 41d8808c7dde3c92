"""The same count done plainly: one loop, without the library."""

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


def count_serially(files: Iterable[Path]) -> tuple[Counter[str], Counter[str], set[Path]]:
    """Return the identifiers, the words, and the files that cannot be read."""
    identifiers, words, skipped = Counter[str](), Counter[str](), set[Path]()
    keywords = set(keyword.kwlist)
    for path in files:
        try:
            if path.suffix == ".py":
                with tokenize.open(path) as source, warnings.catch_warnings(action="ignore"):
                    text = source.read()
                    symtable.symtable(text, path.name, "exec")
                    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
                    names = [token.string for token in tokens if token.type == tokenize.NAME]
                    identifiers.update(name for name in names if name not in keywords)
            else:
                words.update(path.read_bytes().decode("utf-8", "replace").split())
        except Exception:  # noqa: BLE001  a file names its codec, which may raise anything
            skipped.add(path)
    return identifiers, words, skipped
