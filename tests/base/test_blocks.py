"""What a block says to whoever enters it in a way that is not its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import trio

from trio_foundation.agents import AgentRegistry, open_coordinator
from trio_foundation.resilience import open_breakers
from trio_foundation.supervision import open_dynamic_supervisor, open_supervisor
from trio_foundation.tasks import open_map, open_task_supervisor
from trio_foundation.testing import open_storm
from trio_foundation.workflows import open_serial_operations

BLOCKS: dict[str, Callable[[], Any]] = {
    "a supervisor": lambda: open_supervisor([]),
    "a coordinator": lambda: open_coordinator(AgentRegistry()),
    "a task supervisor": open_task_supervisor,
    "a map": lambda: open_map(trio.sleep, [0]),
    "serial operations": lambda: open_serial_operations(name="ledger"),
    "breakers": open_breakers,
}


@pytest.mark.parametrize("opens", BLOCKS)
async def test_a_block_that_is_entered_by_with_says_to_write_async_with(opens: str) -> None:
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=rf"^write 'async with', not 'with', to open {opens}$"):
            with BLOCKS[opens]():
                raise AssertionError("it was entered")


async def test_a_storm_says_it_too() -> None:
    async with open_dynamic_supervisor() as sup:
        storm: Any = open_storm(sup, seed=1)
        with pytest.raises(TypeError, match=r"^write 'async with', not 'with', to open a storm$"):
            with storm:
                raise AssertionError("it was entered")


def test_a_supervisor_under_asyncio_says_what_to_run_it_on() -> None:
    async def main() -> None:
        async with open_supervisor([]):
            raise AssertionError("it was entered")

    with pytest.raises(RuntimeError, match=r"^a supervisor runs on Trio: .*trio\.run\(main\)$"):
        asyncio.run(main())
