"""What is decided about a process: what its end means, and where its lines are cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, final

import attrs

__all__ = ["LineCutter", "Piece", "ProcessVerdict", "decode", "judge_process"]

ProcessVerdict: TypeAlias = Literal["normal", "failed", "stopped", "killed"]
"""What the end of a process means."""

Piece: TypeAlias = tuple[bytes, bool]
"""A line without its newline, or a piece of one; and whether the line goes on."""

# The longest character of UTF-8, in bytes.
_LONGEST = 4


def judge_process(
    returncode: int, *, was_ready: bool, was_stopped: bool, was_killed: bool
) -> ProcessVerdict:
    """Return what the end of a process means; a *returncode* below 0 is the number of a signal."""
    if was_killed:
        return "killed"
    if was_stopped:
        return "stopped"
    return "normal" if returncode == 0 and was_ready else "failed"


def decode(piece: Piece) -> str:
    r"""Return a piece as text: what is no UTF-8 is replaced, and a CR at the end goes.

    Example:
        >>> decode((b"f\xc3\xbcr \xff", False)), decode((b"on Windows\r", False))
        ('für �', 'on Windows')
    """
    line, goes_on = piece
    return (line if goes_on else line.removesuffix(b"\r")).decode(errors="replace")


@final
@attrs.define(eq=False)
class LineCutter:
    r"""Makes lines of bytes that come in portions.

    Example:
        >>> cutter = LineCutter(limit=8)
        >>> cutter.feed(b"one\ntw"), cutter.feed(b"o\n"), cutter.feed(b"a long line")
        ([(b'one', False)], [(b'two', False)], [(b'a long l', True)])
        >>> cutter.end()
        [(b'ine', False)]
    """

    limit: int
    """The longest piece, in bytes; at least 4, one character."""

    _rest: bytearray = attrs.field(init=False, factory=bytearray)

    def feed(self, data: bytes) -> list[Piece]:
        """Return the lines that end in *data*, and pieces of one that is too long."""
        *ends, rest = data.split(b"\n")
        pieces: list[Piece] = []
        for end in ends:
            pieces += self._grow(end)
            pieces.append((bytes(self._rest), False))
            self._rest.clear()
        pieces += self._grow(rest)
        return pieces

    def end(self) -> list[Piece]:
        """Return the line that has no newline yet, if any, and forget it."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [(rest, False)] if rest else []

    def _grow(self, data: bytes) -> Iterator[Piece]:
        self._rest += data
        while len(self._rest) > self.limit:
            cut = _between_characters(self._rest, self.limit)
            yield bytes(self._rest[:cut]), True
            del self._rest[:cut]


def _between_characters(data: bytearray, at: int) -> int:
    """Return *at*, or a little less if a character of UTF-8 would be cut there."""
    for place in range(at, at - _LONGEST, -1):
        if data[place] & 0b1100_0000 != 0b1000_0000:  # it begins a character
            return place
    return at
