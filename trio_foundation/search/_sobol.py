"""Sobol's sequence, as SciPy makes it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ._rules import Units

__all__ = ["sobol_units"]

# SciPy makes many at once much faster than one by one, and the sequence is even only at powers
# of two.
_BLOCK = 128

# As many as there are with 30 bits, which is what SciPy takes.
_MOST = 2**30


def sobol_units(seed: int, size: int) -> Units:
    """Return units that fill the cube evenly, scrambled by the seed; asked for in their order."""
    qmc: Any = _scipy_stats_qmc()
    # NumPy wants no negative seed. SciPy's version decides what a seed scrambles.
    scramble = random.Random(f"{seed}:sobol").getrandbits(64)  # noqa: S311  no secret
    engine = qmc.Sobol(size, scramble=True, seed=scramble)
    block: list[list[float]] = []

    def units(index: int) -> Sequence[float]:
        nonlocal block
        if index >= _MOST:
            raise ValueError(
                f"Sobol's sequence has no more than {_MOST} points: write sampler='random'"
            )
        if index % _BLOCK == 0:
            block = engine.random(_BLOCK).tolist()
        return block[index % _BLOCK]

    return units


def _scipy_stats_qmc() -> ModuleType:
    try:
        return importlib.import_module("scipy.stats.qmc")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "sampler='sobol' needs SciPy: pip install 'trio-foundation[search]'"
        ) from None
