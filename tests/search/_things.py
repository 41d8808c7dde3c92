"""What several of these tests use."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import trio

from trio_foundation.search import SearchResult, SearchSpace, Uniform, random_search
from trio_foundation.tasks import open_task_supervisor

__all__ = ["LINE", "full_disk", "points", "search", "search_for", "value_of_x", "wrong"]

LINE = SearchSpace(x=Uniform(0, 10))


def wrong(value: object) -> Any:
    """Return what a type checker would refuse."""
    return value


async def value_of_x(params: dict[str, Any]) -> float:
    return float(params["x"])


async def search(space: SearchSpace, evaluate: Any, **options: Any) -> SearchResult:
    """Search in a block of its own, always with the same seed."""
    options = {"seed": 1, **options}
    async with open_task_supervisor():
        result: SearchResult = await random_search(space, evaluate, **options)
    return result


async def search_for(
    seconds: float, space: SearchSpace, evaluate: Any, **options: Any
) -> SearchResult:
    """Search until time is up, and return what was found."""
    options = {"seed": 1, **options}
    result: SearchResult | None = None
    async with open_task_supervisor():
        with trio.CancelScope(relative_deadline=seconds):
            result = await random_search(space, evaluate, **options)
    assert result is not None
    return result


def points(result: SearchResult) -> list[tuple[int, dict[str, Any], float | None]]:
    """Return what trials were run, and what came of them."""
    return [(trial.index, trial.params, trial.value) for trial in result.trials]


@contextmanager
def full_disk(room: int) -> Generator[None]:
    """Let no file become longer than *room*, not even that to which pytest writes meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
