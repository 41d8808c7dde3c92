"""The other libraries, where they are installed, and what they contain."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

__all__ = ["has_no", "needed", "needed_program"]

REQUIRED = os.environ.get("PEERS_REQUIRED", "") not in {"", "0"}
"""Whether a library that is not installed is a failure, and no reason to leave a test out."""


def needed(module: str) -> Any:
    """Return a module of another library; leave out what needs it, if it is not there."""
    if REQUIRED:
        return importlib.import_module(module)
    return pytest.importorskip(module)


def needed_program(name: str) -> str:
    """Return where a program is; it is never required, since pip does not install it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on the path")
    return found


def has_no(package: str, *words: str) -> bool:
    """Return whether nothing public in a package is called like any of those words."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = [
        file for place in spec.submodule_search_locations for file in Path(place).rglob("*.py")
    ]
    assert files
    named = re.compile(rf"(?:def|class) +(?!_)\w*(?:{'|'.join(words)})", re.IGNORECASE)
    return not any(named.search(file.read_text("utf-8")) for file in files)
