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
        name="ahead of the consumer",
        reason=(
            "Elixir's stream is driven by its consumer: while that is busy with a result, tasks "
            "go on and none is started. Ours runs beside its consumer: a task that ends makes "
            "room for the next at once, up to the limit and the buffer. So items begin earlier, "
            "and when the consumer leaves, more may have begun that are cancelled."
        ),
        ways=attrs.evolve(ELIXIR, works_ahead=True),
    ),
    Deviation(
        name="siblings are cancelled",
        reason=(
            "Processes that are linked to a caller that fails fail for the same reason. In Trio "
            "a task whose sibling has failed is cancelled, which is no failure of its own."
        ),
        ways=attrs.evolve(ELIXIR, cancels_siblings=True),
    ),
    Deviation(
        name="no orphans",
        reason=(
            "Tasks that are not linked to a caller go on when it exits because one of them took "
            "too long. In Trio no task outlives the block that it was started in: they are "
            "cancelled, and the caller exits when they have ended."
        ),
        ways=attrs.evolve(ELIXIR, leaves_no_orphans=True),
    ),
)


def deviations_of(scenario: Scenario) -> Iterator[Deviation]:
    """Yield the deviations that show in a scenario."""
    for deviation in DEVIATIONS:
        if deviation.shows_in(scenario):
            yield deviation
