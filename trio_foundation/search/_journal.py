"""The journal of a search: a file that grows by a line for each trial that ends.

A line is one write, which takes microseconds, less than asking a thread would. The file is locked:
two searches would cut off each other's lines.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import final

from ._errors import FailedBefore, JournalBroken, JournalDiffers, JournalInUse
from ._rules import (
    Line,
    Pages,
    Trial,
    decode,
    encode,
    line_of,
    same_words,
    trial_of,
    words_for,
)

__all__ = ["Journal", "Record", "read_record", "same_file"]


@final
class Record:
    """A journal that was read, of so many bytes."""

    def __init__(self, path: Path, pages: Pages, length: int) -> None:
        self.path = path
        self.pages = pages
        self.length = length

    @property
    def seed(self) -> int | None:
        """The seed, if it says."""
        header = self.pages.header
        return None if header is None else int(header["seed"])

    def check_header(self, header: Line) -> None:
        """Refuse the header of another search."""
        there = self.pages.header
        if there is None:
            return
        for key in {**header, **there}:
            if not same_words(there.get(key), header.get(key)):
                raise JournalDiffers(str(self.path), key, there.get(key), header.get(key))

    def find(self, index: int, params: Mapping[str, object]) -> Trial:
        """Return a trial; refuse one whose settings are others here."""
        line = self.pages.lines[index]
        here = words_for(params)
        if not same_words(line["params"], here):
            what = f"trial {index}"
            raise JournalDiffers(str(self.path), what, line["params"], here)
        error = FailedBefore(str(line["error"])) if "error" in line else None
        return trial_of(line, dict(params), error)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Return whether two paths lead to one place, file or not."""
    return Path(one).resolve() == Path(other).resolve()


def read_record(path: str | os.PathLike[str], *, must_exist: bool) -> Record:
    """Read a journal; without *must_exist*, a missing one is empty."""
    place = Path(path)
    _check_that_it_may_be_a_file(place)
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        if must_exist:
            raise
        data = b""
    try:
        return Record(place, decode(data), len(data))
    except ValueError as error:
        raise JournalBroken(str(place), int(str(error))) from None


@final
class Journal:
    """A journal open for writing, which goes on with a record of the same path."""

    def __init__(self, path: str | os.PathLike[str], header: Line, record: Record | None) -> None:
        place = Path(path)
        goes_on = record is not None and same_file(place, record.path)
        self._file = _open(place, record if goes_on else None)
        if goes_on and record and record.pages.header is not None:
            return
        try:
            self._write(header)
            for line in record.pages.lines.values() if record else ():
                self._write(line)
        except BaseException:
            self.close()
            raise

    def write(self, trial: Trial) -> None:
        self._write(line_of(trial))

    def _write(self, line: Line) -> None:
        data = encode(line)
        start = self._file.tell()
        try:
            while data:  # all at once, unless the disk fills up
                data = data[self._file.write(data) :]
        except BaseException:
            # Part of a line, with another after it, would break the journal.
            with suppress(OSError):
                self._file.truncate(start)
                self._file.seek(start)
            raise

    def close(self) -> None:
        # Whoever was forked from this process has the file open too, and would keep the lock.
        _lock(self._file, "LOCK_UN")
        self._file.close()


def _open(path: Path, record: Record | None) -> FileIO:
    """Open a journal; cut off a record's after its last whole line."""
    _check_that_it_may_be_a_file(path)
    file = path.open("r+b" if path.exists() else "xb", buffering=0)
    try:
        _take(file, path, record)
        file.truncate(0 if record is None else record.pages.size)
        file.seek(0, os.SEEK_END)
    except BaseException:
        file.close()
        raise
    return file


def _take(file: FileIO, path: Path, record: Record | None) -> None:
    """Lock a journal; refuse one not to be written."""
    if not _lock(file, "LOCK_EX", "LOCK_NB"):
        raise JournalInUse(str(path))
    if record is not None and file.seek(0, os.SEEK_END) != record.length:
        raise JournalInUse(str(path))  # it was, when it had been read
    if record is None and _holds_something(path):
        raise FileExistsError(
            f"{path} is there already: to go on with it, write resume_from={str(path)!r} beside "
            "journal; to begin anew, take it away"
        )


def _lock(file: FileIO, *how: str) -> bool:
    """Lock or unlock a file; return False if another has the lock."""
    try:
        fcntl = importlib.import_module("fcntl")
        fcntl.flock(file, sum(getattr(fcntl, name) for name in how))
    except BlockingIOError:
        return False
    except (ModuleNotFoundError, OSError):
        pass  # Windows has no such locks, and some networks have none
    return True


def _check_that_it_may_be_a_file(path: Path) -> None:
    # A pipe or a device may have no end; of a directory, the operating system says what it is.
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FileExistsError(f"{path} is no file, and a journal is one: write another path")


def _holds_something(path: Path) -> bool:
    """Return whether overwriting a file would lose something."""
    try:
        return bool(decode(path.read_bytes()).lines)
    except ValueError:
        return True
