"""Tests of what is decided about processes: what an end means, and where lines are cut."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, strategies as st

from trio_foundation.supervision._rules._process import (
    LineCutter,
    Piece,
    decode,
    judge_process,
)

# Few different bytes, so that newlines and long lines are common; two make a character.
BYTES = st.lists(st.sampled_from([b"a", b"\n", b"\r", "é".encode(), b"\xa9", b"\xff"])).map(
    b"".join
)


def cut(*portions: bytes, limit: int = 8) -> list[Piece]:
    cutter = LineCutter(limit)
    return [piece for data in portions for piece in cutter.feed(data)] + cutter.end()


# What a reader should know


@pytest.mark.parametrize(
    ("returncode", "was_ready", "verdict"),
    [(0, True, "normal"), (0, False, "failed"), (1, True, "failed"), (-11, True, "failed")],
    ids=["exit code 0", "exit code 0 before it was ready", "exit code 1", "a signal"],
)
def test_only_exit_code_0_after_readiness_is_a_normal_end(
    returncode: int, was_ready: bool, verdict: str
) -> None:
    assert verdict == judge_process(
        returncode, was_ready=was_ready, was_stopped=False, was_killed=False
    )


@pytest.mark.parametrize("returncode", [0, 1, 143, -9, -15])
def test_a_stop_is_a_stop_whatever_the_exit_code_is(returncode: int) -> None:
    for was_ready in (True, False):
        end = judge_process(returncode, was_ready=was_ready, was_stopped=True, was_killed=False)
        assert end == "stopped"


def test_what_had_to_be_killed_was_killed() -> None:
    for was_ready, was_stopped in product([True, False], repeat=2):
        end = judge_process(-9, was_ready=was_ready, was_stopped=was_stopped, was_killed=True)
        assert end == "killed"


def test_lines_are_put_together_again() -> None:
    assert cut(b"one\ntw", b"o\n\nthr", b"ee") == [
        (b"one", False),
        (b"two", False),
        (b"", False),
        (b"three", False),
    ]


@pytest.mark.parametrize("portions", [[b""], [b"one\n"], [b"one", b"\n"]], ids=["0", "1", "2"])
def test_after_the_last_newline_there_is_no_line(portions: list[bytes]) -> None:
    assert cut(*portions) == [(b"one", False)] * (portions != [b""])


@pytest.mark.parametrize("tail", [b"", b"\n"], ids=["unfinished", "finished"])
def test_a_line_as_long_as_the_limit_is_whole_and_a_longer_one_goes_on(tail: bytes) -> None:
    assert cut(b"12345678" + tail) == [(b"12345678", False)]
    assert cut(b"123456789" + tail) == [(b"12345678", True), (b"9", False)]
    assert cut(b"12345678", b"9" + tail, limit=4) == [
        (b"1234", True),
        (b"5678", True),
        (b"9", False),
    ]


def test_a_line_after_a_long_one_is_a_line() -> None:
    assert cut(b"123456789\nab\n") == [(b"12345678", True), (b"9", False), (b"ab", False)]


@pytest.mark.parametrize("character", ["é", "€", "𝄞"], ids=["2 bytes", "3 bytes", "4 bytes"])
@pytest.mark.parametrize("before", range(4))
def test_a_piece_ends_between_two_characters(character: str, before: int) -> None:
    line = "a" * before + character * 9
    pieces = cut(line.encode(), limit=8)
    assert "".join(map(decode, pieces)) == line
    assert all(len(piece) > 8 - len(character.encode()) for piece, _ in pieces[:-1])


def test_bytes_that_can_be_no_character_are_cut_anywhere() -> None:
    assert cut(b"\xa9" * 9) == [(b"\xa9" * 8, True), (b"\xa9", False)]


def test_a_line_of_windows_ends_before_its_cr_and_a_piece_keeps_it() -> None:
    assert decode((b"one\r", False)) == "one"
    assert decode((b"one\r\r", False)) == "one\r"
    assert decode((b"one\r", True)) == "one\r"


def test_what_is_no_utf_8_is_replaced() -> None:
    assert decode((b"f\xfcr", False)) == "f\N{REPLACEMENT CHARACTER}r"


# The promise


@given(data=BYTES, at=st.lists(st.integers(0, 100)), limit=st.integers(4, 12))
def test_no_byte_is_lost_or_made_up_however_the_portions_fall(
    data: bytes, at: list[int], limit: int
) -> None:
    cuts = [0, *sorted(min(place, len(data)) for place in at), len(data)]
    pieces = cut(*(data[a:b] for a, b in pairwise(cuts)), limit=limit)
    assert pieces == cut(data, limit=limit)

    written = b"".join(piece + b"\n" * (not goes_on) for piece, goes_on in pieces)
    unfinished = bool(data) and not data.endswith(b"\n")
    assert written == data + b"\n" * unfinished
    for piece, goes_on in pieces:
        assert limit - 4 < len(piece) <= limit or not goes_on
        assert len(piece) <= limit


@given(data=BYTES, limit=st.integers(4, 12))
def test_no_more_than_one_piece_is_held_back(data: bytes, limit: int) -> None:
    cutter = LineCutter(limit)
    for byte in data:
        cutter.feed(bytes([byte]))
        assert len(cutter._rest) <= limit
