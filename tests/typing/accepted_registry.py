"""What type checkers have to accept of registry, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, assert_type

import trio

from trio_foundation.messaging import Ref, Server
from trio_foundation.registry import (
    AttributePath,
    Criterion,
    Entry,
    Lagged,
    Registered,
    Registry,
    Unregistered,
    Updated,
    where,
)
from trio_foundation.supervision import Child, current_child


class Counter(Server):
    count = 0


PORTS = Registry[str, int](keys="duplicate", indexes=["health", "resources.memory"], name="ports")


async def comes_and_goes(registry: Registry[str, int], owner: Child[str]) -> None:
    block = registry.register("web", 8080, health="healthy", resources={"memory": 0.5})
    assert_type(block, AbstractContextManager[Entry[str, int]])
    with block as entry:
        assert_type(entry, Entry[str, int])
        assert_type(entry.key, str)
        assert_type(entry.value, int)
        assert_type(entry.attributes, Mapping[str, Any])
        assert_type(entry.owner, Child[Any] | None)
        assert_type(entry.serial, int)
    assert_type(registry.bind("web", 8080, owner, health="healthy"), Entry[str, int])
    registry.bind("web", 8080, current_child())
    assert_type(registry.update("web", health="degraded"), Entry[str, int])
    assert_type(registry.update(entry, 8081), Entry[str, int])
    assert_type(registry.replace("web", 8081, health="degraded"), Entry[str, int])
    registry.unregister("web")
    registry.unregister(entry)
    with registry.transaction():
        registry.unregister("web")


async def looks(registry: Registry[str, int]) -> None:
    assert_type(registry.lookup("web"), Entry[str, int])
    assert_type(registry.get("web"), Entry[str, int] | None)
    assert_type(registry.lookup_all("web"), list[Entry[str, int]])
    assert_type(registry.find(health="healthy"), list[Entry[str, int]])
    assert_type(
        registry.query(where("load") < 0.5, where("tags").contains("a")), list[Entry[str, int]]
    )
    assert_type(await registry.wait_for("web"), Entry[str, int])
    assert_type(len(registry), int)
    for key in registry:
        assert_type(key, str)
    print("web" in registry)  # noqa: T201


async def watches(registry: Registry[str, int]) -> None:
    with registry.watch() as changes:
        assert_type(
            changes,
            trio.MemoryReceiveChannel[Registered | Updated | Unregistered | Lagged],
        )
        async for change in changes:
            match change:
                case Registered() | Updated() | Unregistered():
                    assert_type(change.entry, Entry[Any, Any])
                case Lagged(missed=missed):
                    assert_type(missed, int)


def criteria() -> None:
    assert_type(where("load"), AttributePath)
    assert_type(where("load") == 1, Criterion)
    assert_type(where("load") != 1, Criterion)
    assert_type(where("load") < 1, Criterion)
    assert_type(where("load") >= 1, Criterion)
    assert_type(where("load").is_in([1, 2]), Criterion)
    assert_type(where("load").not_in(1, 2), Criterion)
    assert_type(where("tags").contains("a"), Criterion)


def values_of_any_kind(ref: Ref[Counter], servers: Registry[tuple[str, int], Ref[Counter]]) -> None:
    with servers.register(("counter", 1), ref) as entry:
        assert_type(entry.value, Ref[Counter])


def as_entry_of_objects(entry: Entry[str, int]) -> Entry[object, object]:
    return entry
