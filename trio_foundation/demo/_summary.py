"""The table at the end."""

from __future__ import annotations

from collections.abc import Mapping

from ..agents import CoordinatorStatistics
from ._counting import Totals
from ._run import Demo
from ._system import System

__all__ = ["summary"]

Lines = Mapping[str, list[str]]


def summary(demo: Demo, verdict: str) -> Lines:
    """Return the lines of the table, by their heads."""
    if demo.system is None:
        return {"comparison": [verdict]}
    found = files(demo.system.totals())
    done = work(demo.system)
    size = [f"{demo.batch_size} files"]
    return {**found, "batch size": size, **done, "comparison": [verdict]}


def files(totals: Totals) -> Lines:
    names, words, skipped = totals.identifiers, totals.words, totals.skipped
    top = sorted(names, key=lambda name: (-names[name], name))[:10]
    return {
        "files": [f"{totals.files - len(skipped):,} counted, {len(skipped):,} skipped"],
        "skipped": [f"{path}: {fault}" for path, fault in sorted(skipped.items())],
        "identifiers": [f"{names.total():,} counted, {len(names):,} different"],
        "words": [f"{words.total():,} counted, {len(words):,} different"],
        "top ten": [f"{names[name]:9,} {name}" for name in top],
    }


def work(system: System) -> Lines:
    figures, restarts = system.figures, system.restarts
    peaks = {name: one.peak for name, one in sorted(figures.receivers.items())}
    again = sum(store.came_again for store in system.stores.values())
    cache = system.cache.statistics()
    return {
        "messages": messages(figures),
        "again": [
            f"{figures.redelivered:9,} further attempts",
            f"{again:9,} of them with a batch that was stored already, and counts once",
        ],
        "buffered": [f"{peak:9,} at most for {name}" for name, peak in peaks.items() if peak],
        "cache hits": [f"{cache.hits:9,} of {cache.gets:,} files were counted already"],
        "restarts": [f"{restarts[name]:9,} {name}" for name in sorted(restarts)],
    }


def messages(figures: CoordinatorStatistics) -> list[str]:
    """Return what became of all messages; the lines add up."""
    became = {
        "handled": figures.delivered,
        "failed, as the sender was told": figures.failed,
        "dead letters": figures.dead_lettered,
        "called off": figures.cancelled,
    }
    assert sum(became.values()) == figures.messages, "what is closed has nothing under way"
    sent = f"{figures.messages:9,} sent ="
    always = ("handled", "dead letters")
    return [sent] + [f"{many:9,} {what}" for what, many in became.items() if many or what in always]
