"""One scenario, from its start to its last step, on a virtual clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import trio
from trio.testing import MockClock

from trio_foundation.supervision import SupervisionEvent
from trio_foundation.telemetry import subscribe

from ._batch import batch
from ._driver import NOOP, Driver
from ._format import Json, Observation, Scenario
from ._journal import Journal
from ._look import count_children, which_children
from ._root import Root
from ._script import Script
from ._tree import Builder

__all__ = ["Seen", "replay"]

PATIENCE = 300.0
"""How long a step may take, in virtual seconds. The longest recorded takes less than 3."""


@attrs.frozen(kw_only=True)
class Seen:
    """What could be seen after the start, or after a step."""

    observation: Observation
    """What is recorded of OTP; the events are in the children's own account."""

    told: list[Json]
    """The events in the account of the library."""

    contradictions: list[str]
    """Where the two accounts do not fit."""


def replay(scenario: Scenario) -> list[Seen]:
    """Replay a scenario: return what was seen after its start, and after each step."""
    seen: list[Seen] = []
    trio.run(_replay, scenario, seen, clock=MockClock(autojump_threshold=0))
    return seen


async def _replay(scenario: Scenario, seen: list[Seen]) -> None:
    journal = Journal()
    script = Script(journal)
    builder = Builder(journal, script, frozenset(_killed(step.action for step in scenario.steps)))
    root = Root(scenario.supervisor, builder, journal)
    driver = Driver(root, builder, journal, script)
    with subscribe(journal.hear, SupervisionEvent):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.run)
            with trio.fail_after(PATIENCE):
                await driver.settle()
            seen.append(_see(driver, root.booted))
            for step in scenario.steps:
                journal.turn_page()
                with trio.fail_after(PATIENCE):
                    result = await _do(driver, step.action)
                    await driver.settle()
                seen.append(_see(driver, result))
            nursery.cancel_scope.cancel()


def _killed(actions: Iterator[Mapping[str, Json]]) -> Iterator[str]:
    for action in actions:
        if action["op"] == "kill":
            yield action["id"]
        yield from _killed(iter(action.get("actions", ())))


async def _do(driver: Driver, action: Mapping[str, Json]) -> Json:
    match action["op"]:
        case "wait":
            await trio.sleep(action["ms"] / 1000)
            return None
        case "exit" | "kill" | "stop":
            return driver.happen(action)
        case "batch":
            return await batch(driver, action["actions"])
        case _:
            call = driver.call(action)
            return NOOP if call is None else await call.make()


def _see(driver: Driver, result: Json) -> Seen:
    journal, specs = driver.journal, driver.builder.supervisors
    supervisors = driver.supervisors()
    return Seen(
        observation=Observation(
            returned=result,
            events=[*journal.lived],
            alive=driver.root.alive,
            children={
                id: which_children(sup, specs[id], journal) for id, sup in supervisors.items()
            },
            counts={
                id: count_children(sup, specs[id], driver.script.turns.waiting)
                for id, sup in supervisors.items()
            },
        ),
        told=[*journal.told],
        contradictions=[*journal.contradictions],
    )
