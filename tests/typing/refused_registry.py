"""What type checkers have to refuse of registry; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.registry import Entry, Registry, where
from trio_foundation.supervision import Child


def comes_and_goes(
    registry: Registry[str, int], owner: Child[None], other: Registry[int, str]
) -> None:
    registry.register(8080, 8080)  # type: ignore[arg-type]
    registry.register("web", "8080")  # type: ignore[arg-type]
    registry.register("web")  # type: ignore[call-arg]
    registry.bind("web", 8080)  # type: ignore[call-arg]
    registry.bind("web", 8080, "owner")  # type: ignore[arg-type]
    registry.bind(8080, 8080, owner)  # type: ignore[arg-type]
    registry.update("web", "8081")  # type: ignore[arg-type]
    registry.update(8080, health="healthy")  # type: ignore[arg-type]
    registry.unregister(8080)  # type: ignore[arg-type]
    registry.unregister(other.lookup(1))  # type: ignore[arg-type]


async def looks(registry: Registry[str, int]) -> None:
    registry.lookup(8080)  # type: ignore[arg-type]
    registry.get(8080)  # type: ignore[arg-type]
    registry.query("load")  # type: ignore[arg-type]
    registry.query(where("load"))  # type: ignore[arg-type]
    registry.query(load=0.5)  # type: ignore[call-arg]
    registry.find("load")  # type: ignore[call-arg]
    await registry.lookup("web")  # type: ignore[misc]
    text: str = registry.lookup("web").value  # type: ignore[assignment]
    print(text)  # noqa: T201
    registry.wait_for("web")  # type: ignore[unused-coroutine]


def is_made() -> None:
    Registry[str, int](keys="many")  # type: ignore[arg-type]
    Registry[str, int]("unique")  # type: ignore[call-arg]
    Registry[list[str], int]()  # type: ignore[type-var]
    where(3)  # type: ignore[arg-type]


def changes(entry: Entry[str, int]) -> None:
    entry.value = 3  # type: ignore[misc]
    entry.attributes["health"] = "healthy"  # type: ignore[index]
