"""A bar that shows how far a map has come."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import TextIO

from .._base import check_name
from ._options import Progress

__all__ = ["rich_progress"]


def rich_progress(
    description: str = "working", *, file: TextIO | None = None
) -> AbstractContextManager[Progress]:
    """Show how far a map has come, as a bar in the terminal.

    Args:
        description: What stands before the bar.
        file: Where the bar is drawn; by default standard error.

    Returns:
        The block, for ``with``; it gives the *on_progress* of one map to its body.

    Raises:
        TypeError: *description* is no string.
        ValueError: *description* is empty.
        ModuleNotFoundError: Rich is missing: ``pip install 'trio-foundation[cli]'``.

    Example:
        >>> import io, trio
        >>> from trio_foundation.tasks import open_task_supervisor
        >>> async def main():
        ...     async with open_task_supervisor() as tasks:
        ...         with rich_progress("waiting", file=io.StringIO()) as progress:
        ...             await tasks.parallel_map(trio.sleep, [0, 0], on_progress=progress)
        >>> trio.run(main)
    """
    check_name("description", description)
    return _bar(description, file or sys.stderr, _rich("progress"), _rich("console"))


@contextmanager
def _bar(
    description: str, file: TextIO, progress: ModuleType, console: ModuleType
) -> Generator[Progress]:
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        console=console.Console(file=file),
    )
    with bar:
        task = bar.add_task(description, total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def _rich(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"rich.{module}")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "rich_progress needs rich: pip install 'trio-foundation[cli]'"
        ) from None
