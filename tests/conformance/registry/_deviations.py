"""Where we do not do as Elixir does, and why. This table is all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import attrs

from ._course import ELIXIR, Ways, course
from ._format import Scenario

__all__ = ["DEVIATIONS", "Deviation", "deviations_of"]


@final
@attrs.frozen(kw_only=True)
class Deviation:
    """What we do otherwise."""

    name: str
    reason: str

    ways: Ways
    """Elixir's ways, but for this."""

    def shows_in(self, scenario: Scenario) -> bool:
        """Return whether it makes a difference in a scenario."""
        return course(scenario, self.ways) != course(scenario, ELIXIR)


DEVIATIONS = (
    Deviation(
        name="ends are told",
        reason=(
            "A listener of Elixir's does not hear of entries that are gone because their process "
            "is: it has to monitor every process. Ours is told of each; who only watches the "
            "registry then knows what is in it."
        ),
        ways=attrs.evolve(ELIXIR, hears_of_ends=True),
    ),
    Deviation(
        name="each entry is told",
        reason=(
            "If a process has several entries of a key, Elixir's listener hears of them once when "
            "they are all unregistered, and not at all while some are left. Ours is told of each "
            "entry, as it is when they are registered."
        ),
        ways=attrs.evolve(ELIXIR, hears_of_each=True),
    ),
    Deviation(
        name="nothing is not told",
        reason=(
            "Elixir's listener hears of a key that is unregistered by a process that had no entry "
            "of it, even if another process has one. Ours is told of what has happened."
        ),
        ways=attrs.evolve(ELIXIR, hears_of_nothing=False),
    ),
    Deviation(
        name="updates are told",
        reason="Elixir's listener does not hear of new values. Ours is told, as of other changes.",
        ways=attrs.evolve(ELIXIR, hears_of_updates=True),
    ),
)


def deviations_of(scenario: Scenario) -> Iterator[Deviation]:
    """Yield the deviations that show in a scenario."""
    for deviation in DEVIATIONS:
        if deviation.shows_in(scenario):
            yield deviation
