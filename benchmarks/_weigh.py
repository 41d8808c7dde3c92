"""The other process of `weigh`: hold many of something, and print how many bytes they take."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import trio

Held: TypeAlias = Callable[[int, Callable[[], None]], Awaitable[None]]


def main(by: str, function: str, size: str) -> None:
    """Print how many bytes *size* of what *function* holds take."""
    module, _, name = function.partition(":")
    hold: Held = getattr(importlib.import_module(module), name)
    if by == "allocated":
        tracemalloc.start()
    look = allocated if by == "allocated" else resident
    trio.run(hold, 1, lambda: None)  # what the first one takes is not its own
    looks: list[int] = []

    def note() -> None:
        gc.collect()
        looks.append(look())

    note()
    trio.run(hold, int(size), note)
    print(looks[1] - looks[0])


def allocated() -> int:
    """Return how many bytes Python has handed out."""
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Return how many bytes of memory the process has."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(*sys.argv[1:])
