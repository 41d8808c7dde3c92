"""Tests of KeyboardInterrupt at any step of a registry.

Run as a program, ``python -m tests.registry.test_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.registry import Registry, RegistryEvent, where
from trio_foundation.supervision import current_child, open_dynamic_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep

made: list[Registry[str, int]] = []


class Oops(Exception):
    """What transactions fail with."""


async def serve(registry: Registry[str, int], name: str) -> None:
    with counted():
        registry.bind(name, 1, current_child(), tags=[name, "all"])
        registry.bind(f"{name}'", 2, current_child(), load=1)
        with registry.register(f"{name} block", 3, tags={"all"}):
            registry.update(name, load=1)
            registry.replace(name, tags=["all"])
            await trio.sleep(1)


async def wait(registry: Registry[str, int]) -> None:
    with counted():
        await registry.wait_for("last")


def change(registry: Registry[str, int]) -> None:
    with suppress(Oops), registry.transaction():
        registry.unregister("a")
        with registry.register("new", 4, load=2), registry.transaction():
            registry.update("new", tags=["all"])
        raise Oops
    with registry.transaction():
        registry.unregister("a'")


async def everything() -> None:
    registry = Registry[str, int](indexes=["tags", "load"])
    made.append(registry)
    told: list[RegistryEvent] = []
    with counted(), subscribe(told.append, RegistryEvent), registry.watch(2) as changes:
        async with open_dynamic_supervisor() as sup:
            for name in ("a", "b"):
                await sup.start(serve, registry, name)
            sup.start_soon(wait, registry)
            await wait_all_tasks_blocked()
            change(registry)
            registry.find(tags="all")
            registry.query(where("load") >= 1)
            with registry.register("last", 5):
                await changes.receive()
                await sup.stop_child("serve")
                await trio.sleep(2)


def disorder() -> list[str]:
    """Return what is wrong with the registries, as the run has ended."""
    wrong: list[str] = []
    for registry in made:
        book = registry._book
        wrong += book.check()
        left = (len(registry), len(book.owners), len(book.watchers), len(book.arrivals))
        if any(left) or book.transaction is not None:
            wrong.append(f"{[*registry]} are left: {left}, in {book.transaction}")
    return wrong


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(3, 37), (21, 37)])
def test_an_interrupt_leaves_a_registry_in_order_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.registry.test_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=made.clear, disorder=disorder)
