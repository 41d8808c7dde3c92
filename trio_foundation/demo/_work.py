"""Count the identifiers in many files, and lose none of them in a crash.

A file goes from the feeder to a worker to the collector, and is acknowledged there. Whoever
crashes with a file in hand gives it back, and it goes round once more; the collector counts
none twice. No child owns what is in here, so it outlives them all.

Tokenizing is done in the workers' own tasks, some milliseconds a file, with a checkpoint
between any two files: it keeps the processor busy, and threads could only take turns at it.
"""

from __future__ import annotations

import io
import keyword
import random
import symtable
import tokenize
import warnings
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

from ..supervision import ChildExited, ChildRestarting, current_child

__all__ = ["Crash", "Work"]

Found = tuple[Path, Counter[str], str]  # a file, its identifiers, or why it has none


class Crash(Exception):
    """What the demo does to itself, so that there is something to heal."""


@attrs.define(eq=False, slots=False)
class Work:
    """What is to be done, and what is done."""

    root: Path
    files: Sequence[Path]
    workers: int
    crash_rate: float
    seed: int

    def __attrs_post_init__(self) -> None:
        self.identifiers, self.skipped = Counter[str](), dict[Path, str]()
        self.counted, self.acknowledged, self.finished = set[Path](), set[Path](), trio.Event()
        self.restarts, self.last_crash, self.rolls = Counter[str](), "", Counter[str]()
        self.collector_crash_rate = self.crash_rate / 10  # low, since it holds up everybody
        # There is room for all the files at once, so that giving one back never waits.
        self.to_feeder, self.todo = trio.open_memory_channel[Path](len(self.files))
        self.to_workers, self.jobs = trio.open_memory_channel[Path](self.workers)
        self.to_collector, self.found = trio.open_memory_channel[Found](self.workers)
        for path in self.files:
            self.to_feeder.send_nowait(path)

    async def feed(self) -> None:
        """Give out the files, also those that come back, as fast as the workers take them."""
        async for path in self.todo:
            with self.in_hand(path):
                await self.to_workers.send(path)

    async def tokenize(self) -> None:
        """Count the identifiers in one file after the other."""
        async for path in self.jobs:
            with self.in_hand(path):
                found = count_identifiers(self.root / path)
                if self.luck("worker", path) < self.crash_rate:
                    raise Crash(f"dropped {path}")
                await self.to_collector.send((path, *found))

    async def collect(self) -> None:
        """Add up what the workers found, until every file is acknowledged."""
        while True:
            path, names, fault = await self.found.receive()
            with self.in_hand(path):
                luck = self.luck("collector", path)
                if luck < self.collector_crash_rate / 2:
                    raise Crash(f"lost the count of {path}")
                if path not in self.counted:
                    self.counted.add(path)
                    self.identifiers.update(names)
                    self.skipped.update({path: fault} if fault else {})
                if luck < self.collector_crash_rate:
                    raise Crash(f"counted {path}, but did not acknowledge it")
                self.acknowledged.add(path)
            if len(self.acknowledged) == len(self.files):
                self.finished.set()
                return

    @contextmanager
    def in_hand(self, path: Path) -> Generator[None]:
        """Answer for a file: give it back, should the block be left by a crash."""
        current_child().status = path
        try:
            yield
        except BaseException:
            self.to_feeder.send_nowait(path)
            raise

    def luck(self, who: str, path: Path) -> float:
        """Return a number that the seed fixes, in whatever order the files are done."""
        dice = f"{self.seed} {who} {path.as_posix()!a}"
        self.rolls[dice] += 1
        return random.Random(f"{dice} {self.rolls[dice]}").random()  # noqa: S311

    def hear(self, event: ChildExited | ChildRestarting) -> None:
        """Note what there is to show of a crash."""
        if isinstance(event, ChildRestarting):
            self.restarts[event.child] += 1
        elif isinstance(event.exit.error, Exception):
            self.last_crash = str(event.exit)


def count_identifiers(path: Path) -> tuple[Counter[str], str]:
    """Return the names in a file that are no keywords; or none, and why it is not Python."""
    names = Counter[str]()
    try:
        with tokenize.open(path) as source, warnings.catch_warnings(action="ignore"):
            text = source.read()
            symtable.symtable(text, path.name, "exec")  # the quickest way to have it parsed
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                    names[token.string] += 1
    except Exception as error:  # noqa: BLE001  a file names its codec, which may raise anything
        told = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        return Counter(), told.replace(f" for {str(path)!r}", "")
    return names, ""
