"""The errors of searches."""

from __future__ import annotations

from typing import final

from .._base import FoundationError
from ._result import SearchResult
from ._rules import described_error

__all__ = [
    "FailedBefore",
    "JournalBroken",
    "JournalDiffers",
    "JournalInUse",
    "TooManyFailures",
]


@final
class TooManyFailures(FoundationError):
    """More trials failed than *max_failures*, which ended the search.

    Example:
        >>> from trio_foundation.search import SearchResult, Trial
        >>> result = SearchResult(None, [Trial(0, {}, None, OSError("no disk"), "failed")])
        >>> print(TooManyFailures(0, result))
        1 of 1 trials failed, and max_failures is 0; the last error was OSError: no disk
    """

    max_failures: int
    """How many may fail."""

    result: SearchResult
    """What was found before."""

    def __init__(self, max_failures: int, result: SearchResult) -> None:
        super().__init__(max_failures, result)
        self.max_failures = max_failures
        self.result = result

    def __str__(self) -> str:
        trials = self.result.trials
        errors = [trial.error for trial in trials if trial.error is not None]
        last = f"; the last error was {described_error(errors[-1])}" if errors else ""
        return (
            f"{len(errors)} of {len(trials)} trials failed, and max_failures is "
            f"{self.max_failures}{last}"
        )


@final
class JournalDiffers(FoundationError):
    """The journal is that of another search.

    Example:
        >>> print(JournalDiffers("run.jsonl", "seed", 1, 2))
        run.jsonl is the journal of another search: its seed is 1, and here it is 2
    """

    path: str
    """Where the journal is."""

    what: str
    """What differs."""

    there: object
    """What it is in the journal, as JSON."""

    here: object
    """What it is here, as JSON."""

    def __init__(self, path: str, what: str, there: object, here: object) -> None:
        super().__init__(path, what, there, here)
        self.path = path
        self.what = what
        self.there = there
        self.here = here

    def __str__(self) -> str:
        return (
            f"{self.path} is the journal of another search: its {self.what} is {self.there!r}, "
            f"and here it is {self.here!r}"
        )


@final
class JournalBroken(FoundationError):
    """A line of the file is none of a journal.

    Example:
        >>> print(JournalBroken("run.jsonl", 3))
        line 3 of run.jsonl is no line of a journal: mend it or take it out, or begin a new one
    """

    path: str
    """Where the journal is."""

    line: int
    """Which line, from 1."""

    def __init__(self, path: str, line: int) -> None:
        super().__init__(path, line)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        return (
            f"line {self.line} of {self.path} is no line of a journal: mend it or take it out, "
            "or begin a new one"
        )


@final
class JournalInUse(FoundationError):
    """Another search writes this journal, perhaps in another process.

    Example:
        >>> print(JournalInUse("run.jsonl"))
        run.jsonl is written by another search: give each a journal of its own
    """

    path: str
    """Where the journal is."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is written by another search: give each a journal of its own"


@final
class FailedBefore(FoundationError):
    """What a trial of a resumed journal failed with.

    Example:
        >>> print(FailedBefore("OSError: no disk"))
        OSError: no disk
    """

    text: str
    """The error's type and text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
