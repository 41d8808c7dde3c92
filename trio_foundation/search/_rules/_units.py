"""Where in the unit cube a trial is.

Of Python's, `random.Random.random` alone gives the same for a seed from version to version.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ._points import Units

__all__ = ["latin_hypercube_units", "random_units"]


def random_units(seed: int, size: int) -> Units:
    """Return units random each by itself.

    Example:
        >>> units = random_units(42, 2)
        >>> units(7) == units(7), units(7) == units(8)
        (True, False)
    """
    sizes = range(size)

    def units(index: int) -> Sequence[float]:
        draw = random.Random(f"{seed}:{index}").random  # noqa: S311  no secret
        return [draw() for _ in sizes]

    return units


def latin_hypercube_units(seed: int, size: int, iterations: int) -> Units:
    """Return units that fall, in each dimension, one into each of equal parts.

    Example:
        >>> units = latin_hypercube_units(42, 1, 4)
        >>> sorted(int(4 * units(index)[0]) for index in range(4))
        [0, 1, 2, 3]
    """
    draw = random.Random(f"{seed}:latin_hypercube").random  # noqa: S311  no secret
    columns: list[list[int]] = []
    for _ in range(size):
        keys = [draw() for _ in range(iterations)]
        columns.append(sorted(range(iterations), key=keys.__getitem__))
    within = random_units(seed, size)

    def units(index: int) -> Sequence[float]:
        places = zip(columns, within(index), strict=True)
        return [(column[index] + share) / iterations for column, share in places]

    return units
